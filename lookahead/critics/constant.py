"""What a program prints when that is certain: the little that is used to hide text from a reader."""

import base64
import binascii
import re

from lookahead.critics.words import ansi

_ESCAPES = re.compile(r"%[-0-9.]*[sbdq]")


def printed(name: str, args: list[str], stdin: str | None) -> str | None:
    """The output of `echo`, `printf`, `base64 -d` and their like; None when it cannot be known."""
    if name == "echo":
        return _echo(args)
    if name == "printf":
        return _printf(args)
    if stdin is None or any("\ue000" in argument for argument in args):
        return None
    options = [argument for argument in args if argument.startswith("-") and argument != "-"]
    if name in ("cat", "tee") and not args:
        return stdin
    if name in ("base64", "base32") and any(option in ("-d", "-D", "--decode", "-di", "-id") for option in options):
        return _decoded(name, stdin)
    if name == "xxd" and any("r" in option for option in options) and any("p" in option for option in options):
        return _hex(stdin)
    if name == "rev" and not args:
        return "\n".join(line[::-1] for line in stdin.split("\n"))
    if name == "tr" and len(args) == 2 and not options:
        return _tr(args[0], args[1], stdin)
    if name == "tr" and len(args) == 2 and options == ["-d"]:
        return "".join(character for character in stdin if character not in _set(args[1]))
    return None


def _echo(args: list[str]) -> str:
    newline, escapes = True, False
    while args and re.fullmatch(r"-[neE]+", args[0]):
        newline, escapes = newline and "n" not in args[0], escapes or "e" in args[0]
        args = args[1:]
    text = " ".join(args)
    return (ansi(text) if escapes else text) + ("\n" if newline else "")


def _printf(args: list[str]) -> str | None:
    if args[:1] == ["--"]:
        args = args[1:]
    if not args or args[0].startswith("-"):
        return None
    shape, values = ansi(args[0]), args[1:]
    holes = len(_ESCAPES.findall(shape))
    if "%" in _ESCAPES.sub("", shape).replace("%%", ""):
        return None
    out = ""
    while True:
        now, values = values[:holes], values[holes:]
        filled = iter([*now, *[""] * holes])
        out += _ESCAPES.sub(lambda match, filled=filled: _hole(match.group(0), next(filled)), shape).replace("%%", "%")
        if not values or not holes:
            return out


def _hole(kind: str, value: str) -> str:
    return ansi(value) if kind.endswith("b") else value


def _decoded(name: str, text: str) -> str | None:
    packed = "".join(text.split())
    try:
        raw = base64.b64decode(packed + "=" * (-len(packed) % 4)) if name == "base64" else base64.b32decode(packed)
    except (binascii.Error, ValueError):
        return None
    return raw.decode("utf-8", errors="replace")


def _hex(text: str) -> str | None:
    try:
        return bytes.fromhex("".join(text.split()).replace("0x", "")).decode("utf-8", errors="replace")
    except ValueError:
        return None


def _set(text: str) -> str:
    text = ansi(text)
    return re.sub(r"(.)-(.)", lambda match: "".join(map(chr, range(ord(match[1]), ord(match[2]) + 1))), text)


def _tr(old: str, new: str, text: str) -> str | None:
    before, after = _set(old), _set(new)
    if not after or "[" in old:
        return None
    after += after[-1] * (len(before) - len(after))
    return text.translate({ord(left): right for left, right in zip(before, after, strict=False)})
