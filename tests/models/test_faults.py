"""Ten ways in which an endpoint can misbehave, in any order: each call ends, by its deadline, in our words."""

import random
from typing import Any

import anyio
import pytest
from model_server import Endpoint, Line, Reply, chat, refusal

from lookahead.errors import LookaheadError, ModelError, ModelTimeout, ModelUnreachable
from lookahead.models.openai import OpenAIModel
from lookahead.types import Asking, Completion, Message

pytestmark = pytest.mark.anyio

FAULTS: dict[str, Reply] = {
    "hang": Reply(hang=True, silent=True),
    "half a stream": Reply(body=chat("this will never be read to its end").body, cut=True),
    "garbage": Reply(body=b"\xff\xfe\x00 \x1b[31m{]"),
    "wrong JSON type": Reply(body={"choices": {"message": ["text"]}}),
    "wrong tool": chat(
        "", message={"content": None, "tool_calls": [{"function": {"name": "other", "arguments": "{}"}}]}
    ),
    "429": refusal("Rate limit reached", 429),
    "500": refusal("internal error", 500),
    "disconnect": Reply(silent=True),
    "empty": Reply(body=b""),
    "over-long": Reply(body=b" " * 65536, endless=True),
}
ENDS: dict[str, type[ModelError]] = {
    "hang": ModelTimeout,
    "half a stream": ModelUnreachable,
    "garbage": ModelError,
    "wrong JSON type": ModelError,
    "wrong tool": ModelError,
    "429": ModelUnreachable,
    "500": ModelUnreachable,
    "disconnect": ModelUnreachable,
    "empty": ModelError,
    "over-long": ModelError,
}


def by_name(body: dict[str, Any]) -> Reply:
    """The prompt says how it is answered."""
    said = body["messages"][-1]["content"]
    return FAULTS.get(said) or chat(said)


async def outcome(model: OpenAIModel, said: str, seconds: float) -> Completion | LookaheadError:
    try:
        return await model((Message(role="user", content=said),), Asking(seconds=seconds))
    except LookaheadError as failed:
        return failed


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_ends_in_its_own_error(endpoint: Endpoint, fault: str):
    endpoint.says(by_name)
    async with OpenAIModel(endpoint.url, "m", pause=0.001, retries=1) as model:
        found = await outcome(model, fault, 0.2 if fault == "hang" else 30.0)
        assert type(found) is ENDS[fault]
        assert isinstance(await outcome(model, "well again", 30.0), Completion)


@pytest.mark.parametrize("seed", [1, 2])
async def test_in_any_mixture_each_call_ends_and_the_good_ones_are_answered(endpoint: Endpoint, seed: int):
    dice = random.Random(seed)
    kinds = [*(fault for fault in FAULTS if fault != "over-long"), *("fine " + str(number) for number in range(9))]
    calls = dice.choices(kinds, k=180)
    endpoint.says(by_name)
    found: dict[int, Completion | LookaheadError] = {}
    async with OpenAIModel(endpoint.url, "m", pause=0.001, retries=1, connections=64) as model:

        async def one(number: int) -> None:
            found[number] = await outcome(model, calls[number], 0.5)

        async with anyio.create_task_group() as group:
            for number in range(len(calls)):
                group.start_soon(one, number)
    for number, said in enumerate(calls):
        ended = found[number]
        if said in FAULTS:
            # Behind others that hang, a call may come to its deadline before its turn.
            assert type(ended) in (ENDS[said], ModelTimeout), said
        else:
            assert isinstance(ended, ModelTimeout) or (isinstance(ended, Completion) and ended.samples[0].text == said)


async def test_a_server_that_changes_its_mind_at_each_request_is_followed_to_the_end(endpoint: Endpoint):
    dice = random.Random(3)
    passing: list[Line] = [FAULTS[name] for name in ("429", "500", "disconnect", "half a stream")]
    for _ in range(20):
        endpoint.says(*dice.choices(passing, k=dice.randrange(4)), chat("there"))
        async with OpenAIModel(endpoint.url, "m", pause=0.0001, retries=3) as model:
            found = await outcome(model, "?", 30.0)
        assert isinstance(found, Completion)
