"""The attacks of `approvals.py`: each has one call approved and says whether something else came through."""

import copy
import json
import os
import random
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import anyio
import anyio.to_thread
from approvals_desk import POLICY, STATE, VALUES, Copy, Desk, with_value

from lookahead.adapters import wrap_function
from lookahead.approval import Request
from lookahead.errors import LookaheadError
from lookahead.functions import ToolFunction
from lookahead.journal import Granted, Journal, Spent
from lookahead.permit import Permit
from lookahead.policy import Policy
from lookahead.session import Session
from lookahead.types import Action, Effect, Observation, State

PAIRS = (
    ("\u00e9", "e\u0301"),
    ("\u00c5", "A\u030a"),
    ("\uac00", "\u1100\u1161"),
    ("\ufb01", "fi"),
    ("\u2126", "\u03a9"),
)


async def altered_value(desk: Desk) -> bool:
    action = desk.call()
    change = desk.chance.choice(list(VALUES.values()))
    other = with_value(action, change)
    if other.digest == action.digest:
        raise AssertionError("this alteration alters nothing")
    desk.approved(action)
    return await desk.runs(other)


async def normal_form(desk: Desk) -> bool:
    one, two = desk.chance.choice(PAIRS)
    if desk.chance.random() < 0.5:
        one, two = two, one
    action = with_value(desk.call(), lambda a: a.update(to=f"{one} {desk.number}"))
    desk.approved(action)
    return await desk.runs(with_value(action, lambda a: a.update(to=f"{two} {desk.number}")))


async def text_of_a_model(desk: Desk) -> bool:
    """Arguments as a model writes them: a duplicate key, NaN, or something that is no object."""
    action = desk.call()
    text = json.dumps(action.arguments)
    kind = desk.chance.randrange(5)
    altered = (
        text[:-1] + ', "amount": 1}',
        text.replace('"urgent": true', '"urgent": NaN'),
        text.replace('"urgent": true', '"urgent": -Infinity'),
        f"[{text}]",
        text.replace('"price"', '"price": 0, "price"', 1),
    )[kind]
    desk.approved(action)
    try:
        return await desk.runs(Action.parse("send", altered))
    except ValueError:
        return False


async def not_a_number(desk: Desk) -> bool:
    """NaN put in past the check, where Python objects are altered in place."""
    action = desk.call()
    desk.approved(action)
    action.arguments["amount"] = desk.chance.choice([float("nan"), float("inf"), 1e400])
    try:
        return await desk.runs(action)
    except ValueError:
        return False


async def other_tool(desk: Desk) -> bool:
    action = desk.call()
    desk.approved(action)
    return await desk.runs(
        action.model_copy(update={"tool": desk.chance.choice(["post", "Send", "send ", "s\u0435nd"])})
    )


async def changed_tool(desk: Desk) -> bool:
    """The tool keeps its name and changes its meaning."""
    action = desk.call()
    desk.approved(action)
    update: dict[str, Any] = desk.chance.choice(
        [
            {"description": "sends money twice"},
            {"parameters": {"type": "object", "properties": {"to": {"const": "me"}}}},
            {"result": {"type": "string"}},
            {"effect": "destroys"},
            {"parameters": {}},
        ]
    )
    tools = tuple(tool.model_copy(update=update) if tool.name == "send" else tool for tool in STATE.tools)
    return await desk.runs(action, STATE.model_copy(update={"tools": tools}))


async def other_state(desk: Desk) -> bool:
    action = desk.call()
    desk.approved(action)
    kind = desk.chance.randrange(4)
    if kind == 0:
        moved = State(goal="something else", tools=STATE.tools)
    elif kind == 1:
        moved = State(goal=STATE.goal, tools=STATE.tools, situation="a page")
    elif kind == 2:
        moved = State(goal=STATE.goal, tools=STATE.tools, domain="terminal")
    else:
        moved = STATE.then(Action(tool="post", arguments={"n": desk.number}), Observation(content="posted"))
    return await desk.runs(action, moved)


async def too_late(desk: Desk) -> bool:
    action = desk.call()
    if desk.chance.random() < 0.5:
        desk.approved(action, lives=600.0, begun=-600.0 - desk.chance.random() * 1e6)
    else:
        # A clock that was set back: nobody knows how old this yes is.
        desk.approved(action, begun=3600.0 + desk.chance.random() * 1e6)
    return await desk.runs(action)


async def used_twice(desk: Desk) -> bool:
    action = desk.call()
    desk.approved(action)
    if not await desk.runs(action):
        raise AssertionError("the first use is good")
    return await desk.runs(action)


async def used_at_the_same_time(desk: Desk) -> bool:
    """From several tasks, or from several threads, each with a loop of its own."""
    action = desk.call()
    desk.approved(action)
    done: list[bool] = []
    if desk.chance.random() < 0.5:

        async def one() -> None:
            done.append(await desk.runs(action))

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(one)
    else:
        with ThreadPoolExecutor(3) as threads:
            futures = [threads.submit(anyio.run, desk.runs, action) for _ in range(3)]
            done = [future.result() for future in futures]
    return sum(done) != 1


async def used_by_two_processes(desk: Desk) -> bool:
    action = desk.call()
    desk.approved(action)
    return await anyio.to_thread.run_sync(_in_two_processes, desk, action)


def _in_two_processes(desk: Desk, action: Action) -> bool:
    children: list[tuple[int, int]] = []
    for _ in range(2):
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            said = b"?"
            try:
                with Journal(desk.journal.path) as journal:
                    said = b"1" if anyio.run(Desk(journal, random.Random()).runs, action, backend="trio") else b"0"
            finally:
                os.write(writing, said)
                os._exit(0)
        os.close(writing)
        children.append((pid, reading))
    said = b""
    for pid, reading in children:
        said += os.read(reading, 1)
        os.close(reading)
        os.waitpid(pid, 0)
    return sorted(said) != sorted(b"01")


async def forged(desk: Desk) -> bool:
    """Papers that look right: an approval of something else under this call's name, or the use of one never given."""
    action, other = desk.call(), desk.call()
    kind = desk.chance.randrange(3)
    if kind == 0:
        real = desk.approved(other)
        binding = real.binding[:-1] + ("0" if real.binding[-1] != "0" else "1")
        desk.journal.append(
            Granted(approval=real.model_copy(update={"id": f"forged-{desk.number}", "binding": binding}))
        )
        return await desk.runs(action)
    if kind == 1:
        desk.approved(other)
        return await desk.runs(action)
    try:
        desk.journal.append(Spent(approval_id=f"never-{desk.number}", call="nobody"))
    except LookaheadError:
        return await desk.runs(action)
    return True


async def answered(desk: Desk, approve: Any, policy: Policy = POLICY) -> tuple[bool, list[Action]]:
    """Ask there and then; what really ran."""
    ran: list[Action] = []

    async def real(state: State, action: Action, /) -> Observation:
        ran.append(copy.deepcopy(action))
        return Observation(content="done")

    action = desk.call()
    wanted = action.digest
    with suppress(LookaheadError, ZeroDivisionError):
        await desk.line(approve, policy).around(real)(STATE, action)
    return any(one.digest != wanted for one in ran), ran


class Yes:
    """Something that is true, and not `True`."""

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


async def not_quite_yes(desk: Desk) -> bool:
    answer = desk.chance.choice([1, "yes", "true", [True], {"ok": True}, Yes(), object(), 1.0, None, 0, "", False])
    kind = desk.chance.randrange(3)

    async def later(request: Request) -> Any:
        await anyio.lowlevel.checkpoint()
        return answer

    def fails(request: Request) -> Any:
        return 1 // 0

    approve = (lambda request: answer, later, fails)[kind]
    _, ran = await answered(desk, approve)
    return bool(ran)


async def yes_too_late(desk: Desk) -> bool:
    hasty = POLICY.model_copy(update={"approval_seconds": 1e-6})

    async def slow(request: Request) -> bool:
        await anyio.sleep(0.002)
        return True

    _, ran = await answered(desk, slow, hasty)
    return bool(ran)


async def altered_while_asked(desk: Desk) -> bool:
    """Whoever answers changes what is asked."""

    def approve(request: Request) -> bool:
        request.decision.proposed.arguments["to"] = "somebody else"
        return True

    altered, _ = await answered(desk, approve)
    return altered


async def altered_by_the_agent(desk: Desk) -> bool:
    """The agent changes its call while a person looks at it: the object it proposed, or a list that it passed."""
    if desk.chance.random() < 0.5:
        action = desk.call()
        ran: list[str] = []
        wanted = action.digest

        async def real(state: State, done: Action, /) -> Observation:
            ran.append(done.digest)
            return Observation()

        def approve(request: Request) -> bool:
            action.arguments["tags"].append("more")  # type: ignore[union-attr]
            return True

        with suppress(LookaheadError):
            await desk.line(approve).around(real)(STATE, action)
        return any(digest != wanted for digest in ran)
    desk.number += 1
    names = [f"name {desk.number}"]
    sent: list[list[str]] = []

    async def send(names: list[str]) -> None:
        sent.append(list(names))

    def look(request: Request) -> bool:
        names.append("me too")
        return True

    tool = ToolFunction.of(send)
    session = Session(line=desk.line(look), state=State(tools=(tool.tool,)))
    with suppress(LookaheadError):
        await wrap_function(tool, session, {"send": tool})(names)
    return bool(sent)


async def other_prospect(desk: Desk) -> bool:
    """The world was changed by somebody else: an exact copy now shows another effect than the one that was approved."""
    action = desk.call()
    world = Copy()
    held = await desk.line(imagine=world).begin(STATE, action)
    [waiting] = [one for one in desk.journal.waiting() if one.call == held.decision.id]
    desk.approved(action, binding=waiting.binding)
    world.effects = desk.chance.choice(
        [
            (Effect(happened="sent", target="money", what="money", after=2, unit="cents"),),
            (Effect(happened="sent", target="money", what="money", after=1, unit="cents"),) * 2,
            (Effect(happened="deleted", target="money", what="money"),),
            (),
        ]
    )
    return await desk.runs(action, imagine=world)


async def asked_for_another(desk: Desk) -> bool:
    """A yes to one call, given while it was asked, does not let the next one through."""
    asked: list[str] = []

    def once(request: Request) -> bool:
        asked.append(request.binding)
        return len(asked) == 1

    line = desk.line(once)
    first = await line.begin(STATE, desk.call())
    if not isinstance(first, Permit):
        raise AssertionError("the first was allowed")
    await line.finish(first, Observation())
    return isinstance(await line.begin(STATE, desk.call()), Permit)


ATTACKS: dict[str, tuple[int, Callable[[Desk], Awaitable[bool]]]] = {
    "an argument altered (29 ways)": (30, altered_value),
    "another Unicode normal form": (8, normal_form),
    "duplicate keys, NaN, no object, in a model's text": (8, text_of_a_model),
    "NaN and infinity put in afterwards": (4, not_a_number),
    "another tool, same arguments": (6, other_tool),
    "the tool's description, schema or effect changed": (6, changed_tool),
    "another state": (8, other_state),
    "expired, or a clock set back": (6, too_late),
    "used twice": (5, used_twice),
    "used at the same time, tasks and threads": (3, used_at_the_same_time),
    "used at the same time, two processes": (1, used_by_two_processes),
    "forged papers": (5, forged),
    "an answer that is not `True`": (6, not_quite_yes),
    "a yes that comes too late": (2, yes_too_late),
    "altered by whoever answers": (3, altered_while_asked),
    "altered by the agent while asked": (4, altered_by_the_agent),
    "a yes to one, then another": (3, asked_for_another),
    "the same call, but a copy shows another effect": (4, other_prospect),
}
