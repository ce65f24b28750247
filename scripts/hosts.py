"""The README's table of what works with which framework, made from what the adapters say of themselves.

python scripts/hosts.py            print it
python scripts/hosts.py --write    put it into README.md
python scripts/hosts.py --check    exit 2 where README.md says something else
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from lookahead.host import ABILITIES, Host
from lookahead.wrap import GROUP

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- hosts: made by scripts/hosts.py -->", "<!-- /hosts -->"


def hosts() -> list[Host]:
    """Every framework with an adapter, in the order of their names."""
    loaded: list[Any] = []
    for entry in entry_points(group=GROUP):
        try:
            loaded.append(entry.load())
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("lookahead_integrations"):
                raise
    return sorted((one for one in loaded if isinstance(one, Host)), key=lambda host: host.name.lower())


def table(known: Sequence[Host]) -> str:
    """One row a framework, one column an ability; what is missing has a note that says why and what to do instead."""
    notes: list[str] = []
    lines = [
        f"| framework | tested with | install | {' | '.join(ABILITIES)} |",
        f"|---|---|---|{'---|' * len(ABILITIES)}",
    ]
    for host in known:
        cells: list[str] = []
        for ability in ABILITIES:
            why = host.cannot.get(ability)
            if why is None:
                cells.append("✓")
                continue
            note = f"{host.name}, {ability}: {why}"
            if note not in notes:
                notes.append(note)
            cells.append(f"– [{notes.index(note) + 1}]")
        install = f"`lookahead-agents[{host.extra}]`"
        lines.append(f"| {host.name} | `{host.package}` {host.tested} | {install} | {' | '.join(cells)} |")
    lines += ["", "Where the line is put, and what is refused when an agent is wrapped:", ""]
    lines += [f"- {host.name}: {host.point}." for host in known]
    if notes:
        lines += [""] + [f"{number}. {note}." for number, note in enumerate(notes, 1)]
    return "\n".join(lines)


def put(text: str, made: str) -> str:
    """The README with this table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"README.md has no table to fill: put {BEGIN} and {END} where it belongs")
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    parser.add_argument("--check", action="store_true", help="exit 2 where README.md says something else")
    asked = parser.parse_args(arguments)
    made = table(hosts())
    if not (asked.write or asked.check):
        print(made)
        return 0
    text = README.read_text()
    wanted = put(text, made)
    if asked.write:
        README.write_text(wanted)
    elif wanted != text:
        print("README.md is not up to date; run: python scripts/hosts.py --write", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
