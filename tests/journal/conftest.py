"""What the tests of the journal are made of: a redactor that does nothing, and entries with something in them."""

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from lookahead.journal import (
    Agreement,
    Approval,
    Decided,
    Granted,
    Intended,
    Interrupted,
    Journal,
    Resolved,
    Resulted,
    Spent,
)
from lookahead.types import (
    Action,
    Choice,
    Considered,
    Cost,
    Decision,
    Effect,
    Observation,
    Origin,
    Rollout,
    State,
    Step,
    Tool,
    ToolEffect,
    Verdict,
)

COPY = Origin(kind="exact", world="fork:directory")


class Plain:
    """Nothing is a secret."""

    def json(self, value: JsonValue) -> JsonValue:
        return value


class Hiding:
    """One word is a secret, wherever it stands."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def json(self, value: JsonValue) -> JsonValue:
        if isinstance(value, str):
            return value.replace(self.secret, "[redacted]")
        if isinstance(value, list):
            return [self.json(item) for item in value]
        if isinstance(value, dict):
            return {str(self.json(key)): self.json(item) for key, item in value.items()}
        return value


@dataclass(kw_only=True)
class Clock:
    """A clock that is set by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class Make:
    """Entries, each with a default for all that a test does not care about."""

    tool = Tool(name="shell", description="runs a command", effect="changes")
    state = State(goal="tidy", tools=(tool,))
    Plain, Hiding, Clock = Plain, Hiding, Clock

    def action(self, command: str = "rm -r build", call_id: str | None = None, **more: JsonValue) -> Action:
        return Action(tool="shell", arguments={"command": command, **more}, call_id=call_id)

    def imagined(self, content: str = "", cost: Cost | None = None, origin: Origin = COPY) -> Observation:
        lost = Effect(happened="deleted", target="build", what="directory", before=3, unit="items")
        return Observation(content=content, effects=(lost,), origin=origin, cost=cost or Cost(calls=1, seconds=0.5))

    def decision(
        self,
        call: str,
        *,
        action: Action | None = None,
        choice: Choice = "run",
        chosen: bool | Action = True,
        imagined: Observation | None = None,
        reason: str = "nothing speaks against it",
    ) -> Decision:
        proposed = action or self.action()
        step = Step(action=proposed, observation=imagined or self.imagined())
        picked = chosen if isinstance(chosen, Action) else proposed if chosen else None
        return Decision(
            id=call,
            proposed=proposed,
            considered=(Considered(rollout=Rollout(action=proposed, steps=(step,)), verdict=Verdict(score=0.8)),),
            choice=choice,
            chosen=picked,
            rule="default",
            reason=reason,
            state=self.state.digest,
        )

    def decided(self, call: str = "c1", *, run: str = "r", binding: str | None = None, **more: Any) -> Decided:
        return Decided(
            run=run,
            call=call,
            state=self.state.digest,
            decision=self.decision(call, **more),
            tool_digest=self.tool.digest,
            binding=binding,
        )

    def refused(self, call: str = "c1", binding: str | None = "b1", choice: Choice = "veto", **more: Any) -> Decided:
        return self.decided(call, choice=choice, chosen=False, binding=binding, **more)

    def intended(
        self,
        call: str = "c1",
        *,
        run: str = "r",
        action: Action | None = None,
        effect: ToolEffect = "changes",
        **more: Any,
    ) -> Intended:
        action = action or self.action()
        return Intended(
            run=run,
            call=call,
            action=action,
            action_digest=action.digest,
            tool_digest=self.tool.digest,
            effect=effect,
            call_id=action.call_id,
            **more,
        )

    def resulted(
        self,
        call: str = "c1",
        content: str = "done",
        *,
        run: str = "r",
        agreed: bool | None = True,
        changed: bool = True,
        world: str = "fork:directory",
        tool: str = "shell",
        observation: Observation | None = None,
    ) -> Resulted:
        how = "exact" if agreed else "no"
        return Resulted(
            run=run,
            call=call,
            observation=observation or Observation(content=content),
            seconds=0.25,
            agreement=None if agreed is None else Agreement(agreed=agreed, changed=changed, how=how),
            world=None if agreed is None else world,
            tool=tool,
        )

    def interrupted(self, call: str = "c1", why: str = "CancelledError") -> Interrupted:
        return Interrupted(run="r", call=call, why=why)

    def approval(self, id: str = "a1", binding: str = "b1", at: float = 1000.0, lives: float = 600.0) -> Approval:
        return Approval(id=id, binding=binding, granted_at=at, expires_at=at + lives, by="ada", seen="f" * 64)

    def granted(self, id: str = "a1", binding: str = "b1", at: float = 1000.0, lives: float = 600.0) -> Granted:
        return Granted(approval=self.approval(id, binding, at, lives))

    def spent(self, id: str = "a1", call: str = "c1") -> Spent:
        return Spent(approval_id=id, call=call)

    def resolved(self, call: str = "c1", happened: bool = True) -> Resolved:
        return Resolved(call=call, happened=happened, by="ada")

    def whole(self, call: str, **more: Any) -> tuple[Decided, Intended, Resulted]:
        """A call from its decision to its result."""
        action = more.pop("action", None)
        run = more.pop("run", "r")
        said = self.decided(call, run=run, action=action), self.intended(call, run=run, action=action)
        return (*said, self.resulted(call, run=run, **more))


@pytest.fixture
def make() -> Make:
    return Make()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "journal.db")


@pytest.fixture
def reopen(path: str, clock: Clock) -> Iterator[Callable[..., Journal]]:
    """Open the same file once more; everything is closed in the end."""
    opened: list[Journal] = []

    def once_more(where: str | None = None, **more: Any) -> Journal:
        options: dict[str, Any] = {"redact": Plain(), "clock": clock, "patience": 0.2, **more}
        opened.append(Journal(where or path, **options))
        return opened[-1]

    yield once_more
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(reopen: Callable[..., Journal]) -> Journal:
    return reopen()


def _child(code: str, *arguments: str, **more: Any) -> subprocess.Popen[str]:
    """Another process, with a journal's entries at hand."""
    begin = f"""
        import importlib.util, os, sys, time
        spec = importlib.util.spec_from_file_location("conftest", {__file__!r})
        conftest = importlib.util.module_from_spec(spec)
        sys.modules["conftest"] = conftest
        spec.loader.exec_module(conftest)
        make = conftest.Make()
        from lookahead.errors import JournalError, PermitError
        from lookahead.journal import Journal
        def opened(path, **more):
            return Journal(path, redact=make.Plain(), **more)
    """
    whole = textwrap.dedent(begin) + textwrap.dedent(code)
    pipes: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "stdin": subprocess.PIPE,
        "text": True,
    }
    return subprocess.Popen([sys.executable, "-c", whole, *arguments], **pipes, **more)


def _said(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


@pytest.fixture
def child() -> Callable[..., subprocess.Popen[str]]:
    return _child


@pytest.fixture
def said() -> Callable[[subprocess.Popen[str]], str]:
    return _said
