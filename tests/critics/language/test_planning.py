"""Plans of the language proposer: the agent's own action and rivals, several calls each, asked for in one round."""

import json
from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from jsonschema import Draft202012Validator

from lookahead.critics.language import LanguageProposer
from lookahead.critics.language.calls import plan_schema
from lookahead.critics.language.proposer import calls_of
from lookahead.errors import ModelCutOff, ProposerError
from lookahead.models import ScriptedModel
from lookahead.search.plans import Plan
from lookahead.testing import call
from lookahead.types import Asking, Completion, Cost, Message, Sample, State, Usage

pytestmark = pytest.mark.anyio


def told(*calls: tuple[str, Any]) -> str:
    return json.dumps({"calls": [{"tool": tool, "arguments": arguments} for tool, arguments in calls]})


def delete(path: str) -> tuple[str, Any]:
    return "delete_file", {"path": path}


LIST = ("list_files", {})


class Fork:
    """Answers what would follow, and what else to do, each with its own words; counts who waits at the same time."""

    name = "fork"

    def __init__(self, own: Any, *rivals: Any) -> None:
        self.own, self.rivals = own, list(rivals)
        self.asked: list[tuple[Sequence[Message], Asking]] = []
        self.inside = self.most = 0

    async def __call__(self, messages: Sequence[Message], asking: Asking, /) -> Completion:
        self.asked.append((messages, asking))
        self.inside += 1
        self.most = max(self.most, self.inside)
        await anyio.wait_all_tasks_blocked()
        self.inside -= 1
        own = "about to make the call above" in messages[-1].content
        said = [self.own] if own else [self.rivals.pop(0) for _ in range(asking.n)]
        for one in said:
            if isinstance(one, Exception):
                raise one
        samples = tuple(Sample(text=text) for text in said)
        return Completion(samples=samples, model="fork", usage=Usage(), cost=Cost(calls=1, tokens=5))


async def plans_of(proposer: LanguageProposer, kit: Any, n: int, steps: int) -> list[Plan]:
    return [plan async for plan in proposer.plans(kit.state, kit.delete, n, steps)]


@pytest.mark.parametrize("one_by_one", [False, True])
async def test_all_of_it_is_asked_in_one_round(kit: Any, one_by_one: bool):
    model = Fork(told(LIST), told(delete("a"), LIST), told(LIST, delete("b")))
    found = await plans_of(LanguageProposer(model, one_by_one=one_by_one), kit, 2, 1)
    assert [plan for plan in found if plan.own] == [Plan(first=kit.delete, then=(call("list_files"),), own=True)]
    rivals = sorted((plan for plan in found if not plan.own), key=lambda plan: plan.first.tool)
    assert rivals == [
        Plan(first=call("delete_file", path="a"), then=(call("list_files"),)),
        Plan(first=call("list_files"), then=(call("delete_file", path="b"),)),
    ]
    assert model.most == len(model.asked) == (3 if one_by_one else 2)
    for messages, asking in model.asked:
        own = "about to make the call above" in messages[-1].content
        assert asking.schema_of == plan_schema(kit.tools, least=0 if own else 1, most=1 if own else 2)
        assert asking.n == (1 if own or one_by_one else 2)


async def test_the_questions_differ_only_at_their_ends(kit: Any):
    model = Fork(told(LIST), told(LIST))
    await plans_of(LanguageProposer(model), kit, 1, 1)
    (own, rivals) = sorted((messages[-1].content for messages, _ in model.asked), key=lambda text: "above" not in text)
    shared = next(place for place, (one, other) in enumerate(zip(own, rivals, strict=False)) if one != other)
    assert "tidy the folder" in own[:shared]
    assert "notes.txt" in own[shared:]
    assert "notes.txt" not in rivals[shared:]


async def test_the_most_frequent_first_call_comes_first_and_each_once(kit: Any):
    model = Fork(told(), told(LIST), told(delete("a"), LIST), told(delete("a")), told(delete("notes.txt")))
    found = await plans_of(LanguageProposer(model, samples=4), kit, 2, 1)
    assert [plan.first for plan in found if not plan.own] == [
        call("delete_file", path="a"),
        call("list_files"),
        kit.delete,
    ]
    assert [plan.then for plan in found if plan.own] == [()]


@pytest.mark.parametrize(
    ("said", "calls"),
    [
        ([delete("a"), ("rm", {}), LIST], [call("delete_file", path="a")]),
        ([delete("a"), ("delete_file", {"path": 1})], [call("delete_file", path="a")]),
        ([LIST, ("list_files", "[]")], [call("list_files")]),
        ([LIST, (3, {})], [call("list_files")]),
        ([LIST, ("delete_file", '{"path": "b"}')], [call("list_files"), call("delete_file", path="b")]),
    ],
)
def test_a_plan_ends_before_the_first_call_that_the_agent_could_not_make(kit: Any, said: Any, calls: Any):
    assert calls_of(Sample(text=told(*said)), kit.state) == calls


@pytest.mark.parametrize("text", ["", "[]", '{"calls": {}}', '{"calls": []}', '{"calls": [1]}', told(("rm", {}), LIST)])
def test_a_plan_that_begins_with_nothing_that_could_be_done_is_none(kit: Any, text: str):
    with pytest.raises(ValueError, match=r"it |the agent"):
        calls_of(Sample(text=text), kit.state)


async def test_whoever_is_not_answered_is_named_after_what_the_others_said(kit: Any):
    for model, about, found in (
        (Fork(ModelCutOff("too long"), told(LIST)), "would follow the agent's own action: too long", 1),
        (Fork(told(LIST), "hm"), "what to do: .*not one JSON object", 1),
    ):
        heard: list[Plan] = []

        async def hear(model: Fork = model, heard: list[Plan] = heard) -> None:
            async for plan in LanguageProposer(model).plans(kit.state, kit.delete, 1, 1):
                heard.append(plan)

        with pytest.raises(ProposerError, match=about):
            await hear()
        assert len(heard) == found


async def test_an_agent_without_tools_has_no_plans(kit: Any):
    with pytest.raises(ProposerError, match="no tools"):
        LanguageProposer(ScriptedModel("")).plans(State(), kit.delete, 1, 1)


async def test_nothing_that_is_in_the_agents_action_leaves_its_fence(kit: Any):
    for text in kit.attacks:
        model = Fork(told(LIST), told(LIST))
        proposer = LanguageProposer(model)
        async for _ in proposer.plans(kit.state, call("delete_file", path=text), 1, 1):
            pass
        for messages, _ in model.asked:
            assert messages[-1].content.endswith("tool's schema}, …]}.")
            assert "<|" not in messages[-1].content


def test_the_schema_is_a_list_of_calls_of_the_agents_tools(kit: Any):
    schema: Any = plan_schema(kit.tools, least=1, most=2)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for said, accepted in (([], False), ([LIST], True), ([LIST, delete("a")], True), ([LIST] * 3, False)):
        assert validator.is_valid(json.loads(told(*said))) is accepted
    assert not validator.is_valid(json.loads(told(("rm", {}))))
