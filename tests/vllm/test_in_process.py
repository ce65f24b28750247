"""vLLM in this process. One engine for all, because each takes half a minute to start."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from lookahead.errors import ConfigError, ContextTooLong, ModelNotFound, ModelTimeout
from lookahead.models import probability_of
from lookahead.models.vllm import VLLMModel
from lookahead.types import Asking, Completion, Message

# vLLM and what it builds on warn of this and that while they are imported.
pytestmark = pytest.mark.filterwarnings("default")

ENDLESS = {"type": "array", "items": {"type": "string", "minLength": 12}, "minItems": 1000}
"""Thousands of tokens, a minute of writing: whoever ends sooner did not wait for the end."""


def asked(text: str = "Would deleting the file work?") -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def model(loop: asyncio.Runner, model_folder: Path) -> Iterator[VLLMModel]:
    found = VLLMModel(str(model_folder), dtype="float32", enforce_eager=True, max_model_len=8192)
    loop.run(found.start())
    yield found
    loop.run(found.aclose())


@pytest.fixture
def ask(loop: asyncio.Runner, model: VLLMModel):
    def ask(text: str = "Would deleting the file work?", **how: object) -> Completion:
        return loop.run(model(asked(text), Asking.model_validate({"max_tokens": 100, "thinking": False, **how})))

    return ask


def test_it_answers_as_the_server_does(ask, model: VLLMModel, model_folder: Path):
    found = ask(temperature=1.0, seed=1)
    assert found.samples[0].ended in ("stop", "length")
    assert found.usage.counted == "engine"
    assert model.name == f"vllm:{model_folder.name}"


def test_several_samples_come_of_one_call(ask):
    found = ask(n=4, temperature=1.0)
    assert len(found.samples) == 4
    assert len({sample.text for sample in found.samples}) > 1


def test_thinking_can_be_switched(ask):
    assert ask(thinking=True, temperature=1.0, seed=2).samples[0].thought
    assert not ask(thinking=False, temperature=1.0, seed=2).samples[0].thought


def test_a_choice_is_kept_and_its_probability_told(ask):
    sample = ask(choices=("yes", "no"), probabilities=10).samples[0]
    assert sample.text in ("yes", "no")
    probable = probability_of(sample, ("yes", "no"))
    assert probable is not None
    assert 0 < probable["yes"] < 1


def test_a_json_schema_is_kept(ask):
    schema = {
        "type": "object",
        "properties": {"rc": {"enum": [0, 1]}},
        "required": ["rc"],
        "additionalProperties": False,
    }
    assert json.loads(ask(schema_of=schema, temperature=1.0, max_tokens=400).samples[0].text)["rc"] in (0, 1)


def test_a_shared_history_is_paid_for_once(ask):
    shared = "the user opened the folder and found the report " * 60
    assert ask(shared + "first").usage.cached < 200
    again = ask(shared + "second").usage
    assert again.cached > 0.7 * again.prompt


def test_a_prompt_that_does_not_fit_is_named(ask):
    with pytest.raises(ContextTooLong, match="max_model_len"):
        ask("file " * 20_000)


def taken_back(loop: asyncio.Runner, model: VLLMModel) -> None:
    async def empty() -> None:
        with anyio.fail_after(5):
            while model._engine.get_num_unfinished_requests():
                await anyio.lowlevel.checkpoint()

    loop.run(empty())


def test_the_deadline_holds_and_takes_the_request_back(ask, loop: asyncio.Runner, model: VLLMModel):
    began = time.monotonic()
    with pytest.raises(ModelTimeout):
        ask(schema_of=ENDLESS, max_tokens=7000, seconds=0.7)
    assert time.monotonic() - began < 15
    taken_back(loop, model)


def test_being_cancelled_takes_the_request_back(loop: asyncio.Runner, model: VLLMModel):
    async def give_up() -> bool:
        with anyio.move_on_after(0.7) as scope:
            await model(asked(), Asking(schema_of=ENDLESS, max_tokens=7000, thinking=False))
        return scope.cancelled_caught

    assert loop.run(give_up())
    taken_back(loop, model)


def test_many_at_once_are_answered(loop: asyncio.Runner, model: VLLMModel):
    async def all_of_them() -> list[Completion]:
        how = Asking(max_tokens=10, thinking=False, temperature=1.0)
        return await asyncio.gather(*(model(asked(f"open file {number}"), how) for number in range(16)))

    assert len(loop.run(all_of_them())) == 16


def test_a_call_that_cannot_wait_for_the_start_fails_in_time_and_a_later_one_finds_the_engine(model_folder: Path):
    async def main() -> tuple[float, Completion]:
        later = VLLMModel(str(model_folder), dtype="float32", enforce_eager=True, max_model_len=4096)
        began = time.monotonic()
        with pytest.raises(ModelTimeout, match="still being loaded"):
            await later(asked(), Asking(seconds=1.0))
        waited = time.monotonic() - began
        try:
            return waited, await later(asked(), Asking(max_tokens=5, thinking=False))
        finally:
            await later.aclose()

    with asyncio.Runner() as runner:
        waited, answer = runner.run(main())
    # Loading holds the interpreter now and then; it took half a minute.
    assert waited < 6
    assert answer.usage.generated


def test_it_belongs_to_one_event_loop(model: VLLMModel):
    with pytest.raises(ConfigError, match="another event loop"):
        anyio.run(model.start)


def test_on_trio_it_says_that_it_runs_on_asyncio(model_folder: Path):
    with pytest.raises(ConfigError, match="asyncio alone"):
        anyio.run(VLLMModel(str(model_folder)).start, backend="trio")


def test_what_cannot_be_loaded_is_named(model_folder: Path):
    with pytest.raises(ModelNotFound, match="there is no model at"):
        anyio.run(VLLMModel("./nothing").start)
    with pytest.raises(ConfigError, match="frobnicate"):
        anyio.run(VLLMModel(str(model_folder), frobnicate=3).start)
