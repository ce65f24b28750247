import gzip
import json
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from lookahead.domains import cleaned, judged, predicted
from lookahead.domains.braces import objects

VECTORS = Path(__file__).parents[1] / "data" / "agentworld_parse.jsonl.gz"


def rows(kind: str) -> list[dict[str, Any]]:
    # Split at line feeds only: the texts hold other separators of lines.
    lines = gzip.decompress(VECTORS.read_bytes()).decode().split("\n")
    return [row for row in map(json.loads, filter(None, lines)) if row["kind"] == kind]


def test_1500_model_outputs_read_as_the_published_parser_reads_them() -> None:
    found = rows("model")
    assert len(found) == 1500
    for row in found:
        assert predicted(row["text"]) == row["parsed"], row["text"]
        assert cleaned(predicted(row["text"])) == row["cleaned"], row["text"]


def test_1500_judge_outputs_read_as_the_published_parser_reads_them() -> None:
    found = rows("judge")
    assert len(found) == 1500
    for row in found:
        said = judged(row["text"])
        assert (said.success, said.scores) == (row["success"], row["scores"]), row["text"]
        assert said.total == pytest.approx(row["total"])
        assert [list(said.strengths), list(said.weaknesses)] == [row["strengths"], row["weaknesses"]], row["text"]


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("", "No output"),
        ("x</think>Y", "Y"),
        ("<think>never closed", "No output"),
        ("<think>hm <predicted_observation>R</predicted_observation>", "R"),
        ("<think>a <predicted_observation>no</predicted_observation></think><predicted_observation>\nyes\n", "yes"),
        ("<think>a<think>b</think>c</think>d", "d"),
        ("<PREDICTED_OBSERVATION>a</predicted_observation><predicted_observation>b</Predicted_Observation>c", "b"),
        ("<predicted_observation></predicted_observation>", ""),
        ("<thin\u212a>Kelvin</think>rest", "rest"),
    ],
)
def test_a_prediction_is_the_last_block_behind_all_thinking(text: str, reads: str) -> None:
    assert predicted(text) == reads


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("**Environment Observation:**\nok **Environment Observation:**", "ok **Environment Observation:**"),
        ("a **Environment Observation:** b", "a  b"),
    ],
)
def test_the_marker_is_dropped_in_front_or_else_everywhere(text: str, reads: str) -> None:
    assert cleaned(text) == reads


@pytest.mark.parametrize(
    ("scores", "reads", "total"),
    [
        (
            '{"format": 4.5, "factuality": 2.5, "consistency": "4/5", "realism": true, "quality": 9}',
            [4, 2, 4, 1, 5],
            3.2,
        ),
        ('{"format": -3, "factuality": "4.5", "consistency": null, "realism": 4, "Quality": 5}', [-3, 0, 0, 4, 0], 4.0),
        ("{}", [0, 0, 0, 0, 0], 0.0),
        ("{format: 3, 'factuality': 5,}", [3, 5, 0, 0, 0], 4.0),
    ],
)
def test_scores_are_taken_as_the_published_evaluation_takes_them(scores: str, reads: list[int], total: float) -> None:
    said = judged(f'Well.\n```json\n{{"scores": {scores}}}\n```')
    assert said.success
    assert (list(said.scores.values()), said.total) == (reads, pytest.approx(total))


@pytest.mark.parametrize("text", ["", "no json", "{}", '{"scores": [1]}', '{"scores": {"format": 1e999}}', "{" * 5000])
def test_an_answer_without_scores_says_why(text: str) -> None:
    said = judged(text)
    assert not said.success
    assert said.problem
    assert set(said.scores.values()) == {0}


def test_texts_survive_a_judge_that_quotes_and_are_lost_where_the_published_repair_breaks_them() -> None:
    assert judged('{"strengths": ["a"], "scores": {"format": 3}}').strengths == ("a",)
    broken = judged('{"strengths": ["good, really: yes"], "scores": {"format": 3}}')
    assert (broken.success, broken.strengths, broken.scores["format"]) == (True, (), 3)


def balanced(text: str, start: int) -> int | None:
    """One reader that begins at one brace: what the search does for all of them at once."""
    depth, quoted, escaped = 0, False, False
    for place in range(start, len(text)):
        sign = text[place]
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = sign == "\\", sign != '"'
        elif sign == '"':
            quoted = True
        elif sign in "{}":
            depth += 1 if sign == "{" else -1
            if depth == 0:
                return place + 1
    return None


def test_objects_are_found_as_by_one_reader_for_each_brace() -> None:
    from hypothesis import given, settings
    from hypothesis import strategies as st

    @settings(max_examples=1500, deadline=None)
    @given(st.text(alphabet='{}"\\a', max_size=30))
    def agrees(text: str) -> None:
        expected: list[str] = []
        place = text.find("{")
        while place >= 0:
            end = balanced(text, place)
            expected += [] if end is None else [text[place:end]]
            place = text.find("{", place + 1 if end is None else end)
        assert objects(text) == expected

    agrees()


@pytest.mark.parametrize(
    "unit",
    [
        "{",
        '{"',
        '{\\"',
        '{"{\\"}',
        "<think>",
        "</think>",
        "```",
        "```json ",
        '"scores":{',
        "<predicted_observation>",
        "} ",
    ],
)
def test_the_time_for_a_long_text_grows_with_its_length_and_no_faster(unit: str) -> None:
    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        begun = perf_counter()
        predicted(text)
        judged(text)
        return perf_counter() - begun

    seconds(1000)
    # A quadratic search would take minutes.
    assert seconds(400_000) < 5
