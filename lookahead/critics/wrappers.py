"""Programs that run another: what they run."""

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lookahead.critics.nameset import nameset
from lookahead.critics.options import options
from lookahead.critics.paths import UNKNOWN
from lookahead.critics.words import Word

if TYPE_CHECKING:
    from lookahead.critics.shell import Call


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner:
    """What is run inside: shell text, or a program with its arguments."""

    text: str | None = None
    words: tuple[Word, ...] = ()
    elsewhere: str = ""
    cwd: str = ""


SHELLS: Final = nameset("sh bash dash zsh ksh ash fish mksh rbash tcsh csh")
CODE: Final = nameset("python python2 python3 pypy pypy3 perl ruby node nodejs deno bun php lua tclsh rscript")

# Each wrapper: the options that take a value, and how many plain words come before the program.
_PLAIN: Final[dict[str, tuple[str, int]]] = {
    "sudo": ("-u -g -h -p -C -D -R -T -U -r -t --user --group --host --prompt --chdir --chroot --role --type", 0),
    "doas": ("-u -C", 0),
    "pkexec": ("--user", 0),
    "env": ("-u -C -S --unset --chdir --split-string", 0),
    "nice": ("-n --adjustment", 0),
    "ionice": ("-c -n -p --class --classdata", 0),
    "timeout": ("-s -k --signal --kill-after", 1),
    "gtimeout": ("-s -k --signal --kill-after", 1),
    "time": ("-o -f --output --format", 0),
    "nohup": ("", 0),
    "setsid": ("", 0),
    "stdbuf": ("-i -o -e --input --output --error", 0),
    "chrt": ("-p", 1),
    "taskset": ("", 1),
    "strace": ("-o -e -p -s -E -u -P", 0),
    "ltrace": ("-o -e -p -s -u", 0),
    "chroot": ("--userspec --groups", 1),
    "exec": ("-a", 0),
    "builtin": ("", 0),
    "command": ("", 0),
    "coproc": ("", 0),
    "busybox": ("", 0),
    "toybox": ("", 0),
    "systemd-run": ("-p -u -E --unit --property --slice --description --setenv --on-calendar --on-active", 0),
    "systemd-inhibit": ("--what --who --why --mode", 0),
    "gosu": ("", 1),
    "su-exec": ("", 1),
    "caffeinate": ("-t -w", 0),
    "proxychains": ("-f", 0),
    "proxychains4": ("-f", 0),
    "torsocks": ("", 0),
    "firejail": ("", 0),
    "bwrap": ("--bind --ro-bind --dev --proc --tmpfs --chdir --setenv", 0),
    "unshare": ("-S -G -R", 0),
    "nsenter": ("-t --target", 0),
    "tini": ("", 0),
    "dumb-init": ("", 0),
    "unbuffer": ("", 0),
    "rlwrap": ("", 0),
    "fakeroot": ("", 0),
    "numactl": ("", 0),
    "catchsegv": ("", 0),
    "npx": ("-p --package", 0),
    "bunx": ("", 0),
    "uvx": ("--from --with", 0),
    "setarch": ("", 1),
    "cpulimit": ("-l -p -e", 0),
    "parallel": ("-j -a --jobs --arg-file", 0),
    "!": ("", 0),
}
_RUNNERS: Final = nameset(
    "uv poetry pipenv pdm hatch rye conda mamba micromamba bundle pnpm yarn npm mise asdf direnv devbox nix"
)
_SHELL_TEXT: Final = {
    "watch": "-n -d --interval",
    "su": "-s -g -G --shell --group",
    "runuser": "-u -s -g --user",
    "script": "-T -t -I -O",
}


def unwrapped(call: "Call") -> Iterator[Inner]:
    """What this call runs in turn, as far as its words say."""
    if call.name in _PLAIN:
        yield from _wrapper(call)
    elif call.name in SHELLS:
        yield from _shell(call)
    elif call.name in _READERS:
        yield from _READERS[call.name](call)
    elif call.name in _RUNNERS:
        yield from _runner(call)
    elif call.name in _SHELL_TEXT:
        yield from _text_option(call)


def _wrapper(call: "Call") -> Iterator[Inner]:
    valued, skip = _PLAIN[call.name]
    found = options(call.args, valued, first=True)
    if call.name == "command" and found.has("-v", "-V"):
        return
    if call.name == "env" and (split := found.value("-S", "--split-string")) is not None:
        yield Inner(text=" ".join((split, *found.texts)))
        return
    rest = list(found.rest)[skip:]
    if call.name in ("taskset", "chrt") and found.has("-p", "--pid"):
        return
    while rest and re.match(r"[A-Za-z_]\w*=", rest[0].text):
        rest = rest[1:]
    if call.name == "sudo" and found.has("-s", "-i", "--shell", "--login"):
        yield Inner(text=_quoted(rest) if rest else call.stdin or "")
        return
    cwd = found.value("-C", "--chdir") if call.name == "env" else found.value("-D", "--chdir")
    if rest:
        yield Inner(words=tuple(rest), cwd=cwd or "")


def _quoted(words: "list[Word] | tuple[Word, ...]") -> str:
    return " ".join(word.text for word in words)


def _shell(call: "Call") -> Iterator[Inner]:
    args = list(call.args)
    for index, word in enumerate(args):
        if re.fullmatch(r"[-+][a-zA-Z]*c[a-zA-Z]*|--command", word.text):
            following = [later for later in args[index + 1 :] if not re.fullmatch(r"-[a-zA-Z]+|--", later.text)]
            if following:
                yield Inner(text=following[0].text)
            return
        if word.text.startswith("--command="):
            yield Inner(text=word.text.partition("=")[2])
            return
    names = options(args, "-o -O --rcfile --init-file").texts
    if call.stdin is not None and (not names or names == ["-"] or "-s" in call.texts):
        yield Inner(text=call.stdin)


def _eval(call: "Call") -> Iterator[Inner]:
    yield Inner(text=" ".join(text for text in call.texts if text != "--"))


def _trap(call: "Call") -> Iterator[Inner]:
    words = [text for text in call.texts if not text.startswith("-")]
    if len(words) > 1:
        yield Inner(text=words[0])


def _alias(call: "Call") -> Iterator[Inner]:
    for text in call.texts:
        if "=" in text:
            yield Inner(text=text.partition("=")[2])


def _xargs(call: "Call") -> Iterator[Inner]:
    found = options(
        call.args,
        "-n -P -I -L -d -a -s -E -R -S --max-args --max-procs --replace --max-lines --delimiter --arg-file --max-chars",
        first=True,
    )
    fed = tuple(Word(item) for item in (call.stdin or "").split()[:32]) or (Word(UNKNOWN, known=False),)
    marker = found.value("-I", "--replace") or ("{}" if found.has("-i") else None)
    words = found.rest or (Word("echo"),)
    if marker is None:
        yield Inner(words=(*words, *fed))
    else:
        for item in fed:
            yield Inner(words=tuple(Word(word.text.replace(marker, item.text), False) for word in words))


def _find(call: "Call") -> Iterator[Inner]:
    """`-exec` runs with each thing found: stood for by the folders that are searched."""
    texts = call.texts
    named = [texts[at + 1] for at, text in enumerate(texts[:-1]) if text in ("-name", "-iname")]
    name = named[0] if len(named) == 1 and "-o" not in texts and "!" not in texts and "-not" not in texts else "*"
    found = [Word(f"{start.rstrip('/')}/{name}", True, True) for start in find_starts(texts)]
    index = 0
    while index < len(texts):
        if texts[index] in ("-exec", "-execdir", "-ok", "-okdir"):
            end = next((at for at in range(index, len(texts)) if texts[at] in (";", "+")), len(texts))
            words = list[Word]()
            for word in call.args[index + 1 : end]:
                words.extend(found if word.text == "{}" else [word])
            if words:
                # In shell text for each thing found, its name arrives as a parameter.
                yield Inner(words=tuple(words))
            index = end
        index += 1


def find_starts(texts: list[str]) -> list[str]:
    starts: list[str] = []
    for text in texts:
        if text in ("-H", "-L", "-P") or re.fullmatch(r"-O\d|-D", text):
            continue
        if text.startswith(("-", "(", "!")):
            break
        starts.append(text)
    return starts or ["."]


def _fd(call: "Call") -> Iterator[Inner]:
    texts = call.texts
    for index, text in enumerate(texts):
        if text in ("-x", "-X", "--exec", "--exec-batch"):
            words = [Word("./*", False, True) if "{" in word.text else word for word in call.args[index + 1 :]]
            yield Inner(
                words=(*words, *(() if any("{" in later for later in texts[index:]) else (Word("./*", False, True),)))
            )
            return


def _ssh(call: "Call") -> Iterator[Inner]:
    found = options(call.args, "-b -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w", first=True)
    for value in found.values.get("-o", []):
        if value.lower().startswith(("proxycommand", "localcommand")):
            yield Inner(text=re.split(r"[= ]", value, maxsplit=1)[-1])
    if found.rest:
        host, text = found.rest[0].text, _quoted(found.rest[1:])
        if text or call.stdin:
            yield Inner(text=text or call.stdin or "", elsewhere=host)


def _container(call: "Call") -> Iterator[Inner]:
    valued = (
        "-e -u -w -v -p -h -l -m --env --user --workdir --volume --publish --name --network --mount --entrypoint --platform"
        " -f --file --project-name --env-file --hostname --label --memory --cpus --gpus --detach-keys -H --context --add-host"
    )
    found = options(call.args, valued, first=True)
    rest = list(found.rest)
    if rest and rest[0].text in ("compose", "container"):
        rest = list(options(rest[1:], valued, first=True).rest)
    if not rest or rest[0].text not in ("exec", "run"):
        return
    inside = options(rest[1:], valued, first=True)
    entry = inside.value("--entrypoint")
    words = [Word(entry)] if entry else []
    words += list(inside.rest)[1:]
    mounts = [value for name in ("-v", "--volume", "--mount") for value in inside.values.get(name, [])]
    if words:
        # A container with a folder of this machine in it is not elsewhere.
        yield Inner(words=tuple(words), elsewhere="" if mounts else (inside.texts or ["a container"])[0])


def _kubectl(call: "Call") -> Iterator[Inner]:
    texts = call.texts
    if "exec" in texts and "--" in texts:
        start = texts.index("--")
        yield Inner(words=call.args[start + 1 :], elsewhere=next((t for t in texts[1:start] if t[:1] != "-"), "a pod"))


def _flock(call: "Call") -> Iterator[Inner]:
    found = options(call.args, "-w -E -c --timeout --command", first=True)
    text = found.value("-c", "--command")
    rest = list(found.rest)[1:]
    if rest and rest[0].text in ("-c", "--command"):
        yield Inner(text=_quoted(rest[1:]))
    elif text is not None:
        yield Inner(text=text)
    elif rest:
        yield Inner(words=tuple(rest))


def _text_option(call: "Call") -> Iterator[Inner]:
    found = options(call.args, f"{_SHELL_TEXT[call.name]} -c --command")
    text = found.value("-c", "--command")
    if text is not None:
        yield Inner(text=text)
    elif call.name == "watch":
        yield Inner(text=_quoted(options(call.args, _SHELL_TEXT["watch"], first=True).rest))
    elif call.name == "runuser" and found.rest:
        yield Inner(words=options(call.args, _SHELL_TEXT["runuser"], first=True).rest)
    elif call.name == "su" and call.stdin:
        yield Inner(text=call.stdin)


def _runner(call: "Call") -> Iterator[Inner]:
    texts = call.texts
    for index, text in enumerate(texts[:3]):
        if (text in ("run", "exec", "dlx", "x", "tool") and call.name not in ("npm", "nix")) or text == "exec":
            found = options(
                call.args[index + 1 :], "-n -p --name --prefix --with --from --python --package --env-file", first=True
            )
            rest = found.rest[1:] if found.rest and found.rest[0].text == "--" else found.rest
            if rest:
                yield Inner(words=tuple(rest))
            return


def _keys(call: "Call") -> Iterator[Inner]:
    texts = call.texts
    for verb in (
        "send-keys",
        "send",
        "stuff",
        "new-session",
        "new-window",
        "split-window",
        "run-shell",
        "respawn-pane",
    ):
        if verb in texts:
            typed = [
                text for text in texts[texts.index(verb) + 1 :] if text not in ("Enter", "C-m") and text[:1] != "-"
            ]
            yield Inner(text=" ".join(typed).replace("^M", "\n"))
            for text in typed:
                yield Inner(text=text)


def _stdin(call: "Call") -> Iterator[Inner]:
    if call.stdin:
        yield Inner(text=call.stdin)


def _windows(call: "Call") -> Iterator[Inner]:
    for index, text in enumerate(call.texts):
        if text.lower() in ("/c", "/k", "-c", "-command", "-com"):
            yield Inner(text=_quoted(call.args[index + 1 :]).strip("\"'& {}"))
            return


def _awk(call: "Call") -> Iterator[Inner]:
    for text in call.texts:
        for match in re.finditer(
            r"""system\s*\(\s*"((?:[^"\\]|\\.)*)"|"((?:[^"\\]|\\.)*)"\s*\|\s*getline|\|\s*"((?:[^"\\]|\\.)*)\"""", text
        ):
            inner = next(group for group in match.groups() if group is not None)
            yield Inner(text=inner.replace('\\"', '"'))


def _tar(call: "Call") -> Iterator[Inner]:
    for text in call.texts:
        match = re.match(
            r"--(?:checkpoint-action=exec|to-command|use-compress-program|rsh-command|info-script)=(.+)",
            text,
            re.DOTALL,
        )
        if match:
            yield Inner(text=match.group(1))


def _editor(call: "Call") -> Iterator[Inner]:
    for text in call.texts:
        if match := re.match(r"\+?:?!(.+)", text.lstrip("+:")) or re.match(r".*\bsystem\(['\"](.+?)['\"]\)", text):
            yield Inner(text=match.group(1))


def _git(call: "Call") -> Iterator[Inner]:
    """Aliases and hooks given on the command line, and the programs that git runs for each commit."""
    texts = call.texts
    for index, text in enumerate(texts):
        setting = (
            texts[index + 1] if text == "-c" and index + 1 < len(texts) else text[2:] if text.startswith("-c") else ""
        )
        key, _, value = setting.partition("=")
        if key.lower().startswith("alias."):
            yield Inner(text=value[1:] if value.startswith("!") else f"git {value}")
        elif re.search(
            r"pager|sshcommand|editor|fsmonitor|askpass|helper|\.cmd$|\.command$|textconv|hookspath|proxy", key.lower()
        ):
            yield Inner(text=value.removeprefix("!"))
    for index, text in enumerate(texts[:-1]):
        if text in (
            "--exec",
            "-x",
            "--tree-filter",
            "--index-filter",
            "--msg-filter",
            "--env-filter",
            "--extcmd",
            "--upload-pack",
        ):
            yield Inner(text=texts[index + 1])
        if (text, texts[index - 1]) in (("run", "bisect"), ("foreach", "submodule")):
            yield Inner(text=shlex.join(texts[index + 1 :]) if text == "run" else " ".join(texts[index + 1 :]))


def _rsync(call: "Call") -> Iterator[Inner]:
    for text in (options(call.args, "-e --rsh --rsync-path").value("-e", "--rsh"),):
        if text is not None:
            yield Inner(text=text)


_READERS: Final[dict[str, Callable[["Call"], Iterator[Inner]]]] = {
    "eval": _eval, "trap": _trap, "alias": _alias, "xargs": _xargs, "gxargs": _xargs, "find": _find, "gfind": _find,
    "fd": _fd, "fdfind": _fd, "ssh": _ssh, "autossh": _ssh, "mosh": _ssh, "docker": _container, "podman": _container,
    "nerdctl": _container, "docker-compose": _container, "kubectl": _kubectl, "oc": _kubectl, "flock": _flock,
    "tmux": _keys, "screen": _keys, "at": _stdin, "batch": _stdin, "cmd": _windows, "powershell": _windows,
    "pwsh": _windows, "awk": _awk, "gawk": _awk, "mawk": _awk, "nawk": _awk, "tar": _tar, "gtar": _tar, "vim": _editor,
    "vi": _editor, "nvim": _editor, "ex": _editor, "git": _git, "rsync": _rsync,
}  # fmt: skip
