"""Whether what was imagined is what happened."""

from typing import Any

import pytest

from lookahead.journal import Agreement
from lookahead.ledger import agree
from lookahead.types import Effect, Observation, ToolEffect

LOST = Effect(happened="deleted", target="a.txt", what="file", before=3, unit="bytes", detail="one")


def how(one: str, other: str) -> str:
    """The same whichever of the two was imagined."""
    found = agree(Observation(content=one), Observation(content=other)).how
    assert agree(Observation(content=other), Observation(content=one)).how == found
    return found


def structured(one: Any, other: Any, content: str = "") -> str:
    found = agree(Observation(content=content, structured=one), Observation(content=content, structured=other)).how
    assert (
        agree(Observation(content=content, structured=other), Observation(content=content, structured=one)).how == found
    )
    return found


def test_the_same_is_exact() -> None:
    one = Observation(content="done", structured={"a": [1, 1.0, True, None]}, effects=(LOST,))
    assert agree(one, one) == Agreement(agreed=True, changed=True, how="exact")


def test_nothing_at_all_is_the_same_as_nothing_at_all() -> None:
    assert agree(Observation(), Observation()) == Agreement(agreed=True, changed=True, how="exact")


def test_other_words_are_another_answer() -> None:
    agreement = agree(Observation(content="2 files removed"), Observation(content="2 files moved"))
    detail = "content: at 8 imagined 'removed', real 'moved'"
    assert agreement == Agreement(agreed=False, changed=True, how="no", detail=detail)


@pytest.mark.parametrize(
    ("imagined", "why"), [(True, "it was to fail and did not"), (False, "it failed and was not to")]
)
def test_to_fail_is_another_answer_than_to_succeed(imagined: bool, why: str) -> None:
    agreement = agree(Observation(failed=imagined), Observation(failed=not imagined))
    assert (agreement.how, agreement.detail) == ("no", why)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("done\n", "done"),
        ("a  \r\nb\t\n\n", "a\nb"),
        ("at 2026-11-21T08:05:01.123Z", "at 2026-11-21T08:05:04.999Z"),
        ("at 2026-11-21 08:05:01", "at 2026-11-21 08:09:59"),
        ("at 2026-11-21 08:05:01,123 +0100", "at 2026-11-21 08:05:02,456 +0100"),
        ("at 2026-11-21T08:05:01+01:00", "at 2026-11-21T07:05:02Z"),
        ("at 2026-11-21 08:05:01 UTC", "at 2026-11-21 08:05:02 UTC"),
        ("-rw-r--r-- 1 ada ada 3 Nov 21 08:05 a", "-rw-r--r-- 1 ada ada 3 Nov 21 08:06 a"),
        ("-rw-r--r-- 1 ada ada 3 Nov  1 08:05 a", "-rw-r--r-- 1 ada ada 3 Nov  1 08:07 a"),
        ("Sat Nov 21 08:05:01 2026", "Sat Nov 21 08:05:09 2026"),
        ("[08:05:01] start", "[08:05:02] start"),
        ("[23:59:58.5] start", "[00:00:01.5] start"),
        ("3 passed in 0.03s", "3 passed in 12.41s"),
        ("took 3 s", "took 4 s"),
        ("elapsed: 3 seconds", "elapsed: 14 seconds"),
        ("real\t0m0.003s", "real\t1m0.104s"),
        ("12 ms", "340 ms"),
        ("Finished in 1 second", "Finished in 1 second"),
        ("finished in 1 seconds", "finished in 2 seconds"),
        ("started with pid 4711", "started with pid 815"),
        ("Process 12 ended", "Process 9 ended"),
        ("[1] 4711", "[1] 815"),
        ("<A object at 0x7f8f6e98ed90>", "<A object at 0x7fde2d31757e>"),
        ("/tmp/tmpab12cd_9/x.txt", "/tmp/tmpzz98yx_1/x.txt"),
        ("/tmp/tmp.Xy3ZabQ9 made", "/tmp/tmp.aB3dEfGh made"),
        ("/tmp/tmpabcdefgh/x", "/tmp/tmpqwertzui/x"),
        ("/var/folders/ab/c_1d/T/x", "/var/folders/zz/y_9/T/x"),
        ("pid 1, then pid 2, then pid 1", "pid 8, then pid 9, then pid 8"),
    ],
)
def test_what_differs_between_any_two_runs_does_not_count(one: str, other: str) -> None:
    assert how(one, other) == ("exact" if one == other else "normalised")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # Times that were meant, not read off a clock.
        ("meeting moved to 14:00", "meeting moved to 15:00"),
        ("meeting at 2026-11-21T14:00:00", "meeting at 2026-11-21T14:01:00"),
        ("meeting at 2026-11-21T14:00:00Z", "meeting at 2026-11-21T14:00:00+01:00"),
        ("at 2026-11-21 08:05:01", "at 2026-11-21 08:10:01"),
        ("at 2026-11-21T08:05:01Z", "at 2026-11-22T08:05:01Z"),
        ("at 2026-11-21T08:05:01Z", "at 2026-13-21T08:05:01Z"),
        ("[08:05:01] start", "[09:05:01] start"),
        ("[25:05:01] start", "[25:05:02] start"),
        ("3 Nov 21 08:05 a", "3 Nov 21 08:08 a"),
        ("3 Nov 21 08:05 a", "3 Nov 22 08:05 a"),
        ("3 Nov 31 08:05 a", "3 Nov 31 08:06 a"),
        ("due 2026-11-21", "due 2026-11-22"),
        ("timeout set to 30 s", "timeout set to 60 s"),
        ("expires after 30 seconds", "expires after 31 seconds"),
        ("1.5 s", "1.5 kg"),
        ("v1.2.3s", "v1.2.4s"),
        # Names and numbers that were meant.
        ("order 4711", "order 815"),
        ("pid 1, then pid 2, then pid 1", "pid 8, then pid 9, then pid 9"),
        ("pid 1, then pid 2", "pid 8, then pid 8"),
        ("pid 1, then pid 1", "pid 9, then pid 8"),
        ("pid 1, then pid 1", "pid 8, then pid 9"),
        ("0x1F4", "0x1F5"),
        ("0x7f8f6e98ed90 and 0x7f8f6e98ed90", "0x7f8f6e98ed90 and 0x7fde2d31757e"),
        ("0x" + "ab" * 20, "0x" + "cd" * 20),
        ("/tmp/project/a.txt", "/tmp/project/b.txt"),
        ("/tmp/tmpab12cd_9/a.txt", "/tmp/tmpab12cd_9/b.txt"),
        ("/tmp/report_20261121", "/tmp/report_20261122"),
        ("/tmp/tmpfiles", "/tmp/tmpnotes"),
        ("  a", "a"),
        ("a\n\nb", "a\nb"),
        ("A", "a"),
        ("pid 1", "0x7f8f6e98ed90"),
    ],
)  # fmt: skip
def test_what_was_meant_counts(one: str, other: str) -> None:
    assert how(one, other) == "no"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"pid": 3, "ppid": 4}, {"pid": 5, "ppid": 6}),
        ({"a": [{"mtime": 1795250336.97}]}, {"a": [{"mtime": 1795250339.0}]}),
        ({"created_at": 1795250336974}, {"created_at": 1795250339000}),
        ({"createdAt": 1795250336974111}, {"createdAt": 1795250339000222}),
        ({"elapsed_ms": 12}, {"elapsed_ms": 99}),
        ({"took": 3}, {"took": 5}),
        ({"ts": 1795250340.5}, {"ts": 1795250400}),
        ({"ts": 1795250341}, {"ts": 1795250400}),
        ({"duration": 0.25}, {"duration": 3}),
        ({"at": "2026-11-21T08:05:01Z"}, {"at": "2026-11-21T08:05:04Z"}),
        (["pid 1", {"x": "pid 1"}], ["pid 2", {"x": "pid 2"}]),
        (["pid 1", "pid 3"], ["pid 1", "pid 4"]),
        ({"text": "a \n"}, {"text": "a"}),
        ({"nan": float("nan"), "pid": 1}, {"nan": float("nan"), "pid": 2}),
    ],
)
def test_structured_answers_may_differ_in_the_same_ways(one: Any, other: Any) -> None:
    assert structured(one, other) == "normalised"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"a": True}),
        ({"pid": 1}, {"pid": True}),
        ({"a": "1"}, {"a": 1}),
        ({"a": 1}, {"a": 1, "b": None}),
        ({"a": 1}, {"b": 1}),
        ([1, 2], [2, 1]),
        (["pid 1", "pid 1"], ["pid 1", "pid 2"]),
        ([1], [1, 1]),
        ([], {}),
        ({"mtime": 1795250336.5}, {"mtime": 1795250936.5}),
        ({"start_time": 1795250340}, {"start_time": 1795250400}),
        ({"time": 3}, {"time": 4}),
        ({"total": 1795250336}, {"total": 1795250339}),
        ({"duration": 30}, {"duration": 60}),
        ({"duration": 3}, {"duration": 5}),
        ({"ts": 1795250341}, {"ts": 1795250641}),
        ({"timeout_seconds": 30}, {"timeout_seconds": 60}),
        ({"pids": [{"pid": 1}, {"pid": 2}]}, {"pids": [{"pid": 3}, {"pid": 3}]}),
        ({"price": 0.1}, {"price": 0.2}),
        ({"nan": float("nan")}, {"nan": None}),
    ],
)
def test_in_structured_answers_too_what_was_meant_counts(one: Any, other: Any) -> None:
    assert structured(one, other) == "no"


def test_a_difference_in_structure_is_named() -> None:
    agreement = agree(Observation(structured=[1]), Observation(structured=[2]))
    assert agreement.detail == "structured: at 1 imagined '1]', real '2]'"


def test_who_says_nothing_structured_is_judged_by_words_if_there_are_any() -> None:
    assert structured(None, {"a": 1}, content="a is 1") == "normalised"
    assert structured(None, {"a": 1}, content=" \n") == "no"
    agreement = agree(Observation(), Observation(structured=[1]))
    assert agreement.detail == "structured: only one of the two has it"


def test_effects_count_when_both_know_them() -> None:
    def told(one: tuple[Effect, ...] | None, other: tuple[Effect, ...] | None) -> tuple[str, str]:
        agreement = agree(Observation(effects=one), Observation(effects=other))
        return agreement.how, agreement.detail

    made = Effect(happened="created", target="b.txt", what="file", after=3, unit="bytes")
    assert told((LOST, made), (made, LOST)) == ("exact", "")
    assert told((LOST,), (LOST.model_copy(update={"detail": "two", "recoverable": True}),)) == ("exact", "")
    assert told(None, (LOST,)) == ("exact", "")
    assert told((LOST,), None) == ("exact", "")
    assert told((), (LOST,)) == ("no", "effects: not imagined: deleted a.txt")
    assert told((LOST,), ()) == ("no", "effects: did not happen: deleted a.txt")
    assert told((LOST, LOST), (LOST,)) == ("no", "effects: did not happen: deleted a.txt")
    for change in (
        {"before": 4},
        {"after": 1},
        {"unit": "rows"},
        {"target": "c"},
        {"what": "row"},
        {"happened": "changed"},
    ):
        assert told((LOST,), (LOST.model_copy(update=change),))[0] == "no"


def test_effects_on_names_drawn_at_random_are_the_same_effects() -> None:
    def at(*names: str) -> Observation:
        return Observation(effects=tuple(LOST.model_copy(update={"target": f"/tmp/{name}/x"}) for name in names))

    assert agree(at("tmpab12cd_9"), at("tmpzz98yx_1")).how == "normalised"
    assert agree(at("tmpab12cd_9", "tmpab12cd_9"), at("tmpzz98yx_1", "tmpqq98yx_1")).how == "no"


def test_the_first_thing_that_differs_is_told() -> None:
    one = Observation(content="a", structured=1, effects=())
    other = Observation(content="b", structured=2, effects=(LOST,))
    assert agree(one, other).detail.startswith("content: ")
    assert agree(one, other.model_copy(update={"content": "a"})).detail.startswith("structured: ")


def test_a_long_difference_is_an_excerpt() -> None:
    agreement = agree(Observation(content="same" + "x" * 500), Observation(content="same"))
    assert agreement.detail == f"content: at 4 imagined '{'x' * 80}', real ''"
    agreement = agree(Observation(content="s" * 100 + "x" * 500), Observation(content="s" * 100 + "y" * 500))
    assert agreement.detail == f"content: at 100 imagined '{'x' * 80}', real '{'y' * 80}'"


@pytest.mark.parametrize(
    ("real", "imagined", "effect", "changed"),
    [
        ((LOST,), (), "reads", True),
        ((), (LOST,), "destroys", False),
        (None, (LOST,), "reads", True),
        (None, (), "destroys", False),
        (None, None, "destroys", True),
        (None, None, "changes", True),
        (None, None, "unknown", True),
        (None, None, "reads", False),
    ],
)
def test_whether_it_changed_something_is_what_was_seen_else_what_was_declared(
    real: Any, imagined: Any, effect: ToolEffect, changed: bool
) -> None:
    assert agree(Observation(effects=imagined), Observation(effects=real), effect=effect).changed is changed
    if effect == "unknown":
        assert agree(Observation(effects=imagined), Observation(effects=real)).changed is changed


def test_a_normalised_part_makes_the_whole_normalised() -> None:
    one = Observation(content="a", structured={"pid": 1}, effects=())
    other = Observation(content="a", structured={"pid": 2}, effects=())
    assert agree(one, other) == Agreement(agreed=True, changed=False, how="normalised")
    again = agree(Observation(content="a ", structured=1), Observation(content="a", structured=1))
    assert (again.agreed, again.how) == (True, "normalised")


@pytest.mark.parametrize("name", ["count", "pid", "time", "elapsed", "seconds"])
def test_numbers_beyond_all_measure_are_compared_like_any_other(name: str) -> None:
    endless = 10**5000
    assert structured({name: endless}, {name: endless}) == "exact"
    assert structured([{name: endless}], [{name: endless}, 1]) == "no"
    alike = {"pid": "normalised", "elapsed": "normalised"}.get(name, "no")
    assert structured({name: endless}, {name: 1.5e9}) == alike
    assert structured({name: 10**400}, {name: 1.5e9}) == alike
    assert structured(endless, 1) == structured({name: [endless]}, {name: 5}) == "no"
