"""A line on a journal on disk with many calls under way at once, stepped from outside.

Each call stops at gates (in the world, the critic, the approver, the tool) that are opened one at a time, so that what
runs beside what is chosen, not left to chance. What the model in `line_model` does not allow is a `Violation`.
"""

import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from time import time
from typing import Any

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from line_model import (
    FUNCTIONS,
    MILD,
    TOOLS,
    Call,
    Copy,
    ExactCopy,
    Rules,
    Violation,
    approve,
    critic,
    current,
    propose,
)

from lookahead.act import Line
from lookahead.adapters import wrap_function
from lookahead.approval import binding_of
from lookahead.budget import Budget, Meter
from lookahead.canonical import canonical, digest_of
from lookahead.errors import LookaheadError
from lookahead.guard import Guard
from lookahead.journal import Approval, Granted, InDoubt, Journal, Resolved, owner
from lookahead.planner import Planner
from lookahead.search import BestOf
from lookahead.session import Session
from lookahead.types import Action, Observation, State

NOTHING = digest_of(canonical([False, []]))
"""What an exact copy showed that nothing would happen in."""
SETTLED = ("resulted", "running")
PLACE = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())

_portal: list[BlockingPortal] = []
_stack = ExitStack()


def portal(backend: str = "asyncio") -> BlockingPortal:
    """One event loop in a thread, for all machines of this process."""
    if not _portal:
        _portal.append(_stack.enter_context(start_blocking_portal(backend)))
    return _portal[0]


def _is_that(call: Call, doubt: InDoubt) -> bool:
    named = doubt.action.tool == MILD or call.action.call_id == doubt.call_id
    return named and call.ran == [doubt.action_digest]


def close_portal() -> None:
    _portal.clear()
    _stack.close()


class Rig:
    """A line on a journal on disk, all calls under way, and what is known of them independently."""

    def __init__(self, portal: BlockingPortal) -> None:
        self.portal = portal
        self.folder = Path(tempfile.mkdtemp(prefix="lookahead-machine-", dir=PLACE))
        self.path = self.folder / "journal.db"
        self.steps = 0
        self.epoch = 0
        self.calls: list[Call] = []
        self.live: list[Call] = []
        self.claimed: set[str] = set()
        self.spent: set[str] = set()
        self.grants: dict[str, str] = {}
        self.refused: list[tuple[Action, State]] = []
        self.count: Counter[str] = Counter()
        self.rules = Rules({}, None, False, False, False, False, True, None)
        self.state = State(tools=TOOLS)
        self.opened()

    def opened(self) -> None:
        """A process of its own begins: nobody else with its name is running."""
        self.epoch += 1
        mine = owner.Owner(pid=10_000_000 + self.epoch, token=f"life {id(self)} {self.epoch}", boot=owner.me().boot)
        mine = mine.model_copy(update={"namespace": owner.me().namespace})
        owner._owner = lambda pid: mine  # pyright: ignore
        self.journal = Journal(self.path)
        self.raw = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self.told(self.rules)

    def told(self, rules: Rules) -> None:
        """A new line, on the same journal and in the same run."""
        self.rules = rules
        line = Line(
            planner=Planner(
                imagine=ExactCopy() if rules.exact else Copy(),
                judge=critic,
                text=critic,
                propose=propose,
                **({"search": BestOf(2)} if rules.swap else {}),
            ),
            guard=Guard(policy=rules.policy()),
            journal=self.journal,
            meter=Meter(budget=Budget(run_calls=rules.budget)),
            run="machine",
            mode="dry-run" if rules.dry_run else "guard",
            approve=approve,
        )
        self.session = Session(line=line, state=self.state)

    def propose(
        self, tool: str, words: list[str], fates: dict[str, str], stops: frozenset[str], name: str | None
    ) -> None:
        action = Action(tool=tool, arguments={"words": list(words)}, call_id=name)
        call = Call(
            rig=self, action=action, rules=self.rules, fates=fates, stops=stops, epoch=self.epoch,
            state=self.session.state, digest=action.digest, words=list(words),
            doubtful=any(other.status == "doubt" and other.ran == [action.digest] for other in self.calls),
        )  # fmt: skip
        self.calls.append(call)
        self.live.append(call)
        self.portal.start_task_soon(self._walk, call, self.session, name is None)
        self.settle()

    async def _walk(self, call: Call, session: Session, as_function: bool) -> None:
        """One call on its way along the line, to its end."""
        current.set(call)
        try:
            with anyio.CancelScope() as call.scope:
                if as_function:
                    guarded = wrap_function(FUNCTIONS[call.action.tool], session, FUNCTIONS)
                    await guarded(call.words)
                else:
                    await session.line.around(self._really)(call.state, call.action)
        except (LookaheadError, ConnectionError, BrokenPipeError):
            pass
        except Exception as error:
            # A violation, or something that neither the line nor this machine should ever raise.
            self.count[f"violation: {type(error).__name__}: {error}"] += 1
        finally:
            call.done = True
            self.changed.set()

    async def _really(self, state: State, action: Action, /) -> Observation:
        return Observation(content=await self.happens(action))

    async def happens(self, action: Action) -> str:
        """The real effect. Whether it may be is worked out anew here, from what the call met on its way."""
        call = current.get()
        call.ran.append(action.digest)
        self._may(call, action)
        call.status = "running"
        self.count["done"] += 1
        try:
            fate = await call.at("tool")
        except BaseException:
            call.status = "doubt"
            raise
        call.status = "resulted"
        if fate == "raises":
            raise BrokenPipeError("the tool failed")
        return "done"

    def _may(self, call: Call, action: Action) -> None:
        if call.epoch != self.epoch:
            raise Violation("it ran after its process had ended")
        if len(call.ran) != 1:
            raise Violation("it ran twice on one permit")
        if action.tool == MILD:
            if not call.rules.swap or call.rules.rival_is_bad or call.rules.rules.get(MILD) in ("ask", "deny"):
                raise Violation("a rival ran that was not allowed")
            if any(other.status == "doubt" and other.ran == [action.digest] for other in self.calls):
                raise Violation("a rival ran again that is in doubt")
        elif action.digest != call.digest:
            raise Violation("another call ran than the one that was judged")
        needs = call.needs()
        if needs == "never":
            raise Violation(f"what is denied ran: {call.rules}")
        yes = call.met.get("approver") == "yes"
        intent = self._intent(action, call, needs)
        if needs == "yes" and action.tool != MILD and not yes and not self._granted(call, intent):
            raise Violation(f"what needs a yes ran without: {call.met}")
        if call.action.call_id is not None and call.effect != "reads":
            for other in self.calls:
                same = other.action.call_id == call.action.call_id and other.digest == call.digest
                if other is not call and same and other.status in SETTLED and action.tool != MILD:
                    raise Violation(f"a call with a name ran again: the first one is {other.status}")

    def _intent(self, action: Action, call: Call, needs: str) -> str | None:
        """The journal's name for this call: its intent must be on disk before it runs."""
        if call.effect == "reads" and action.tool != MILD and needs == "nothing":
            # What only reads, and needed nobody's leave, writes its intent together with its result.
            return None
        found = self.raw.execute("SELECT call FROM open WHERE key = ?", (action.digest,)).fetchall()
        mine = [name for (name,) in found if name not in self.claimed]
        if not mine:
            raise Violation("it ran with no intent on record")
        self.claimed.add(mine[-1])
        call.recorded = True
        return mine[-1]

    def _granted(self, call: Call, intent: str | None) -> bool:
        """Whether it ran on an approval that a person gave before: to this call, in this state, and never used."""
        tool = call.state.tool(call.action.tool)
        proposed = Action(tool=call.action.tool, arguments={"words": self._first(call)})
        shown = call.met.get("world") == "answers" and call.rules.exact
        binding = binding_of(proposed, tool, call.state.digest, NOTHING if shown else "")
        approval = self.grants.get(binding)
        used = self.raw.execute("SELECT key FROM rows WHERE kind = 'spent' AND key = ?", (approval,)).fetchone()
        # What only reads may be done again, so nobody need be asked anew about one that was cut off.
        asked_anew = call.doubtful and call.effect != "reads"
        if approval is None or used is None or approval in self.spent or asked_anew:
            return False
        self.spent.add(approval)
        return True

    def _first(self, call: Call) -> list[Any]:
        """The words as they were proposed, whatever was done to them since."""
        return [word for word in call.words if word != "altered"]

    def release(self, which: int) -> None:
        parked = [call for call in self.live if call.parked]
        gate = parked[which % len(parked)].gate
        assert gate is not None
        parked[which % len(parked)].parked = None
        self.portal.call(gate.set)
        self.settle()

    def cancel(self, which: int) -> None:
        call = self.live[which % len(self.live)]
        call.cut = True
        self.portal.call(self._cut, call)
        self.settle()

    async def _cut(self, call: Call) -> None:
        assert call.scope is not None
        call.parked = None
        call.scope.cancel()

    def alter(self, which: int) -> None:
        """Somebody changes the arguments while the call is being judged."""
        call = self.live[which % len(self.live)]
        call.altered = True
        call.words.append("altered")
        words = call.action.arguments["words"]
        assert isinstance(words, list)
        words.append("altered")

    def restart(self, *, crash: bool) -> None:
        """The process ends, after everything was cut off; in a crash nothing can be written any more."""
        if crash:
            self.journal.close()
        for call in self.live:
            call.cut = True
            if crash and call.parked == "tool" and not call.recorded:
                # A read writes its intent with its result, so nothing is known of it.
                call.fates["crashed"] = "unknown"
        for call in list(self.live):
            self.portal.call(self._cut, call)
        self.settle()
        for call in self.calls:
            if call.status == "doubt" and "crashed" in call.fates and call.ran == [call.digest]:
                call.status = "forgotten"
        self.journal.close()
        self.raw.close()
        self.state = self.session.state
        self.opened()
        self.check()

    def grant(self, which: int) -> None:
        """A person allows one of the refused calls by a command, afterwards."""
        waiting = self.journal.waiting()
        if waiting:
            decided = waiting[which % len(waiting)]
            assert decided.binding is not None
            name = f"grant-{self.steps}-{len(self.grants)}"
            now = time()
            approval = Approval(
                id=name, binding=decided.binding, granted_at=now, expires_at=now + 600, by="machine", seen=""
            )
            self.journal.append(Granted(approval=approval))
            self.grants[decided.binding] = name
        self.steps += 1

    def again(self, which: int, fates: dict[str, str], stops: frozenset[str]) -> None:
        """Propose a call that was proposed before."""
        old = self.calls[which % len(self.calls)]
        self.propose(old.action.tool, self._first(old), fates, stops, old.action.call_id)

    def resolve(self, which: int, happened: bool) -> None:
        doubts = self.journal.in_doubt()
        if doubts:
            doubt = doubts[which % len(doubts)]
            call = next(one for one in self.calls if one.status == "doubt" and _is_that(one, doubt))
            self.journal.append(Resolved(call=doubt.call, happened=happened, by="machine"))
            call.status = "resulted" if happened else "did not happen"

    def settle(self) -> None:
        """Wait until every call stands at a gate or has ended."""
        self.steps += 1
        self.portal.call(self._settled)
        for call in [call for call in self.live if call.done]:
            self.live.remove(call)
            free = call.needs() == "nothing" and not call.cut and not call.altered and call.action.call_id is None
            if free and not call.ran and not call.rules.swap:
                raise Violation(f"nothing stood against it, and it did not run: {call.met} {call.rules}")
        if wrong := [what for what in self.count if what.startswith("violation")]:
            raise Violation("; ".join(wrong))

    async def _settled(self) -> None:
        while any(not call.done and call.parked is None for call in self.live):
            self.changed = anyio.Event()
            if any(not call.done and call.parked is None for call in self.live):
                await self.changed.wait()

    changed: anyio.Event = anyio.Event()

    def check(self) -> None:
        """What is in doubt is listed, and nothing else."""
        listed = Counter(doubt.action_digest for doubt in self.journal.in_doubt())
        expected = Counter(call.ran[0] for call in self.calls if call.status == "doubt")
        if listed != expected:
            raise Violation(f"in doubt are {expected}, and listed are {listed}")

    def close(self) -> None:
        """The end: whatever is still under way is cut off, and what is on record is read once more."""
        try:
            self.restart(crash=True)
            verified = self.journal.verify()
            if not verified.ok:
                raise Violation(f"the chain is broken: {verified.why}")
        finally:
            self.abandon()

    def abandon(self) -> None:
        """After a violation nothing more is looked at."""
        for call in list(self.live):
            self.portal.call(self._cut, call)
        self.portal.call(self._settled)
        self.journal.close()
        self.raw.close()
        shutil.rmtree(self.folder)
