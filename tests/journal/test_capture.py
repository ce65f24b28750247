"""What is kept of an entry: no secret, nothing endless, nothing that cannot be read back."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookahead.errors import JournalCorrupt, JournalError
from lookahead.journal import Journal
from lookahead.journal.capture import CAP, EFFECTS, MARGIN
from lookahead.redact import Redactor
from lookahead.types import Effect, Observation, Tool

Reopen = Callable[..., Journal]


def rows(path: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(path)
    try:
        return db.execute("SELECT * FROM rows ORDER BY seq").fetchall()
    finally:
        db.close()


def test_secrets_are_not_kept_and_names_of_ours_are_not_lost(path: str, reopen: Reopen, make: Any) -> None:
    journal = reopen(redact=make.Hiding("hunter2"))
    action = make.action("login hunter2", call_id="id-hunter2", hunter2="key")
    journal.start("r", goal="use hunter2", mode="guard", world="w", policy="p", tools=[make.tool])
    whole = make.whole(
        "c-1", action=action, observation=Observation(content="ok hunter2", structured={"a": ["hunter2"]})
    )
    journal.append(*whole)
    everything = b"".join(Path(f"{path}{tail}").read_bytes() for tail in ("", "-wal"))
    assert b"hunter2" not in everything
    (call,) = journal.calls()
    assert call.decided.decision.chosen is not None
    assert call.decided.decision.chosen.arguments == {"command": "login [redacted]", "[redacted]": "key"}
    assert call.decided.decision.considered[0].rollout.action == call.decided.decision.proposed
    assert call.decided.decision.considered[0].rollout.steps[0].action == call.decided.decision.proposed
    assert journal.finished("r", "id-hunter2", action.digest) is not None
    assert journal.finished("r", "id-[redacted]", action.digest) is None


class Everything:
    """Every string is a secret."""

    def json(self, value: Any) -> Any:
        if isinstance(value, str):
            return "x"
        if isinstance(value, list):
            return [self.json(item) for item in value]
        return {key: self.json(item) for key, item in value.items()} if isinstance(value, dict) else value


def test_our_own_names_pass_a_redactor_that_takes_everything(reopen: Reopen, make: Any) -> None:
    journal = reopen(redact=Everything())
    journal.append(make.granted("a1", binding="b1"))
    found = journal.approval("b1", 1000.0)
    assert found is not None
    assert (found.id, found.binding, found.seen, found.by) == ("a1", "b1", "f" * 64, "x")
    journal.append(make.spent("a1", "c1"))
    journal.append(make.decided("c1", binding="b1"), make.intended("c1"), make.interrupted("c1"))
    bodies = {row[4]: json.loads(row[7]) for row in rows(journal.path)}
    assert bodies["decided"]["decision"]["id"] == "c1"
    assert bodies["decided"]["decision"]["state"] == bodies["decided"]["state"] == make.state.digest
    assert bodies["decided"]["tool_digest"] == bodies["intended"]["tool_digest"] == make.tool.digest
    assert bodies["intended"]["action_digest"] == make.action().digest
    assert bodies["intended"]["owner"]["pid"] == os.getpid()
    assert bodies["spent"]["approval_id"] == "a1"
    assert bodies["interrupted"] == {"kind": "interrupted", "run": "r", "call": "c1", "why": "x"}


def test_a_row_that_is_no_entry_is_a_clear_error(reopen: Reopen, make: Any) -> None:
    journal = reopen(redact=Everything())
    # What such a redactor leaves of a choice is none of the choices.
    journal.append(make.decided())
    with pytest.raises(JournalCorrupt, match="is no entry of one"):
        journal.calls()


def test_long_content_is_cut_and_says_how_long_it_was(journal: Journal, make: Any) -> None:
    whole = "ä" * CAP
    for call, content in (("c1", whole), ("c2", whole + "!")):
        journal.append(make.decided(call, imagined=make.imagined(content)), make.resulted(call, content))
    first, second = journal.calls()
    assert first.resulted is not None
    assert first.resulted.observation.content == whole
    for kept in (second.resulted.observation, second.decided.decision.considered[0].rollout.steps[0].observation):  # type: ignore[union-attr]
        text, _, note = kept.content.partition("\n[lookahead: ")
        assert text == whole
        assert note.startswith(f"the journal keeps the first {CAP} of {CAP + 1} characters, sha256 ")


def test_a_secret_is_not_cut_in_half_and_kept(reopen: Reopen, make: Any) -> None:
    journal = reopen(redact=make.Hiding("0123456789"))
    journal.append(make.decided(), make.resulted(content="a" * (CAP - 5) + "0123456789" + "b" * MARGIN))
    (call,) = journal.calls()
    assert call.resulted is not None
    assert "01234" not in call.resulted.observation.content
    assert call.resulted.observation.content[CAP - 5 : CAP] == "[reda"


def test_a_secret_of_many_lines_is_not_cut_in_half_either(reopen: Reopen, make: Any) -> None:
    secret = "".join(f"line {n} of a private key\n" for n in range(400))
    assert 8_000 < len(secret) < MARGIN
    journal = reopen(redact=make.Hiding(secret))
    journal.append(make.decided(), make.resulted(content="a" * (CAP - 100) + secret))
    (call,) = journal.calls()
    assert call.resulted is not None
    assert "private key" not in call.resulted.observation.content


def test_no_more_is_read_for_secrets_than_needed(reopen: Reopen, make: Any) -> None:
    class Reading:
        longest = 0

        def json(self, value: Any) -> Any:
            if isinstance(value, str):
                self.longest = max(self.longest, len(value))
            for item in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
                self.json(item)
            return value

    reading = Reading()
    journal = reopen(redact=reading)
    journal.append(make.decided(), make.resulted(content="a" * 1_000_000))
    assert reading.longest == CAP + MARGIN


def test_large_structured_answers_are_named_not_kept(journal: Journal, make: Any) -> None:
    fits, large = ["x" * (CAP - 4)], ["x" * (CAP - 3)]
    for call, value in (("c1", fits), ("c2", large), ("c3", "x" * CAP)):
        journal.append(make.decided(call), make.resulted(call, observation=Observation(structured=value)))
    first, second, third = (call.resulted.observation.structured for call in journal.calls())  # type: ignore[union-attr]
    assert first == fits
    assert isinstance(second, dict)
    assert list(second) == ["lookahead.cut"]
    assert str(second["lookahead.cut"]).startswith(f"{CAP + 1} characters, sha256 ")
    assert isinstance(third, dict)


def test_of_very_many_effects_the_first_are_kept_and_the_rest_counted(journal: Journal, make: Any) -> None:
    effects = tuple(
        Effect(happened="deleted", target=f"f{n}", what="file", before=n, unit="bytes") for n in range(EFFECTS + 5)
    )
    effects = (*effects[: EFFECTS - 1], effects[-1].model_copy(update={"happened": "changed"}), *effects[EFFECTS:])
    for call, some in (("c1", effects[:EFFECTS]), ("c2", effects)):
        journal.append(make.decided(call), make.resulted(call, observation=Observation(effects=some)))
    first, second = (call.resulted.observation.effects for call in journal.calls())  # type: ignore[union-attr]
    assert first == effects[:EFFECTS]
    assert second is not None
    assert len(second) == EFFECTS
    assert second[:-1] == effects[: EFFECTS - 1]
    assert second[-1].detail == "and 6 more effects that the journal does not keep"
    assert (second[-1].happened, second[-1].target, second[-1].before) == ("changed", "…", None)


def test_no_answer_is_too_odd_to_be_kept(journal: Journal, make: Any) -> None:
    odd: Any = {
        "nan": float("nan"),
        "inf": float("-inf"),
        "half": "\udc00!",
        "big": 10**5000,
        "nul": "a\x00b",
        "fine": [1.5, True, None, "😀"],
    }
    journal.append(
        make.decided(), make.intended(), make.resulted(observation=Observation(content="x\ud800", structured=odd))
    )
    (call,) = journal.calls()
    assert call.resulted is not None
    assert call.resulted.observation.content == "x\\ud800"
    assert call.resulted.observation.structured == {
        "nan": "nan",
        "inf": "-inf",
        "half": "\\udc00!",
        "big": hex(10**5000),
        "nul": "a\x00b",
        "fine": [1.5, True, None, "😀"],
    }
    assert len(journal.transitions()) == 1
    assert journal.verify().ok


@pytest.mark.parametrize(
    ("odd", "kept"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (10**5000, hex(10**5000)),
        ("a NaN in a text", "a NaN in a text"),
        ("7" * 5000, "7" * 5000),
    ],
    ids=["nan", "inf", "-inf", "large", "word", "digits"],
)
def test_one_odd_number_in_an_answer_is_kept_as_a_text(journal: Journal, make: Any, odd: Any, kept: str) -> None:
    structured = {"odd": odd, "fine": 1.5}
    journal.append(make.decided(), make.intended(), make.resulted(observation=Observation(structured=structured)))
    (call,) = journal.calls()
    assert call.resulted is not None
    assert call.resulted.observation.structured == {"odd": kept, "fine": 1.5}
    json.loads(rows(journal.path)[-1][7], parse_constant=pytest.fail)
    assert journal.verify().ok


def test_names_with_half_characters_are_kept(journal: Journal, make: Any) -> None:
    action = make.action("x", call_id="n\ud800")
    journal.append(*make.whole("c1", action=action, run="r\ud800"))
    assert journal.finished("r\ud800", "n\ud800", action.digest) is not None
    assert len(journal.calls("r\ud800")) == 1


def test_an_entry_that_cannot_be_written_is_an_error_and_leaves_nothing(reopen: Reopen, make: Any) -> None:
    class Broken:
        def json(self, value: Any) -> Any:
            raise RuntimeError("no more")

    journal = reopen(redact=Broken())
    with pytest.raises(JournalError, match=r"cannot be recorded in .*RuntimeError: no more"):
        journal.append(make.decided())
    assert rows(journal.path) == []


def test_a_journal_in_memory_keeps_everything_but_itself(reopen: Reopen, make: Any) -> None:
    journal = reopen(":memory:")
    journal.append(*make.whole("c1"))
    assert journal.verify().rows == 3
    assert reopen(":memory:").calls() == []


def test_tools_are_read_for_secrets_anew_when_more_is_known(tmp_path: Any) -> None:
    redactor = Redactor(environment={})
    tool = Tool(name="post", description="posts to the board of MagentaHeron-4471-quill")
    told: list[str] = []

    def start(run: str, goal: str = "") -> None:
        journal.start(run, goal=goal, mode="guard", world="w", policy="p", tools=[tool])
        [found] = [one for one in journal.runs() if one.run == run]
        told.append(found.started.tools[0].description)

    with Journal(tmp_path / "j.db", redact=redactor) as journal:
        start("one")
        start("two")
        redactor.remember("MagentaHeron-4471-quill")
        start("three")
        start("four")
        start("five", goal="use ghp_aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5")
    assert told[0] == told[1] == tool.description
    assert told[2] == told[3] == told[4]
    assert "MagentaHeron" not in told[2]
