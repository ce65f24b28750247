"""What `lookahead wrap` and `lookahead unwrap` do: each file by itself, and one that cannot be done stops no other."""

import argparse
import json
import os
import shlex
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from lookahead.errors import ConfigError
from lookahead.settings import policy_of
from lookahead.show import safe
from lookahead_integrations.mcp.clients import rewriting
from lookahead_integrations.mcp.clients.files import ClientFile, ClientFileError, load
from lookahead_integrations.mcp.clients.invocation import EXECUTABLE, ours
from lookahead_integrations.mcp.clients.rewriting import Result, Rewritten
from lookahead_integrations.mcp.clients.saving import save
from lookahead_integrations.mcp.clients.showing import diff
from lookahead_integrations.mcp.clients.wrapping import Start
from lookahead_integrations.mcp.settings import mode_of

CLEAN, ERROR, FINDINGS, INCOMPLETE = range(4)
_WORDS: Final = {"wrapped": "wrapped  ", "unwrapped": "unwrapped", "already": "as it was", "left": "LEFT     "}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one file."""

    path: Path
    change: Rewritten | None = None
    backup: Path | None = None
    difference: tuple[str, ...] = ()
    error: str = ""

    @property
    def results(self) -> tuple[Result, ...]:
        return self.change.results if self.change is not None else ()

    @property
    def changed(self) -> bool:
        return self.change is not None and self.change.changed

    def told(self, dry: bool) -> dict[str, Any]:
        """For programs."""
        return {
            "file": str(self.path),
            "client": self.change.before.client if self.change else None,
            "changed": self.changed and not dry,
            "would_change": self.changed,
            "backup": str(self.backup) if self.backup else None,
            "error": self.error or None,
            "servers": [asdict(result) for result in self.results],
            "diff": list(self.difference),
        }


def wrap(args: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    mode = mode_of(args.mode)
    command = executable(args.command)

    def change(file: ClientFile) -> Rewritten:
        return rewriting.wrap(file, args.server, Start(command=command, options=_options(args, mode, file)))

    if args.policy:
        readable(_absolute(args.policy))
    return _run(args, change)


def unwrap(args: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    return _run(args, lambda file: rewriting.unwrap(file, args.server))


def _run(args: argparse.Namespace, change: "rewriting.Change") -> tuple[int, dict[str, Any]]:
    outcomes: list[Outcome] = []
    for path in dict.fromkeys(Path(os.path.abspath(name)) for name in args.file):
        outcomes.append(_file(path, change, args.dry_run))
        if not args.json:
            _show(outcomes[-1], args.dry_run)
    return _code(outcomes, args.dry_run), {
        "dry_run": args.dry_run,
        "files": [one.told(args.dry_run) for one in outcomes],
    }


def _file(path: Path, change: "rewriting.Change", dry: bool) -> Outcome:
    try:
        file = load(path)
        made = change(file)
        if not made.changed:
            return Outcome(path=path, change=made)
        if dry:
            return Outcome(path=path, change=made, difference=tuple(diff(made)))
        return Outcome(path=path, change=made, backup=save(path, file.text.encode("utf-8"), made.content))
    except ClientFileError as error:
        return Outcome(path=path, error=str(error))


def _code(outcomes: Sequence[Outcome], dry: bool) -> int:
    """Terraform's: a dry run that would change something has findings."""
    failed = [one for one in outcomes if one.error]
    left = any(result.state == "left" for one in outcomes for result in one.results)
    if failed:
        return ERROR if len(failed) == len(outcomes) else INCOMPLETE
    if left:
        return INCOMPLETE
    return FINDINGS if dry and any(one.changed for one in outcomes) else CLEAN


def _show(outcome: Outcome, dry: bool) -> None:
    if outcome.error:
        print(f"lookahead: {safe(outcome.error, None)}", file=sys.stderr)
        return
    change = outcome.change
    assert change is not None
    print(f"{safe(str(outcome.path), None)} ({change.before.client})")
    if not outcome.results:
        print("  it names no server yet")
    for result in outcome.results:
        said = f": {safe(result.said, None)}" if result.said else ""
        print(f"  {_WORDS[result.state]}  {safe(result.title)}{said}")
    for line in outcome.difference:
        print(line)
    if dry:
        print("  nothing was written" if outcome.changed else "  nothing would change")
    elif outcome.backup is not None:
        print(f"  the file as it was: {safe(str(outcome.backup), None)}")
        print("  start the client again, so that it reads the file")


def executable(given: str | None) -> tuple[str, ...]:
    """The words that start Lookahead, in whichever folder a client starts them."""
    if given is not None:
        try:
            words = shlex.split(given)
        except ValueError as cause:
            raise ConfigError(f"--command {given!r}: {cause}; quote it as a shell wants it") from cause
        if not words or not ours(words[-1]):
            raise ConfigError(
                f"--command {given!r} does not end in {EXECUTABLE!r}, by which unwrap and doctor know their own; "
                f"name the executable, or as in --command 'uvx --from lookahead-agents {EXECUTABLE}'"
            )
        return tuple(words)
    for folder in (Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))):
        if os.access(found := folder / EXECUTABLE, os.X_OK):
            return (str(found),)
    return (sys.executable, "-m", EXECUTABLE)


def readable(path: str) -> None:
    """Raises ConfigError where the proxy could not read this policy."""
    if not path.endswith(".json"):
        policy_of(path)
        return
    try:
        rules: Any = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as cause:
        raise ConfigError(f"{path} cannot be read: {cause}; name a policy file of lookahead, or JSON") from cause
    policy_of(rules)


def _options(args: argparse.Namespace, mode: str, file: ClientFile) -> tuple[str, ...]:
    options = ["--mode", mode]
    if args.policy:
        options += ["--policy", _absolute(args.policy)]
    journal = args.journal or ("~/.lookahead/journal.db" if _anywhere(file) else None)
    if journal:
        options += ["--journal", _absolute(journal)]
    return (*options, *args.extra)


def _anywhere(file: ClientFile) -> bool:
    """Whether the client may start servers in any folder at all, where a journal of that folder would be nowhere."""
    parents = {parent.name for parent in file.path.parents}
    return file.client == "Claude Desktop" or "User" in parents or file.path == Path.home() / ".cursor" / "mcp.json"


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))
