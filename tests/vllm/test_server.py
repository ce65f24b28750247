"""The served model, over HTTP."""

import json
import random
import time
from collections.abc import Callable

import anyio
import anyio.to_thread
import pytest

from lookahead.errors import ContextTooLong, ModelNotFound, ModelTimeout
from lookahead.models import model_at, probability_of
from lookahead.types import Asking, Complete, Message

pytestmark = pytest.mark.anyio

OUTCOME = {
    "type": "object",
    "properties": {"failed": {"type": "boolean"}, "rc": {"enum": [0, 1, 2]}},
    "required": ["failed", "rc"],
    "additionalProperties": False,
}
ENDLESS = {"type": "array", "items": {"type": "string", "minLength": 12}, "minItems": 1000}
"""Thousands of tokens, a minute of writing: whoever ends sooner did not wait for the end."""


def asked(text: str = "Would deleting the file work?") -> tuple[Message, ...]:
    return (Message(role="system", content="You are the environment."), Message(role="user", content=text))


def history(tokens: int) -> str:
    """A text that nobody sent before."""
    return " ".join(random.choices(["file", "folder", "table", "row", "page", "button", "user"], k=tokens))


async def test_it_answers(complete: Complete):
    found = await complete(asked(), Asking(thinking=False, max_tokens=200, temperature=1.0, seed=1))
    (sample,) = found.samples
    assert sample.ended in ("stop", "length")
    assert found.usage.counted == "engine"
    assert found.usage.prompt > 5
    assert 0 < found.usage.generated <= 200
    assert found.cost.tokens == found.usage.prompt + found.usage.generated


async def test_the_same_seed_says_the_same_again(complete: Complete):
    how = Asking(thinking=False, max_tokens=40, temperature=1.0, seed=7)
    first, again = await complete(asked(), how), await complete(asked(), how)
    assert first.samples[0].text == again.samples[0].text


async def test_thinking_can_be_switched(complete: Complete):
    on = await complete(asked(), Asking(thinking=True, max_tokens=60, temperature=1.0, seed=3))
    off = await complete(asked(), Asking(thinking=False, max_tokens=60, temperature=1.0, seed=3))
    assert on.samples[0].thought
    assert off.usage.prompt != on.usage.prompt


async def test_several_samples_come_of_one_call(complete: Complete):
    found = await complete(asked(), Asking(n=4, thinking=False, max_tokens=30, temperature=1.0, seed=5))
    assert len(found.samples) == 4
    assert len({sample.text for sample in found.samples}) > 1
    assert found.cost.calls == 1


async def test_a_choice_is_kept_and_its_probability_told(complete: Complete):
    found = await complete(asked(), Asking(choices=("yes", "no"), thinking=False, probabilities=10, max_tokens=10))
    sample = found.samples[0]
    assert sample.text in ("yes", "no")
    probable = probability_of(sample, ("yes", "no"))
    assert probable is not None
    assert sum(probable.values()) == pytest.approx(1)
    assert 0 < probable["yes"] < 1


@pytest.mark.parametrize("seed", range(5))
async def test_a_json_schema_is_kept(complete: Complete, seed: int):
    how = Asking(schema_of=OUTCOME, thinking=False, max_tokens=400, temperature=1.0, seed=seed)
    found = await complete(asked(), how)
    answer = json.loads(found.samples[0].text)
    assert set(answer) == {"failed", "rc"}
    assert answer["rc"] in (0, 1, 2)


async def test_a_shared_history_is_paid_for_once(complete: Complete, metric: Callable[[str], float]):
    shared = history(1500)
    how = Asking(thinking=False, max_tokens=4)
    before = await anyio.to_thread.run_sync(metric, "vllm:prefix_cache_hits_total")
    first = await complete(asked(shared + " delete the file"), how)
    second = await complete(asked(shared + " read the file"), how)
    after = await anyio.to_thread.run_sync(metric, "vllm:prefix_cache_hits_total")
    assert first.usage.cached == 0
    assert second.usage.cached > 0.8 * second.usage.prompt
    assert after - before >= second.usage.cached


async def test_candidates_at_once_share_their_history(complete: Complete):
    shared = history(2000)
    cached: list[int] = []

    async def imagine(name: str) -> None:
        found = await complete(asked(f"{shared} {name}"), Asking(thinking=False, max_tokens=8))
        cached.append(found.usage.cached * 2 > found.usage.prompt)

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(imagine, f"open file {number}")
    assert sum(cached) >= 7


async def test_a_long_prompt_with_a_seed_is_read_whole(complete: Complete):
    found = await complete(asked(history(4000)), Asking(thinking=False, max_tokens=4, temperature=1.0, seed=11))
    assert found.usage.prompt > 4000


async def test_a_call_that_is_given_up_is_taken_back(complete: Complete, metric: Callable[[str], float]):
    written = "vllm:generation_tokens_total"
    before = await anyio.to_thread.run_sync(metric, written)
    with anyio.move_on_after(1.0) as scope:
        await complete(asked(), Asking(schema_of=ENDLESS, thinking=False, max_tokens=16000, temperature=1.0))
    assert scope.cancelled_caught
    with anyio.fail_after(20):
        while await anyio.to_thread.run_sync(metric, "vllm:num_requests_running"):
            pass
    # The form allows no fewer than five thousand.
    assert await anyio.to_thread.run_sync(metric, written) - before < 4000


async def test_nobody_waits_beyond_the_deadline(complete: Complete):
    began = time.monotonic()
    with pytest.raises(ModelTimeout):
        await complete(asked(), Asking(schema_of=ENDLESS, thinking=False, max_tokens=16000, seconds=0.5))
    assert time.monotonic() - began < 15


async def test_a_prompt_that_does_not_fit_is_named(complete: Complete):
    with pytest.raises(ContextTooLong, match="--max-model-len"):
        await complete(asked(history(60_000)), Asking(max_tokens=4))


async def test_a_model_that_is_not_served_is_named(server_url: str):
    async with model_at(f"{server_url}#nobody") as stranger:
        with pytest.raises(ModelNotFound, match="nobody"):
            await stranger(asked(), Asking(max_tokens=4))
