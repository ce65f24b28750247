import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookahead_integrations.mcp.schemas import fault
from lookahead_integrations.mcp.shape import Unfit, shaped

ISSUE = {
    "type": "object",
    "properties": {
        "number": {"type": "integer", "minimum": 1},
        "title": {"type": "string", "minLength": 1},
        "state": {"enum": ["open", "closed"]},
        "labels": {"type": "array", "items": {"type": "string"}},
        "author": {"$ref": "#/$defs/person"},
    },
    "required": ["number", "title", "state", "labels", "author"],
    "additionalProperties": False,
    "$defs": {"person": {"type": "object", "properties": {"login": {"type": "string"}}, "required": ["login"]}},
}


def test_a_text_is_the_one_text_that_the_schema_has_a_place_for() -> None:
    schema = {"type": "object", "properties": {"content": {"type": "string"}}, "required": ["content"]}
    said = shaped(schema, "hello")
    assert (said.text, said.structured, said.filled) == ("hello", {"content": "hello"}, ())


def test_a_list_is_the_one_list_that_the_schema_has_a_place_for() -> None:
    schema = {"type": "object", "properties": {"rows": {"type": "array"}}, "required": ["rows"]}
    said = shaped(schema, "[1, 2]")
    assert said.structured == {"rows": [1, 2]}
    assert json.loads(said.text) == [1, 2]


def test_what_is_missing_is_filled_with_the_least_that_validates_and_is_marked() -> None:
    said = shaped(ISSUE, '{"number": "12", "title": "Broken", "state": "OPEN", "extra": true}')
    expected = {"number": 12, "title": "Broken", "state": "open", "labels": [], "author": {"login": ""}}
    assert said.structured == expected
    assert json.loads(said.text) == expected
    assert said.filled == ("/labels", "/author")


def test_what_went_well_is_told_so() -> None:
    properties = {"success": {"type": "boolean"}, "message": {"type": "string"}}
    schema = {"type": "object", "properties": properties, "required": ["success", "message"]}
    assert shaped(schema, "Entities deleted").structured == {"success": True, "message": "Entities deleted"}


def test_a_schema_that_allows_nothing_is_said_to_be_so() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3, "maximum": 2}}, "required": ["n"]}
    with pytest.raises(Unfit, match="/n: no number lies within its bounds"):
        shaped(schema, "whatever")


def test_a_reference_to_elsewhere_is_not_followed() -> None:
    schema = {"type": "object", "properties": {"n": {"$ref": "https://example.com/schema"}}, "required": ["n"]}
    with pytest.raises(Unfit):
        shaped(schema, "whatever")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": r"^[a-z]{3}-\d+$"},
        {"type": "string", "pattern": r"^(?:v|V)\d+\.\d+$", "minLength": 6},
        {"type": "string", "format": "date-time"},
        {"type": "integer", "exclusiveMinimum": 3, "multipleOf": 5},
        {"type": "number", "exclusiveMinimum": 0},
        {"type": ["null", "string"]},
        {"anyOf": [{"type": "integer", "minimum": 5}, {"type": "null"}]},
        {"oneOf": [{"const": "a"}, {"const": "b"}]},
        {"allOf": [{"type": "object", "required": ["a"]}, {"properties": {"a": {"type": "boolean"}}}]},
        {"type": "array", "minItems": 2, "uniqueItems": True, "items": {"enum": ["x", "y"]}},
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2},
        {"type": "object", "minProperties": 1, "additionalProperties": {"type": "integer"}},
        {"type": "object", "required": ["free"]},
    ],
)
def test_the_least_value_of_any_kind_of_schema_validates(schema: dict[str, Any]) -> None:
    whole = {"type": "object", "properties": {"it": schema, "n": {"type": "null"}}, "required": ["it"]}
    said = shaped(whole, "prose that says nothing of it")
    assert fault(whole, said.structured) is None


_LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "minLength": 3, "maxLength": 5},
        {"type": "integer", "minimum": 2, "maximum": 9},
        {"type": "number", "exclusiveMaximum": 1.5},
        {"type": "boolean"},
        {"type": "null"},
        {"enum": ["a", 1, None]},
        {"const": {"k": [1]}},
        {"type": "string", "pattern": r"^\w+@\w+$"},
    ]
)


def _deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.dictionaries(st.sampled_from("abcd"), inner, max_size=3).flatmap(
        lambda properties: st.builds(
            lambda required, more: {
                "type": "object",
                "properties": properties,
                "required": sorted(required),
                "additionalProperties": more,
            },
            st.sets(st.sampled_from(sorted(properties) or ["e"])) if properties else st.just(set[str]()),
            st.booleans(),
        )
    )
    arrays = st.builds(
        lambda items, least: {"type": "array", "items": items, "minItems": least}, inner, st.integers(0, 2)
    )
    return st.one_of(objects, arrays, st.builds(lambda one, other: {"anyOf": [one, other]}, inner, inner))


_SCHEMAS = st.recursive(_LEAVES, _deeper, max_leaves=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 20) | st.text("ab1 ", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcde"), inner, max_size=3),
    max_leaves=8,
)


@given(_SCHEMAS, _VALUES)
def test_whatever_a_world_says_becomes_an_answer_that_validates(schema: dict[str, Any], value: Any) -> None:
    whole = {"type": "object", "properties": {"it": schema}, "required": ["it"]}
    said = shaped(whole, json.dumps({"it": value}))
    assert fault(whole, said.structured) is None
    again = shaped(whole, said.text, said.structured)
    assert (again.structured, again.filled) == (said.structured, ())


@given(_SCHEMAS, _VALUES)
def test_what_fits_already_is_left_alone(schema: dict[str, Any], value: Any) -> None:
    whole = {"type": "object", "properties": {"it": schema}}
    if fault(whole, {"it": value}) is None:
        assert shaped(whole, json.dumps({"it": value})).structured == {"it": value}
