"""From single requests to a completion: several samples, answers that have to fit, what it all took."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import anyio

from lookahead.errors import ModelError
from lookahead.models.answer import Read
from lookahead.models.constrained import Unfit, bound, check, fitting, once_more
from lookahead.models.count import count, count_messages
from lookahead.models.failures import Asked, named
from lookahead.models.manners import Manners
from lookahead.types import Asking, Completion, Cost, Message, Sample, Usage

Ask: TypeAlias = Callable[[Sequence[Message], Asking, int], Awaitable[Read]]
"""One request: a prompt, how it is asked, and for how many samples. It may hand back fewer."""


async def completed(
    ask: Ask,
    messages: tuple[Message, ...],
    asking: Asking,
    *,
    manners: Manners,
    who: Callable[[], Asked],
    model: str | None = None,
) -> Completion:
    """All that was asked for, in as few requests as the engine needs."""
    check(asking)
    began = anyio.current_time()
    enforced = bound(asking) and manners.enforces(asking)
    answers = await _samples(ask, messages, asking, manners)
    fits: list[Sample | Unfit] = []
    for sample in [sample for answer in answers for sample in answer.samples][: asking.n]:
        try:
            fits.append(fitting(sample, asking))
        except Unfit as wrong:
            fits.append(wrong)
            if enforced:
                manners.unkept(asking)
    if any(isinstance(one, Unfit) for one in fits):
        fits = await _again(ask, messages, asking, fits, answers, who)
    good = tuple(one for one in fits if isinstance(one, Sample))
    if not good:
        wrong = next(one for one in fits if isinstance(one, Unfit))
        raise ModelError(
            f"{who().where} was asked twice and did not answer in the form that was asked for ({wrong}); "
            "serve the model with an engine that enforces it (`lookahead serve`), or ask a larger model"
        )
    usage = _sum(answers, messages)
    seconds = max(0.0, anyio.current_time() - began)
    cost = Cost(calls=len(answers), tokens=usage.prompt + usage.generated, seconds=seconds)
    return Completion(samples=good, model=answers[0].model or model or who().model, usage=usage, cost=cost)


async def _samples(ask: Ask, messages: tuple[Message, ...], asking: Asking, manners: Manners) -> list[Read]:
    """As many samples as are asked for: in one request where the engine can, else in several at once."""
    # Without chance all samples are the same, and some engines refuse to write them twice.
    if asking.n > 1 and ("n" in manners.dropped or asking.temperature == 0):
        return await _several(ask, messages, asking, asking.n)
    first = await ask(messages, asking, asking.n)
    missing = asking.n - len(first.samples)
    if missing <= 0:
        return [first]
    manners.dropped.add("n")
    return [first, *await _several(ask, messages, asking, missing)]


async def _several(ask: Ask, messages: tuple[Message, ...], asking: Asking, n: int) -> list[Read]:
    # Counted down to the seed that was asked for, which an answer that came before these already had.
    seeds = [None if asking.seed is None else asking.seed + asking.n - 1 - index for index in range(n)]
    prompts = [(messages, asking.model_copy(update={"n": 1, "seed": seed})) for seed in seeds]
    found = await _at_once(ask, prompts)
    answers = [one for one in found if isinstance(one, Read)]
    if not answers:
        raise next(one for one in found if isinstance(one, Exception))
    return answers


async def _again(
    ask: Ask,
    messages: tuple[Message, ...],
    asking: Asking,
    fits: Sequence[Sample | Unfit],
    answers: list[Read],
    who: Callable[[], Asked],
) -> list[Sample | Unfit]:
    """Ask once more for each sample that did not fit, saying why; what fits then takes its place."""
    repaired = list(fits)
    wrong = [(index, one) for index, one in enumerate(fits) if isinstance(one, Unfit)]
    single = asking.model_copy(update={"n": 1})
    prompts = [(once_more(messages, one, asking), single) for _, one in wrong]
    for (index, _), answer in zip(wrong, await _at_once(ask, prompts), strict=True):
        if isinstance(answer, Exception):
            repaired[index] = Unfit(str(named(answer, who())))
            continue
        answers.append(answer)
        try:
            repaired[index] = fitting(answer.samples[0], asking)
        except Unfit as still:
            repaired[index] = still
    return repaired


async def _at_once(ask: Ask, prompts: Sequence[tuple[tuple[Message, ...], Asking]]) -> list[Read | Exception]:
    found: list[Read | Exception] = [TimeoutError() for _ in prompts]

    async def one(index: int, messages: tuple[Message, ...], asking: Asking) -> None:
        try:
            found[index] = await ask(messages, asking, 1)
        except Exception as failed:
            # One lost sample of eight does not make the other seven wrong.
            found[index] = failed

    async with anyio.create_task_group() as group:
        for index, (messages, asking) in enumerate(prompts):
            group.start_soon(one, index, messages, asking)
    return found


def _sum(answers: Sequence[Read], messages: Sequence[Message]) -> Usage:
    """What all requests took together; what an engine did not count is counted here."""
    total = Usage()
    for answer in answers:
        usage = answer.usage or Usage(
            prompt=count_messages(messages),
            generated=sum(count(sample.text) + count(sample.thought) for sample in answer.samples),
            counted="estimate",
        )
        total = Usage(
            prompt=total.prompt + usage.prompt,
            cached=total.cached + usage.cached,
            generated=total.generated + usage.generated,
            counted="estimate" if "estimate" in (total.counted, usage.counted) else "engine",
        )
    return total
