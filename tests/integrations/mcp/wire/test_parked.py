from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest

from lookahead_integrations.mcp.exchange import Call, Json, Question, RpcError
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.testing import ScriptedClient
from lookahead_integrations.mcp.wire.parked import Parking
from lookahead_integrations.mcp.wire.sealing import PREFIX, Sealer

pytestmark = pytest.mark.anyio
ELICIT = Question(method="elicitation/create", params={"message": "sure?"})
SAMPLE = Question(method="sampling/createMessage", params={"messages": []})
YES: Json = {"action": "accept", "content": {"sure": True}}


def person(key: str = "one", **more: Any) -> ScriptedClient:
    capabilities = {"elicitation": {}, "sampling": {}, "roots": {}}
    return ScriptedClient(**{"version": "2026-07-28", "key": key, "capabilities": capabilities, **more})


def use(client: ScriptedClient, method: str = "tools/call", **more: Any) -> Call:
    return client.call(method, name="delete", arguments={"path": "a"}, **more)


def again(call: Call, interim: Json, **more: Any) -> Call:
    """The same call with the state that it was answered."""
    return call.asking(requestState=interim["requestState"], **{"inputResponses": {"sure": YES}, **more})


@asynccontextmanager
async def parking(
    service: Callable[[Call], Awaitable[Json]], *, clock: Any = None, **limits: Any
) -> AsyncIterator[Parking]:
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            sealer = Sealer(clock=clock) if clock is not None else Sealer()
            yield Parking(service=service, tasks=tasks, limits=Limits(**limits), sealer=sealer)
            tasks.cancel_scope.cancel()


async def sure(call: Call) -> Json:
    return {"answers": await call.client.ask({"sure": ELICIT})}


async def test_a_question_is_an_answer_and_the_same_call_again_goes_on_where_it_was() -> None:
    begun: list[Json] = []

    async def service(call: Call) -> Json:
        begun.append(call.params)
        return await sure(call)

    async with parking(service) as parked:
        call = use(person())
        interim = await parked(call)
        assert interim["resultType"] == "input_required"
        assert interim["inputRequests"] == {"sure": {"method": "elicitation/create", "params": {"message": "sure?"}}}
        assert interim["requestState"].startswith(PREFIX)
        assert parked.waiting == 1
        assert await parked(again(call, interim)) == {"answers": {"sure": YES}}
        assert parked.waiting == 0
    assert begun == [call.params]


async def test_questions_one_after_the_other_and_at_once() -> None:
    async def service(call: Call) -> Json:
        first = await call.client.ask({"a": ELICIT, "b": SAMPLE})
        found: list[Json] = [first]

        async def one() -> None:
            found.append(await call.client.ask({"a": ELICIT}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one)
            tasks.start_soon(one)
        return {"found": found}

    async with parking(service) as parked:
        call = use(person())
        interim = await parked(call)
        assert set(interim["inputRequests"]) == {"a", "b"}
        # As given, whether or not it is all.
        interim = await parked(again(call, interim, inputResponses={"b": {"b": 1}, "unknown": {}}))
        given: Json = {}
        while interim.get("resultType") == "input_required":
            given |= {name: {"said": name} for name in interim["inputRequests"]}
            interim = await parked(again(call, interim, inputResponses=given))
    assert set(given) == {"a", "a-2"}
    first, *rest = interim["found"]
    assert first == {"b": {"b": 1}}
    assert sorted(one["a"]["said"] for one in rest) == ["a", "a-2"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (lambda call, state: use(person("two"), requestState=state), "another call"),
        (lambda call, state: use(person(), "prompts/get", requestState=state), "another call"),
        (lambda call, state: call.asking(arguments={"path": "b"}, requestState=state), "another call"),
        (lambda call, state: call.asking(requestState=state[:-2] + ("AA" if state[-2:] != "AA" else "BB")), "altered"),
        (lambda call, state: call.asking(requestState=state + "="), "altered"),
        (lambda call, state: call.asking(requestState=state.replace("la1.", "xx1.")), "not one of ours"),
        (lambda call, state: call.asking(requestState="la1."), "altered"),
        (lambda call, state: call.asking(requestState="la1." + "A" * 100_000), "not one of ours"),
        (lambda call, state: call.asking(requestState="la1.ü"), "altered"),
        (lambda call, state: call.asking(requestState=None), "not one of ours"),
        (lambda call, state: call.asking(requestState={"a": 1}), "not one of ours"),
    ],
)
async def test_a_state_opens_only_the_call_that_it_was_given_for(other: Any, why: str) -> None:
    async with parking(sure) as parked:
        call = use(person())
        interim = await parked(call)
        with pytest.raises(RpcError, match=why) as error:
            await parked(other(call, interim["requestState"]).asking(inputResponses={"sure": YES}))
        assert error.value.code == -32602
        # Who has it still can go on.
        assert await parked(again(call, interim)) == {"answers": {"sure": YES}}


async def test_a_state_is_used_once() -> None:
    async with parking(sure) as parked:
        call = use(person())
        interim = await parked(call)
        await parked(again(call, interim))
        with pytest.raises(RpcError, match="nothing waits"):
            await parked(again(call, interim))

    async def twice(call: Call) -> Json:
        await call.client.ask({"sure": ELICIT})
        return await sure(call)

    async with parking(twice) as parked:
        call = use(person())
        first = await parked(call)
        await parked(again(call, first))
        with pytest.raises(RpcError, match="used before"):
            await parked(again(call, first))


async def test_a_state_of_another_process_or_an_old_one_is_refused() -> None:
    now = [1000.0]
    async with parking(sure, clock=lambda: now[0]) as parked:
        call = use(person())
        interim = await parked(call)
        now[0] += 301
        with pytest.raises(RpcError, match="expired"):
            await parked(again(call, interim))
    async with parking(sure) as parked:
        with pytest.raises(RpcError, match="altered"):
            await parked(again(call, interim))


async def test_meta_and_answers_may_differ_between_a_call_and_its_repetition() -> None:
    async with parking(sure) as parked:
        call = use(person(), _meta={"progressToken": 1})
        interim = await parked(call)
        assert await parked(again(call, interim, _meta={"progressToken": 2}))


async def test_what_is_told_goes_to_the_request_that_waits_now_under_its_token() -> None:
    async def service(call: Call) -> Json:
        progress = {"progressToken": "first", "progress": 1}
        await call.client.tell("notifications/progress", progress)
        await call.client.ask({"sure": ELICIT})
        await call.client.tell("notifications/progress", progress)
        await call.client.tell("notifications/message", {"data": 1})
        return {}

    async with parking(service) as parked:
        one, two = person(), person()
        call = use(one, _meta={"progressToken": "first"})
        interim = await parked(call)
        await parked(replace(again(call, interim, _meta={"progressToken": "second"}), client=two))
    assert one.told == [("notifications/progress", {"progressToken": "first", "progress": 1})]
    assert two.told == [
        ("notifications/progress", {"progressToken": "second", "progress": 1}),
        ("notifications/message", {"data": 1}),
    ]


async def test_nobody_answers_in_time_and_the_call_hears_of_it_and_ends() -> None:
    ended: list[str] = []

    async def service(call: Call) -> Json:
        try:
            await call.client.ask({"sure": ELICIT})
        except TimeoutError:
            ended.append("nobody")
        return {}

    async with parking(service, patience=0.05) as parked:
        call = use(person())
        interim = await parked(call)
        while not ended:
            await anyio.lowlevel.checkpoint()
        assert parked.waiting == 0
        with pytest.raises(RpcError):
            await parked(again(call, interim))


async def test_who_gives_up_a_call_cancels_it_also_when_it_was_parked_before() -> None:
    given_up: list[str] = []

    async def service(call: Call) -> Json:
        await call.client.ask({"sure": ELICIT})
        try:
            await anyio.sleep_forever()
        finally:
            given_up.append("it")
        return {}

    async with parking(service) as parked:
        call = use(person())
        interim = await parked(call)
        with anyio.move_on_after(0.05):
            await parked(again(call, interim))
        await anyio.wait_all_tasks_blocked()
        assert given_up == ["it"]
        assert parked.waiting == 0


async def test_the_end_of_a_conversation_is_the_end_of_what_waits_in_it() -> None:
    async with parking(sure) as parked:
        mine, others = use(person("mine")), use(person("others"))
        interim, kept = await parked(mine), await parked(others)
        parked.forget("mine")
        await anyio.wait_all_tasks_blocked()
        assert parked.waiting == 1
        with pytest.raises(RpcError):
            await parked(again(mine, interim))
        assert await parked(again(others, kept))


async def test_so_many_calls_wait_and_no_more() -> None:
    async with parking(sure, parked=3) as parked:
        for number in range(3):
            assert (await parked(use(person(str(number)))))["resultType"] == "input_required"
        with pytest.raises(RpcError, match="3 calls wait"):
            await parked(use(person("more")))
        assert parked.waiting == 3


@pytest.mark.parametrize(
    ("capabilities", "question", "asked"),
    [
        ({"elicitation": {}}, ELICIT, True),
        ({"elicitation": {"form": {}}}, ELICIT, True),
        ({"elicitation": {"url": {}}}, ELICIT, False),
        ({"elicitation": {}}, replace(ELICIT, params={"mode": "url"}), False),
        ({"elicitation": {"url": {}}}, replace(ELICIT, params={"mode": "url"}), True),
        ({"sampling": {}}, ELICIT, False),
        ({"roots": None, "elicitation": {}}, Question(method="roots/list"), False),
        ({"roots": {}}, Question(method="roots/list"), True),
        ({"elicitation": {}}, Question(method="x/unknown"), False),
    ],
)
async def test_a_client_is_asked_what_it_declared_and_nothing_else(
    capabilities: Json, question: Question, asked: bool
) -> None:
    async def service(call: Call) -> Json:
        return await call.client.ask({"sure": question})

    async with parking(service) as parked:
        call = use(person(capabilities=capabilities))
        if asked:
            assert (await parked(call))["resultType"] == "input_required"
        else:
            with pytest.raises(RpcError) as error:
                await parked(call)
            assert error.value.code == -32021


async def test_a_call_that_may_not_be_answered_with_questions_is_not() -> None:
    async def service(call: Call) -> Json:
        return {"params": call.params, "same": call.client is client}

    client = person()
    async with parking(service) as parked:
        assert (await parked(use(client, "tools/list")))["same"]
        assert (await parked(replace(use(client), notice=True)))["same"]


async def test_a_call_that_ends_without_the_answer_keeps_its_result_for_who_comes_back_with_it() -> None:
    async def service(call: Call) -> Json:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call.client.ask, {"sure": ELICIT})
            await asked.wait()
            tasks.cancel_scope.cancel()
        return {"done": True}

    asked = anyio.Event()
    async with parking(service) as parked:
        call = use(person())
        interim = await parked(call)
        asked.set()
        await anyio.wait_all_tasks_blocked()
        assert await parked(again(call, interim)) == {"done": True}
        assert parked.waiting == 0
        with pytest.raises(RpcError, match="nothing waits"):
            await parked(again(call, interim))

    async with parking(service, patience=0.05) as parked:
        interim = await parked(call)
        await anyio.wait_all_tasks_blocked()
        while parked.waiting:
            await anyio.lowlevel.checkpoint()


async def test_an_error_of_the_call_is_its_answer_at_whichever_request_it_comes() -> None:
    async def service(call: Call) -> Json:
        if not (await call.client.ask({"sure": ELICIT})):
            raise RpcError(-5, "no")
        raise ValueError

    async with parking(service) as parked:
        call = use(person())
        with pytest.raises(RpcError, match="no"):
            await parked(again(call, await parked(call), inputResponses=None))
        with pytest.raises(ValueError):  # noqa: PT011
            await parked(again(call, await parked(call)))
        with pytest.raises(RpcError, match="is an object"):
            await parked(again(call, await parked(call), inputResponses=[1]))
