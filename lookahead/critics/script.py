"""Shell text judged: each program by its rules, and what only shows when they are seen together."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from lookahead.critics.calls import Call, Script, calls_of
from lookahead.critics.code import other, python
from lookahead.critics.files import FILES
from lookahead.critics.finding import ORDER, Finding, caution, danger, note
from lookahead.critics.git import git
from lookahead.critics.losses import redirects
from lookahead.critics.machines import PROCESSES, machines, processes, unknown_verb
from lookahead.critics.nameset import nameset
from lookahead.critics.options import options
from lookahead.critics.paths import SOMETHING, UNKNOWN, Ground, is_secret
from lookahead.critics.sending import SENDERS, needs_network, sends
from lookahead.critics.shell import read_shell
from lookahead.critics.sql import judge_sql
from lookahead.critics.wrappers import CODE, SHELLS

_FETCHERS: Final = nameset("curl wget fetch aria2c nc ncat netcat ssh http lynx ftp")
_DECODERS: Final = nameset("base64 base32 xxd openssl gpg gunzip zcat bzip2 xz rev tr uudecode hexdump od zstd")
_SQL: Final = {
    "psql": "-c --command",
    "mysql": "-e --execute",
    "mariadb": "-e --execute",
    "sqlite3": "-cmd",
    "sqlcmd": "-Q -q",
    "duckdb": "-c -s",
    "clickhouse-client": "-q --query",
    "clickhouse": "-q --query",
    "cockroach": "-e",
    "bq": "",
    "cqlsh": "-e",
    "snowsql": "-q",
    "isql": "",
    "sqlplus": "",
    "litecli": "-e",
    "pgcli": "-c",
    "mycli": "-e",
    "trino": "--execute",
    "presto": "--execute",
    "beeline": "-e",
    "hive": "-e",
    "spark-sql": "-e",
}
_OTHER: Final = {
    "perl": "-e -E",
    "ruby": "-e",
    "node": "-e -p --eval --print",
    "nodejs": "-e -p --eval",
    "deno": "",
    "bun": "-e",
    "php": "-r",
    "lua": "-e",
    "mongosh": "--eval",
    "mongo": "--eval",
    "osascript": "-e",
    "tclsh": "",
    "r": "-e",
    "rscript": "-e",
}
_READERS: Final = nameset(
    "cat head tail less more bat nl tac strings xxd od hexdump base64 base32 grep rg awk sed cut tar zip gzip"
    " cp scp rsync curl openssl gpg dd tee sort jq python python3 source . diff pbcopy xclip"
    " paste rev fold expand unexpand join comm cmp uniq tr egrep fgrep zcat zgrep hexdump column vi vim nano view"
    " bzcat xzcat install ln perl ruby node split csplit fmt pr look mapfile"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    findings: tuple[Finding, ...]
    contained: bool
    """Whether a copy without a network does the same as the real thing: no program in it needs one."""


@lru_cache(maxsize=1024)
def judge_shell(text: str, ground: Ground, cwd: str = "") -> Judged:
    script = read_shell(text, cwd=cwd)
    if "\\\n" in text:
        # A line that goes on in the next may cut a word in two, which the grammar does not see.
        joined = read_shell(text.replace("\\\n", ""), cwd=cwd)
        script.calls.extend(joined.calls)
    found: dict[Finding, None] = {}
    for reason in dict.fromkeys(script.unread):
        found[caution("shell.unread", reason, "what cannot be read cannot be called safe")] = None
    contained = not script.unread
    for call in calls_of(script):
        contained = contained and not needs_network(call)
        for finding in judge_call(call, ground):
            found[_moved(finding, call) if call.elsewhere else finding] = None
    found.update(dict.fromkeys(_together(script)))
    return Judged(findings=_tidied(found), contained=contained)


def _tidied(found: "dict[Finding, None]") -> tuple[Finding, ...]:
    """Worst first; of findings that say the same by the same rule, the first."""
    said: dict[tuple[str, str], Finding] = {}
    for finding in found:
        said.setdefault((finding.rule, finding.what), finding)
    return tuple(sorted(said.values(), key=lambda finding: -ORDER.index(finding.severity)))


def _moved(finding: Finding, call: Call) -> Finding:
    return replace(finding, what=f"on {call.elsewhere}: {finding.what}", reach="beyond")


def judge_call(call: Call, ground: Ground) -> Iterator[Finding]:
    """Everything that is wrong with one program and its words."""
    name = call.name
    yield from redirects(call, ground)
    before_dashes = call.texts[: call.texts.index("--")] if "--" in call.texts else call.texts
    if (name in FILES or name.startswith("mkfs.")) and "--help" not in before_dashes:
        yield from FILES["mkfs" if name.startswith("mkfs") else name](call, ground)
    if name == "git":
        yield from git(call, ground)
    if name in PROCESSES:
        yield from processes(call, ground)
    yield from machines(call, ground)
    yield from unknown_verb(call)
    yield from sends(call, ground)
    if name in SHELLS or name in CODE or name in ("eval", "source", "."):
        yield from _interpreter(call, ground)
    if name in _SQL:
        yield from _database(call)
    if name in _OTHER:
        yield from _eval_option(call, ground)
    if UNKNOWN in name or SOMETHING in name:
        yield caution(
            "shell.unknown-program", f"runs {call.shown}", "which program that is will be known only when it runs"
        )
    elif any(character in call.path for character in "*?[") and name not in ("[", "[[", "?"):
        yield caution(
            "shell.unknown-program",
            f"runs whatever {call.path} matches",
            "which program that is will be known only when it runs",
        )
        for likely in _matching(name):
            yield from judge_call(replace(call, name=likely, path=likely), ground)


def _matching(pattern: str) -> list[str]:
    likely = ("rm", "dd", "shred", "mkfs", "chmod", "chown", "mv", "curl", "nc", "kill")
    return [name for name in likely if fnmatchcase(name, pattern)][:3]


def _shell_in(call: Call, ground: Ground):
    def judge(text: str) -> Iterator[Finding]:
        yield from judge_shell(text, ground, call.cwd).findings

    return judge


def _sql_in(text: str) -> Iterator[Finding]:
    # Whichever database a program speaks to, the copy of a folder does not show its rows.
    yield from (replace(finding, reach="beyond") for finding in judge_sql(text))


def _interpreter(call: Call, ground: Ground) -> Iterator[Finding]:
    """Code from a pipe, a download, a substitution or an option."""
    texts = call.texts
    given = options(call.args, "-c -e -E -r -m -W -X -o -O --rcfile --eval", first=True)
    is_shell = call.name in SHELLS or call.name in ("eval", "source", ".")
    inline = given.has("-c", "-e", "-E", "-r", "--eval", "-m") or call.name == "eval"
    from_pipe = (
        bool(call.fed_by)
        and not inline
        and (not given.rest or texts[-1:] == ["-"] or "-s" in texts or "/dev/stdin" in texts)
    )
    if from_pipe:
        feeders = {feeder.name for feeder in call.fed_by}
        if feeders & _FETCHERS:
            yield danger(
                "shell.downloaded-code",
                f"runs what {', '.join(sorted(feeders & _FETCHERS))} fetches, unseen",
                "whoever serves it decides what happens",
                loses=False,
            )
        elif call.stdin is None and feeders & _DECODERS:
            yield danger(
                "shell.hidden-code",
                f"runs text decoded by {', '.join(sorted(feeders & _DECODERS))}",
                "what is hidden cannot be judged",
                loses=False,
            )
        elif call.stdin is None:
            yield caution(
                "shell.unread-code",
                f"{call.name} runs what a program prints",
                "what that is will be known only when it runs",
            )
        else:
            yield note("shell.piped-code", f"{call.name} runs text from a pipe", "the text was read and judged")
    if any(UNKNOWN in text for text in texts) and (inline or call.name in ("source", ".") or is_shell):
        yield caution(
            "shell.unread-code",
            f"{call.name} runs text that is made while it runs",
            "what that is will be known only then",
        )
    elif (
        call.name in ("source", ".")
        and texts
        and not texts[0].endswith(("activate", ".bashrc", ".profile", "env.sh", ".env", "nvm.sh"))
    ):
        yield note("shell.unread-code", f"runs {texts[0]} in this shell", "what is in the file was not read")
    if call.name in ("python", "python2", "python3", "pypy", "pypy3") or re.fullmatch(r"python3?\.\d+", call.name):
        code = given.value("-c") or (call.stdin if from_pipe or not given.rest else None)
        if code:
            yield from python(code, ground, call.cwd, _shell_in(call, ground), _sql_in)
        if "-m" in texts and ("http.server" in texts or "twine" in texts):
            yield caution("network.opened", "serves or publishes files", "others can read them then", call.shown)


def _eval_option(call: Call, ground: Ground) -> Iterator[Finding]:
    found = options(call.args, _OTHER[call.name], first=False, bundled=True)
    codes = [value for name in _OTHER[call.name].split() for value in found.values.get(name, [])]
    for text in call.texts:  # perl -pe, perl -ne: the code follows a bundle of letters
        if re.fullmatch(r"-[a-zA-Z]*[eE]", text) and text not in ("-e", "-E"):
            codes += call.texts[call.texts.index(text) + 1 :][:1]
    if call.stdin and not found.rest:
        codes.append(call.stdin)
    if call.name == "deno" and call.texts[:1] == ["eval"]:
        codes += call.texts[1:2]
    for code in codes:
        yield from other(code, _shell_in(call, ground))


def _database(call: Call) -> Iterator[Finding]:
    found = options(
        call.args,
        f"{_SQL[call.name]} -h -p -U -d -u -P -D -f -o -S --host --port --user --dbname --file",
        bundled=call.name != "sqlite3",
    )
    texts = [value for name in _SQL[call.name].split() for value in found.values.get(name, [])]
    if call.name in ("sqlite3", "duckdb", "litecli"):
        texts += found.texts[1:]
    elif call.name == "bq" and "query" in found.texts:
        texts += found.texts[found.texts.index("query") + 1 :][:1]
    if call.stdin:
        texts.append(call.stdin)
    for text in texts:
        yield from _sql_in(text)
    if not call.stdin and (call.fed_by or found.has("-f", "--file") or any(r.operator == "<" for r in call.redirects)):
        yield caution("sql.unread", f"{call.name} runs SQL that was not shown", "what it would do cannot be told")


def _together(script: Script) -> Iterator[Finding]:
    """What no program does alone: run what another fetched, send what another read."""
    fetchers = [call for call in script.calls if call.name in _FETCHERS]
    for call in script.calls if fetchers else ():
        runs = call.name in SHELLS or call.name in CODE or call.name in ("eval", "source", ".")
        if runs and call.name != "ssh" and any(UNKNOWN in text for text in call.texts) and fetchers[0] is not call:
            yield danger(
                "shell.downloaded-code",
                f"runs what {fetchers[0].name} fetches, unseen",
                "whoever serves it decides what happens",
                loses=False,
            )
            break
    yield from _fetched_and_run(script)
    yield from _secrets(script)


def _fetched_and_run(script: Script) -> Iterator[Finding]:
    fetched: set[str] = set()
    for call in script.calls:
        if call.name in ("curl", "wget", "aria2c"):
            found = options(call.args, "-o --output -O --output-document" if call.name == "wget" else "-o --output")
            fetched |= {
                value for name in ("-o", "--output", "-O", "--output-document") for value in found.values.get(name, [])
            }
            fetched |= {redirect.target for redirect in call.redirects if ">" in redirect.operator}
            fetched |= {text.rpartition("/")[2] for text in found.texts if "/" in text}
            continue
        runs = [
            call.path,
            *([text for text in call.texts if text[:1] != "-"][:1] if call.name in SHELLS or call.name in CODE else []),
        ]
        hit = next(
            (text for text in runs if text.removeprefix("./") in {name.removeprefix("./") for name in fetched if name}),
            None,
        )
        if hit is not None:
            yield danger(
                "shell.downloaded-code",
                f"runs {hit}, which it has just fetched",
                "whoever serves it decides what happens",
                loses=False,
            )
            return


def _secrets(script: Script) -> Iterator[Finding]:
    """A key that is read where something is sent leaves with it."""
    read: dict[str, bool] = {}
    for call in script.calls:
        for secret in _read_by(call):
            read[secret] = read.get(secret, True) and call.name in _KEEPERS
    if not read:
        return
    carriers = [call for call in script.calls if _carries(call)]
    if carriers:
        what = f"reads {next(iter(read))} and sends something with {carriers[-1].name}"
        yield danger("leaves.secret", what, "a key that has left is no longer a key", loses=False)
        return
    for item, kept in read.items():
        own = re.search(r"(^|/|\.)\.?env(\.|$)", item) and not item.startswith(("/", "~", ".."))
        if not kept and item != "the environment" and not own:
            yield caution("secrets.read", f"reads {item}", "keys that were read can be passed on", item)


def _read_by(call: Call) -> Iterator[str]:
    if call.name in _READERS or call.name in SENDERS:
        keys = _own_keys(call)
        for text in call.texts:
            if is_secret(text.lstrip("@")) and text[:1] != "-" and "://" not in text and text not in keys:
                yield text
    yield from (one.target for one in call.redirects if one.operator == "<" and is_secret(one.target))
    if call.name in ("env", "printenv", "set", "export") and not call.args:
        yield "the environment"


_KEEPERS: Final = nameset("openssl gpg ssh-keygen")
"""They need a key for what they do, and print it only when asked to."""


def _own_keys(call: Call) -> set[str]:
    """The key that a program proves itself with stays here."""
    found = options(call.args, "-i --cert --key --cacert -E").values
    return {value for name in ("-i", "--cert", "--key", "--cacert", "-E") for value in found.get(name, [])}


def _carries(call: Call) -> bool:
    if any("/dev/tcp/" in redirect.target for redirect in call.redirects):
        return True
    return call.name in SENDERS and call.name not in ("aws", "gh")
