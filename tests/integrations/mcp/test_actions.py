"""From the protocol's words to Lookahead's, and back."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookahead.types import Action, Observation, Origin
from lookahead_integrations.mcp.actions import (
    CUT,
    LONGEST,
    ORIGIN,
    VERBATIM,
    action_of,
    hinted,
    observation_of,
    params_of,
    result_of,
    retold,
    text_of,
    tool_of,
)
from lookahead_integrations.mcp.exchange import RpcError
from lookahead_integrations.mcp.testing import text, tool

IMAGE = {"type": "image", "data": "QUJD", "mimeType": "image/png"}
LINK = {"type": "resource_link", "uri": "file:///a", "name": "a"}
HELD = {"type": "resource", "resource": {"uri": "file:///a", "text": "inside"}}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), values, max_size=4)
blocks = (
    st.fixed_dictionaries({"type": st.just("text"), "text": st.text()}) | st.sampled_from([IMAGE, LINK, HELD]) | values
)
results = st.fixed_dictionaries(
    {},
    optional={
        "content": st.lists(blocks, max_size=3) | values,
        "structuredContent": values,
        "isError": st.booleans(),
        "_meta": objects,
        "unheard": values,
    },
)


def essence(result: dict[str, Any]) -> dict[str, Any]:
    """`isError: false` and `resultType: "complete"` say what silence says."""
    idle = {"isError": False, "resultType": "complete"}
    return {key: value for key, value in result.items() if not (key in idle and idle[key] == value)}


@given(results)
def test_an_answer_that_was_recorded_is_told_again_as_it_was(result: dict[str, Any]):
    kept = Observation.model_validate_json(observation_of(result, verbatim=True).model_dump_json())
    assert essence(retold(kept) or {}) == essence(result)


@given(results)
def test_every_answer_can_be_judged_by(result: dict[str, Any]):
    said = observation_of(result)
    assert said.failed == (result.get("isError") is True)
    assert said.verbatim is None
    assert not said.imagined


@pytest.mark.parametrize(
    "result",
    [text("done"), text("done", isError=True), text('{"a": 1}', structuredContent={"a": 1}), text("x", isError=False)],
)
def test_the_usual_answer_is_kept_once(result: dict[str, Any]):
    assert observation_of(result, verbatim=True).verbatim is None


def test_what_an_answer_says_is_its_words():
    said = observation_of({"content": [{"type": "text", "text": "one"}, IMAGE, LINK, HELD, {"type": "new"}, 7]})
    one, image, link, held, inside, new, seven = said.content.split("\n")
    assert (one, inside, seven) == ("one", "inside", "7")
    assert image.startswith("[image: image/png, 4 characters of base64, sha256 ")
    assert link == "[resource: file:///a (a)]"
    assert held == "[resource: file:///a]"
    assert new.startswith("[new")


def test_two_pictures_of_one_size_are_not_one():
    other = {**IMAGE, "data": "QUJE"}
    assert text_of([IMAGE]) != text_of([other])


def test_a_very_long_answer_is_kept_in_part_and_not_told_again_as_if_it_were_whole():
    said = observation_of(text("x" * 100_000))
    assert len(said.content) < LONGEST + 200
    assert retold(said) is None
    assert retold(observation_of(text("y", structuredContent={"a": "x" * 100_000}))) is None
    whole = observation_of(text("x" * 100_000), verbatim=True)
    assert retold(whole) == text("x" * 100_000)


def test_two_very_long_answers_are_told_apart():
    one, other = (observation_of(text("x" * 100_000 + end)) for end in "ab")
    assert one.content != other.content


def test_what_is_too_long_for_a_recording_is_missing_from_it():
    said = observation_of(text("x" * (VERBATIM + 1)), verbatim=True)
    assert set(said.verbatim or {}) == {CUT}
    assert retold(said) is None


def test_an_answer_with_what_no_json_holds_is_an_answer():
    said = observation_of({"content": [{"type": "text", "text": "half \ud800"}], "structuredContent": {"a": math.nan}})
    assert "half" in said.content


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
def test_an_imagined_answer_says_so_in_the_clients_era(version: str):
    said = Observation(content="hello", structured={"a": 1}, origin=Origin(kind="model", world="w", confidence=0.5))
    result = result_of(said, version=version) or {}
    assert result["_meta"][ORIGIN] == {"kind": "model", "world": "w", "imagined": True, "confidence": 0.5}
    assert result["structuredContent"] == {"a": 1}
    assert ("resultType" in result) == (version == "2026-07-28")


def test_a_real_answer_is_not_marked():
    assert "_meta" not in (result_of(observation_of(text("done")), version="2025-11-25") or {})


@pytest.mark.parametrize(
    ("annotations", "effect"),
    [
        (None, "unknown"),
        ({}, "unknown"),
        ({"readOnlyHint": True}, "unknown"),
        ({"readOnlyHint": False}, "unknown"),
        ({"destructiveHint": False}, "unknown"),
        ({"destructiveHint": True}, "destroys"),
        ({"destructiveHint": True, "readOnlyHint": False}, "destroys"),
        ({"destructiveHint": True, "readOnlyHint": True}, "unknown"),
        ({"destructiveHint": "true"}, "unknown"),
        ("destructiveHint", "unknown"),
        ([["destructiveHint", True]], "unknown"),
    ],
)
def test_hints_raise_caution_and_never_lower_it(annotations: Any, effect: str):
    assert hinted(annotations) == effect


def test_a_tool_is_what_the_server_lists():
    listed = tool("t", description="does", inputSchema={"type": "object"}, outputSchema={"type": "object"}, title="T")
    found = tool_of(listed)
    assert found is not None
    assert (found.name, found.description, found.parameters) == ("t", "does", {"type": "object"})
    assert found.result == {"type": "object"}


@pytest.mark.parametrize("listed", [{}, {"name": ""}, {"name": 7}, {"name": "t", "description": 7}])
def test_what_is_no_description_of_a_tool_is_none(listed: dict[str, Any]):
    assert tool_of(listed) is None


@given(st.text(min_size=1), st.dictionaries(st.text(), values, max_size=4))
def test_a_call_is_the_same_call_on_the_way_back(name: str, arguments: dict[str, Any]):
    params = {"name": name, "arguments": arguments, "_meta": {"progressToken": 1}}
    action = action_of(params)
    assert params_of(action, params) == params
    assert action == Action(tool=name, arguments=arguments)


@pytest.mark.parametrize("params", [{}, {"name": None}, {"name": ["a"]}, {"name": "a", "arguments": "b"}])
def test_what_is_no_call_is_an_error(params: dict[str, Any]):
    with pytest.raises(RpcError):
        action_of(params)


def test_a_call_that_is_too_deep_to_be_judged_is_an_error():
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(RpcError):
        action_of({"name": "a", "arguments": {"x": deep}})
