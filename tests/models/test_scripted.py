"""The double in memory keeps the same contract as what it stands for."""

import anyio
import pytest

from lookahead.errors import ModelTimeout, ModelUnreachable
from lookahead.models import ScriptedModel
from lookahead.types import Asking, Completion, Message, Sample

pytestmark = pytest.mark.anyio

PROMPT = (Message(role="user", content="pwd"),)


async def test_it_says_its_script_one_line_after_the_other_and_the_last_for_ever():
    model = ScriptedModel("one", Sample(text="two", ended="length"), Completion(samples=(Sample(text="three"),)))
    found = [(await model(PROMPT, Asking())).samples[0] for _ in range(4)]
    assert [sample.text for sample in found] == ["one", "two", "three", "three"]
    assert found[1].ended == "length"
    assert model.calls == 4
    assert model.asked[0] == (PROMPT, Asking())


async def test_it_gives_as_many_samples_as_are_asked_for():
    model = ScriptedModel("same", ["a", "b"])
    assert [sample.text for sample in (await model(PROMPT, Asking(n=3))).samples] == ["same"] * 3
    assert [sample.text for sample in (await model(PROMPT, Asking(n=2))).samples] == ["a", "b"]


async def test_a_function_answers_by_the_prompt():
    async def later(messages: object, asking: Asking) -> str:
        await anyio.lowlevel.checkpoint()
        return f"{len(PROMPT)} {asking.seed}"

    model = ScriptedModel(lambda messages, asking: messages[-1].content.upper(), later)
    assert (await model(PROMPT, Asking())).samples[0].text == "PWD"
    assert (await model(PROMPT, Asking(seed=4))).samples[0].text == "1 4"


async def test_it_fails_when_the_script_says_so():
    model = ScriptedModel(ModelUnreachable("nobody"), "back")
    with pytest.raises(ModelUnreachable):
        await model(PROMPT, Asking())
    assert (await model(PROMPT, Asking())).samples[0].text == "back"


async def test_it_keeps_the_deadline():
    async def never(messages: object, asking: object) -> str:
        await anyio.sleep_forever()
        return ""

    with pytest.raises(ModelTimeout):
        await ScriptedModel(never)(PROMPT, Asking(seconds=0.01))


async def test_it_counts_what_it_costs():
    async with ScriptedModel("three blind mice") as model:
        found = await model(PROMPT, Asking())
    assert model.closed
    assert found.usage.counted == "estimate"
    assert found.cost.tokens == found.usage.prompt + found.usage.generated > 3
