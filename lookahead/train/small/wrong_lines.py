"""Command lines that mean something that is not there."""

from collections.abc import Sequence

from lookahead.train.small.words import Words


def wrong(words: Words, missing: str) -> tuple[str, str]:
    """Which kind of command, and the command line."""
    lines: Sequence[tuple[str, str]] = [
        ("cat", f"cat {missing}"),
        ("cat", f"cat {missing}"),
        ("rm", f"rm {missing}"),
        ("rm -f", f"rm -f {missing}"),
        ("rm -r", f"rm -r {missing}"),
        ("cd", f"cd {missing}"),
        ("ls", f"ls {missing}"),
        ("mv", f"mv {missing} {words.file()}"),
        ("cp", f"cp {missing} {words.file()}"),
        ("rmdir", f"rmdir {missing}"),
        ("mkdir", f"mkdir {words.name()}/{words.name()}"),
        ("wc", f"wc -l {missing}"),
        ("head", f"head -n 1 {missing}"),
        ("tail", f"tail -n 1 {missing}"),
        ("grep", f"grep {words.word()} {missing}"),
        ("stat", f"stat -c %a {missing}"),
        ("chmod", f"chmod 600 {missing}"),
        ("sort", f"sort {missing}"),
        ("sed -i", f"sed -i 's/a/b/' {missing}"),
        ("echo >", f"echo {words.word()} > {words.name()}/{words.file()}"),
        ("readlink", f"readlink {missing}"),
        ("find", f"find {missing} | sort"),
        ("not found", f"{words.strange().lower()} {words.word()}"),
        ("cd &&", f"cd {missing} && ls"),
    ]
    return words.random.choice(lines)
