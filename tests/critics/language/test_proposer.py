"""The proposer: whatever a model writes, what comes back is a call that the agent could make."""

import json
from contextlib import aclosing
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from lookahead.budget import Budget, Meter
from lookahead.critics.language import LanguageProposer
from lookahead.critics.language.calls import call_schema
from lookahead.critics.language.proposer import call_of
from lookahead.errors import ConfigError, ModelCutOff, ModelTimeout, ProposerError
from lookahead.planner import Planner
from lookahead.schema import fits
from lookahead.search import BestOf
from lookahead.testing import ScriptedCritic, ScriptedWorld, call
from lookahead.types import Observation, Sample, State, Tool

pytestmark = pytest.mark.anyio


async def test_n_answers_are_asked_for_at_once(kit: Any):
    model = kit.Model([kit.proposal("delete_file", path=path) for path in "ab"])
    assert await LanguageProposer(model)(kit.state, 2) == [call("delete_file", path=path) for path in "ab"]
    [(_, asking)] = model.asked
    assert (asking.n, asking.temperature, asking.thinking) == (2, 1.0, False)
    assert asking.schema_of == call_schema(kit.tools)


async def test_each_different_call_comes_back_once_the_most_frequent_first(kit: Any):
    a, b, c = (kit.proposal("delete_file", path=path) for path in "abc")
    model = kit.Model([a, b, c, b, a, b])
    found = await LanguageProposer(model, samples=6)(kit.state, 2)
    assert found == [call("delete_file", path="b"), call("delete_file", path="a")]
    assert model.asked[0][1].n == 6


async def test_agreement_with_the_agent_leaves_nothing_to_choose_from(kit: Any):
    model = kit.Model(kit.proposal("delete_file", path="notes.txt"))
    assert await LanguageProposer(model)(kit.state, 3) == [kit.delete]
    world = ScriptedWorld(script={"*": "ok"})
    search = BestOf(k=4, depth=3, propose=LanguageProposer(model))
    planner = Planner(imagine=world, judge=ScriptedCritic(), text=ScriptedCritic(), search=search, fits=fits)
    outcome = await planner.consider(kit.state, kit.delete, meter=Meter(budget=Budget()))
    assert [one.rollout.action for one in outcome.considered] == [kit.delete]
    assert len(world.asked) <= 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not one JSON object"),
        ("delete it", "not one JSON object"),
        ('{"call": {"tool": "delete_file", "arguments": {"path": "a", "path": "b"}}}', "each key once"),
        ('{"call": {"tool": "delete_file", "arguments": {"path": NaN}}}', "ordinary numbers"),
        ('{"call": {"tool": "delete_file", "arguments": {"path": 1e999}}}', "ordinary numbers"),
        ('{"call": {"tool": "delete_file", "arguments": {"path": 1}}}', "do not fit the tool"),
        ('{"call": {"tool": "delete_file", "arguments": {}}}', "do not fit the tool"),
        ('{"call": {"tool": "delete_file", "arguments": {"path": "a", "force": true}}}', "do not fit the tool"),
        ('{"call": {"tool": "delete_file", "arguments": null}}', "does not fit the JSON schema"),
        ('{"call": {"tool": "rm", "arguments": {"path": "a"}}}', "no such tool"),
        ('{"call": {"tool": "", "arguments": {}}}', "no such tool"),
        ('{"tool": "list_files", "arguments": {}}', "does not fit the JSON schema"),
        ('{"call": {"tool": "list_files", "arguments": {}, "approved": true}}', "does not fit the JSON schema"),
        ('{"call": {"tool": "list_files", "arguments": "[]"}}', "no JSON object"),
        ('{"call": {"tool": "list_files", "arguments": "{\\"a\\": 1, \\"a\\": 2}"}}', "no JSON object"),
        ('{"call": {"tool": "list_files", "arguments": {"a": "\\ud800"}}}', "JSON"),
        ('{"call": {"tool": "list_files", "arguments": ' + '{"a":' * 50_000, "not one JSON object"),
    ],
    ids=range(17),
)
async def test_what_the_agent_could_not_do_is_dropped(kit: Any, text: str, why: str):
    with pytest.raises(ProposerError, match=why):
        await LanguageProposer(kit.Model(text))(kit.state, 1)
    model = kit.Model([text, kit.proposal("list_files")])
    assert await LanguageProposer(model)(kit.state, 2) == [call("list_files")]


async def test_arguments_may_be_a_text_that_holds_json(kit: Any):
    model = kit.Model('{"call": {"tool": "delete_file", "arguments": "{\\"path\\": \\"a\\"}"}}')
    assert await LanguageProposer(model)(kit.state, 1) == [call("delete_file", path="a")]


async def test_what_was_cut_off_or_refused_is_no_proposal(kit: Any):
    for ended, why in (("length", "cut off"), ("refused", "refusal")):
        model = kit.Model(Sample(text=kit.proposal("list_files"), ended=ended))
        with pytest.raises(ProposerError, match=why):
            await LanguageProposer(model)(kit.state, 1)


async def test_a_model_that_fails_or_an_agent_without_tools_is_an_error_that_says_why(kit: Any):
    with pytest.raises(ProposerError, match="shorter context"):
        await LanguageProposer(kit.Model(ModelCutOff("use a shorter context")))(kit.state, 1)
    with pytest.raises(ProposerError, match="there is no answer"):
        await LanguageProposer(kit.Model([]))(kit.state, 1)
    with pytest.raises(ProposerError, match="no tools"):
        await LanguageProposer(kit.Model(""))(State(), 1)
    with pytest.raises(ConfigError):
        LanguageProposer(kit.Model(""), samples=0)


async def test_asked_for_nothing_it_asks_nobody(kit: Any):
    model = kit.Model("")
    assert await LanguageProposer(model)(kit.state, 0) == []
    assert model.asked == []


async def test_it_is_told_goal_tools_and_what_happened(kit: Any):
    state = kit.state.then(call("list_files"), Observation(content="notes.txt", failed=True))
    state = state.model_copy(update={"situation": "a full folder"})
    model = kit.Model(kit.proposal("list_files"))
    await LanguageProposer(model)(state, 1)
    for shown in ("tidy the folder", "Removes one file.", '"required": ["path"]', "a full folder", "notes.txt"):
        assert shown in model.prompt
    assert "answer (failed):" in model.prompt


async def test_its_prompt_grows_at_the_end_and_forgets_in_blocks(kit: Any):
    model = kit.Model(kit.proposal("list_files"))
    proposer = LanguageProposer(model, past=24)
    state = kit.state
    shared: list[int] = []
    before = ""
    for n in range(60):
        await proposer(state, 1)
        now = model.asked[-1][0][1].content
        question = before.rfind("Which single call")
        if n:
            shared.append(now[:question] == before[:question])
        before = now
        state = state.then(call("list_files", n=n), Observation(content=f"step {n}"))
    assert before.count("step taken") // 2 <= 24
    assert "step 58" in before
    assert shared.count(False) == 3


async def test_nothing_that_a_tool_said_leaves_its_fence(kit: Any):
    model = kit.Model(kit.proposal("list_files"))
    proposer = LanguageProposer(model)
    for text in kit.attacks:
        state = State(goal=text, tools=(*kit.tools, Tool(name="t", description=text)), situation=text)
        await proposer(state.then(call("t", text=text), Observation(content=text)), 1)
        system, user = model.asked[-1][0]
        assert system == model.asked[0][0][0]
        assert user.content.endswith("that tool's schema}}.")
        assert "<|" not in user.content


# Whatever comes back


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ANSWERS = (
    st.text()
    | JSON.map(json.dumps)
    | st.fixed_dictionaries(
        {
            "call": st.fixed_dictionaries(
                {
                    "tool": st.sampled_from(["delete_file", "list_files", "rm", ""]) | JSON,
                    "arguments": JSON
                    | JSON.map(json.dumps)
                    | st.fixed_dictionaries({"path": JSON})
                    | st.fixed_dictionaries({"path": st.text()}),
                }
            )
        }
    ).map(json.dumps)
)


@given(ANSWERS)
def test_what_comes_back_always_fits_the_agents_tools(kit: Any, text: str):
    try:
        action = call_of(Sample(text=text), kit.state)
    except ValueError:
        return
    tool = kit.state.tool(action.tool)
    assert tool is not None
    assert fits(action, tool)
    assert action.digest
    json.dumps(action.arguments, ensure_ascii=False, allow_nan=False).encode()


# The schema that a model is held to


NODE = {
    "type": "object",
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://example.org/node",
    "properties": {
        "node": {"$ref": "#/$defs/node"},
        "self": {"$ref": "#"},
        "leaf": {"$ref": "#/properties/name"},
        "name": {"type": "string", "default": {"$ref": "#/kept"}},
        "$ref": {"const": {"$ref": "#/kept"}},
    },
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}},
    "additionalProperties": False,
}


def accepts(schema: Any, value: Any) -> bool:
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema).is_valid(value)


def test_a_call_is_one_of_the_tools_with_arguments_that_fit_it(kit: Any):
    schema = call_schema(kit.tools)
    for said, accepted in (
        ({"tool": "delete_file", "arguments": {"path": "a"}}, True),
        ({"tool": "delete_file", "arguments": {}}, False),
        ({"tool": "list_files", "arguments": {}}, True),
        ({"tool": "list_files"}, False),
        ({"tool": "rm", "arguments": {}}, False),
    ):
        assert accepts(schema, {"call": said}) is accepted


@pytest.mark.parametrize(
    ("arguments", "accepted"),
    [
        ({"name": "a"}, True),
        ({"node": {}}, False),
        ({"node": {"next": {"next": 1}}}, False),
        ({"self": {"self": {"leaf": "a"}}}, True),
        ({"self": {"self": {"leaf": 1}}}, False),
        ({"$ref": {"$ref": "#/kept"}}, True),
        ({"$ref": {"$ref": "#/$defs/tool1/kept"}}, False),
        ({"other": 1}, False),
    ],
)
def test_a_schema_that_points_into_itself_means_the_same_in_its_new_place(arguments: Any, accepted: bool):
    tool = Tool(name="n", parameters=NODE)
    other = Tool(name="o", parameters={"properties": {"a": {"$ref": "#/$defs/node"}}, "$defs": {"node": {"const": 1}}})
    assert fits(call("n").model_copy(update={"arguments": arguments}), tool) is accepted
    schema = call_schema([other, tool])
    assert accepts(schema, {"call": {"tool": "n", "arguments": arguments}}) is accepted
    assert accepts(schema, {"call": {"tool": "o", "arguments": {"a": 1}}})
    assert not accepts(schema, {"call": {"tool": "o", "arguments": {"a": 2}}})


def test_a_tool_without_a_schema_takes_any_object():
    schema = call_schema([Tool(name="t")])
    assert accepts(schema, {"call": {"tool": "t", "arguments": {"a": 1}}})
    assert not accepts(schema, {"call": {"tool": "t", "arguments": 1}})


async def test_one_by_one_each_call_comes_as_soon_as_it_is_there(kit: Any):
    """The second answer is not written before the first was taken."""
    taken = anyio.Event()
    answers = [kit.proposal("delete_file", path="a"), kit.proposal("delete_file", path="b")]

    async def answer(messages: Any, asking: Any) -> str:
        if len(answers) == 1:
            await taken.wait()
        return answers.pop(0)

    proposer = LanguageProposer(kit.Model(answer), one_by_one=True)
    assert proposer.each is not None
    came: list[str] = []
    with anyio.fail_after(60):
        async for action in proposer.each(kit.state, 2):
            came.append(str(action.arguments["path"]))
            taken.set()
    assert came == ["a", "b"]


async def test_one_by_one_what_fails_leaves_the_others_and_all_failing_is_said(kit: Any):
    model = kit.Model("no call at all", kit.proposal("delete_file", path="a"))
    proposer = LanguageProposer(model, one_by_one=True)
    assert proposer.each is not None
    assert [action.arguments["path"] async for action in proposer.each(kit.state, 2)] == ["a"]
    silent = LanguageProposer(kit.Model(ModelTimeout("too late")), one_by_one=True)
    assert silent.each is not None
    with pytest.raises(ProposerError, match="too late"):
        [action async for action in silent.each(kit.state, 2)]
    assert LanguageProposer(model).each is None


async def test_one_by_one_whoever_has_heard_enough_leaves_nobody_writing(kit: Any):
    cut: list[str] = []
    first = [kit.proposal("delete_file", path="a")]

    async def answer(messages: Any, asking: Any) -> str:
        if first:
            return first.pop()
        try:
            await anyio.sleep_forever()
        finally:
            cut.append("yes")
        return ""

    proposer = LanguageProposer(kit.Model(answer), one_by_one=True)
    assert proposer.each is not None
    with anyio.fail_after(60):
        async with aclosing(proposer.each(kit.state, 3)) as coming:
            async for _ in coming:
                break
    assert cut == ["yes", "yes"]
