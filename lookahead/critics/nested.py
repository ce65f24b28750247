"""Programs with a grammar of their own that run another: what they run."""

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Final

from lookahead.critics.calls import Call, Inner, quoted
from lookahead.critics.options import options
from lookahead.critics.paths import UNKNOWN
from lookahead.critics.words import Word


def _eval(call: Call) -> Iterator[Inner]:
    yield Inner(text=" ".join(text for text in call.texts if text != "--"))


def _trap(call: Call) -> Iterator[Inner]:
    words = [text for text in call.texts if not text.startswith("-")]
    if len(words) > 1:
        yield Inner(text=words[0])


def _alias(call: Call) -> Iterator[Inner]:
    for text in call.texts:
        if "=" in text:
            yield Inner(text=text.partition("=")[2])


def _xargs(call: Call) -> Iterator[Inner]:
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


def _find(call: Call) -> Iterator[Inner]:
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


def _fd(call: Call) -> Iterator[Inner]:
    texts = call.texts
    for index, text in enumerate(texts):
        if text in ("-x", "-X", "--exec", "--exec-batch"):
            words = [Word("./*", False, True) if "{" in word.text else word for word in call.args[index + 1 :]]
            yield Inner(
                words=(*words, *(() if any("{" in later for later in texts[index:]) else (Word("./*", False, True),)))
            )
            return


def _ssh(call: Call) -> Iterator[Inner]:
    found = options(call.args, "-b -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w", first=True)
    for value in found.values.get("-o", []):
        if value.lower().startswith(("proxycommand", "localcommand")):
            yield Inner(text=re.split(r"[= ]", value, maxsplit=1)[-1])
    if found.rest:
        host, text = found.rest[0].text, quoted(found.rest[1:]).removeprefix("-- ")
        if text or call.stdin:
            yield Inner(text=text or call.stdin or "", elsewhere=host)


def _container(call: Call) -> Iterator[Inner]:
    valued = (
        "-e -u -w -v -p -h -l -m --env --user --workdir --volume --publish --name --network --mount --entrypoint"
        " --platform"
        " -f --file --project-name --env-file --hostname --label --memory --cpus --gpus --detach-keys -H --context"
        " --add-host"
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


def _kubectl(call: Call) -> Iterator[Inner]:
    texts = call.texts
    if "exec" in texts and "--" in texts:
        start = texts.index("--")
        yield Inner(words=call.args[start + 1 :], elsewhere=next((t for t in texts[1:start] if t[:1] != "-"), "a pod"))


def _flock(call: Call) -> Iterator[Inner]:
    found = options(call.args, "-w -E -c --timeout --command", first=True)
    text = found.value("-c", "--command")
    rest = list(found.rest)[1:]
    if rest and rest[0].text in ("-c", "--command"):
        yield Inner(text=quoted(rest[1:]))
    elif text is not None:
        yield Inner(text=text)
    elif rest:
        yield Inner(words=tuple(rest))


def _keys(call: Call) -> Iterator[Inner]:
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


def _stdin(call: Call) -> Iterator[Inner]:
    if call.stdin:
        yield Inner(text=call.stdin)


def _windows(call: Call) -> Iterator[Inner]:
    for index, text in enumerate(call.texts):
        if text.lower() in ("/c", "/k", "-c", "-command", "-com"):
            yield Inner(text=quoted(call.args[index + 1 :]).strip("\"'& {}"))
            return


def _awk(call: Call) -> Iterator[Inner]:
    for text in call.texts:
        for match in re.finditer(_AWK, text):
            inner = next(group for group in match.groups() if group is not None)
            open_end = (
                ""
                if text[match.end() :].lstrip().startswith((")", "|")) or not match[0].startswith("system")
                else UNKNOWN
            )
            yield Inner(text=inner.replace('\\"', '"') + open_end)


_TEXT: Final = r'"((?:[^"\\]|\\.)*)"'
_AWK: Final = re.compile(rf"system\s*\(\s*{_TEXT}|{_TEXT}\s*\|\s*getline|\|\s*{_TEXT}")


def _sed(call: Call) -> Iterator[Inner]:
    """GNU sed has a command that runs one."""
    for text in call.texts:
        for match in re.finditer(r"(?:^|[;\n{}])\s*(?:\d+|\$|/[^/]*/)?\s*e\s+([^\n]+)", text):
            yield Inner(text=match.group(1))


def _source(call: Call) -> Iterator[Inner]:
    if call.stdin is not None and call.texts[:1] in (["/dev/stdin"], ["-"], ["/dev/fd/0"]):
        yield Inner(text=call.stdin)


def _tar(call: Call) -> Iterator[Inner]:
    for text in call.texts:
        match = re.match(
            r"--(?:checkpoint-action=exec|to-command|use-compress-program|rsh-command|info-script)=(.+)",
            text,
            re.DOTALL,
        )
        if match:
            yield Inner(text=match.group(1))


def _editor(call: Call) -> Iterator[Inner]:
    for text in call.texts:
        if match := re.match(r"\+?:?!(.+)", text.lstrip("+:")) or re.match(r".*\bsystem\(['\"](.+?)['\"]\)", text):
            yield Inner(text=match.group(1))


def _git(call: Call) -> Iterator[Inner]:
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


def _rsync(call: Call) -> Iterator[Inner]:
    for text in (options(call.args, "-e --rsh --rsync-path").value("-e", "--rsh"),):
        if text is not None:
            yield Inner(text=text)


NESTED: Final[dict[str, Callable[[Call], Iterator[Inner]]]] = {
    "eval": _eval,
    "sed": _sed,
    "gsed": _sed,
    "source": _source,
    ".": _source,
    "trap": _trap,
    "alias": _alias,
    "xargs": _xargs,
    "gxargs": _xargs,
    "find": _find,
    "gfind": _find,
    "fd": _fd,
    "fdfind": _fd,
    "ssh": _ssh,
    "autossh": _ssh,
    "mosh": _ssh,
    "docker": _container,
    "podman": _container,
    "nerdctl": _container,
    "docker-compose": _container,
    "kubectl": _kubectl,
    "oc": _kubectl,
    "flock": _flock,
    "tmux": _keys,
    "screen": _keys,
    "at": _stdin,
    "batch": _stdin,
    "cmd": _windows,
    "powershell": _windows,
    "pwsh": _windows,
    "awk": _awk,
    "gawk": _awk,
    "mawk": _awk,
    "nawk": _awk,
    "tar": _tar,
    "gtar": _tar,
    "vim": _editor,
    "vi": _editor,
    "nvim": _editor,
    "ex": _editor,
    "git": _git,
    "rsync": _rsync,
}
