"""A critic's cheapest question: one word, and how probable each of the words was."""

import math
from typing import Any

import pytest
from model_server import Endpoint, Reply

from lookahead.models import probability_of
from lookahead.models.openai import OpenAIModel
from lookahead.types import Asking, Likely, Message, Sample


def sample(text: str, *places: list[tuple[str, float]]) -> Sample:
    """The first alternative of each place is the one that was said."""
    return Sample(
        text=text,
        tokens=tuple(Likely(token=first, probability=p, instead=tuple(rest)) for (first, p), *rest in places),
    )


def rounded(found: dict[str, float] | None) -> dict[str, float]:
    assert found is not None
    assert math.isclose(sum(found.values()), 1)
    return {choice: round(part, 3) for choice, part in found.items()}


def test_each_word_gets_the_probability_of_its_first_token():
    said = sample("yes", [("yes", 0.6), ("no", 0.2), ("maybe", 0.2)])
    assert rounded(probability_of(said, ["yes", "no"])) == {"yes": 0.75, "no": 0.25}


def test_space_and_case_do_not_matter():
    said = sample(
        "Yes", [("Yes", 0.4), (" yes", 0.2), ("YES", 0.1), ("\u0120no", 0.1), ("\u2581No", 0.1), ('"no', 0.1)]
    )
    assert rounded(probability_of(said, ["yes", "no"])) == {"yes": 0.7, "no": 0.3}


def test_where_case_is_all_that_differs_it_matters():
    said = sample("us", [("us", 0.7), ("US", 0.3)])
    assert rounded(probability_of(said, ["us", "US"])) == {"us": 0.7, "US": 0.3}


def test_a_token_that_two_words_begin_with_is_followed():
    said = sample("unsafe", [("uns", 0.8), ("safe", 0.2)], [("afe", 0.9), ("ure", 0.1)])
    found = rounded(probability_of(said, ["safe", "unsafe", "unsure"]))
    assert found == {"safe": 0.2, "unsafe": 0.72, "unsure": 0.08}


def test_where_the_answer_went_another_way_those_that_share_a_token_share_it():
    said = sample("safe", [("safe", 0.6), ("uns", 0.4)])
    assert rounded(probability_of(said, ["safe", "unsafe", "unsure"])) == {"safe": 0.6, "unsafe": 0.2, "unsure": 0.2}


def test_a_word_that_is_the_beginning_of_another_is_told_by_what_comes_next():
    ends = sample("1", [("1", 1.0)], [("<|im_end|>", 0.7), ("0", 0.3)])
    goes_on = sample("10", [("1", 1.0)], [("0", 0.6), ("<|im_end|>", 0.4)])
    assert rounded(probability_of(ends, ["1", "10"])) == {"1": 0.7, "10": 0.3}
    assert rounded(probability_of(goes_on, ["1", "10"])) == {"1": 0.4, "10": 0.6}


def test_a_longer_word_that_was_not_offered_speaks_for_none():
    said = sample("no", [("no", 0.5), ("nothing", 0.3), ("yes", 0.2)])
    assert rounded(probability_of(said, ["yes", "no"])) == {"yes": round(2 / 7, 3), "no": round(5 / 7, 3)}


def test_a_thought_before_the_answer_does_not_count():
    said = sample(
        "no", [("yes", 1.0)], [("</think>", 1.0)], [("\n\n", 1.0)], [("no", 0.9), ("yes", 0.1)], [("<|im_end|>", 1.0)]
    )
    assert rounded(probability_of(said, ["yes", "no"])) == {"yes": 0.1, "no": 0.9}


def test_space_before_the_answer_does_not_count():
    said = sample("no", [("\n", 0.8), ("yes", 0.2)], [("no", 1.0)])
    assert rounded(probability_of(said, ["yes", "no"])) == {"yes": 0.2, "no": 0.8}


@pytest.mark.parametrize(
    "said", [Sample(text="yes"), sample("eh", [("eh", 0.9), ("oh", 0.1)]), sample("", [("", 1.0)])]
)
def test_where_nothing_can_be_told_nothing_is(said: Sample):
    assert probability_of(said, ["yes", "no"]) is None


def test_spaces_inside_and_several_tokens_are_no_trouble():
    said = sample("not sure", [("not", 0.5), ("safe", 0.5)], [(" sure", 0.8), (" safe", 0.2)])
    assert rounded(probability_of(said, ["safe", "not sure", "not safe"])) == {
        "safe": 0.5,
        "not sure": 0.4,
        "not safe": 0.1,
    }


@pytest.mark.anyio
async def test_what_the_engine_reports_is_read(endpoint: Endpoint):
    place: dict[str, Any] = {
        "token": "yes",
        "logprob": math.log(0.75),
        "top_logprobs": [
            {"token": "yes", "logprob": math.log(0.75)},
            {"token": "no", "logprob": math.log(0.25)},
            {"token": "x", "logprob": None},
        ],
    }
    choice = {"message": {"content": "yes"}, "finish_reason": "stop", "logprobs": {"content": [place]}}
    endpoint.says(Reply(body={"choices": [choice]}))
    async with OpenAIModel(endpoint.url, "m") as model:
        found = await model(
            (Message(role="user", content="?"),), Asking(probabilities=3, choices=("yes", "no"), max_tokens=1)
        )
    assert (endpoint.asked[0]["logprobs"], endpoint.asked[0]["top_logprobs"]) == (True, 3)
    assert rounded(probability_of(found.samples[0], ["yes", "no"])) == {"yes": 0.75, "no": 0.25}
    assert found.samples[0].tokens[0].instead[-1] == ("x", 0.0)


@pytest.mark.anyio
async def test_where_the_engine_reports_no_probabilities_there_are_none(endpoint: Endpoint):
    async with OpenAIModel(endpoint.url, "m") as model:
        found = await model((Message(role="user", content="?"),), Asking(probabilities=3))
    assert found.samples[0].tokens == ()
    assert probability_of(found.samples[0], ["hello"]) is None
