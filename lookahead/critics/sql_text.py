"""SQL without a parse tree: words that are never harmless, and lines for the client. They only make things worse."""

import re
from collections.abc import Iterator
from typing import Final

from lookahead.critics.finding import Finding, caution, danger

UNREAD: Final = "what it would do cannot be told from its text"


def guess(text: str) -> Iterator[Finding]:
    """Words that are never harmless, in text that could not be parsed. They only ever make things worse."""
    bare = re.sub(r"/\*!?\d*|\*/", " ", text)
    if match := re.search(
        r"(?i)\b(drop\s+(?:table|database|schema|owned|user|role|view|column|index)?|truncate\b|delete\s+from|shutdown\b|reset\s+master)\s*(\S*)",
        bare,
    ):
        yield danger(
            "sql.unread-destroys",
            f"holds {match.group(0).strip()}",
            "it could not be parsed, and this destroys",
            reach="rows",
        )
    elif match := re.search(
        r"(?i)\b(update\s+\S+\s+set|alter\s+\w+|grant\b|revoke\b|insert\s+into|replace\s+into|merge\s+into)", bare
    ):
        yield caution(
            "sql.unread-changes",
            f"holds {match.group(0).strip()}",
            "it could not be parsed, and this changes",
            reach="rows",
        )


def anywhere(text: str) -> Iterator[Finding]:
    """What reaches out of the database, wherever it stands."""
    if match := re.search(r"(?is)\bcopy\b.{0,400}?\b(to|from)\s+program\s+['$](.*?)['$]", text):
        yield danger(
            "sql.program-run", "runs a program on the server", "COPY … PROGRAM runs any shell text", match.group(2)
        )
    if re.search(r"(?i)\binto\s+(out|dump)file\b", text):
        yield danger(
            "sql.exported",
            "writes a file on the server",
            "data leaves the database, or a program comes in",
            loses=False,
        )
    if match := re.search(r"(?i)\b(xp_cmdshell|sp_oacreate|xp_reg\w+|sys_exec|sys_eval)\b", text):
        yield danger("sql.program-run", f"runs {match.group(1)}", "it runs programs on the server")
    if re.search(r"(?i)\bsp_configure\b", text):
        yield danger(
            "sql.setting-changed", "reconfigures the server", "protections can be switched off with it", loses=False
        )
    if re.search(r"/\*!", text):
        yield caution("sql.hidden", "holds a comment that MySQL runs", "what looks like a comment is code there")
        for hidden in re.findall(r"(?s)/\*!\d*(.*?)\*/", text):
            yield from guess(hidden)


def client_commands(text: str) -> tuple[str, list[str]]:
    """Lines for the client rather than the server: `\\!` of psql, `.shell` of sqlite3."""
    if "\\" not in text and not re.search(r"(?m)^\s*\.", text):
        return text, []
    kept: list[str] = []
    commands: list[str] = []
    for line in text.split("\n"):
        if re.match(r"\s*(\.[a-z]|\\[a-z!])", line):
            commands.append(line.strip())
        elif match := re.search(r"\\(!|copy\b|o\b|w\b|i\b|gexec\b)", line):
            kept.append(line[: match.start()])
            commands.append(line[match.start() :])
        else:
            kept.append(line)
    return "\n".join(kept), commands


def client(command: str) -> Iterator[Finding]:
    word = command.split()[0]
    if word.startswith("\\!") or word in (".shell", ".system"):
        yield danger("sql.program-run", f"runs a program: {command}", "the client hands it to a shell", loses=False)
    elif word in ("\\copy", "\\o", "\\w", ".output", ".once", ".excel", ".dump", ".backup", ".save", ".clone"):
        yield caution("sql.exported", command, "data leaves the database")
    elif word in ("\\i", "\\ir", ".read", "\\gexec", ".restore", ".import", ".load", "\\gset"):
        yield caution("sql.code-run", command, "what is in the file was not read")
    elif not re.match(
        r"\\(d\w*\+?|l\+?|c|conninfo|x|timing|pset|echo|q|h|\?|z)$|\.(tables|schema|headers?|mode|quit|exit|databases|indexes|help|width)$",
        word,
    ):
        yield caution("sql.unread", f"{word} is not understood", UNREAD)
