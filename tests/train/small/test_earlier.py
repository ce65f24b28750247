"""Another checkout of Lookahead answers with its own code and its own weights."""

import shutil
from pathlib import Path

import pytest

import lookahead
from lookahead.errors import ConfigError
from lookahead.models.embedded.weights import check, load, name_of
from lookahead.train.small.contest import Asked, Ground, executed, here
from lookahead.train.small.earlier import is_checkout, there, weights_of
from lookahead.train.small.recipe import Part
from lookahead.worlds.embedded.shipped import trained

pytestmark = pytest.mark.anyio

THIS = Path(lookahead.__file__).parents[1]


@pytest.fixture(scope="module")
def ground() -> Ground:
    made = executed([Part(name="promotion-keys", kind="keys", seed=78, episodes=1)])
    return Ground(real=made.real[:24], strange=made.strange[:2])


async def test_it_says_what_the_same_code_says_here(ground: Ground) -> None:
    name = name_of(check())
    ours, theirs, seen = Asked(), Asked(), list[str]()
    await here("this", trained(load())).ask(ground, ours)
    await there("that", name, THIS).ask(ground, theirs, lambda outcome: seen.append(outcome.key))
    plain = {"cost", "seconds"}
    assert [one.model_dump(exclude=plain) for one in theirs.measured.outcomes] == [
        one.model_dump(exclude=plain) for one in ours.measured.outcomes
    ]
    assert theirs.silent == ours.silent
    assert sorted(seen) == sorted(one.transition.key for one in ground.real)
    assert any(one.whole for one in theirs.measured.outcomes)


async def test_one_that_cannot_answer_is_named_with_what_it_says(tmp_path: Path, ground: Ground, capfd) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(THIS / "lookahead", broken / "lookahead", ignore=shutil.ignore_patterns("*.onnx", "*.npz"))
    assert is_checkout(broken)
    with pytest.raises(ConfigError, match=f"{broken} ended with exit code 1"):
        await there("that", "embedded:x", broken).ask(ground, Asked())
    assert "world.onnx" in capfd.readouterr().err


def test_a_checkout_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    assert is_checkout(THIS)
    assert not is_checkout(weights_of(THIS))
    assert not is_checkout(tmp_path)
