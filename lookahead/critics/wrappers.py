"""Programs that run another: what they run."""

import re
from collections.abc import Iterator
from typing import Final

from lookahead.critics.calls import Call, Inner, quoted
from lookahead.critics.nameset import nameset
from lookahead.critics.nested import NESTED
from lookahead.critics.options import options

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
    # Words of the grammar, where it took them for programs.
    **dict.fromkeys(("!", "do", "then", "else", "elif", "while", "until", "if"), ("", 0)),
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


def unwrapped(call: Call) -> Iterator[Inner]:
    """What this call runs in turn, as far as its words say."""
    if call.name in _PLAIN:
        yield from _wrapper(call)
    elif call.name in SHELLS:
        yield from _shell(call)
    elif call.name in NESTED:
        yield from NESTED[call.name](call)
    elif call.name in _RUNNERS:
        yield from _runner(call)
    elif call.name in _SHELL_TEXT:
        yield from _text_option(call)


def _wrapper(call: Call) -> Iterator[Inner]:
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
        yield Inner(text=quoted(rest) if rest else call.stdin or "")
        return
    cwd = found.value("-C", "--chdir") if call.name == "env" else found.value("-D", "--chdir")
    if rest:
        yield Inner(words=tuple(rest), cwd=cwd or "")


def _shell(call: Call) -> Iterator[Inner]:
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


def _text_option(call: Call) -> Iterator[Inner]:
    found = options(call.args, f"{_SHELL_TEXT[call.name]} -c --command")
    text = found.value("-c", "--command")
    if text is not None:
        yield Inner(text=text)
    elif call.name == "watch":
        yield Inner(text=quoted(options(call.args, _SHELL_TEXT["watch"], first=True).rest))
    elif call.name == "runuser" and found.rest:
        yield Inner(words=options(call.args, _SHELL_TEXT["runuser"], first=True).rest)
    elif call.name == "su" and call.stdin:
        yield Inner(text=call.stdin)


def _runner(call: Call) -> Iterator[Inner]:
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
