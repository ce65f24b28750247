"""What a git command can lose, by git's own argument grammar."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from lookahead.critics.calls import Call
from lookahead.critics.finding import Finding, caution, danger, note
from lookahead.critics.nameset import nameset
from lookahead.critics.options import Options, options
from lookahead.critics.paths import Ground
from lookahead.critics.words import Word

_GLOBAL: Final = "-C -c --git-dir --work-tree --namespace --exec-path --super-prefix --config-env --attr-source"
_HARMLESS: Final = nameset(
    "status log diff show blame grep ls-files ls-tree ls-remote rev-parse rev-list describe shortlog cat-file"
    " show-ref name-rev for-each-ref whatchanged merge-base var version help count-objects fsck verify-commit"
    " verify-tag verify-pack check-ignore check-attr diff-tree diff-index diff-files range-diff cherry"
    " annotate archive bundle add commit init clone fetch pull merge mv cherry-pick revert apply am bisect"
    " maintenance format-patch difftool mergetool rerere stash tag branch checkout switch restore reset remote"
    " config worktree submodule notes sparse-checkout lfs hash-object mktree write-tree commit-tree credential"
    " instaweb gui citool gitk request-pull send-email svn p4 quiltimport interpret-trailers stripspace column"
    " get-tar-commit-id show-branch show-index unpack-file merge-file merge-tree merge-index index-pack pack-"
    " objects unpack-objects pack-refs read-tree symbolic-ref update-index update-server-info diagnose"
    " bugreport backfill fmt-merge-msg mailinfo mailsplit patch-id daemon http-fetch http-push upload-pack"
    " receive-pack shell imap-send fast-export fast-import replace prune repack gc reflog rebase filter-branch"
    " filter-repo clean rm push update-ref checkout-index prune-packed multi-pack-index hook scalar"
    " check-mailmap check-ref-format credential-store credential-cache fetch-pack"
    " send-pack replay refs last-modified http-backend fsmonitor--daemon"
)
_REFLOG: Final = "only the reflog still knows the old commits, for a while"
_WORK: Final = "changes that were not committed are gone"


def git(call: Call, ground: Ground) -> Iterator[Finding]:
    found = options(call.args, _GLOBAL, first=True)
    if not found.rest or found.has("--version", "--help"):
        return
    name, args = found.rest[0].text, found.rest[1:]
    for setting in found.values.get("-c", []):
        key = setting.partition("=")[0].lower()
        if key == f"alias.{name.lower()}":
            return  # What the alias stands for is judged as a call of its own.
    rule = _RULES.get(name)
    if rule is not None:
        yield from rule(args)
    elif name not in _HARMLESS:
        yield caution(
            "git.unknown-command", f"git {name} is not a command of git itself", "an alias or a plugin can do anything"
        )


def _work(what: str, *evidence: str) -> Finding:
    return danger("git.uncommitted-lost", what, _WORK, *evidence, reach="files")


def _reset(args: tuple[Word, ...]) -> Iterator[Finding]:
    found = options(args)
    if found.has("--hard"):
        to = next((text for text in found.texts if text != "HEAD"), "")
        yield _work(f"resets the folder to {to or 'the last commit'}")
        if to:
            yield caution("git.commits-dropped", f"moves the branch to {to}", _REFLOG, to)
    elif found.has("--merge", "--keep"):
        yield caution("git.commits-dropped", "moves the branch and parts of the folder", _REFLOG, reach="files")


def _clean(args: tuple[Word, ...]) -> Iterator[Finding]:
    found = options(args, "-e --exclude")
    if found.has("-n", "--dry-run", "-i", "--interactive"):
        return
    what = "all files that git does not know" + (", ignored ones too" if found.has("-x", "-X") else "")
    if found.has("-f", "--force"):
        yield danger(
            "git.untracked-lost",
            f"deletes {what}",
            "they were never committed, so nothing brings them back",
            reach="files",
        )
    else:
        yield caution(
            "git.untracked-lost",
            f"deletes {what}, if git is set up so",
            "nothing brings them back",
            reach="files",
            loses=True,
        )


def _checkout(args: tuple[Word, ...]) -> Iterator[Finding]:
    found = options(args, "-b -B --orphan --conflict --pathspec-from-file")
    if found.has("-f", "--force"):
        yield _work("switches and throws local changes away")
    elif found.has("-B"):
        yield caution("git.commits-dropped", f"resets the branch {found.value('-B') or ''}", _REFLOG)
    elif found.has("-b", "--orphan", "-t", "--track", "--detach", "-d"):
        return
    elif found.dashes is not None:
        paths = found.texts[found.dashes :]
        if paths:
            yield _work(f"throws away changes in {', '.join(paths[:3])}", *paths[:3])
    elif found.has("-p", "--patch"):
        return
    elif found.has("--pathspec-from-file") or found.has("--ours", "--theirs"):
        yield _work("throws away changes in the files listed")
    elif len(found.rest) > 1:
        yield _work(f"throws away changes in {', '.join(found.texts[1:4])}", *found.texts[1:4])
    elif found.rest and _looks_like_path(found.rest[0]):
        yield _work(f"throws away changes in {found.texts[0]}", found.texts[0])


def _looks_like_path(word: Word) -> bool:
    text = word.text
    if (
        text in (".", "..", ":/", ":/.")
        or word.glob
        or text.startswith(("./", "../", ":(", ":!"))
        or text.endswith("/")
    ):
        return True
    return re.search(r"\.[A-Za-z][A-Za-z0-9]{0,5}$", text) is not None and not re.match(
        r"(v?\d|release|feature|fix|origin|hotfix)", text
    )


def _switch(args: tuple[Word, ...]) -> Iterator[Finding]:
    found = options(args, "-c -C --orphan")
    if found.has("-f", "--force", "--discard-changes"):
        yield _work("switches and throws local changes away")
    elif found.has("-C"):
        yield caution("git.commits-dropped", "resets a branch", _REFLOG)


def _restore(args: tuple[Word, ...]) -> Iterator[Finding]:
    found = options(args, "-s --source --conflict --pathspec-from-file")
    if found.has("-p", "--patch") or (found.has("-S", "--staged") and not found.has("-W", "--worktree")):
        return
    yield _work(f"throws away changes in {', '.join(found.texts[:3]) or 'files'}", *found.texts[:3])


def _push(args: tuple[Word, ...]) -> Iterator[Finding]:
    found = options(args, "-o --push-option --receive-pack --exec --repo")
    if found.has("-n", "--dry-run"):
        return
    to = found.texts[0] if found.rest else "the remote"
    specs = found.texts[1:]
    if found.has("--mirror", "--prune"):
        yield danger(
            "git.remote-overwritten", f"makes {to} exactly like this copy", "branches that are only there are deleted"
        )
    elif found.has("-d", "--delete") or any(spec.startswith(":") and len(spec) > 1 for spec in specs):
        yield danger(
            "git.remote-deleted", f"deletes {', '.join(specs[:2])} at {to}", "others may work on it", *specs[:2]
        )
    elif found.has("-f", "--force") and not _only_lease(found):
        yield danger(
            "git.remote-overwritten", f"overwrites history at {to}", "commits that are only there are lost", *specs[:2]
        )
    elif any(spec.startswith("+") for spec in specs):
        yield danger(
            "git.remote-overwritten", f"overwrites history at {to}", "a + before the branch means force", *specs[:2]
        )
    elif found.has("--force-with-lease", "--force-if-includes"):
        yield caution(
            "git.remote-overwritten",
            f"overwrites history at {to} if nobody pushed since",
            "it is rewritten for all",
            *specs[:2],
        )
    elif found.has("--all"):
        yield caution("git.published", f"pushes every branch to {to}", "what has left cannot be called back")
    else:
        yield note("git.published", f"pushes to {to}", "others can see it then")


def _only_lease(found: Options) -> bool:
    return "-f" not in found.flags and not any("--force".startswith(flag) and len(flag) > 3 for flag in found.flags)


def _branch(args: tuple[Word, ...]) -> Iterator[Finding]:
    found = options(args, "-u --set-upstream-to --contains --merged --no-merged --points-at --sort --format")
    forced = found.has("-D") or (found.has("-d", "--delete") and found.has("-f", "--force"))
    if forced:
        yield danger(
            "git.branch-deleted",
            f"deletes the branch {', '.join(found.texts[:3])} even if it is not merged",
            _REFLOG,
            *found.texts[:3],
        )
    elif found.has("-M", "-C") or (found.has("-f", "--force") and found.rest):
        yield caution("git.commits-dropped", "replaces a branch", _REFLOG, *found.texts[:2])


def _stash(args: tuple[Word, ...]) -> Iterator[Finding]:
    verb = args[0].text if args else "push"
    if verb in ("drop", "clear"):
        yield danger(
            "git.stash-lost",
            f"throws away {'every stash' if verb == 'clear' else 'a stash'}",
            "stashed work has no other copy",
        )


def _tag(args: tuple[Word, ...]) -> Iterator[Finding]:
    found = options(args, "-m -F -u")
    if found.has("-d", "--delete", "-f", "--force") and found.rest:
        yield caution(
            "git.tag-replaced", f"deletes or moves the tag {found.texts[0]}", "a release may hang on it", found.texts[0]
        )


def _rebase(args: tuple[Word, ...]) -> Iterator[Finding]:
    found = options(args, "--onto -x --exec -s -X")
    if not found.has("--abort", "--continue", "--skip", "--quit", "--edit-todo", "--show-current-patch"):
        yield caution("git.history-rewritten", "rewrites the commits of this branch", _REFLOG)
    elif found.has("--abort", "--skip"):
        yield caution("git.commits-dropped", "gives up commits that were being rewritten", _REFLOG)


def _filter(args: tuple[Word, ...]) -> Iterator[Finding]:
    yield danger("git.history-rewritten", "rewrites every commit", "what it removes is gone from the whole history")


def _gc(args: tuple[Word, ...]) -> Iterator[Finding]:
    when = next((text.partition("=")[2] for text in (word.text for word in args) if text.startswith("--prune=")), "")
    if when in ("now", "all", "0") or (when and when != "never" and not when.startswith(("2.week", "30", "90"))):
        yield danger(
            "git.objects-pruned", "deletes commits that nothing points at", "they are what the reflog and recovery need"
        )


def _prune(args: tuple[Word, ...]) -> Iterator[Finding]:
    if not options(args, "--expire").has("-n", "--dry-run"):
        yield danger("git.objects-pruned", "deletes commits that nothing points at", "they are what recovery needs")


def _reflog(args: tuple[Word, ...]) -> Iterator[Finding]:
    if args and args[0].text in ("expire", "delete") and not options(args).has("-n", "--dry-run"):
        yield danger(
            "git.reflog-lost", "forgets where branches were before", "this is how lost commits are found again"
        )


def _worktree(args: tuple[Word, ...]) -> Iterator[Finding]:
    found = options(args)
    if found.texts[:1] == ["remove"]:
        if found.has("-f", "--force"):
            yield danger("git.uncommitted-lost", f"removes the worktree {' '.join(found.texts[1:2])}", _WORK)
        else:
            yield note(
                "git.worktree-removed",
                f"removes the worktree {' '.join(found.texts[1:2])}",
                "git refuses if it holds changes",
            )


def _update_ref(args: tuple[Word, ...]) -> Iterator[Finding]:
    if options(args).has("-d", "--delete", "--stdin"):
        yield danger(
            "git.branch-deleted", "deletes a reference without any check", _REFLOG, *[word.text for word in args][-1:]
        )
    else:
        yield caution("git.commits-dropped", "moves a reference without any check", _REFLOG)


def _remove(args: tuple[Word, ...]) -> Iterator[Finding]:
    found = options(args, "--pathspec-from-file")
    if found.has("--cached", "-n", "--dry-run"):
        return
    if found.has("-f", "--force"):
        yield _work(f"deletes {', '.join(found.texts[:3])}, changed or not", *found.texts[:3])
    else:
        yield note(
            "git.removed", f"removes {', '.join(found.texts[:3])}", "git refuses if it holds changes", reach="files"
        )


def _remote(args: tuple[Word, ...]) -> Iterator[Finding]:
    texts = [word.text for word in args]
    if texts[:1] in (["set-url"], ["remove"], ["rm"], ["rename"], ["add"]):
        severe = texts[0] != "add"
        make = caution if severe else note
        yield make("git.remote-changed", f"git remote {' '.join(texts[:3])}", "later pushes and pulls go elsewhere")


_READS: Final = ("--get", "--list", "-l", "--get-all", "--get-regexp", "--show-origin", "--get-urlmatch", "get", "list")


def _config(args: tuple[Word, ...]) -> Iterator[Finding]:
    found = options(args, "-f --file --blob --type --default")
    texts = [text for text in found.texts if text not in ("set", "unset")]
    if (
        found.has(*_READS)
        or found.texts[:1] in (["get"], ["list"])
        or (len(texts) < 2 and not found.has("--unset", "--unset-all", "--remove-section", "-e"))
    ):
        return
    key = texts[0].lower() if texts else ""
    if re.search(
        r"hookspath|fsmonitor|pager|sshcommand|editor|helper|insteadof|^alias\.|askpass|\.cmd$|textconv|^filter\.|sslverify|proxy|^include",
        key,
    ):
        yield caution("git.settings-changed", f"sets {key}", "git runs or trusts it from then on", *texts[1:2])
    elif found.has("--global", "--system"):
        yield caution("git.settings-changed", f"sets {key} for every repository", "it outlives this work")


def _tree(args: tuple[Word, ...]) -> Iterator[Finding]:
    if options(args, "--prefix").has("--reset", "-f", "--force", "-u", "-a"):
        yield _work("replaces the files of the folder")


def _submodule(args: tuple[Word, ...]) -> Iterator[Finding]:
    found = options(args)
    if found.texts[:1] in (["deinit"], ["update"]) and found.has("-f", "--force"):
        yield _work(f"git submodule {found.texts[0]} by force")


def _svn(args: tuple[Word, ...]) -> Iterator[Finding]:
    if args and args[0].text == "dcommit":
        yield caution("git.published", "commits to the Subversion server", "it cannot be taken back there")


def _mail(args: tuple[Word, ...]) -> Iterator[Finding]:
    if not options(args).has("--dry-run", "-n"):
        yield caution("leaves.mail", "sends patches by mail", "what has left cannot be called back")


def _lfs(args: tuple[Word, ...]) -> Iterator[Finding]:
    if args and args[0].text in ("prune", "migrate", "dedup") and not options(args).has("--dry-run", "-d"):
        yield caution("git.objects-pruned", f"git lfs {args[0].text}", "files that are only here may go")


def _amend(args: tuple[Word, ...]) -> Iterator[Finding]:
    if options(args, "-m -F -C -c").has("--amend"):
        yield note("git.history-rewritten", "replaces the last commit", _REFLOG)


def _refs(args: tuple[Word, ...]) -> Iterator[Finding]:
    if options(args).has("-d", "--delete", "-f", "--force"):
        yield caution("git.commits-dropped", "deletes or replaces a reference", _REFLOG)


_RULES: Final[dict[str, Callable[[tuple[Word, ...]], Iterator[Finding]]]] = {
    "reset": _reset,
    "clean": _clean,
    "checkout": _checkout,
    "switch": _switch,
    "restore": _restore,
    "push": _push,
    "branch": _branch,
    "stash": _stash,
    "tag": _tag,
    "rebase": _rebase,
    "filter-branch": _filter,
    "filter-repo": _filter,
    "fast-import": _filter,
    "gc": _gc,
    "prune": _prune,
    "reflog": _reflog,
    "worktree": _worktree,
    "update-ref": _update_ref,
    "rm": _remove,
    "remote": _remote,
    "config": _config,
    "read-tree": _tree,
    "checkout-index": _tree,
    "submodule": _submodule,
    "svn": _svn,
    "send-email": _mail,
    "lfs": _lfs,
    "commit": _amend,
    "symbolic-ref": _refs,
    "replace": _refs,
    "notes": _refs,
}
