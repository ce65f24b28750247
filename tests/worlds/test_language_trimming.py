import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookahead.models.count import count as tokens
from lookahead.testing import call
from lookahead.types import Observation, Step
from lookahead.worlds.language.trimming import (
    AROUND,
    GAP,
    SHARE,
    Remembering,
    Turn,
    anchor,
    begins,
    left_by_a_cut,
    shortened,
    trimmed,
)

LETTERS = len
"""A count that everybody can check: one token a character."""


def turn(number: int, size: int = 40) -> Turn:
    return Turn(user=f"u{number} ".ljust(size, "."), assistant=f"a{number} ".ljust(size, "."))


def size_of(turns: Sequence[Turn]) -> int:
    return sum(LETTERS(one.user) + LETTERS(one.assistant) + 2 * AROUND for one in turns)


def test_what_fits_is_left_as_it_is():
    turns = [turn(number) for number in range(5)]
    assert trimmed(turns, 2000, LETTERS) == turns
    assert trimmed([], 2000, LETTERS) == []


def test_the_first_and_the_last_turns_stay_whole_and_the_gap_is_told():
    turns = [turn(number) for number in range(50)]
    kept = trimmed(turns, 2000, LETTERS)
    assert kept[0] == turns[0]
    gap = len(turns) - len(kept)
    assert kept[1].user == f"[{gap} earlier turns are left out here.]\n\n{turns[gap + 1].user}"
    assert kept[1].assistant == turns[gap + 1].assistant
    assert kept[2:] == turns[gap + 2 :]
    assert size_of(kept) <= 2000


sizes_of_turns = st.lists(st.integers(0, 400), min_size=1, max_size=120)


@given(sizes_of_turns, st.integers(600, 4000))
def test_the_kept_text_never_exceeds_the_room(sizes: list[int], room: int):
    kept = trimmed([turn(number, size) for number, size in enumerate(sizes)], room, LETTERS)
    assert size_of(kept) <= room
    assert kept[-1].assistant.startswith(f"a{len(sizes) - 1}")


@given(sizes_of_turns, st.integers(600, 4000))
def test_a_cut_serves_until_half_of_the_room_is_filled_again(sizes: list[int], room: int):
    turns = [turn(number, size) for number, size in enumerate(sizes)]
    prompts = [trimmed(turns[: length + 1], room, LETTERS) for length in range(len(turns))]
    changes = sum(later[: len(earlier)] != earlier for earlier, later in pairwise(prompts))
    sizes = [size_of([shorter(one, room)]) for one in turns]
    rest = room - GAP - sizes[0]
    assert changes <= sum(sizes[1:]) / (rest - left_by_a_cut(rest))


def shorter(one: Turn, room: int) -> Turn:
    limit = room // SHARE - AROUND
    return Turn(user=shortened(one.user, limit, LETTERS), assistant=shortened(one.assistant, limit, LETTERS))


@pytest.mark.parametrize("steps", [100, 400, 1600])
def test_over_an_episode_the_beginning_changes_once_in_a_block_of_steps(steps: int):
    turns = [turn(number) for number in range(steps)]
    room = 60 * size_of(turns[:1])
    prompts = [trimmed(turns[: length + 1], room, LETTERS) for length in range(steps)]
    changes = sum(later[: len(earlier)] != earlier for earlier, later in pairwise(prompts))
    assert changes <= steps / 25
    assert steps < 60 or changes


def test_a_cut_leaves_a_quarter_of_a_large_room_and_half_of_a_small_one():
    assert [left_by_a_cut(room) for room in (1000, 16_384, 20_000, 32_768, 100_000)] == [500, 8192, 8192, 8192, 25_000]


def test_the_cut_follows_from_the_sizes_alone():
    sizes = [30, *[50] * 40]
    assert begins(sizes, 1000) == begins(list(sizes), 1000)
    assert begins([], 10) == begins([5], 10) == 1


@given(st.text(max_size=3000), st.integers(60, 1000))
def test_a_long_text_keeps_its_beginning_and_its_end(text: str, room: int):
    short = shortened(text, room, LETTERS)
    assert LETTERS(short) <= room
    assert (short == text) == (LETTERS(text) <= room)
    if short != text and "…" not in text:
        head, said, tail = re.fullmatch(
            r"(.*)\n\[… (\d+) characters are left out here …\]\n(.*)", short, re.DOTALL
        ).groups()  # type: ignore[union-attr]
        assert text.startswith(head)
        assert text.endswith(tail)
        assert int(said) == len(text) - len(head) - len(tail)
    assert shortened(text, room, LETTERS) == short


def test_a_room_too_small_for_anything_holds_nothing():
    assert shortened("x" * 100, 5, LETTERS) == ""


def test_a_real_count_of_tokens_is_kept_too():
    text = "12 345 abc; ".join(str(number) for number in range(5000))
    assert tokens(shortened(text, 500, tokens)) <= 500


def window(steps: Sequence[Step], end: int, size: int) -> Sequence[Step]:
    return steps[max(0, end - size) : end]


@settings(max_examples=15)
@given(st.lists(st.sampled_from(["look", "push", "pull", "wait"]), min_size=400, max_size=400))
def test_a_sliding_window_begins_at_the_same_step_for_long(names: list[str]):
    steps = [
        Step(action=call(name, n=number), observation=Observation(content=str(number)))
        for number, name in enumerate(names)
    ]
    starts: list[int] = []
    for end in range(200, len(steps) + 1):
        seen = window(steps, end, 200)
        starts.append(end - 200 + anchor(seen))
        assert anchor(seen) < 100
    assert len(set(starts)) <= 40


def test_a_monotonous_window_begins_with_the_same_text():
    steps = [Step(action=call(name), observation=Observation(content="same")) for name in ["a", "b", "c", "d"] * 60]
    seen = [window(steps, end, 100) for end in range(100, 240)]
    texts = {tuple(step.action.tool for step in one[anchor(one) : anchor(one) + 20]) for one in seen}
    assert len(texts) == 1


def test_each_text_is_counted_once():
    counted: list[str] = []

    def slow(text: str) -> int:
        counted.append(text)
        return len(text)

    count = Remembering(slow, size=3)
    assert [count(text) for text in ("a", "bb", "a", "bb", "\ud800")] == [1, 2, 1, 2, 1]
    assert counted == ["a", "bb", "\ud800"]
    assert [count(text) for text in ("dddd", "a")] == [4, 1]
