"""How probable each of a few answers is, read off the first tokens of one sample."""

import re
from collections.abc import Sequence
from typing import Final

from lookahead.types import Likely, Sample

_EDGE: Final = "\u0120\u2581\u010a"
"""How some tokenizers write a space or a line end at the beginning of a token."""
_QUOTES: Final = "\"'`*"
_MARK: Final = re.compile(r"<[|/]?[^<>]*>|\[/?INST\]", re.IGNORECASE)


def probability_of(sample: Sample, choices: Sequence[str]) -> dict[str, float] | None:
    """The probability of each choice, summing to 1; None where the engine reported nothing to tell it by.

    A token that only one choice begins with speaks for it, with whatever space or case it is written. A token that
    several choices begin with is followed along the answer that was given; where the answer went another way, nobody
    knows which of them was meant, so they share it.
    """
    tokens = _from_answer(sample)
    wanted = {choice: choice.strip() for choice in dict.fromkeys(choices)}
    folded = [said.casefold() for said in wanted.values()]
    if len(set(folded)) == len(folded):
        wanted = dict(zip(wanted, folded, strict=True))
        fold = True
    else:
        fold = False
    mass = dict.fromkeys(wanted, 0.0)
    _share(tokens, wanted, "", 1.0, mass, fold)
    total = sum(mass.values())
    return {choice: part / total for choice, part in mass.items()} if total > 0 else None


def _share(
    tokens: Sequence[Likely], wanted: dict[str, str], before: str, weight: float, mass: dict[str, float], fold: bool
) -> None:
    """Give each choice its part of `weight`: the probability that an answer begins with `before`."""
    if not tokens:
        return
    here, rest = tokens[0], tokens[1:]
    seen: dict[str, float] = {here.token: here.probability}
    for token, probability in here.instead:
        seen.setdefault(token, probability)
    for token, probability in seen.items():
        said = before + _plain(token, first=not before, fold=fold)
        if not said:
            # Nothing but space or a quote: the answer begins after it.
            if token == here.token:
                _share(rest, wanted, before, weight * probability, mass, fold)
            continue
        meant = _meant(said, before, wanted)
        if not meant:
            continue
        if len(meant) == 1 or token != here.token or not rest:
            for choice in meant:
                mass[choice] += weight * probability / len(meant)
        else:
            undecided = dict.fromkeys(meant, 0.0)
            _share(rest, {choice: wanted[choice] for choice in meant}, said, 1.0, undecided, fold)
            known = sum(undecided.values())
            for choice in meant:
                part = undecided[choice] / known if known else 1 / len(meant)
                mass[choice] += weight * probability * part


def _meant(said: str, before: str, wanted: dict[str, str]) -> list[str]:
    """The choices that an answer may still become which begins like this."""
    going_on = [choice for choice, text in wanted.items() if text.startswith(said)]
    if said != before and going_on:
        return going_on
    # A choice that is complete, and ends here: by a mark, a full stop, anything but more of the same word.
    ended = [
        choice
        for choice, text in wanted.items()
        if text and said.startswith(text) and not said[len(text) : len(text) + 1].isalnum()
    ]
    longest = max((len(wanted[choice]) for choice in ended), default=0)
    return [choice for choice in ended if len(wanted[choice]) == longest]


def _plain(token: str, *, first: bool, fold: bool) -> str:
    plain = _MARK.sub("", token)
    if first:
        for mark in _EDGE:
            plain = plain.replace(mark, " ")
        plain = plain.lstrip().lstrip(_QUOTES).lstrip()
    return plain.casefold() if fold else plain


def _from_answer(sample: Sample) -> tuple[Likely, ...]:
    """The tokens of the answer itself: an engine reports those of the thought before it too."""
    tokens = sample.tokens
    answer = sample.text.strip()
    place = "".join(token.token for token in tokens).rfind(answer) if answer else -1
    if place <= 0:
        return tokens
    start = 0
    for index, token in enumerate(tokens):
        if start + len(token.token) > place:
            # The space before it is a part of it: another answer might have begun without.
            while index and not tokens[index - 1].token.strip():
                index -= 1
            return tokens[index:]
        start += len(token.token)
    return tokens
