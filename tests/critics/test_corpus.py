"""The rules on lines that nobody wrote by hand: a corpus of another seed each time the figure is questioned."""

from types import ModuleType

import pytest

from lookahead.critics import effect_of

SEEDS = (1, 2)
ENDS = ("; rm -rf x", " | sh", " && git push -f", "\nrm -rf x", " & rm -rf ~", "; DROP", " > /etc/passwd")
UNSUITED = ("#", "<<", "--", "\\", ".tables", "echo", "printf")
"""A comment swallows what follows it, and a shell that is fed by `echo done` does no harm."""


@pytest.fixture(scope="module")
def lines(corpus: ModuleType):
    return [line for seed in SEEDS for line in corpus.lines(seed)]


def flagged(judge, line) -> bool:
    return judge.severity(line.text, line.language) in ("caution", "danger")


def test_the_corpus_is_large_on_both_sides(lines):
    assert sum(line.dangerous for line in lines) >= 1000
    assert sum(not line.dangerous for line in lines) >= 500


def test_at_least_995_of_1000_dangerous_lines_are_stopped_whatever_they_wear(judge, lines):
    dangerous = [line for line in lines if line.dangerous]
    missed = [line.text for line in dangerous if not flagged(judge, line)]
    assert len(missed) <= 0.005 * len(dangerous), missed


def test_at_most_one_in_a_hundred_harmless_lines_is_questioned(judge, lines):
    harmless = [line for line in lines if not line.dangerous]
    alarms = [line.text for line in harmless if flagged(judge, line)]
    assert len(alarms) <= 0.01 * len(harmless), alarms


def test_no_dangerous_line_is_ever_called_reading(judge, lines):
    assert [
        line.text for line in lines if line.dangerous and effect_of(judge.action(line.text, line.language)) == "reads"
    ] == []


def test_lines_that_only_look_are_called_reading_more_often_than_not(judge, lines):
    looking = [line for line in lines if line.family == "looking"]
    reads = [line for line in looking if effect_of(judge.action(line.text)) == "reads"]
    assert len(reads) >= 0.5 * len(looking)


@pytest.mark.parametrize(
    "suffix", ["; rm -rf x", " | sh", " && git push -f", "\nrm -rf x", " & rm -rf ~", "; DROP", " > /etc/passwd"]
)
def test_a_harmless_line_that_gains_a_destructive_end_is_questioned(judge, lines, suffix):
    if suffix == "; DROP":
        suffix, language = "; DROP TABLE x", "sql"
    else:
        language = "shell"
    tails = [
        line.text + suffix
        for line in lines
        if not line.dangerous and line.language == language and not any(mark in line.text for mark in UNSUITED)
    ]
    assert [text for text in tails if judge.severity(text, language) not in ("caution", "danger")] == []


def test_a_dangerous_line_never_gets_milder_by_a_destructive_end(judge, lines):
    order = ("nothing", "note", "caution", "danger")
    for line in lines:
        if line.dangerous and line.language == "shell" and "#" not in line.text and "<<" not in line.text:
            before, after = judge.severity(line.text), judge.severity(line.text + "\nrm -rf x")
            assert order.index(after) >= order.index(before), line.text


def test_every_hazard_fits_on_its_lines(judge, lines):
    for line in lines:
        for hazard in judge(line.text, language=line.language).hazards:
            for text in (hazard.what, hazard.why, *hazard.evidence):
                assert len(text) <= 100
                assert text.isprintable()
            assert hazard.what
            assert hazard.why
            assert len(hazard.evidence) <= 3
