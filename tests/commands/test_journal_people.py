"""`lookahead journal approve|resolve`, as a person types them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookahead.canonical import digest_of
from lookahead.journal import (
    Journal,
)

Run = Callable[..., tuple[int, str, str]]


def test_a_waiting_call_is_shown_and_allowed_once(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("aa01", "veto", binding="b1"))
    code, out, err = run("journal", "approve", "aa", answer="y")
    assert code == 0
    assert "shell: rm -r build\n  asked because: it would be gone\n" in err
    assert "- deleted directory build" in err
    assert "Allow this call once? [y/N]" in err
    assert out.startswith("Allowed once, until 2")
    (granted,) = [
        json.loads(body) for (body,) in journal._store._db.execute("SELECT body FROM rows WHERE kind = 'granted'")
    ]
    found = journal.approval("b1", granted["approval"]["granted_at"])
    assert found is not None
    assert found.expires_at - found.granted_at == pytest.approx(600.0)
    assert found.by
    assert found.seen == digest_of(err[: err.index("\nAllow this call")])
    assert run("journal", "approve", "aa01", "--yes")[0] == 1
    assert journal.waiting() == []


def test_without_a_yes_nothing_is_allowed(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("aa01", "veto", binding="b1"))
    for answer in (None, "", "n", "ja"):
        code, out, err = run("journal", "approve", "aa01", answer=answer)
        assert (code, out) == (3, "")
        assert err.endswith("Nothing was allowed.\n")
    assert len(journal.waiting()) == 1


def test_how_long_an_approval_lives_can_be_said(run: Run, journal: Journal, place: Path, make: Any) -> None:
    for n in range(3):
        journal.append(make.decided(f"c{n}", "ask", binding=f"b{n}"))
    (place / "lookahead.toml").write_text("[policy]\napproval_seconds = 77\n")
    lives: list[float] = []
    for n, words in enumerate(([], ["--for", "2m"], ["--for", "0.5s"])):
        code, out, _ = run("journal", "approve", f"c{n}", "--yes", "--json", *words)
        answer = json.loads(out)
        assert (code, answer["format"], answer["call"]) == (0, "lookahead.journal.approve", f"c{n}")
        lives.append(answer["approval"]["expires_at"] - answer["approval"]["granted_at"])
        assert answer["approval"]["binding"] == f"b{n}"
    assert lives == pytest.approx([77.0, 120.0, 0.5])


def test_only_what_waits_can_be_allowed(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("ran"), make.decided("denied", "veto"))
    for call in ("ran", "denied", "none"):
        code, _, err = run("journal", "approve", call, "--yes")
        assert code == 1
        assert f"there is no call that waits for a person '{call}'" in err


@pytest.mark.parametrize(
    ("word", "status", "said"),
    [("--happened", "happened", "will not be done again"), ("--did-not", "did not happen", "may be tried again")],
)
def test_a_doubt_is_settled(run: Run, journal: Journal, word: str, status: str, said: str, make: Any) -> None:
    journal.append(make.decided("aa01"), make.intended("aa01", dead=True))
    code, out, _ = run("journal", "resolve", "aa", word)
    assert code == 0
    assert out.startswith("Settled: shell: rm -r build. It ")
    assert said in out
    assert [call.status for call in journal.calls()] == [status]
    code, _, err = run("journal", "resolve", "aa", word)
    assert code == 1
    assert "there is no call in doubt 'aa'" in err


def test_a_doubt_is_settled_for_programs(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("aa01"), make.intended("aa01", dead=True))
    _, out, _ = run("journal", "resolve", "aa01", "--did-not", "--json")
    assert json.loads(out) == {"format": "lookahead.journal.resolve", "version": 1, "call": "aa01", "happened": False}


def test_a_doubt_is_settled_one_way(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("aa01"), make.intended("aa01", dead=True))
    for words in ([], ["--happened", "--did-not"]):
        assert run("journal", "resolve", "aa01", *words)[0] == 1
    assert len(journal.in_doubt()) == 1


def test_who_cannot_be_named_is_somebody(
    run: Run, journal: Journal, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    journal.append(make.decided("aa01"), make.intended("aa01", dead=True))
    run("journal", "resolve", "aa01", "--happened")
    resolved = journal.calls()[0].resolved
    assert resolved is not None
    assert resolved.by == "somebody"
