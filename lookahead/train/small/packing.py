"""Rows of numbers for training: scenes, each with its branches behind it, which see the scene and not each other."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lookahead.models.embedded.tokens import END, ENDINGS, NEW, PAD, Tokens
from lookahead.train.small.example import Branch, Example
from lookahead.worlds.embedded.glance import glanced
from lookahead.worlds.embedded.grounding import asked
from lookahead.worlds.embedded.program import ENDINGS as SAID

NOTHING: Final = -100
"""The target where nothing is to be learned."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """One scene with its branches. `branch` is 0 in the scene; `place` counts on from the scene in every branch."""

    ids: list[int]
    targets: list[int]
    place: list[int]
    branch: list[int]


def packed(example: Example, tokens: Tokens, longest: int) -> Packed | None:
    """As many branches as there is room for. None where not even one is."""
    scene = tokens.scene(glanced(example.scene).text())
    ids, targets = list(scene), [NOTHING] * len(scene)
    place, branch = list(range(len(scene))), [0] * len(scene)
    for said in example.branches:
        question = tokens.action(asked(example.scene, said.action))
        whole = [*question, *answer(said, tokens)]
        if len(ids) + len(whole) > longest:
            continue
        number = branch[-1] + 1
        ids += whole
        # Each number's target is the one behind it; the last one of the question foretells how the call ends.
        targets += [NOTHING] * (len(question) - 1) + whole[len(question) :] + [NOTHING]
        place += range(len(scene), len(scene) + len(whole))
        branch += [number] * len(whole)
    return Packed(ids=ids, targets=targets, place=place, branch=branch) if branch[-1] else None


def answer(branch: Branch, tokens: Tokens) -> list[int]:
    """A program in numbers: how it ends, what comes back, what is different, the end."""
    program = branch.program
    ending = ENDINGS[SAID.index(program.ending)]
    return [ending, *tokens.encode(program.result), NEW, *tokens.encode("\n".join(program.changes)), END]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Several packed scenes one after the other, filled up to a fixed length. `document` tells them apart."""

    ids: list[int]
    targets: list[int]
    place: list[int]
    branch: list[int]
    document: list[int]


def rows(examples: Iterable[Packed], length: int, *, open_rows: int = 16) -> Iterator[Row]:
    """Each scene goes into the fullest open row that has room for it."""
    waiting: list[list[Packed]] = []
    for example in examples:
        size = len(example.ids)
        fitting = [row for row in waiting if _size(row) + size <= length]
        if fitting:
            max(fitting, key=_size).append(example)
            continue
        if len(waiting) == open_rows:
            fullest = max(waiting, key=_size)
            waiting.remove(fullest)
            yield _row(fullest, length)
        waiting.append([example])
    for row in waiting:
        yield _row(row, length)


def _size(row: Sequence[Packed]) -> int:
    return sum(len(example.ids) for example in row)


def _row(examples: Sequence[Packed], length: int) -> Row:
    ids: list[int] = []
    targets: list[int] = []
    place: list[int] = []
    branch: list[int] = []
    document: list[int] = []
    for number, example in enumerate(examples, 1):
        ids += example.ids
        targets += example.targets
        place += example.place
        branch += example.branch
        document += [number] * len(example.ids)
    rest = length - len(ids)
    return Row(
        ids=ids + [PAD] * rest,
        targets=targets + [NOTHING] * rest,
        place=place + [0] * rest,
        branch=branch + [0] * rest,
        document=document + [0] * rest,
    )
