"""`lookahead journal` and `lookahead ledger`, as somebody types them."""

import io
import json
import os
import pty
import stat
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
    Foreseen,
    Intended,
    Interrupted,
    Journal,
    Resulted,
)
from lookahead.journal.owner import me
from lookahead.types import Action, Choice, Considered, Decision, Effect, Observation, Origin, Rollout, Step, digest_of

ESCAPE = "\x1b[31mred\u202e\n"


class Plain:
    def json(self, value: JsonValue) -> JsonValue:
        return value


@pytest.fixture(autouse=True)
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
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*words: str, answer: str | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO("" if answer is None else f"{answer}\n"))
        capsys.readouterr()
        code = main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def decided(
    call: str, choice: Choice = "run", *, run: str = "r", binding: str | None = None, text: str = "rm -r build"
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


def intended(call: str, *, dead: bool = False, run: str = "r") -> Intended:
    action = Action(tool="shell", arguments={"command": "rm -r build"})
    owner = me().model_copy(update={"token": "another", "started": "0"}) if dead else None
    return Intended(run=run, call=call, action=action, action_digest=action.digest, effect="destroys", owner=owner)


def resulted(
    call: str, content: str = "done", *, agreed: bool = True, changed: bool = True, failed: bool = False
) -> Resulted:
    agreement = Agreement(
        agreed=agreed, changed=changed, how="exact" if agreed else "no", detail="" if agreed else "at 0"
    )
    said = Observation(content=content, failed=failed, effects=None if failed else ())
    return Resulted(run="r", call=call, observation=said, seconds=0.25, agreement=agreement, world="w", tool="shell")


# ---- ls ----


def test_a_journal_that_is_not_there_is_an_error_and_is_not_made(run: Run, place: Path) -> None:
    for words in (["journal", "ls"], ["journal", "verify"], ["journal", "approve", "x"], ["ledger"]):
        code, out, err = run(*words)
        assert (code, out) == (1, "")
        assert "there is no journal at .lookahead/journal.db" in err
    assert not (place / ".lookahead").exists()


def test_an_empty_journal_says_so(run: Run, journal: Journal) -> None:
    assert run("journal", "ls") == (0, "No calls are on record.\n", "")


def test_calls_are_listed_with_what_became_of_them(run: Run, journal: Journal) -> None:
    journal.append(decided("aa01"), intended("aa01"), resulted("aa01"))
    journal.append(decided("bb02", "veto"))
    code, out, err = run("journal", "ls")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["when", "call", "status", "choice", "what"]
    assert lines[1].split()[2:] == ["aa01", "done", "run", "shell:", "rm", "-r", "build"]
    assert lines[2].split()[2:5] == ["bb02", "refused", "veto"]
    assert len(lines) == 3


def test_what_is_in_doubt_is_a_finding(run: Run, journal: Journal) -> None:
    journal.append(decided("aa01"), intended("aa01", dead=True))
    code, out, _ = run("journal", "ls")
    assert code == 2
    assert "In doubt: 1. Each may have happened or not" in out
    assert "  aa01  shell: rm -r build  (its process ended before the result was recorded)\n" in out
    assert "lookahead journal resolve CALL --happened | --did-not" in out


def test_what_waits_for_a_person_is_listed(run: Run, journal: Journal) -> None:
    journal.append(decided("aa01", "ask", binding="b1"))
    code, out, _ = run("journal", "ls")
    assert code == 0
    assert "Waiting for a person: 1.\n  aa01  shell: rm -r build  (it would be gone)\n" in out
    assert "lookahead journal approve CALL" in out


def test_one_run_and_the_last_calls_can_be_picked(run: Run, journal: Journal) -> None:
    for n in range(60):
        journal.append(decided(f"c{n:02}", run="odd" if n % 2 else "even"))
    journal.append(decided("d", run="even"), intended("d", dead=True, run="even"))
    journal.append(decided("w", "veto", run="even", binding="b"))

    def listed(*words: str) -> tuple[int, int, int, int]:
        code, out, _ = run("journal", "ls", "--json", *words)
        answer = json.loads(out)
        return code, len(answer["calls"]), len(answer["in_doubt"]), len(answer["waiting"])

    assert listed() == (2, 50, 1, 1)
    assert listed("--last", "0") == (2, 62, 1, 1)
    assert listed("--last", "3") == (2, 3, 1, 1)
    assert listed("--of", "odd") == (0, 30, 0, 0)
    assert listed("--of", "even", "--last", "1") == (2, 1, 1, 1)


def test_the_answer_for_programs_has_a_format_and_a_version(run: Run, journal: Journal) -> None:
    journal.append(decided("aa01", text=ESCAPE), intended("aa01", dead=True))
    journal.append(decided("bb02", "ask", binding="b1"))
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


def test_nothing_that_is_stored_moves_the_cursor(run: Run, journal: Journal) -> None:
    journal.append(decided("aa01" + ESCAPE, "veto", run=ESCAPE, binding="b", text=ESCAPE))
    journal.append(decided("bb02", text=ESCAPE), intended("bb02", dead=True))
    journal.append(Interrupted(run="r", call="bb02", why=ESCAPE))
    journal.append(decided("cc03"), intended("cc03"), resulted("cc03", ESCAPE * 2))
    for words in (["ls"], ["show", "aa01"], ["show", "bb02"], ["show", "cc03"]):
        _, out, _ = run("journal", *words)
        assert not {char for char in out if ord(char) < 32 and char != "\n"}
        assert "\u202e" not in out
        assert "\\x1b[31mred\\u202e" in out


def test_the_journal_can_be_named(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.db", "b.db"):
        with Journal(place / name, redact=Plain()) as journal:
            journal.append(decided(f"in-{name}"))
    monkeypatch.setenv("LOOKAHEAD_JOURNAL", str(place / "a.db"))
    assert "in-a.db" in run("journal", "ls")[1]
    assert "in-b.db" in run("journal", "ls", "--journal", str(place / "b.db"))[1]
    monkeypatch.delenv("LOOKAHEAD_JOURNAL")
    (place / "lookahead.toml").write_text('journal = "b.db"\n')
    assert "in-b.db" in run("journal", "ls")[1]


def test_on_a_terminal_the_table_is_drawn_and_still_shows_text_as_text(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append(decided("aa01", text="[bold red]not markup[/] " + ESCAPE))
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


# ---- show ----


def test_one_call_is_shown_whole(run: Run, journal: Journal) -> None:
    journal.append(decided("aa01"), intended("aa01"), resulted("aa01", "gone\nfor good", agreed=False))
    code, out, _ = run("journal", "show", "aa")
    assert code == 0
    assert out.startswith("call aa01 of run r, ")
    assert ": done\n" in out
    assert "RUN: the proposed action" in out
    assert f"to be done: shell: rm -r build (destroys, by process {os.getpid()})" in out
    assert "answered after 0.250 s (real):\n  | gone\n  | for good\n  changes nothing\n" in out
    assert "not as imagined: at 0 (by w, no)" in out


def test_a_call_that_failed_or_was_settled_or_only_watched_is_shown(run: Run, journal: Journal) -> None:
    journal.append(decided("failed"), resulted("failed", failed=True))
    decision = decided("x", "veto").decision
    agreement = Agreement(agreed=True, changed=True, how="normalised")
    journal.append(decided("watched"), intended("watched"), resulted("watched").model_copy(update={"agreement": None}))
    journal.append(Foreseen(run="r", call="watched", decision=decision, agreement=agreement, world="w", tool="shell"))
    journal.append(decided("cut"), intended("cut"))
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


def test_one_call_is_shown_to_programs(run: Run, journal: Journal) -> None:
    journal.append(decided("aa01"), intended("aa01"), resulted("aa01"))
    _, out, _ = run("journal", "show", "aa01", "--json")
    answer = json.loads(out)
    assert (answer["format"], answer["call"], answer["status"]) == ("lookahead.journal.show", "aa01", "done")
    assert answer["decided"]["decision"]["id"] == "aa01"
    assert answer["resulted"]["observation"]["content"] == "done"
    assert answer["interrupted"] is answer["resolved"] is answer["foreseen"] is None


def test_a_call_is_named_by_its_beginning_if_that_is_enough(run: Run, journal: Journal) -> None:
    journal.append(decided("ab"), decided("abc"), decided("abd"))
    assert run("journal", "show", "ab")[1].startswith("call ab ")
    assert run("journal", "show", "abd")[1].startswith("call abd ")
    code, _, err = run("journal", "show", "a")
    assert (code, err) == (1, "lookahead: 3 ids begin with 'a': write more of it\n")
    code, _, err = run("journal", "show", "x")
    assert (code, err) == (1, "lookahead: there is no call 'x'. See: lookahead journal ls\n")


# ---- export, import, verify, prune ----


def test_export_and_import_by_way_of_a_file(run: Run, journal: Journal, place: Path) -> None:
    journal.append(decided("aa01"), intended("aa01"), resulted("aa01"))
    head = journal.verify().head
    before = os.umask(0)
    try:
        assert run("journal", "export", "out.jsonl") == (0, "3 rows written to out.jsonl.\n", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "out.jsonl").stat().st_mode) == 0o600
    code, _, err = run("journal", "export", "out.jsonl")
    assert (code, err) == (1, "lookahead: out.jsonl cannot be written: File exists\n")
    code, out, _ = run("journal", "import", "out.jsonl", "--journal", "new/again.db", "--head", head)
    assert (code, out) == (0, f"3 rows, all as they were written, are now in new/again.db. Head: {head}\n")
    code, _, err = run("journal", "import", "out.jsonl", "--journal", "other.db", "--head", "0" * 64)
    assert code == 1
    assert "this is another journal" in err
    assert not (place / "other.db").exists()
    code, _, err = run("journal", "import", "nowhere.jsonl", "--journal", "other.db")
    assert (code, err) == (1, "lookahead: nowhere.jsonl cannot be read: No such file or directory\n")
    code, out, _ = run("journal", "export", "second.jsonl", "--json")
    assert json.loads(out) == {"format": "lookahead.journal.export", "version": 1, "file": "second.jsonl", "rows": 3}


def test_export_and_import_by_way_of_a_pipe(run: Run, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.append(decided("aa01"))
    _, lines, _ = run("journal", "export")
    assert len(lines.splitlines()) == 3
    code, out, _ = run("journal", "import", "-", "--journal", "again.db", "--json", answer=lines)
    answer = json.loads(out)
    assert (code, answer["format"], answer["rows"]) == (0, "lookahead.journal.import", 1)
    assert (answer["journal"], answer["head"]) == ("again.db", journal.verify().head)


def test_half_an_export_is_none(run: Run, journal: Journal, place: Path) -> None:
    journal.append(decided("aa01"))
    journal.append(decided("bb02"))
    journal._store._db.execute("UPDATE rows SET body = body || ' ' WHERE seq = 2")
    code, _, err = run("journal", "export", "out.jsonl")
    assert code == 1
    assert "row 2 is not what was written" in err
    assert not (place / "out.jsonl").exists()


def test_verify_says_what_is_wrong_and_where(run: Run, journal: Journal) -> None:
    journal.append(decided("aa01"))
    journal.append(decided("bb02"))
    head = journal.verify().head
    code, out, _ = run("journal", "verify")
    assert code == 0
    assert out.startswith(f"2 rows, each as it was written and none missing.\nHead: {head}\n")
    assert run("journal", "verify", "--head", head)[0] == 0
    code, out, _ = run("journal", "verify", "--head", "0" * 63 + "1")
    assert code == 2
    assert out.startswith("NOT what was written: the head that was noted is not in it")
    journal._store._db.execute("UPDATE rows SET run = 'forged' WHERE seq = 2")
    code, out, _ = run("journal", "verify")
    assert (code, out) == (
        2,
        "NOT what was written: row 2 is not what was written (row 2). 1 rows before it are good.\n",
    )
    code, out, _ = run("journal", "verify", "--json")
    assert code == 2
    answer = json.loads(out)
    assert (answer["format"], answer["ok"], answer["broken"], answer["rows"]) == (
        "lookahead.journal.verify",
        False,
        2,
        1,
    )


def test_pruning_asks_first(run: Run, journal: Journal) -> None:
    journal.append(decided("aa01"), intended("aa01"), resulted("aa01"))
    for answer in (None, "", "n", "yesterday"):
        code, out, err = run("journal", "prune", "--before", "0s", answer=answer)
        assert (code, out) == (3, "")
        assert "every call that ended before 20" in err
        assert "Nothing was pruned." in err
    assert len(journal.calls()) == 1
    assert run("journal", "prune", "--before", "1d", "--yes")[1].startswith("0 rows were pruned.")
    code, out, _ = run("journal", "prune", "--before", "0s", answer=" Y ")
    assert (code, out[:21]) == (0, "3 rows were pruned. C")
    journal.append(decided("bb02"))
    code, out, _ = run("journal", "prune", "--before", "2999-01-01", "--yes", "--json")
    answer = json.loads(out)
    assert (code, answer["format"], answer["removed"]) == (0, "lookahead.journal.prune", 2)
    assert answer["before"] > 3e10


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("15m", 900), ("12h", 43200), ("90d", 7776000), ("1.5w", 907200)]
)
def test_a_length_of_time_has_a_unit(text: str, seconds: float) -> None:
    from lookahead.commands._listing import seconds as read

    assert read(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1y", "tomorrow", "1d2h"])
def test_what_is_no_time_is_an_error_that_says_how_it_is_written(text: str, run: Run) -> None:
    code, _, err = run("journal", "prune", f"--before={text}")
    assert code == 1
    assert "write 2026-01-31, or 90d for ninety days ago" in err
    code, _, err = run("journal", "approve", "x", f"--for={text}")
    assert code == 1
    assert "write 30s, 15m, 12h, 90d or 4w" in err


def test_a_clock_that_was_out_of_its_mind_hides_nothing(run: Run, place: Path) -> None:
    with Journal(place / "j.db", redact=Plain(), clock=lambda: 1e300) as journal:
        journal.append(decided("aa01"))
    assert "1e+300 s  aa01" in run("journal", "ls", "--journal", "j.db")[1]


# ---- approve, resolve ----


def test_a_waiting_call_is_shown_and_allowed_once(run: Run, journal: Journal) -> None:
    journal.append(decided("aa01", "veto", binding="b1"))
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


def test_without_a_yes_nothing_is_allowed(run: Run, journal: Journal) -> None:
    journal.append(decided("aa01", "veto", binding="b1"))
    for answer in (None, "", "n", "ja"):
        code, out, err = run("journal", "approve", "aa01", answer=answer)
        assert (code, out) == (3, "")
        assert err.endswith("Nothing was allowed.\n")
    assert len(journal.waiting()) == 1


def test_how_long_an_approval_lives_can_be_said(run: Run, journal: Journal, place: Path) -> None:
    for n in range(3):
        journal.append(decided(f"c{n}", "ask", binding=f"b{n}"))
    (place / "lookahead.toml").write_text("[policy]\napproval_seconds = 77\n")
    lives: list[float] = []
    for n, words in enumerate(([], ["--for", "2m"], ["--for", "0.5s"])):
        code, out, _ = run("journal", "approve", f"c{n}", "--yes", "--json", *words)
        answer = json.loads(out)
        assert (code, answer["format"], answer["call"]) == (0, "lookahead.journal.approve", f"c{n}")
        lives.append(answer["approval"]["expires_at"] - answer["approval"]["granted_at"])
        assert answer["approval"]["binding"] == f"b{n}"
    assert lives == pytest.approx([77.0, 120.0, 0.5])


def test_only_what_waits_can_be_allowed(run: Run, journal: Journal) -> None:
    journal.append(decided("ran"), decided("denied", "veto"))
    for call in ("ran", "denied", "none"):
        code, _, err = run("journal", "approve", call, "--yes")
        assert code == 1
        assert f"there is no call that waits for a person '{call}'" in err


@pytest.mark.parametrize(
    ("word", "status", "said"),
    [("--happened", "happened", "will not be done again"), ("--did-not", "did not happen", "may be tried again")],
)
def test_a_doubt_is_settled(run: Run, journal: Journal, word: str, status: str, said: str) -> None:
    journal.append(decided("aa01"), intended("aa01", dead=True))
    code, out, _ = run("journal", "resolve", "aa", word)
    assert code == 0
    assert out.startswith("Settled: shell: rm -r build. It ")
    assert said in out
    assert [call.status for call in journal.calls()] == [status]
    code, _, err = run("journal", "resolve", "aa", word)
    assert code == 1
    assert "there is no call in doubt 'aa'" in err


def test_a_doubt_is_settled_for_programs(run: Run, journal: Journal) -> None:
    journal.append(decided("aa01"), intended("aa01", dead=True))
    _, out, _ = run("journal", "resolve", "aa01", "--did-not", "--json")
    assert json.loads(out) == {"format": "lookahead.journal.resolve", "version": 1, "call": "aa01", "happened": False}


def test_a_doubt_is_settled_one_way(run: Run, journal: Journal) -> None:
    journal.append(decided("aa01"), intended("aa01", dead=True))
    for words in ([], ["--happened", "--did-not"]):
        assert run("journal", "resolve", "aa01", *words)[0] == 1
    assert len(journal.in_doubt()) == 1


def test_who_cannot_be_named_is_somebody(run: Run, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    journal.append(decided("aa01"), intended("aa01", dead=True))
    run("journal", "resolve", "aa01", "--happened")
    resolved = journal.calls()[0].resolved
    assert resolved is not None
    assert resolved.by == "somebody"


# ---- ledger ----


def test_an_empty_ledger_says_so(run: Run, journal: Journal) -> None:
    assert run("ledger") == (0, "Nothing that was imagined has been compared with what happened yet.\n", "")
    assert json.loads(run("ledger", "--json")[1])["standings"] == []


def test_only_what_was_compared_has_a_line(run: Run, journal: Journal) -> None:
    journal.append(resulted("c1", changed=False))
    assert [line["changed"] for line in json.loads(run("ledger", "--json")[1])["standings"]] == [False]


@pytest.fixture
def recorded(journal: Journal) -> Journal:
    for n in range(20):
        journal.append(resulted(f"c{n}", agreed=True, changed=n % 2 == 0))
    for n in range(3):
        journal.append(resulted(f"d{n}", agreed=False, changed=True))
    return journal


def test_the_ledger_says_how_often_and_what_follows(run: Run, recorded: Journal) -> None:
    code, out, _ = run("ledger")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["tool", "world", "calls", "that", "trials", "agreed", "rate", "bound", "may"]
    assert lines[1].split() == ["shell", "w", "only", "look", "10", "10", "1.00", "0.72", "veto,", "ask,", "warn"]
    assert lines[2].split() == ["shell", "w", "change", "13", "10", "0.77", "0.50", "ask,", "warn"]
    assert lines[4] == "may: veto from a bound of 0.7, swap from 0.8. A copy of reality starts trusted."


def test_the_thresholds_are_the_policys_or_those_that_are_given(run: Run, recorded: Journal, place: Path) -> None:
    def may(*words: str) -> list[str]:
        return [line["may"] for line in json.loads(run("ledger", "--json", *words)[1])["standings"]]

    assert may() == ["veto, ask, warn", "ask, warn"]
    assert may("--veto", "0.4", "--swap", "0.72") == ["veto, swap, ask, warn", "veto, ask, warn"]
    assert may("--veto", "1") == ["ask, warn", "ask, warn"]
    assert may("--veto", "0", "--swap", "0") == ["veto, swap, ask, warn"] * 2
    (place / "lookahead.toml").write_text("[policy.trust]\nveto = 0.5\nswap = 0.72\n")
    assert may() == ["veto, swap, ask, warn", "ask, warn"]


def test_the_ledger_for_programs(run: Run, recorded: Journal) -> None:
    _, out, _ = run("ledger", "--json")
    answer = json.loads(out)
    assert {name: answer[name] for name in ("format", "version", "veto", "swap")} == {
        "format": "lookahead.ledger",
        "version": 1,
        "veto": 0.7,
        "swap": 0.8,
    }
    assert answer["standings"][1] == {
        "tool": "shell",
        "world": "w",
        "changed": True,
        "trials": 13,
        "agreed": 10,
        "rate": 0.769231,
        "bound": 0.497436,
        "may": "ask, warn",
    }


def test_one_tool_or_one_world_can_be_picked(run: Run, recorded: Journal) -> None:
    for words, count in ((["--tool", "shell"], 2), (["--world", "w"], 2), (["--tool", "x"], 0), (["--world", "x"], 0)):
        assert len(json.loads(run("ledger", "--json", *words)[1])["standings"]) == count


@pytest.mark.parametrize("text", ["1.1", "-0.1", "much", "nan"])
def test_a_share_is_between_nothing_and_all(text: str, run: Run) -> None:
    code, _, err = run("ledger", f"--veto={text}")
    assert code == 1
    assert "is not between 0 and 1" in err


def test_every_help_fits_on_a_screen(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    inner = ("ls", "show", "export", "import", "verify", "prune", "approve", "resolve")
    for words in (["journal"], ["ledger"], *(["journal", name] for name in inner)):
        code, out, _ = run(*words, "--help")
        assert code == 0
        assert len(out.splitlines()) <= 40
        assert max(map(len, out.splitlines())) <= 80
