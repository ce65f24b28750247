"""`lookahead journal ls` and `show`, as somebody types them."""

import json
import os
import pty
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookahead.cli import main
from lookahead.journal import (
    Agreement,
    Foreseen,
    Interrupted,
    Journal,
)

Run = Callable[..., tuple[int, str, str]]

ESCAPE = "\x1b[31mred\u202e\n"


def test_a_journal_that_is_not_there_is_an_error_and_is_not_made(run: Run, place: Path) -> None:
    for words in (["journal", "ls"], ["journal", "verify"], ["journal", "approve", "x"], ["ledger"]):
        code, out, err = run(*words)
        assert (code, out) == (1, "")
        assert "there is no journal at .lookahead/journal.db" in err
    assert not (place / ".lookahead").exists()


def test_an_empty_journal_says_so(run: Run, journal: Journal) -> None:
    assert run("journal", "ls") == (0, "No calls are on record.\n", "")


def test_calls_are_listed_with_what_became_of_them(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("aa01"), make.intended("aa01"), make.resulted("aa01"))
    journal.append(make.decided("bb02", "veto"))
    code, out, err = run("journal", "ls")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["when", "call", "status", "choice", "what"]
    assert lines[1].split()[2:] == ["aa01", "done", "run", "shell:", "rm", "-r", "build"]
    assert lines[2].split()[2:5] == ["bb02", "refused", "veto"]
    assert len(lines) == 3


def test_what_is_in_doubt_is_a_finding(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("aa01"), make.intended("aa01", dead=True))
    code, out, _ = run("journal", "ls")
    assert code == 2
    assert "In doubt: 1. Each may have happened or not" in out
    assert "  aa01  shell: rm -r build  (its process ended before the result was recorded)\n" in out
    assert "lookahead journal resolve CALL --happened | --did-not" in out


def test_what_waits_for_a_person_is_listed(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("aa01", "ask", binding="b1"))
    code, out, _ = run("journal", "ls")
    assert code == 0
    assert "Waiting for a person: 1.\n  aa01  shell: rm -r build  (it would be gone)\n" in out
    assert "lookahead journal approve CALL" in out


def test_one_run_and_the_last_calls_can_be_picked(run: Run, journal: Journal, make: Any) -> None:
    for n in range(60):
        journal.append(make.decided(f"c{n:02}", run="odd" if n % 2 else "even"))
    journal.append(make.decided("d", run="even"), make.intended("d", dead=True, run="even"))
    journal.append(make.decided("w", "veto", run="even", binding="b"))

    def listed(*words: str) -> tuple[int, int, int, int]:
        code, out, _ = run("journal", "ls", "--json", *words)
        answer = json.loads(out)
        return code, len(answer["calls"]), len(answer["in_doubt"]), len(answer["waiting"])

    assert listed() == (2, 50, 1, 1)
    assert listed("--last", "0") == (2, 62, 1, 1)
    assert listed("--last", "3") == (2, 3, 1, 1)
    assert listed("--of", "odd") == (0, 30, 0, 0)
    assert listed("--of", "even", "--last", "1") == (2, 1, 1, 1)


def test_the_answer_for_programs_has_a_format_and_a_version(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("aa01", text=ESCAPE), make.intended("aa01", dead=True))
    journal.append(make.decided("bb02", "ask", binding="b1"))
    _, out, _ = run("journal", "ls", "--json")
    assert "\x1b" not in out
    answer = json.loads(out)
    assert (answer["format"], answer["version"]) == ("lookahead.journal.ls", 1)
    assert answer["calls"][0] == {
        "call": "aa01",
        "run": "r",
        "at": answer["calls"][0]["at"],
        "status": "in doubt",
        "tool": "shell",
        "arguments": {"command": ESCAPE},
        "choice": "run",
        "rule": "files.lost",
        "reason": "it would be gone",
    }
    assert answer["in_doubt"][0]["call"] == "aa01"
    assert answer["waiting"] == [
        {
            "call": "bb02",
            "run": "r",
            "tool": "shell",
            "arguments": {"command": "rm -r build"},
            "rule": "files.lost",
            "reason": "it would be gone",
        }
    ]


def test_nothing_that_is_stored_moves_the_cursor(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("aa01" + ESCAPE, "veto", run=ESCAPE, binding="b", text=ESCAPE))
    journal.append(make.decided("bb02", text=ESCAPE), make.intended("bb02", dead=True))
    journal.append(Interrupted(run="r", call="bb02", why=ESCAPE))
    journal.append(make.decided("cc03"), make.intended("cc03"), make.resulted("cc03", ESCAPE * 2))
    for words in (["ls"], ["show", "aa01"], ["show", "bb02"], ["show", "cc03"]):
        _, out, _ = run("journal", *words)
        assert not {char for char in out if ord(char) < 32 and char != "\n"}
        assert "\u202e" not in out
        assert "\\x1b[31mred\\u202e" in out


def test_the_journal_can_be_named(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    for name in ("a.db", "b.db"):
        with Journal(place / name, redact=make.Plain()) as journal:
            journal.append(make.decided(f"in-{name}"))
    monkeypatch.setenv("LOOKAHEAD_JOURNAL", str(place / "a.db"))
    assert "in-a.db" in run("journal", "ls")[1]
    assert "in-b.db" in run("journal", "ls", "--journal", str(place / "b.db"))[1]
    monkeypatch.delenv("LOOKAHEAD_JOURNAL")
    (place / "lookahead.toml").write_text('journal = "b.db"\n')
    assert "in-b.db" in run("journal", "ls")[1]


def test_on_a_terminal_the_table_is_drawn_and_still_shows_text_as_text(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    journal.append(make.decided("aa01", text="[bold red]not markup[/] " + ESCAPE))
    controller, terminal = pty.openpty()
    try:
        with os.fdopen(terminal, "w") as screen:
            monkeypatch.setattr(sys, "stdout", screen)
            monkeypatch.setenv("COLUMNS", "120")
            assert main(["journal", "ls"]) == 0
            screen.flush()
            shown = os.read(controller, 65536).decode()
    finally:
        os.close(controller)
    assert "───" in shown
    assert "[bold red]not markup[/]" in shown
    assert "\x1b[31m" not in shown


def test_one_call_is_shown_whole(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("aa01"), make.intended("aa01"), make.resulted("aa01", "gone\nfor good", agreed=False))
    code, out, _ = run("journal", "show", "aa")
    assert code == 0
    assert out.startswith("call aa01 of run r, ")
    assert ": done\n" in out
    assert "RUN: the proposed action" in out
    assert f"to be done: shell: rm -r build (destroys, by process {os.getpid()})" in out
    assert "answered after 0.250 s (real):\n  | gone\n  | for good\n  changes nothing\n" in out
    assert "not as imagined: at 0 (by w, no)" in out


def test_a_call_that_failed_or_was_settled_or_only_watched_is_shown(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("failed"), make.resulted("failed", failed=True))
    decision = make.decided("x", "veto").decision
    agreement = Agreement(agreed=True, changed=True, how="normalised")
    journal.append(
        make.decided("watched"),
        make.intended("watched"),
        make.resulted("watched").model_copy(update={"agreement": None}),
    )
    journal.append(Foreseen(run="r", call="watched", decision=decision, agreement=agreement, world="w", tool="shell"))
    journal.append(make.decided("cut"), make.intended("cut"))
    journal.append(Interrupted(run="r", call="cut", why="KeyboardInterrupt"))
    assert "failed after 0.250 s (real):\n  | done\n" in run("journal", "show", "failed")[1]
    _, out, _ = run("journal", "show", "watched")
    assert "imagined beside it, without holding it up:\nVETO" in out
    assert out.endswith("as imagined (by w, normalised)\n")
    code, out, _ = run("journal", "show", "cut")
    assert code == 2
    assert ": in doubt\n" in out
    assert "cut off: KeyboardInterrupt\n" in out
    assert run("journal", "resolve", "cut", "--did-not")[0] == 0
    code, out, _ = run("journal", "show", "cut")
    assert code == 0
    assert "it did not happen\n" in out


def test_one_call_is_shown_to_programs(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("aa01"), make.intended("aa01"), make.resulted("aa01"))
    _, out, _ = run("journal", "show", "aa01", "--json")
    answer = json.loads(out)
    assert (answer["format"], answer["call"], answer["status"]) == ("lookahead.journal.show", "aa01", "done")
    assert answer["decided"]["decision"]["id"] == "aa01"
    assert answer["resulted"]["observation"]["content"] == "done"
    assert answer["interrupted"] is answer["resolved"] is answer["foreseen"] is None


def test_a_call_is_named_by_its_beginning_if_that_is_enough(run: Run, journal: Journal, make: Any) -> None:
    journal.append(make.decided("ab"), make.decided("abc"), make.decided("abd"))
    assert run("journal", "show", "ab")[1].startswith("call ab ")
    assert run("journal", "show", "abd")[1].startswith("call abd ")
    code, _, err = run("journal", "show", "a")
    assert (code, err) == (1, "lookahead: 3 ids begin with 'a': write more of it\n")
    code, _, err = run("journal", "show", "x")
    assert (code, err) == (1, "lookahead: there is no call 'x'. See: lookahead journal ls\n")


def test_every_help_fits_on_a_screen(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    inner = ("ls", "show", "export", "import", "verify", "prune", "approve", "resolve")
    for words in (["journal"], ["ledger"], *(["journal", name] for name in inner)):
        code, out, _ = run(*words, "--help")
        assert code == 0
        assert len(out.splitlines()) <= 40
        assert max(map(len, out.splitlines())) <= 80
