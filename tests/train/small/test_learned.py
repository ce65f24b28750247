"""What weights learned from is read from what they say of themselves, and what is drawn is shown to be none of it."""

from typing import Any

import pytest
from small_weights import DIGEST, recipe

from lookahead.errors import ConfigError
from lookahead.models.embedded.weights import check
from lookahead.train.small import recipe as ours
from lookahead.train.small.learned import drawn, learned, proved
from lookahead.train.small.recipe import Part
from lookahead.worlds.embedded.scene import KINDS


def about(**more: Any) -> dict[str, Any]:
    return {"training": {}, "recipe": recipe(**more)}


def part(kind: Any, seed: int, episodes: int = 10) -> Part:
    return Part(name=f"drawn-{kind}", kind=kind, seed=seed, episodes=episodes)


def test_the_weights_that_ship_say_what_they_learned_from_and_it_is_in_the_recipe() -> None:
    found = {one.name for one in learned(check(), "shipped")}
    assert {"shell-a", "shell-b", "sqlite", "calibration-tickets"} <= found
    assert not found & {one.name for one in ours.MEASURED}


def test_a_share_of_the_recipe_is_that_many_episodes() -> None:
    counts = {one.name: one.episodes for one in learned(about(share=2.5), "new")}
    assert counts == {"shell-a": 250, "keys": 50, "calibration-keys": 50}


@pytest.mark.parametrize(
    ("kind", "seed", "seen"),
    [
        ("shell", 1_099, True),
        ("shell", 991, True),
        ("shell", 1_100, False),
        ("shell", 990, False),
        ("keys", 1, True),
        ("keys", 501, True),
        ("keys", 2, False),
        ("tickets", 1, False),
    ],
)
def test_drawn_episodes_that_one_of_them_learned_from_are_refused(kind: str, seed: int, seen: bool) -> None:
    known = {"old": (), "new": learned(about(), "new")}
    if seen:
        with pytest.raises(ConfigError, match=f"of {kind}.*new learned from"):
            proved([part(kind, seed)], known)
    else:
        assert proved([part(kind, seed)], {"new": known["new"]}).proved


def test_a_larger_share_reaches_further() -> None:
    wide = {"new": learned(about(share=2.0), "new")}
    with pytest.raises(ConfigError, match="1,000 to 1,199"):
        proved([part("shell", 1_150)], wide)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "does not say which episodes"),
        ({"recipe": {"parts": {}}}, "does not say which episodes"),
        ({"training": {"step": 2}, "recipe": recipe()}, "not of these weights"),
        (about(share=0), "share of 0"),
        (about(digests={}), "no digest of shell-a"),
        (about(digests={**recipe()["digests"], "more": DIGEST}), "data without its seeds: more"),
        (about(parts={"keys": {"kind": "keys", "seed": "1", "episodes": 3}}, digests={"keys": DIGEST}), "of the part"),
        (about(parts={"keys": {"kind": "web", "seed": 1, "episodes": 3}}, digests={"keys": DIGEST}), "of the part"),
        (about(parts={"keys": 3}, digests={"keys": DIGEST}), "of the part"),
    ],
)
def test_what_does_not_say_what_it_learned_from_proves_nothing(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=f"new: .*{why}.*train small"):
        learned(said, "new")


def test_nobody_chooses_the_seeds_and_they_are_no_recipes() -> None:
    first, again, other = (drawn(KINDS, 5, names) for names in (("a", "b"), ("a", "b"), ("a", "c")))
    assert first == again
    assert first[0].seed != other[0].seed
    assert proved(first, {"ours": (*ours.LEARNED, *ours.FITTED, *ours.MEASURED)}).proved
    assert drawn(KINDS, 5, ("a", "b"), 7)[0].seed == 7
