"""Two small models on the same really made calls: the rule of promotion decides, and each kind is a domain."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import pytest

from lookahead.errors import ConfigError
from lookahead.evaluate.report import to_html, to_markdown
from lookahead.testing import ScriptedForeteller
from lookahead.train.promote import Judgement, Unseen
from lookahead.train.small import contest, server
from lookahead.train.small.contest import Asked, Ground, at_hand, decided, executed, here
from lookahead.train.small.recipe import Part
from lookahead.worlds.embedded.foretelling import Said, certain
from lookahead.worlds.embedded.program import Program

pytestmark = pytest.mark.anyio

PARTS = (
    Part(name="promotion-keys", kind="keys", seed=77, episodes=6),
    Part(name="promotion-tickets", kind="tickets", seed=77, episodes=6),
)
PROVED = Unseen(proved=True, how="seeds")


@pytest.fixture(scope="module")
def ground() -> Ground:
    return executed(PARTS)


@pytest.fixture(scope="module")
def truth() -> Mapping[tuple[str, str], Program]:
    examples = (example for part in PARTS for example in part.examples())
    return {(one.scene.text(), branch.action): branch.program for one in examples for branch in one.branches}


@dataclass(frozen=True, kw_only=True)
class Knowing:
    """Knows what really came, but for kinds and calls about which it is wrong."""

    truth: Mapping[tuple[str, str], Program]
    wrong: Iterable[str] = ()
    """Beginnings of a scene or of a call."""

    def __call__(self, scene: str, action: str) -> Said:
        program = self.truth[scene, action]
        if any(scene.startswith(one) or action.startswith(one) for one in self.wrong) and program.ending != "?":
            program = replace(program, result="otherwise")
        return certain(program)


async def judged(before: Knowing, after: Knowing, ground: Ground) -> Judgement:
    sides = tuple(
        here(name, ScriptedForeteller(script=one, name=f"embedded:{name}"))
        for name, one in (("old", before), ("new", after))
    )
    asked = Asked(), Asked()
    for side, one in zip(sides, asked, strict=True):
        await side.ask(ground, one)
    return decided((sides[0], sides[1]), asked, ground, unseen=PROVED, parts=PARTS)


async def test_the_better_one_is_promoted_and_the_report_says_what_was_measured(
    ground: Ground, truth: Mapping[tuple[str, str], Program]
) -> None:
    found = await judged(
        Knowing(truth=truth, wrong=("kv_set", "ticket_update", "update", "create")), Knowing(truth=truth), ground
    )
    assert found.promoted
    assert found.report.made_of["weights"] == ["embedded:old", "embedded:new"]
    assert found.report.made_of["seed"] == 77
    met = found.report.tables[-1]
    assert [row[0] for row in met.rows] == ["old", "new"]
    assert [row[4] for row in met.rows] == [f"{len(ground.strange)} of {len(ground.strange)}"] * 2
    assert ground.strange
    for text in (to_markdown(found.report), to_html(found.report)):
        assert "seen by neither" in text
        assert "silent below 0.8" in text


async def test_a_kind_that_falls_holds_it_back(ground: Ground, truth: Mapping[tuple[str, str], Program]) -> None:
    found = await judged(
        Knowing(truth=truth, wrong=("keys",)), Knowing(truth=truth, wrong=("ticket_list", "list")), ground
    )
    assert not found.promoted
    assert any(why.startswith("tickets falls") for why in found.why_not)


async def test_two_that_are_alike_stay_as_they_are(ground: Ground, truth: Mapping[tuple[str, str], Program]) -> None:
    found = await judged(Knowing(truth=truth), Knowing(truth=truth), ground)
    assert [why.partition(" (")[0] for why in found.why_not] == [
        "it is not shown to be right more often where something changes"
    ]


async def test_a_model_that_breaks_is_an_error_and_not_a_worse_model(
    ground: Ground, truth: Mapping[tuple[str, str], Program]
) -> None:
    def breaks(scene: str, action: str) -> Said:
        raise ZeroDivisionError

    asked = Asked(), Asked()
    sides = (
        here("old", ScriptedForeteller(script=Knowing(truth=truth))),
        here("new", ScriptedForeteller(script=breaks)),
    )
    small = Ground(real=ground.real[:20])
    for side, one in zip(sides, asked, strict=True):
        await side.ask(small, one)
    with pytest.raises(ConfigError, match=r"new answers nothing: .*ZeroDivisionError"):
        decided(sides, asked, small, unseen=PROVED, parts=PARTS)


def test_what_the_episodes_are_made_with_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    at_hand(("keys",))
    with monkeypatch.context() as patched:
        patched.setattr(contest, "_PLACES", "/nowhere")
        with pytest.raises(ConfigError, match="bash is not in /nowhere"):
            at_hand(("shell",))

    def missing(_: object) -> list[str]:
        raise FileNotFoundError("index.js is missing: run `make test-mcp`")

    monkeypatch.setattr(server, "command", missing)
    with pytest.raises(ConfigError, match=r"files episodes.*make test-mcp"):
        at_hand(("files",))


def test_episodes_are_counted_as_they_are_made() -> None:
    said: list[tuple[str, int]] = []
    made = executed(PARTS[:1], lambda kind, episodes, calls: said.append((kind, episodes)))
    assert said == [("keys", number) for number in range(1, 7)]
    assert {one.transition.domain for one in made.real} == {"keys"}
