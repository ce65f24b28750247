"""Which world is had where nobody names one."""

import logging
import os
from pathlib import Path

import pytest

from lookahead.errors import SandboxMissing
from lookahead.functions import ToolFunction
from lookahead.policy import Policy
from lookahead.types import Action, State
from lookahead.worlds.choose import choose
from lookahead.worlds.fork import probe
from lookahead.worlds.fork.directory import DirectoryFork

pytestmark = pytest.mark.anyio


def write(path: str) -> None:
    Path(path).write_text("x")


FUNCTIONS = {"write": ToolFunction.of(write)}


def test_where_no_sandbox_can_be_had_it_is_said_once_and_nothing_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOOKAHEAD_SANDBOX", "missing")
    monkeypatch.setattr("lookahead.worlds.choose._warned", set[str]())
    with caplog.at_level(logging.WARNING, logger="lookahead"):
        for _ in range(3):
            assert choose("auto", functions=FUNCTIONS, real=None, policy=Policy()) is None
    (said,) = caplog.messages
    assert "judged by their text" in said
    assert "LOOKAHEAD_SANDBOX=missing" in said
    assert "`lookahead doctor`" in said
    assert "\n" not in said


@pytest.mark.skipif(
    os.environ.get("LOOKAHEAD_NO_SANDBOX") == "1", reason="LOOKAHEAD_NO_SANDBOX=1: this machine has no sandbox"
)
def test_where_a_sandbox_can_be_had_the_working_directory_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(choose("auto", functions=FUNCTIONS, real=None, policy=Policy()), DirectoryFork)
    assert probe.probe() is None
    assert caplog.messages == []


async def test_a_world_that_was_asked_for_refuses_in_one_short_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKAHEAD_SANDBOX", "missing")
    world = choose(f"directory:{tmp_path}", functions=FUNCTIONS, real=None, policy=Policy())
    assert isinstance(world, DirectoryFork)
    async with world:
        with pytest.raises(SandboxMissing) as refused:
            await world(State(), Action(tool="write", arguments={"path": "a"}))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 140
    assert "`lookahead doctor`" in str(refused.value)
