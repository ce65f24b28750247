"""Act and record: the only place where an action becomes real, with its intent on disk before and its result after."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic, perf_counter
from typing import Final, cast

import anyio
import anyio.to_thread

from lookahead.approval import Approve, binding_of, prospect_of
from lookahead.budget import Experience, Meter
from lookahead.errors import PermitError
from lookahead.events import Acted, Decided, Watch, acting, thinking_over
from lookahead.guard import Guard, at_once
from lookahead.held import Consent, Held
from lookahead.journal import Entry, Intended, Interrupted, Journal, Resulted, Written
from lookahead.ledger import agree
from lookahead.pen import Pen
from lookahead.permit import Answer, Permit, named, refused, with_notice
from lookahead.planner import Outcome, Planner
from lookahead.policy import Ruling
from lookahead.portal import beside, ready, wait
from lookahead.refusal import first_imagined, how
from lookahead.screen import EffectOf, Screen
from lookahead.search import Preview
from lookahead.search.thinking import name_of
from lookahead.settings import Mode
from lookahead.shadow import Foresight, Shadow, would
from lookahead.types import GUARD, Action, Copying, Decision, Environment, Observation, State

log: Final = logging.getLogger("lookahead")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One agent's way from proposal to record."""

    planner: Planner
    guard: Guard
    journal: Journal
    meter: Meter
    run: str
    mode: Mode = "guard"
    approve: Approve | None = None
    effect_of: EffectOf = lambda action, tool: None
    """What the text of a call says it could do: proves that a shell or SQL call only reads, or that it destroys."""
    watch: Watch = lambda event: None
    experience: Experience = field(default_factory=Experience)
    screen: Screen = field(init=False)
    shadow: Shadow = field(init=False)
    pen: Pen = field(init=False)
    consent: Consent = field(init=False)
    copying: bool = field(init=False)
    """Whether the world answers from copies, which have to be taken before the real thing changes."""

    def __post_init__(self) -> None:
        screen = Screen(guard=self.guard, journal=self.journal, run=self.run, effect_of=self.effect_of)
        object.__setattr__(self, "screen", screen)
        object.__setattr__(self, "shadow", Shadow(guard=self.guard, journal=self.journal, run=self.run))
        object.__setattr__(self, "pen", Pen(journal=self.journal))
        consent = Consent(journal=self.journal, policy=self.guard.policy, dry_run=self.mode == "dry-run")
        object.__setattr__(self, "consent", consent)
        object.__setattr__(self, "copying", isinstance(self.planner.imagine, Copying))

    def around(self, real: Environment) -> Environment:
        """The same environment, in which nothing happens that was not imagined and judged first."""

        async def act(state: State, action: Action, /) -> Observation:
            begun = await self.begin(state, action)
            if isinstance(begun, Answer):
                return begun.observation
            return await self.through(begun, state, real)

        return act

    def begin_here(self, state: State, action: Action) -> Permit | Answer:
        """The same from a thread without an event loop: it waits for one only where something is imagined or asked."""
        return ready(self.begin(state, action, here=True))

    async def begin(self, state: State, action: Action, *, here: bool = False) -> Permit | Answer:
        """Everything before the act. When this returns a permit, the intent is on disk (reads excepted)."""
        held = await self.judge(state, action, here=here)
        if isinstance(held, Answer):
            return held
        if held.may_be_approved:
            held = await wait(here, self.approved, held)
        return await self.release(held, here=here)

    async def hold(self, state: State, action: Action, *, here: bool = False) -> Held | Answer:
        """Judged and not begun, with a yes where one was given, or can be had from whoever is there to be asked.

        An agent that calls several tools at once has all of them held before any of them begins, so that a question
        about one does not come when its sibling has run. One that was kept is found again, and not imagined anew.
        """
        held = await self.judge(state, action, here=here, again=True)
        if isinstance(held, Held) and held.may_be_approved:
            held = await wait(here, self.approved, held)
        if isinstance(held, Held) and held.decision.chosen is not None:
            self.pen.expected.add(held.decision.id)
        return held

    async def keep(self, *held: Held, here: bool = False) -> tuple[Held, ...]:
        """Put them on record while somebody who is asked elsewhere takes time to answer."""
        entries = [entry for one in held for entry in one.entry(self.run)]
        if entries:
            await self._write(here, *entries)
        return tuple(replace(one, written=True) for one in held)

    async def answered(self, held: Held, *, by: str) -> Held:
        """With the yes of whom the host has asked."""
        return await self.still_so(held, self.consent.answered(held, by=by))

    async def judge(self, state: State, action: Action, *, here: bool = False, again: bool = False) -> Held | Answer:
        """Imagined and judged; nothing is written yet, and nobody was asked."""
        # A copy of our own: whoever holds the original could change it while it is being judged.
        action = Action(tool=action.tool, arguments=action.arguments, call_id=action.call_id)
        judged = action.digest
        tool = state.tool(action.tool)
        ruling = self.screen.ruling(action, tool)
        if self.mode == "shadow":
            decision = at_once(state, action, "run", "shadow", "shadow mode watches, and holds nothing up")
            return Held(state=state, action=action, digest=judged, tool=tool, ruling=ruling, decision=decision)
        known = self.screen.known(action)
        if known and (recorded := self.screen.recorded(state, action, ruling, judged)):
            return recorded
        decision = self.screen.screened(state, action, ruling, judged)
        if known and again and (decision is None or decision.choice == "ask"):
            draft = at_once(state, action, "ask", "", "")
            held = Held(state=state, action=action, digest=judged, tool=tool, ruling=ruling, decision=draft)
            if kept := self.consent.found(held, self.run):
                return kept
        if decision and decision.rule == "reads" and ruling.rule != "allow" and await self.planner.warns(state, action):
            decision = None
        decision = decision or await wait(here, self._considered, state, action, ruling)
        decision = self.screen.unrepeated(state, decision)
        if decision.proposed.digest != judged:
            raise PermitError(f"call {decision.id} was changed while it was being judged; propose it again")
        # What runs needs no yes, and what a yes would be good for takes a while to work out.
        binding = "" if decision.choice == "run" else binding_of(action, tool, state.digest, prospect_of(decision))
        return Held(
            state=state, action=action, digest=judged, tool=tool, ruling=ruling, decision=decision, binding=binding
        )

    async def approved(self, held: Held) -> Held:
        """With a yes that was given before, or is given now by whoever is there to be asked."""
        given = await self.consent.given(held, self.approve)
        if given.papers and self.approve is not None:
            given = await self.still_so(held, given)
        if given.decision.proposed.digest != held.digest:
            raise PermitError(f"call {held.decision.id} was changed while it was being approved; propose it again")
        return given

    async def still_so(self, held: Held, allowed: Held) -> Held:
        """A person takes time to answer. The yes holds while a copy still shows what the person was shown."""
        seen = prospect_of(held.decision)
        if not self.copying or not seen:
            return allowed
        if prospect_of(await self._considered(held.state, held.action, held.ruling)) == seen:
            return allowed
        reason = "the world changed while the question was open, so the answer was to another one"
        changed = {"choice": "ask", "chosen": None, "rule": "changed", "reason": reason}
        return replace(held, decision=allowed.decision.model_copy(update=changed))

    async def release(self, held: Held, *, here: bool = False) -> Permit | Answer:
        """What was judged becomes a permit, with its intent on disk, or an answer without anything being done."""
        if self.mode == "shadow":
            return await wait(here, self._shadowed, held)
        decision = held.decision
        self.watch(Decided(decision=decision, run=self.run))
        entry = held.entry(self.run)
        if decision.chosen is None:
            if entry:
                await self._write(here, *entry)
            return Answer(
                observation=refused(decision, how(decision, self.journal.path, dry_run=self.mode == "dry-run")),
                decision=decision,
            )
        if self.mode == "dry-run":
            await self._write(here, *entry)
            return await wait(here, self._imagined, held.state, decision)
        return await self._permitted(held.state, decision, (*entry, *held.papers), held, here=here)

    async def _shadowed(self, held: Held) -> Permit:
        """Never hold up. A copy of reality has to be asked before reality changes; a model is asked beside it."""
        state, action, ruling, decision = held.state, held.action, held.ruling, held.decision
        foresight: Foresight | None = None
        if ruling.effect != "reads" and self.copying:
            judged = await self._considered(state, action, ruling)
            decision = decision.model_copy(
                update={"considered": judged.considered, "cost": judged.cost, "notes": (*judged.notes, would(judged))}
            )
        elif ruling.effect != "reads" and self.planner.imagine is not None:
            foresight = self.shadow.enter(state, action, ruling, decision.id)
        self.watch(Decided(decision=decision, run=self.run))
        entry = replace(held, decision=decision).entry(self.run)
        permit = await self._permitted(state, decision, entry, held)
        if foresight is not None:
            permit.foresight = foresight
            # From a thread: a trio loop may not wait for another one.
            await anyio.to_thread.run_sync(beside().start, self._foresee, foresight)
        return permit

    async def _foresee(self, foresight: Foresight) -> None:
        outcome: Outcome | None = None
        state, action = foresight.state, foresight.action
        try:
            with thinking_over(self.watch, self.run, action) as decided:
                outcome = await self.planner.consider(state, action, meter=self.meter, watch=self.watch)
                decided(self.guard.decide(state, action, foresight.ruling, outcome))
        finally:
            await anyio.to_thread.run_sync(foresight.imagined, outcome)

    async def through(self, permit: Permit, state: State, real: Environment) -> Observation:
        """Do it for real, once, and write down what came of it."""
        try:
            with acting(self.watch, self.run, permit.decision, permit.action):
                observation = await real(state, permit.take(permit.action))
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await self.failed(permit, error)
            raise
        with anyio.CancelScope(shield=True):
            observation = await self.finish(permit, observation)
        return observation

    async def finish(self, permit: Permit, observation: Observation) -> Observation:
        """The result, after the act. A swapped call says so; any other answer is passed on untouched."""
        try:
            await self.pen.write(*self._ended(permit, observation))
        except Exception:
            self._unrecorded(permit)
        finally:
            self.pen.expected.discard(permit.call)
        self._told(permit, observation)
        return with_notice(permit.decision, observation)

    def finish_here(self, permit: Permit, observation: Observation) -> None:
        """The same from a thread without an event loop."""
        try:
            self.journal.append(*self._ended(permit, observation))
        except Exception:
            self._unrecorded(permit)
        finally:
            self.pen.expected.discard(permit.call)
        self._told(permit, observation)

    def finish_soon(self, permit: Permit, observation: Observation) -> Callable[[], Written]:
        """The same for a host that answers first: what it calls then leaves the record to whatever is written next."""
        entries = self._ended(permit, observation)
        self.pen.expected.discard(permit.call)
        self._told(permit, observation)
        return lambda: self.journal.leave(*entries)

    def _ended(self, permit: Permit, observation: Observation) -> tuple[Entry, ...]:
        seconds = perf_counter() - permit.started
        imagined = first_imagined(permit.decision, permit.action)
        agreement = agree(imagined, observation) if imagined else None
        permit.foretold = imagined if agreement is not None and agreement.agreed else None
        result = Resulted(
            run=self.run,
            call=permit.call,
            tool=permit.action.tool,
            observation=observation,
            seconds=seconds,
            agreement=agreement,
            world=imagined.origin.world if imagined else None,
        )
        return (*permit.unwritten, result)

    def _told(self, permit: Permit, observation: Observation) -> None:
        """After the record: what only looks on must not come between an act and its result."""
        try:
            self.watch(Acted(action=permit.action, observation=observation, decision=permit.decision))
            if permit.foresight is not None:
                permit.foresight.happened(observation)
        except Exception:
            log.exception("whoever watches call %s failed", permit.call)

    def _unrecorded(self, permit: Permit) -> None:
        """Called while the error is being handled. A read is not answered without a record: nothing is lost by that."""
        if permit.unwritten:
            raise
        # It has happened. To withhold its answer would only make the agent do it again.
        log.exception("call %s was done, but its result could not be recorded: it is in doubt", permit.call)

    async def failed(self, permit: Permit, error: BaseException) -> None:
        """The act raised. An ordinary exception is its result; being cut off leaves it in doubt.

        Raises nothing: the error that the agent should see is the one that it is told of here.
        """
        try:
            if permit.foresight is not None and not (permit.taken and isinstance(error, Exception)):
                permit.foresight.happened(None)
            if not permit.taken:
                said = Observation(content=f"not started: {named(error)}", failed=True, origin=GUARD)
                ended = Resulted(run=self.run, call=permit.call, tool=permit.action.tool, observation=said)
                await self.pen.write(*permit.unwritten, ended)
            elif isinstance(error, Exception):
                await self.finish(permit, Observation(content=named(error), failed=True))
            else:
                await self.pen.write(*permit.unwritten, Interrupted(run=self.run, call=permit.call, why=named(error)))
        except Exception:
            log.exception("what became of call %s could not be recorded", permit.call)
        finally:
            self.pen.expected.discard(permit.call)

    async def _considered(self, state: State, action: Action, ruling: Ruling) -> Decision:
        world = self.planner.imagine
        depth = None
        if world is not None and self.planner.search.calls > 1:
            depth = self.guard.depth(action.tool, ruling.effect, name_of(world), exact=self.copying)
        planner = self.planner
        if ruling.rule == "allow":
            # Allowed by the spelling of an argument: nothing is imagined, but the rules on text still speak.
            planner = Planner(imagine=None, judge=planner.text, text=planner.text)
        search = Preview() if ruling.effect == "reads" or ruling.rule == "allow" else None
        with thinking_over(self.watch, self.run, action) as decided:
            try:
                outcome = await planner.consider(
                    state,
                    action,
                    meter=self.meter,
                    depth=depth,
                    spare=not self.copying and ruling.effect != "destroys",
                    forecast=None if self.copying else self.experience.of(action.tool),
                    search=search,
                    watch=self.watch,
                )
            finally:
                if self.copying and self.mode != "dry-run":
                    with anyio.CancelScope(shield=True):
                        await cast(Copying, world).discard()
            if not self.copying and planner is self.planner:
                self.experience.learn(action.tool, outcome.cost)
            return decided(self.guard.decide(state, action, ruling, outcome))

    async def _permitted(
        self, state: State, decision: Decision, entries: tuple[Entry, ...], held: Held, *, here: bool = False
    ) -> Permit:
        assert decision.chosen is not None
        action = decision.chosen
        tool, digest = state.tool(action.tool), action.digest
        # A rival that was put in the place of the proposed action is under its own ruling.
        effect = held.ruling.effect if decision.choice != "swap" else self.screen.ruling(action, tool).effect
        intent = Intended(
            run=self.run,
            call=decision.id,
            action=action,
            action_digest=digest,
            tool_digest=tool.digest if tool else "",
            effect=effect,
            call_id=action.call_id,
        )
        late = effect == "reads" and not held.papers
        self.pen.expected.add(decision.id)
        if not late:
            await self._write(here, *entries, intent, unless=lambda: self._never(decision.id, action))
        return Permit(
            call=decision.id,
            decision=decision,
            action=action,
            digest=digest,
            tool=tool,
            effect=effect,
            expires=monotonic() + self.guard.policy.approval_seconds,
            unwritten=(*entries, intent) if late else (),
        )

    def _never(self, call: str, action: Action) -> Resulted:
        said = Observation(content="not begun: whoever wanted it was cancelled", failed=True, origin=GUARD)
        return Resulted(run=self.run, call=call, tool=action.tool, observation=said)

    async def _imagined(self, state: State, decision: Decision) -> Answer:
        """In a dry run the imagined answer is the answer."""
        assert decision.chosen is not None
        known = first_imagined(decision, decision.chosen)
        if known is None:
            with thinking_over(self.watch, self.run, decision.chosen):
                outcome = await self.planner.consider(
                    state, decision.chosen, meter=self.meter, search=Preview(), watch=self.watch
                )
            rollout = outcome.proposed.rollout
            why = f"Not imagined, and in a dry run nothing is done: {rollout.failure}"
            nothing = Observation(content=why, failed=True, origin=GUARD)
            known = rollout.steps[0].observation if rollout.steps else nothing
        return Answer(observation=with_notice(decision, known), decision=decision)

    async def _write(self, here: bool, *entries: Entry, unless: Callable[[], Entry] | None = None) -> None:
        if here:
            self.journal.append(*entries)
        else:
            await self.pen.write(*entries, unless=unless)
