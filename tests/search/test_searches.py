"""Preview, best-of-n, beam and tree: which futures are looked at, how deep, and at what cost."""

from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

import anyio
import pytest

from lookahead.budget import Budget, Meter
from lookahead.errors import ConfigError, WorldError
from lookahead.events import Event, Proposed
from lookahead.search import Beam, BestOf, Preview, Search, Tree
from lookahead.search.thinking import NOT_MY_WORLD, Thinking
from lookahead.testing import ScriptedCritic, ScriptedProposer, ScriptedWorld, call, state_of, world_of
from lookahead.types import (
    Action,
    Considered,
    Critic,
    Environment,
    Hazard,
    Proposer,
    Rollout,
    State,
    Verdict,
)

pytestmark = pytest.mark.anyio

STATE = state_of(changes=["go"])
SEARCHES: list[Callable[..., Search]] = [BestOf, Beam, Tree]


def go(to: str) -> Action:
    return call("go", to=to)


def path(rollout: Rollout) -> str:
    """The names of the steps that were imagined, one letter each."""
    return "".join(str(step.action.arguments["to"]) for step in rollout.steps)


def paths(considered: Sequence[Considered]) -> list[str]:
    return [path(one.rollout) for one in considered]


class Letters:
    """Thinks of the same letters everywhere, and remembers where it was asked."""

    def __init__(self, letters: str, *, later: str | None = None) -> None:
        self.letters, self.later = letters, later
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, state: State, n: int, /) -> Sequence[Action]:
        here = "".join(str(step.action.arguments["to"]) for step in state.steps)
        self.asked.append((here, n))
        letters = self.letters if not here or self.later is None else self.later
        return [go(letter) for letter in letters]


def scored(values: dict[str, float], otherwise: float = 0.0) -> ScriptedCritic:
    """Judges a future by the way that it took."""
    return ScriptedCritic(script=lambda state, rollout: values.get(path(rollout), otherwise))


def echo() -> ScriptedWorld:
    return world_of(lambda state, action: str(action.arguments["to"]))


def thinking(
    world: Environment | None,
    critic: Critic | None = None,
    proposer: Proposer | None = None,
    *,
    depth: int | None = None,
    events: list[Event] | None = None,
    **budget: Any,
) -> Thinking:
    return Thinking(
        imagine=world,
        critic=critic or ScriptedCritic(),
        proposer=proposer,
        fits=lambda action, tool: True,
        meter=Meter(budget=Budget(**budget)).decision(),
        watch=(events if events is not None else []).append,
        depth=depth,
    )


# Preview


async def test_a_preview_looks_at_the_proposed_action_alone_one_step_ahead():
    events: list[Event] = []
    proposer = Letters("bc")
    think = thinking(echo(), scored({"a": 0.75}), proposer, events=events)
    considered = await Preview()(think, STATE, go("a"))
    assert paths(considered) == ["a"]
    assert considered[0].verdict == Verdict(score=0.75)
    assert proposer.asked == []
    assert events[0] == Proposed(candidates=(go("a"),))
    assert think.meter.spent.calls == 1 == Preview().calls


# What all searches of several candidates have in common


@pytest.mark.parametrize("search", SEARCHES)
async def test_unanimous_candidates_cost_one_preview(search: Callable[..., Search]):
    world, proposer = echo(), Letters("aaa")
    think = thinking(world, scored({"a": 0.75}), proposer)
    considered = await search(3, depth=3)(think, STATE, go("a"))
    assert (paths(considered), considered[0].verdict) == (["a"], Verdict(score=0.75))
    assert len(world.asked) == 1 == think.meter.spent.calls
    assert proposer.asked == [("", 2)]


@pytest.mark.parametrize("search", SEARCHES)
async def test_where_nobody_thinks_of_another_action_there_is_nothing_to_search(search: Callable[..., Search]):
    world = echo()
    for proposer in (None, ScriptedProposer([]), ScriptedProposer(RuntimeError("boom"))):
        assert paths(await search(3, depth=3)(thinking(world, proposer=proposer), STATE, go("a"))) == ["a"]
    assert len(world.asked) == 3


@pytest.mark.parametrize("search", SEARCHES)
async def test_one_candidate_asks_nobody_for_alternatives_at_first(search: Callable[..., Search]):
    proposer = Letters("b")
    considered = await search(1, depth=3)(thinking(echo(), proposer=proposer), STATE, go("a"))
    assert paths(considered) == ["a"]
    assert proposer.asked == []


@pytest.mark.parametrize("search", SEARCHES)
async def test_a_searchs_own_proposer_is_the_one_that_is_asked(search: Callable[..., Search]):
    own, agents = Letters("b"), Letters("c")
    considered = await search(2, depth=2, propose=own)(thinking(echo(), proposer=agents), STATE, go("a"))
    assert [one.rollout.action for one in considered] == [go("a"), go("b")]
    assert agents.asked == []
    assert any(here for here, _ in own.asked)


@pytest.mark.parametrize("search", SEARCHES)
async def test_the_candidates_of_a_level_are_imagined_at_the_same_time(search: Callable[..., Search]):
    """The world answers nobody until all three are waiting."""
    waiting: list[Action] = []
    full = anyio.Event()

    async def together(state: State, action: Action) -> str:
        waiting.append(action)
        if len(waiting) == 3:
            full.set()
        await full.wait()
        return "ok"

    with anyio.fail_after(60):
        considered = await search(3, depth=1)(thinking(world_of(together), proposer=Letters("bc")), STATE, go("a"))
    assert paths(considered) == ["a", "b", "c"]


@pytest.mark.parametrize("search", [BestOf(3, 2), Beam(3, 2, 1), Tree(3, 2, rounds=1, branch=1, leaves=3)])
async def test_the_second_level_is_imagined_at_the_same_time_too(search: Search):
    waiting: list[Action] = []
    full = {level: anyio.Event() for level in (0, 1)}

    async def together(state: State, action: Action) -> str:
        level = len(state.steps)
        waiting.append(action)
        if len(waiting) == 3 * (level + 1):
            full[level].set()
        await full[level].wait()
        return "ok"

    with anyio.fail_after(60):
        considered = await search(thinking(world_of(together), proposer=Letters("bc", later="z")), STATE, go("a"))
    assert sorted(paths(considered)) == ["az", "bz", "cz"]


@pytest.mark.parametrize("search", [BestOf(3, 3), Beam(3, 3), Tree(3, 3)])
@pytest.mark.parametrize("allowed", [1, 2])
async def test_no_search_looks_deeper_than_the_record_allows(search: Search, allowed: int):
    think = thinking(echo(), proposer=Letters("bc"), depth=allowed)
    considered = await search(think, STATE, go("a"))
    assert max(len(one.rollout.steps) for one in considered) == allowed


@pytest.mark.parametrize("search", [BestOf(3, 3), Beam(3, 3), Tree(3, 3, rounds=9)])
async def test_no_search_looks_deeper_than_it_was_told(search: Search):
    considered = await search(thinking(echo(), proposer=Letters("bc")), STATE, go("a"))
    assert max(len(one.rollout.steps) for one in considered) == 3


SHAPES: list[Any] = [
    *(BestOf(k, depth) for k, depth in ((1, 1), (1, 3), (2, 1), (3, 2), (4, 3))),
    *(Beam(w, d, b) for w, d, b in ((1, 1, 1), (1, 3, 2), (2, 2, 2), (3, 3, 1), (3, 4, 3))),
    *(Tree(k, d, r, b, n) for k, d, r, b, n in ((1, 1, 1, 1, 1), (2, 1, 3, 2, 2), (2, 3, 4, 2, 2), (3, 5, 3, 3, 3))),
]


@pytest.mark.parametrize("search", SHAPES, ids=str)
@pytest.mark.parametrize("seed", range(3))
async def test_no_search_asks_the_world_more_often_than_it_said_it_would(search: Search, seed: int):
    """Whatever the critic likes, and however many alternatives there are."""
    world = echo()
    critic = ScriptedCritic(script=lambda state, rollout: (crc32(f"{seed}{path(rollout)}".encode()) % 97) / 97)
    considered = await search(thinking(world, critic, Letters("bcdef"), calls=None), STATE, go("a"))
    assert 1 <= len(world.asked) <= search.calls
    assert go("a") in [one.rollout.action for one in considered]
    assert all(one.verdict is not None for one in considered)


@pytest.mark.parametrize("search", [BestOf(3, 3), Beam(3, 3), Tree(3, 3)])
async def test_the_same_parts_lead_to_the_same_futures(search: Search):
    """Whatever order the event loop likes."""

    async def once() -> tuple[list[Considered], int]:
        world = echo()
        critic = ScriptedCritic(script=lambda state, rollout: len(set(path(rollout))) / 10)
        considered = await search(thinking(world, critic, Letters("bcd")), STATE, go("a"))
        clean = [
            one.model_copy(update={"rollout": Rollout(action=one.rollout.action, failure=path(one.rollout))})
            for one in considered
        ]
        return clean, len(world.asked)

    first = await once()
    for _ in range(5):
        assert await once() == first


@pytest.mark.parametrize("search", [BestOf(3, 3), Beam(3, 3), Tree(3, 3)])
async def test_where_no_world_knows_the_action_each_candidate_is_judged_by_its_text(search: Search):
    proposer = Letters("bc")
    considered = await search(thinking(None, proposer=proposer), STATE, go("a"))
    assert [one.rollout.failure for one in considered] == [NOT_MY_WORLD] * 3
    assert all(one.verdict == Verdict(score=0.5) for one in considered)
    assert proposer.asked == [("", 2)]


@pytest.mark.parametrize("search", [BestOf(2, 3), Beam(2, 3), Tree(2, 3)])
async def test_a_future_that_failed_is_not_looked_at_further(search: Search):
    world = world_of(lambda state, action: WorldError("down") if action == go("a") else "ok")
    proposer = Letters("b", later="z")
    considered = await search(thinking(world, proposer=proposer), STATE, go("a"))
    mine = next(one for one in considered if one.rollout.action == go("a"))
    assert (mine.rollout.steps, mine.rollout.failure) == ((), "down")
    assert ("", 1) in proposer.asked
    assert sum(action == go("a") for _, action in world.asked) == 1


@pytest.mark.parametrize("search", [BestOf(2, 3), Beam(2, 3), Tree(2, 3)])
async def test_cancelling_a_search_leaves_nothing_running(search: Search):
    begun, ended = [0], [0]
    deep = anyio.Event()

    async def slow(state: State, action: Action) -> str:
        if not state.steps:
            return "ok"
        begun[0] += 1
        deep.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended[0] += 1
        return "never"

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(search, thinking(world_of(slow), proposer=Letters("b")), STATE, go("a"))
            await deep.wait()
            group.cancel_scope.cancel()
    assert begun == ended != [0]


# Best of n


async def test_best_of_n_looks_at_n_candidates_each_a_few_steps_ahead():
    world, proposer = echo(), Letters("bcd", later="xyz")
    think = thinking(world, scored({"bxx": 0.9}), proposer)
    considered = await BestOf(3, 3)(think, STATE, go("a"))
    assert paths(considered) == ["axx", "bxx", "cxx"]
    assert [one.verdict.score for one in considered if one.verdict] == [0.0, 0.9, 0.0]
    assert proposer.asked[0] == ("", 2)
    assert sorted(proposer.asked[1:]) == [(here, 1) for here in ("a", "ax", "b", "bx", "c", "cx")]
    assert len(world.asked) == 9 == BestOf(3, 3).calls


async def test_best_of_n_judges_only_at_the_end():
    critic = scored({})
    await BestOf(2, 3)(thinking(echo(), critic, Letters("b")), STATE, go("a"))
    assert sorted(path(rollout) for rollout in critic.judged) == ["abb", "bbb"]


async def test_best_of_n_lets_a_future_end_where_nobody_knows_how_it_goes_on():
    async def only_after_b(state: State, n: int, /) -> Sequence[Action]:
        here = "".join(str(step.action.arguments["to"]) for step in state.steps)
        return [go("b"), go("c")] if not here else [go("z")] if here in ("b", "bz") else []

    considered = await BestOf(3, 4)(thinking(echo(), proposer=only_after_b), STATE, go("a"))
    assert paths(considered) == ["a", "bzz", "c"]
    assert [one.rollout.action for one in considered] == [go("a"), go("b"), go("c")]


async def test_best_of_n_stops_where_every_future_has_ended():
    proposer = ScriptedProposer([go("b")], [])
    world = echo()
    assert paths(await BestOf(2, 9)(thinking(world, proposer=proposer), STATE, go("a"))) == ["a", "b"]
    assert len(world.asked) == 2


# Beam


async def test_a_beam_goes_on_along_the_best_futures_only():
    world = echo()
    critic = scored({"a": 0.1, "b": 0.9, "c": 0.8, "d": 0.2, "bx": 0.5, "cx": 0.4, "by": 0.3})
    considered = await Beam(2, 2, 2)(thinking(world, critic, Letters("bcd", later="xy")), STATE, go("a"))
    # Two are wanted, so one rival is asked for; the agent's own action is always looked at as deep as its rival.
    assert paths(considered) == ["ax", "bx"]
    world = echo()
    considered = await Beam(3, 2, 2)(thinking(world, critic, Letters("bcd", later="xy")), STATE, go("a"))
    assert paths(considered) == ["ax", "bx", "cx"]


async def test_the_agents_own_action_is_kept_beside_the_beam():
    """Otherwise a rival would be judged by a deeper look than the action that it may replace."""
    world = echo()
    values = {"a": 0.1, "b": 0.9, "bx": 0.9, "by": 0.8, "bxx": 0.9, "byx": 0.9, "ax": 0.1, "ay": 0.2, "ayx": 0.7}
    considered = await Beam(2, 3, 2)(thinking(world, scored(values), Letters("b", later="xy")), STATE, go("a"))
    assert paths(considered) == ["ayx", "bxx"]
    assert considered[0].verdict == Verdict(score=0.7)
    asked = {"".join(str(s.action.arguments["to"]) for s in state.steps) for state, _ in world.asked}
    assert asked == {"", "a", "b", "bx", "by", "ay"}


async def test_the_best_continuation_speaks_for_its_first_action():
    values = {"a": 0.5, "b": 0.5, "ax": 0.2, "ay": 0.6, "bx": 0.7, "by": 0.1}
    considered = await Beam(2, 2, 2)(thinking(echo(), scored(values), Letters("b", later="xy")), STATE, go("a"))
    assert [(path(one.rollout), one.verdict.score) for one in considered if one.verdict] == [("ay", 0.6), ("bx", 0.7)]


async def test_a_beam_prefers_a_low_score_to_a_hazard():
    def judge(state: State, rollout: Rollout) -> Verdict:
        wrong = Hazard(rule="r", what="w", why="y", severity="danger")
        bad = path(rollout).startswith("b")
        return Verdict(score=0.9 if bad else 0.1, hazards=(wrong,) if bad else ())

    considered = await Beam(2, 2, 1)(
        thinking(echo(), ScriptedCritic(script=judge), Letters("bc", later="x")), STATE, go("a")
    )
    assert paths(considered) == ["ax", "bx"]
    narrow = await Beam(1, 2, 1)(thinking(echo(), ScriptedCritic(script=judge), Letters("b")), STATE, go("a"))
    assert paths(narrow) == ["a"]


async def test_a_beam_drops_what_falls_behind_and_keeps_the_look_that_was_had():
    values = {
        "a": 0.5,
        "b": 0.9,
        "c": 0.8,
        "ax": 0.2,
        "bx": 0.9,
        "by": 0.9,
        "cx": 0.1,
        "cy": 0.1,
        "bxx": 0.9,
        "byx": 0.9,
    }
    considered = await Beam(3, 3, 2)(thinking(echo(), scored(values), Letters("bc", later="xy")), STATE, go("a"))
    assert paths(considered) == ["axx", "bxx", "cx"]


async def test_a_beam_ends_where_nobody_knows_how_to_go_on():
    proposer = ScriptedProposer([go("b")], [])
    world = echo()
    assert paths(await Beam(2, 9)(thinking(world, proposer=proposer), STATE, go("a"))) == ["a", "b"]
    assert len(world.asked) == 2
    assert len(proposer.asked) == 3


# Tree


async def test_a_tree_grows_towards_what_looks_good():
    world = echo()
    critic = ScriptedCritic(script=lambda state, rollout: 0.9 if path(rollout).startswith("b") else 0.1)
    tree = Tree(2, 5, rounds=4, branch=1, leaves=1, explore=0.0)
    considered = await tree(thinking(world, critic, Letters("b", later="x")), STATE, go("a"))
    assert paths(considered) == ["a", "bxxxx"]
    assert [one.verdict.score for one in considered if one.verdict] == pytest.approx([0.1, 0.9])


async def test_a_tree_that_explores_looks_where_little_is_known_too():
    critic = ScriptedCritic(script=lambda state, rollout: 0.6 if path(rollout).startswith("b") else 0.5)
    tree = Tree(2, 9, rounds=4, branch=1, leaves=1, explore=9.0)
    considered = await tree(thinking(echo(), critic, Letters("b", later="x")), STATE, go("a"))
    assert paths(considered) == ["axx", "bxx"]


async def test_the_score_of_a_tree_is_the_mean_of_all_that_was_seen_below_an_action():
    values = {"a": 0.2, "b": 0.6, "bx": 0.3, "by": 0.9}
    tree = Tree(2, 2, rounds=1, branch=2, leaves=1, explore=0.0)
    considered = await tree(thinking(echo(), scored(values), Letters("b", later="xy")), STATE, go("a"))
    assert paths(considered) == ["a", "by"]
    assert [one.verdict.score for one in considered if one.verdict] == pytest.approx([0.2, (0.6 + 0.3 + 0.9) / 3])


async def test_leaves_that_are_chosen_together_differ():
    world = echo()
    tree = Tree(2, 3, rounds=1, branch=1, leaves=2, explore=0.0)
    critic = scored({"a": 0.1, "b": 0.9})
    considered = await tree(thinking(world, critic, Letters("b", later="x")), STATE, go("a"))
    assert paths(considered) == ["ax", "bx"]
    assert len(world.asked) == 4


async def test_a_look_under_way_counts_as_a_loss():
    """The second leaf of a round is chosen as if the first look had brought nothing."""
    values = {"a": 0.6, "b": 0.5, "ax": 0.6, "ay": 0.5, "axz": 0.1}
    tree = Tree(2, 9, rounds=2, branch=2, leaves=2, explore=0.0)
    world = echo()
    await tree(thinking(world, scored(values, 0.5), Letters("b", later="xy")), STATE, go("a"))
    second = ["".join(str(s.action.arguments["to"]) for s in state.steps) for state, _ in world.asked[6:]]
    assert sorted(set(second)) == ["ax", "bx"]


async def test_a_tree_stops_when_everything_has_been_seen():
    world = echo()
    tree = Tree(2, 2, rounds=99, branch=1, leaves=2)
    considered = await tree(thinking(world, proposer=Letters("b", later="x"), calls=None), STATE, go("a"))
    assert paths(considered) == ["ax", "bx"]
    assert len(world.asked) == 4


async def test_a_tree_closes_a_leaf_where_nobody_knows_how_to_go_on():
    proposer = ScriptedProposer([go("b")], [])
    world = echo()
    assert paths(await Tree(2, 9, rounds=99)(thinking(world, proposer=proposer), STATE, go("a"))) == ["a", "b"]
    assert len(world.asked) == 2
    assert len(proposer.asked) == 3


async def test_a_tree_of_depth_one_is_best_of_n():
    world = echo()
    considered = await Tree(3, 1)(thinking(world, scored({"c": 0.9}), Letters("bc")), STATE, go("a"))
    assert [(path(one.rollout), one.verdict) for one in considered] == [
        ("a", Verdict(score=0.0)),
        ("b", Verdict(score=0.0)),
        ("c", Verdict(score=0.9)),
    ]
    assert len(world.asked) == 3


# What makes no sense


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: BestOf(0), r"BestOf\(k=0, depth=1\): both are at least 1"),
        (lambda: BestOf(1, 0), r"BestOf\(k=1, depth=0\): both are at least 1"),
        (lambda: Beam(0), "width, depth and branch are at least 1"),
        (lambda: Beam(1, 0), "width, depth and branch are at least 1"),
        (lambda: Beam(1, 1, 0), "width, depth and branch are at least 1"),
        (lambda: Tree(0), "every number is at least 1, and explore at least 0"),
        (lambda: Tree(depth=0), "every number is at least 1"),
        (lambda: Tree(rounds=0), "every number is at least 1"),
        (lambda: Tree(branch=0), "every number is at least 1"),
        (lambda: Tree(leaves=0), "every number is at least 1"),
        (lambda: Tree(explore=-0.1), "explore at least 0"),
    ],
)
def test_a_search_that_makes_no_sense_is_an_error(made: Callable[[], Search], says: str):
    with pytest.raises(ConfigError, match=says):
        made()


@pytest.mark.parametrize(
    ("search", "calls"),
    [
        (Preview(), 1),
        (BestOf(), 3),
        (BestOf(4, 3), 12),
        (Beam(), 3 + 4 * 2),
        (Beam(2, 3, 4), 2 + 2 * 3 * 4),
        (Tree(), 3 + 4 * 2 * 2),
        (Tree(2, 9, 3, 4, 5), 2 + 3 * 4 * 5),
        (Tree(1, 1, 1, 1, 1, 0.0), 2),
    ],
    ids=str,
)
def test_a_search_says_before_it_begins_what_it_takes_at_most(search: Search, calls: int):
    assert search.calls == calls
