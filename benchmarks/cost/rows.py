"""The other tables: what later steps compute, what more candidates take, what is not asked, hidden and foretold."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter, process_time

from ours import Agent, Listed, Pouring, Writing, agent, fine
from recording import Call, Counters, Recorder, WholeAnswers, tokens_of
from situation import CHANGES, Situation, Sizes

from lookahead import Refused
from lookahead.domains import messages
from lookahead.types import Action, Cost, Message, State


def rivals(where: Situation, k: int) -> list[Action]:
    """K different calls, the first one the agent's own."""
    found: dict[str, Action] = {}
    while len(found) < k:
        action = where.action()
        found[action.digest] = action
    return list(found.values())


# ---- what later steps of an episode compute ----


@dataclass(frozen=True, kw_only=True)
class Later:
    """One step: what was new in it, and how many tokens of its prompts the server computed."""

    turn: int
    actions: int
    questions: int
    """The same actions with the instruction that the format puts behind each."""
    world: int
    whole: int
    """With the proposer's and the critic's prompts."""

    @property
    def ratio(self) -> float:
        return self.world / (self.turn + self.questions)


async def later_steps(model: WholeAnswers, sizes: Sizes, *, k: int, steps: int) -> list[Later]:
    """An episode, step by step, with the world alone and with all that is asked."""
    found: list[Later] = []
    tag = f"later-{perf_counter()}"
    recorder = Recorder(model=model, sizes=sizes)
    alone, whole = Situation.fresh(f"{tag}-alone", sizes), Situation.fresh(f"{tag}-whole", sizes)
    known = Listed(actions=())
    with agent(recorder, alone, k=k, propose=known, critic=fine) as listed, agent(recorder, whole, k=k) as asking:
        for step in range(steps):
            actions = rivals(alone, k)
            known.actions = actions[1:]
            world = await _computed(model, listed, alone, actions[0])
            everything = await _computed(model, asking, whole, actions[0])
            if step:
                found.append(_new(model, alone, actions, world=world, whole=everything))
            answer = alone.text(sizes["forecast"])
            alone, whole = alone.then(actions[0], answer), whole.then(actions[0], answer)
    return found


async def _computed(model: WholeAnswers, guarded: Agent, where: Situation, proposed: Action) -> int:
    before = Counters.of(model.url)
    await guarded.consider(where, proposed)
    return Counters.of(model.url).since(before).computed


def _new(model: WholeAnswers, where: Situation, actions: Sequence[Action], *, world: int, whole: int) -> Later:
    def size(chat: Sequence[Message], *, asking: bool = False) -> int:
        return tokens_of(model.url, "", chat, asking=asking)

    def history(state: State) -> Sequence[Message]:
        return messages(where.domain, state, actions[0])[:-1]

    here = history(where.state)
    before = size(history(where.state.model_copy(update={"steps": where.state.steps[:-1]})))
    number = len(where.state.steps)
    turns = [Message(role="user", content=where.domain.turn(where.state, number, action)) for action in actions]
    asked = [messages(where.domain, where.state, action) for action in actions]
    known = size(here)
    return Later(
        turn=known - before,
        actions=sum(size((*here, turn)) - known for turn in turns),
        questions=sum(size(chat, asking=True) - known for chat in asked),
        world=world,
        whole=whole,
    )


# ---- what more candidates take ----


@dataclass(frozen=True, kw_only=True)
class Wider:
    """Seconds of a decision with so many candidates, with the one-token critic or without."""

    k: int
    judged: bool
    seconds: Sequence[float]
    own: Sequence[float]
    """Of these, what this process computed: all that is ours, the requests' writing and reading included."""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


async def wider(model: WholeAnswers, sizes: Sizes, *, ks: Sequence[int], times: int) -> list[Wider]:
    """One candidate and many, in turns, each on an episode whose past the server knows."""
    kinds = [(k, judged) for judged in (False, True) for k in ks]
    seconds: dict[tuple[int, bool], list[float]] = {kind: [] for kind in kinds}
    own: dict[tuple[int, bool], list[float]] = {kind: [] for kind in kinds}
    for turn in range(times + 1):
        for k, judged in kinds:
            where = Situation.fresh(f"wider-{turn}-{k}-{perf_counter()}", sizes)
            recorder = Recorder(model=model, sizes=sizes)
            known = Listed(actions=())
            with agent(recorder, where, k=k, propose=known, critic=None if judged else fine) as guarded:
                for step in range(2):
                    actions = rivals(where, k)
                    known.actions = actions[1:]
                    began, computed = perf_counter(), process_time()
                    await guarded.consider(where, actions[0])
                    # The first turn warms up, and the first step tells the server the past.
                    if step and turn:
                        seconds[k, judged].append(perf_counter() - began)
                        own[k, judged].append(process_time() - computed)
                    where = where.then(actions[0], where.text(sizes["forecast"]))
    return [Wider(k=k, judged=judged, seconds=seconds[k, judged], own=own[k, judged]) for k, judged in kinds]


# ---- what is not asked ----


@dataclass(frozen=True, kw_only=True)
class Spared:
    """A call through the whole line, and what was asked because of it."""

    what: str
    world: int
    """Tokens of the world, read and written."""
    others: int
    """Of proposer and critic."""


async def spared(model: WholeAnswers, sizes: Sizes, *, k: int) -> list[Spared]:
    """A call that reads, one on which all candidates agree, and one on which they do not."""
    where = Situation.fresh(f"spared-{perf_counter()}", sizes)
    found: list[Spared] = []
    recorder = Recorder(model=model, sizes=sizes)
    with agent(recorder, where, k=k) as guarded:
        change, look = guarded.tools
        for what, tool, agreed in (("reads", look, ""), ("agreed", change, "a/b"), ("disputed", change, "")):
            recorder.calls.clear()
            recorder.agreed = agreed
            await _call(tool, "a/b")
            world = [call for call in recorder.calls if call.kind == "forecast"]
            found.append(Spared(what=what, world=_tokens(world), others=_tokens(recorder.calls) - _tokens(world)))
    return found


async def _call(tool: object, path: str) -> None:
    try:
        await tool(path)  # type: ignore[operator]
    except Refused:
        return


def _tokens(calls: Sequence[Call]) -> int:
    return sum(call.prompt + call.generated for call in calls)


# ---- what is hidden behind the agent's own writing ----


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """A decision while the agent still writes candidates: who was at work when."""

    calls: Sequence[Call]
    seconds: float
    waiting: float
    """Seconds of the same decision where the world waits until all candidates are written."""
    writing_alone: float
    """Seconds that the writing took there."""

    @property
    def writing(self) -> float:
        return _writing(self.calls)

    @property
    def hidden(self) -> float:
        """The part of the world's working time in which candidates were still being written."""
        written = max(call.ended for call in self.calls if call.kind == "propose")
        work = _union([(call.began, call.ended) for call in self.calls if call.kind == "forecast"])
        total = sum(end - start for start, end in work)
        return sum(max(0.0, min(end, written) - start) for start, end in work) / total

    def drawing(self, width: int = 60) -> list[str]:
        start, end = min(call.began for call in self.calls), max(call.ended for call in self.calls)
        lines: list[str] = []
        for call in sorted(self.calls, key=lambda call: call.began):
            left = round((call.began - start) / (end - start) * width)
            right = max(left + 1, round((call.ended - start) / (end - start) * width))
            name = {"propose": "agent writes", "forecast": "world", "verdict": "critic"}[call.kind]
            lines.append(f"{name:>12} |{' ' * left}{'=' * (right - left)}{' ' * (width - right)}|")
        return lines


async def overlap(model: WholeAnswers, sizes: Sizes, *, k: int, times: int) -> list[Overlap]:
    """In turns: with candidates as they come, and with all of them at the end."""
    found: list[Overlap] = []
    for turn in range(times):
        seconds: dict[type[Writing], float] = {}
        calls: dict[type[Writing], list[Call]] = {}
        for kind in (Pouring, Writing) if turn % 2 else (Writing, Pouring):
            where = Situation.fresh(f"overlap-{turn}-{perf_counter()}", sizes)
            recorder = Recorder(model=model, sizes=sizes)
            proposed = where.action()
            with agent(recorder, where, k=k, propose=kind(model=recorder, where=where)) as guarded:
                # The step before has been looked at as well.
                await guarded.consider(where, proposed)
                where = where.then(proposed, where.text(sizes["forecast"]))
                recorder.calls.clear()
                began = perf_counter()
                await guarded.consider(where, where.action(), spare=True)
                seconds[kind], calls[kind] = perf_counter() - began, recorder.calls
        found.append(
            Overlap(
                calls=calls[Pouring],
                seconds=seconds[Pouring],
                waiting=seconds[Writing],
                writing_alone=_writing(calls[Writing]),
            )
        )
    return found


def _writing(calls: Sequence[Call]) -> float:
    return sum(call.ended - call.began for call in calls if call.kind == "propose")


def _union(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


# ---- what is foretold ----


@dataclass(frozen=True, kw_only=True)
class Foretold:
    """Forecasts beside what was then spent, one pair for each decision."""

    tokens: Sequence[tuple[int, int]]
    seconds: Sequence[tuple[float, float]]
    calls: Sequence[tuple[int, int]]

    @staticmethod
    def off(pairs: Sequence[tuple[float, float]]) -> float:
        """By how much the sum of the forecasts is off what was spent."""
        return sum(said for said, _ in pairs) / sum(spent for _, spent in pairs) - 1

    @staticmethod
    def within(pairs: Sequence[tuple[float, float]], share: float = 0.2) -> float:
        return sum(abs(said - spent) <= share * spent for said, spent in pairs) / len(pairs)


async def foretold(model: WholeAnswers, sizes: Sizes, *, k: int, decisions: int, journal: str) -> Foretold:
    """So many calls through the whole line; the first ones, of which nothing is on record, do not count."""
    where = Situation.fresh(f"foretold-{perf_counter()}", sizes)
    recorder = Recorder(model=model, sizes=sizes)
    tokens: list[tuple[int, int]] = []
    seconds: list[tuple[float, float]] = []
    calls: list[tuple[int, int]] = []
    with agent(recorder, where, k=k, journal=journal) as guarded:
        session = guarded.session
        for number in range(decisions + 1):
            told, before = session.forecast(CHANGES.name), session.spent
            # Where such decisions were made before, what they took is the forecast, and the rest is the bound.
            said = told.usual or Cost(calls=told.calls, tokens=told.tokens or 0, seconds=told.seconds or 0.0)
            await _call(guarded.tools[0], f"{where.text(4)} {number}")
            after = session.spent
            if number:
                tokens.append((said.tokens, after.tokens - before.tokens))
                seconds.append((said.seconds, after.seconds - before.seconds))
                calls.append((said.calls, after.calls - before.calls))
    return Foretold(tokens=tokens, seconds=seconds, calls=calls)
