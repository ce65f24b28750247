import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookahead_integrations.mcp.clients import jsonc
from lookahead_integrations.mcp.clients.tree import DEEP, Lines, Malformed, walk

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.sampled_from([None, 0, 2, "\t"]), st.booleans())
def test_whatever_is_json_is_read_as_what_it_says(value: object, indent: int | str | None, ascii_only: bool):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert jsonc.read(text).value == value


@given(VALUES)
def test_each_value_knows_where_it_stands(value: object):
    text = json.dumps(value, indent=1)
    for node in walk(jsonc.read(text)):
        assert json.loads(text[node.start : node.end]) == node.value


def test_comments_and_a_comma_too_many_are_read_over():
    text = (
        '\ufeff// a\r\n{ /* b */ "k" /**/ : [1, /* c */ 2, ], // "no": 1\n "l": {"m": "// no comment /*",},\n}\n// end'
    )
    assert jsonc.read(text).value == {"k": [1, 2], "l": {"m": "// no comment /*"}}


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("", 0),
        ("{", 1),
        ('{"a": 1', 7),
        ('{"a" 1}', 5),
        ('{"a": 1 "b": 2}', 8),
        ("{a: 1}", 1),
        ('{"a": nope}', 6),
        ('{"a": 01}', 6),
        ("{} {}", 3),
        ("[1,,2]", 3),
        ('["a\nb"]', 1),
        ('["\\x"]', 1),
        ("{} /* never", 3),
        ('{"a": "no end}', 6),
        ("[,]", 1),
    ],
)
def test_what_is_wrong_is_wrong_at_its_place(text: str, at: int):
    with pytest.raises(Malformed) as caught:
        jsonc.read(text)
    assert caught.value.at == at


def test_values_that_lie_too_deep_are_an_error_and_no_crash():
    with pytest.raises(Malformed, match="deep"):
        jsonc.read("[" * (DEEP + 2))
    with pytest.raises(Malformed, match="deep"):
        jsonc.read("[" * 1_000_000)


@given(st.text(alphabet='{}[]",:/*\\ \n\tau01-.e', max_size=40))
def test_no_text_at_all_crashes_the_reader(text: str):
    with suppress(Malformed):
        jsonc.read(text)


def test_a_key_that_is_there_twice_is_found():
    found = jsonc.read('{"a": 1, "b": 2, "a": 3}').twice()
    assert found is not None
    assert (found.key, found.start) == ("a", 17)


def test_a_place_is_on_a_line():
    lines = Lines("a\nb\r\n\nc")
    assert [lines.at(place) for place in (0, 1, 2, 5, 6, 99)] == [1, 1, 2, 3, 4, 4]
