"""Programs whose work lies outside the folder: processes, services, containers, clusters, clouds, packages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Final

from lookahead.critics.calls import Call
from lookahead.critics.finding import Finding, Severity, caution, danger
from lookahead.critics.nameset import nameset
from lookahead.critics.options import options
from lookahead.critics.paths import Ground


@dataclass(frozen=True, slots=True)
class Verb:
    """A program's words that do harm: all of `words` occur in this order, and any of `flags` where there are some."""

    words: str
    severity: Severity
    why: str
    flags: str
    unless: str


_REASONS: Final = {
    "gone": "what is deleted there does not come back",
    "stops": "whoever uses it is cut off",
    "out": "what is published cannot be called back",
}
_NEVER: Final = "--dry-run --dryrun --help -h --client"
_LINE: Final = re.compile(r"(\S+): (.*?)(?: with (.*?))?(?: unless (.*?))? = (danger|caution): (.*)")


@lru_cache(maxsize=1)
def _table() -> tuple[dict[str, list[Verb]], dict[str, str]]:
    """The verbs of each program, and the programs that are another by a second name."""
    verbs: dict[str, list[Verb]] = {}
    same: dict[str, str] = {}
    for line in resources.files("lookahead.critics").joinpath("machines.txt").read_text("utf-8").splitlines():
        if match := _LINE.fullmatch(line):
            program, words, flags, unless, severity, why = match.groups()
            verb = Verb(
                "" if words == "always" else words,
                "danger" if severity == "danger" else "caution",
                why,
                flags or "",
                unless or _NEVER,
            )
            verbs.setdefault(program, []).append(verb)
        elif match := re.fullmatch(r"(\S+) is (\S+)", line):
            same[match[1]] = match[2]
    return verbs, same


def machines(call: Call, ground: Ground) -> Iterator[Finding]:
    """At most one finding: the first, and worst, verb that fits."""
    table, same = _table()
    name = same.get(call.name, call.name)
    texts = call.texts
    if (name in ("php", "bin/rails", "bundle") or name.startswith("python")) and texts:
        script = texts[0].rpartition("/")[2]
        if script == "-m" and len(texts) > 1 and texts[1] in table:
            name, texts = texts[1], texts[2:]
        elif script in table:
            name, texts = script, texts[1:]
    for verb in table.get(name, ()):
        if _fits(verb, texts):
            what = call.shown
            rule = "machine." + ({"gone": "destroyed", "out": "published"}.get(verb.why, "changed"))
            make = danger if verb.severity == "danger" else caution
            names = tuple(text for text in texts if text[:1] != "-")[1:]
            yield make(
                rule,
                f"runs {what}" if name != ":fork-bomb" else "starts itself twice, without end",
                _REASONS.get(verb.why, verb.why),
                loses=verb.why == "gone",
                names=names,
            )
            return


_VERBS: Final = nameset(
    "delete remove destroy purge wipe erase teardown terminate nuke undeploy unregister deregister delete-all"
)
_FAMILIAR: Final = nameset(
    "git man tldr which type help apropos whatis info echo printf grep rg ag ack find fd cat ls test make npm pnpm yarn"
    " uv cargo poetry pip pip3 pipenv pdm go gem bundle composer dotnet python python3 node pytest sed awk jq curl ssh"
)


def unknown_verb(call: Call) -> Iterator[Finding]:
    """A program that nobody here knows, told to delete something."""
    table, same = _table()
    if same.get(call.name, call.name) in table or call.name in _FAMILIAR or "--help" in call.texts:
        return
    verb = next((text for text in [text for text in call.texts if text[:1] != "-"][:3] if text.lower() in _VERBS), None)
    if verb is not None and call.name:
        yield caution(
            "machine.unknown-destroys",
            f"runs {call.shown}",
            f"what {call.name} would {verb} cannot be told",
            loses=True,
        )


def _fits(verb: Verb, texts: list[str]) -> bool:
    if any(text.partition("=")[0] in verb.unless.split() and not text.endswith("=none") for text in texts):
        return False
    flags = verb.flags.split()
    if (
        flags
        and not any(text in flags or text.partition("=")[0] in flags for text in texts)
        and not _short(flags, texts)
    ):
        return False
    plain = [text.lower() for text in texts if not text.startswith("-")]
    wanted = verb.words.split()
    if wanted in ([], ["*"]):
        return bool(texts) or not wanted
    start = 0
    for one in wanted:
        if one in ("*", "*+"):
            start += 1
            continue
        pattern = re.compile(one.replace(".", r"\.").replace("*", ".*"))
        # A first word stands near the front: after the program's own options and their values at most.
        reach = plain[start:] if "*+" in wanted else plain[start : start + 3]
        found = next((at for at, text in enumerate(reach, start) if pattern.fullmatch(text)), None)
        if found is None:
            return False
        start = found + 1
    return True


def _short(flags: list[str], texts: list[str]) -> bool:
    letters = {flag[1] for flag in flags if len(flag) == 2}
    return any(re.fullmatch(r"-[A-Za-z]+", text) and set(text[1:]) & letters for text in texts)


def processes(call: Call, ground: Ground) -> Iterator[Finding]:
    """`kill` and its like."""
    found = options(call.args, "-s -n -u -U -g -t --signal --user", first=False, bundled=False)
    if found.has("-l", "-L", "--list", "-0", "--version"):
        return
    targets = [text for text in call.texts if not re.fullmatch(r"-([A-Z]+\d*|\d{1,2}|[a-z]+|-.*)", text)]
    if "-1" in call.texts[1:] or (call.name == "kill" and targets in (["1"],)):
        yield danger("process.killed-all", "kills every process it may", "whoever works here is cut off", loses=False)
    elif call.name == "kill" and targets and all(text.startswith("%") for text in targets):
        return
    else:
        yield caution(
            "process.killed", f"stops {' '.join(targets) or 'processes'}", "unsaved work in it is gone", call.shown
        )


PROCESSES: Final = nameset("kill killall pkill xkill skill taskkill stop-process fuser")
