"""Material in a prompt: whatever it holds, it stays between its marks."""

import re

from hypothesis import given
from hypothesis import strategies as st

from lookahead.critics.language.fence import Fence, clipped, disarmed

ANYTHING = st.text(st.characters(exclude_categories=())) | st.text("<|>/[]{}=% \nabI0\u2028\u200b\udc00\U000e0041")


@given(ANYTHING)
def test_no_text_can_close_its_own_fence(text: str):
    fence = Fence()
    said = fence.around("goal", text)
    first, *_, last = said.split("\n")
    mark = first.split()[2]
    assert (first, last) == (f"=== goal {mark} begins ===", f"=== goal {mark} ends ===")
    assert said.count(mark) == 2
    said.encode()


@given(ANYTHING)
def test_nothing_that_a_chat_format_obeys_is_left(text: str):
    left = disarmed(text)
    assert not re.search(r"<[|｜/A-Za-z]|\[/?[A-Za-z]\w{2,}\]|\{\{|\{%", left)
    assert all(char in "\n\t" or char.isprintable() or char.isspace() for char in left)
    assert disarmed(left) == left


@given(st.text("abc =.,()+-*\"'äöü漢字😀\n\t"))
def test_plain_text_is_left_alone(text: str):
    assert disarmed(text) == text


def test_what_cannot_be_seen_is_spelled_out():
    assert disarmed("a\u200bb\x1b[0m\r\n\udc00") == "a\\u{200b}b\\u{1b}[0m\n\\u{dc00}"


@given(st.text(), st.integers(min_value=10, max_value=60))
def test_a_clipped_text_keeps_both_ends_and_tells_how_much_is_missing(text: str, longest: int):
    short = clipped(text, longest)
    if len(text) <= longest:
        assert short == text
        return
    assert short.startswith(text[: longest - longest // 3])
    assert short.endswith(text[-(longest // 3) :])
    assert f"{len(text) - longest:,} characters left out" in short
