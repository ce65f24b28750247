"""A project with a journal in it, and the command line."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from lookahead.cli import main
from lookahead.journal import (
    Agreement,
    Decided,
    Intended,
    Journal,
    Resulted,
)
from lookahead.journal.owner import me
from lookahead.types import Action, Choice, Considered, Decision, Effect, Observation, Origin, Rollout, Step


class Plain:
    def json(self, value: JsonValue) -> JsonValue:
        return value


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, in which nothing is set."""
    for name in [name for name in os.environ if name.startswith("LOOKAHEAD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    return tmp_path


@pytest.fixture
def journal(place: Path) -> Any:
    with Journal(place / ".lookahead" / "journal.db", redact=Plain()) as journal:
        yield journal


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*words: str, answer: str | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO("" if answer is None else f"{answer}\n"))
        capsys.readouterr()
        code = main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


class Make:
    """Entries of a call, each with a default for all that a test does not care about."""

    Plain = Plain

    def decided(
        self,
        call: str,
        choice: Choice = "run",
        *,
        run: str = "r",
        binding: str | None = None,
        text: str = "rm -r build",
    ) -> Decided:
        action = Action(tool="shell", arguments={"command": text})
        origin = Origin(kind="exact", world="fork:directory")
        lost = Effect(happened="deleted", target="build", what="directory", recoverable=False)
        step = Step(action=action, observation=Observation(effects=(lost,), origin=origin))
        decision = Decision(
            id=call,
            proposed=action,
            considered=(Considered(rollout=Rollout(action=action, steps=(step,))),),
            choice=choice,
            chosen=action if choice == "run" else None,
            rule="files.lost",
            reason="it would be gone",
            state="s",
        )
        return Decided(run=run, call=call, state="s", decision=decision, binding=binding)

    def intended(self, call: str, *, dead: bool = False, run: str = "r") -> Intended:
        action = Action(tool="shell", arguments={"command": "rm -r build"})
        owner = me().model_copy(update={"token": "another", "started": "0"}) if dead else None
        return Intended(run=run, call=call, action=action, action_digest=action.digest, effect="destroys", owner=owner)

    def resulted(
        self, call: str, content: str = "done", *, agreed: bool = True, changed: bool = True, failed: bool = False
    ) -> Resulted:
        agreement = Agreement(
            agreed=agreed, changed=changed, how="exact" if agreed else "no", detail="" if agreed else "at 0"
        )
        said = Observation(content=content, failed=failed, effects=None if failed else ())
        return Resulted(
            run="r", call=call, observation=said, seconds=0.25, agreement=agreement, world="w", tool="shell"
        )


@pytest.fixture
def make() -> Make:
    return Make()
