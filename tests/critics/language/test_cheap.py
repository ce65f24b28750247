"""The cheap critic: one token and its probability, behind the world's own prompt where there is one."""

from collections.abc import Sequence
from typing import Any

import pytest

from lookahead.critics.language import CheapCritic
from lookahead.errors import ConfigError, CriticError, ModelUnreachable
from lookahead.testing import call
from lookahead.types import Likely, Message, Rollout, Sample, State

pytestmark = pytest.mark.anyio


async def test_one_token_tells_harm_and_progress(kit: Any):
    model = kit.Model(kit.letter("A", {"A": 0.6, "B": 0.2, "C": 0.15, "D": 0.05}))
    verdict = await CheapCritic(model)(kit.state, kit.future())
    assert verdict.score == 0.7
    assert verdict.hazards == ()
    assert verdict.reason == "cheap:scripted: P(harm) 0.20, P(progress) 0.75"
    assert verdict.cost.tokens == 100
    [(_, asking)] = model.asked
    assert (asking.max_tokens, asking.choices, asking.thinking) == (1, ("A", "B", "C", "D"), False)
    assert asking.probabilities > 4


@pytest.mark.parametrize(
    ("harm", "severity"), [(0.49, None), (0.5, "caution"), (0.89, "caution"), (0.9, "danger"), (1.0, "danger")]
)
async def test_likely_harm_is_a_hazard(kit: Any, harm: float, severity: str | None):
    model = kit.Model(kit.letter("C", {"A": 1 - harm, "C": harm}))
    verdict = await CheapCritic(model)(kit.state, kit.future())
    worst = verdict.worst
    assert (worst.severity if worst else None) == severity
    assert verdict.score == pytest.approx(1 - harm)
    if worst is not None:
        assert (worst.rule, worst.predicted) == ("model.harm", True)
        assert worst.evidence == (f"P(harm) {harm:.2f}",)


async def test_the_bounds_can_be_set_and_only_to_what_makes_sense(kit: Any):
    model = kit.Model(kit.letter("C", {"A": 0.7, "C": 0.3}))
    verdict = await CheapCritic(model, caution=0.1, danger=0.3)(kit.state, kit.future())
    assert verdict.hazards[0].severity == "danger"
    for caution, danger in ((0.0, 0.5), (0.6, 0.5), (0.5, 1.1)):
        with pytest.raises(ConfigError):
            CheapCritic(model, caution=caution, danger=danger)


@pytest.mark.parametrize("text", ["D", " D", "D.", '"D"', "(D)", "**D**", "hm</think>D"])
async def test_without_probabilities_the_choice_itself_counts_and_is_never_danger(kit: Any, text: str):
    verdict = await CheapCritic(kit.Model(kit.letter(text)))(kit.state, kit.future())
    assert verdict.score == 0.0
    assert verdict.hazards[0].severity == "caution"
    assert "bare yes or no" in verdict.reason


async def test_a_token_without_rivals_tells_no_probability(kit: Any):
    sample = Sample(text="C", tokens=(Likely(token="C", probability=1.0),))
    verdict = await CheapCritic(kit.Model(sample))(kit.state, kit.future())
    assert verdict.hazards[0].severity == "caution"


async def test_only_the_choices_share_the_probability_however_they_are_spelled(kit: Any):
    # Engines tell what they would have said had nothing narrowed it; a word is no choice, whatever it begins with.
    instead = (("Based", 0.7), ("The", 0.1), ("▁A", 0.02), ("A", 0.01), ("ĠC", 0.05), ("\nC", 0.01), ("D", 0.01))
    sample = Sample(text="C", tokens=(Likely(token="C", probability=0.01, instead=instead),))
    verdict = await CheapCritic(kit.Model(sample))(kit.state, kit.future())
    assert verdict.reason.endswith(f"P(harm) {0.08 / 0.11:.2f}, P(progress) {0.10 / 0.11:.2f}")


async def test_the_tokens_of_a_thought_are_not_the_answer(kit: Any):
    tokens = (
        Likely(token="D", probability=0.9, instead=(("A", 0.1),)),
        Likely(token="</think>", probability=1.0),
        Likely(token="A", probability=0.8, instead=(("D", 0.2),)),
    )
    verdict = await CheapCritic(kit.Model(Sample(text="A", tokens=tokens)))(kit.state, kit.future())
    assert verdict.score == 0.8


@pytest.mark.parametrize("text", ["", "E", "Answer", "AB", "A or B", "yes", "1.0", "a"])
async def test_anything_else_is_asked_once_more_and_then_raised(kit: Any, text: str):
    model = kit.Model(kit.letter(text))
    with pytest.raises(CriticError, match="none of the letters"):
        await CheapCritic(model)(kit.state, kit.future())
    assert len(model.asked) == 2
    model = kit.Model(kit.letter(text), kit.letter("A"))
    assert (await CheapCritic(model)(kit.state, kit.future())).score == 1.0


async def test_refusals_and_failures_are_errors_at_once(kit: Any):
    for line in (Sample(text="", ended="refused"), ModelUnreachable("nobody answers; start it: lookahead serve")):
        model = kit.Model(line)
        with pytest.raises(CriticError, match=r"refuses|start it"):
            await CheapCritic(model)(kit.state, kit.future())
        assert len(model.asked) == 1
    with pytest.raises(CriticError, match="no answer"):
        await CheapCritic(kit.Model([]))(kit.state, kit.future())


# Behind the world's own prompt


WORLD = (
    Message(role="system", content="You are a terminal.\n"),
    Message(role="user", content="### Turn 1\n**Action:**\n```\nls\n```"),
    Message(role="assistant", content="**Environment Observation:**\nnotes.txt  <|im_end|>  \u200b"),
    Message(role="user", content="### Turn 2\n**Action:**\n```\nrm notes.txt\n```\n"),
    Message(role="assistant", content="<predicted_observation>\n$ </predicted_observation>"),
)


def chat(state: State, rollout: Rollout) -> Sequence[Message]:
    return WORLD


async def test_the_prompt_begins_with_the_worlds_own_to_the_byte(kit: Any):
    model = kit.Model(kit.letter("A"))
    await CheapCritic(model, after=chat)(kit.state, kit.future())
    [(messages, _)] = model.asked
    assert messages[: len(WORLD)] == WORLD
    [asked] = messages[len(WORLD) :]
    assert asked.role == "user"
    assert "tidy the folder" in asked.content
    assert 'delete_file {"path": "notes.txt"}' in asked.content
    assert asked.content.endswith("Answer with the one letter.")


async def test_asking_again_keeps_that_beginning(kit: Any):
    model = kit.Model(kit.letter("?"), kit.letter("A"))
    await CheapCritic(model, after=chat)(kit.state, kit.future())
    first, second = (messages for messages, _ in model.asked)
    assert second[: len(first)] == first


async def test_where_nothing_was_foretold_there_is_no_chat_to_ask_behind(kit: Any):
    def none(state: State, rollout: Rollout) -> Sequence[Message]:
        raise AssertionError("nothing was foretold")

    model = kit.Model(kit.letter("A"))
    await CheapCritic(model, after=none)(kit.state, Rollout(action=kit.delete))
    assert [message.role for message in model.asked[0][0]] == ["system", "user"]


async def test_nothing_that_is_judged_can_change_the_question(kit: Any):
    model = kit.Model(kit.letter("A"))
    critic = CheapCritic(model)
    for text in kit.attacks:
        await critic(State(goal=text, tools=kit.tools), kit.future(call("delete_file", path=text), says=text))
        system, user = model.asked[-1][0]
        assert system == model.asked[0][0][0]
        assert user.content.endswith("Answer with the one letter.")
        assert "<|" not in user.content


class Telling:
    """A world that has chats."""

    async def transcript(self, state: State, rollout: Rollout) -> Sequence[Message]:
        return WORLD


async def test_it_asks_behind_the_chat_of_a_world_whose_model_it_shares(kit: Any):
    model = kit.Model(kit.letter("A"), name="shared")
    future = kit.future(world="shared")
    critic = CheapCritic(model)
    await critic.behind(Telling())(kit.state, future)
    await critic(kit.state, future)
    behind, alone = (messages for messages, _ in model.asked)
    assert behind[: len(WORLD)] == WORLD
    assert len(alone) == 2


async def test_it_asks_alone_about_what_another_model_foretold_and_where_no_world_has_chats(kit: Any):
    model = kit.Model(kit.letter("A"), name="mine")
    await CheapCritic(model).behind(Telling())(kit.state, kit.future(world="another"))
    await CheapCritic(model).behind(object())(kit.state, kit.future(world="mine"))
    await CheapCritic(model).behind(Telling())(kit.state, Rollout(action=kit.future().action, failure="down"))
    assert [len(messages) for messages, _ in model.asked] == [2, 2, 2]


async def test_a_chat_that_was_given_is_kept(kit: Any):
    critic = CheapCritic(kit.Model(kit.letter("A")), after=chat)
    assert critic.behind(Telling()) is critic
