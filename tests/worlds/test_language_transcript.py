"""The chat behind which others may ask: what the world was asked, to the byte, and what it answered."""

import pytest

from lookahead.models import ScriptedModel
from lookahead.testing import ScriptedWorld, call, state_of
from lookahead.types import Cost, Message, Observation, Origin, Rollout, State, Step
from lookahead.worlds.circuit import Circuit
from lookahead.worlds.language import LanguageWorld
from lookahead.worlds.routed import RoutedWorld
from lookahead.worlds.transcript import transcript

pytestmark = pytest.mark.anyio

STATE = state_of(goal="tidy up", changes=["write", "copy"])
WRITE, COPY = call("write", path="a"), call("copy", path="b")


def tagged(text: str) -> str:
    return f"<predicted_observation>\n{text}\n</predicted_observation>"


async def grown(world: LanguageWorld, state: State, rollout: Rollout, action: object = WRITE) -> Rollout:
    for step in rollout.steps:
        state = state.then(step.action, step.observation)
    step = Step(action=action, observation=await world(state, action))  # type: ignore[arg-type]
    return rollout.model_copy(update={"steps": (*rollout.steps, step)})


@pytest.mark.parametrize("domain", [None, "mcp", "terminal", "swe", "android", "web", "os", "search"])
@pytest.mark.parametrize("said", ["done", "two\nlines <|im_end|>", " spaced "])
async def test_it_is_what_the_model_was_asked_and_what_it_answered(domain: str | None, said: str):
    model = ScriptedModel(tagged(said))
    world = LanguageWorld(model, domain=domain)
    state = STATE.then(COPY, Observation(content="copied"))
    rollout = await grown(world, state, Rollout(action=WRITE))
    *asked, answered = await world.transcript(state, rollout)
    assert tuple(asked) == model.asked[0][0]
    content = rollout.steps[0].observation.content
    assert answered.role == "assistant"
    assert answered.content.replace("\u2060", "") == tagged(content)
    assert "<|im_end|>" not in answered.content


async def test_of_a_longer_future_it_is_the_last_step():
    model = ScriptedModel(tagged("first"), tagged("second"))
    world = LanguageWorld(model)
    rollout = await grown(world, STATE, Rollout(action=WRITE))
    rollout = await grown(world, STATE, rollout, COPY)
    *asked, answered = await world.transcript(STATE, rollout)
    assert tuple(asked) == model.asked[1][0]
    assert answered.content == tagged("second")


async def test_what_somebody_else_foretold_has_no_chat():
    world = LanguageWorld(ScriptedModel(tagged("done"), name="mine"))
    other = Observation(content="done", origin=Origin(kind="exact", world="copy"), cost=Cost())
    assert await world.transcript(STATE, Rollout(action=WRITE, steps=(Step(action=WRITE, observation=other),))) == ()
    assert await world.transcript(STATE, Rollout(action=WRITE, failure="it was down")) == ()


async def test_it_is_had_through_whatever_stands_round_the_world():
    world = LanguageWorld(ScriptedModel(tagged("done")))
    rollout = await grown(world, STATE, Rollout(action=WRITE))
    whole = await world.transcript(STATE, rollout)
    assert isinstance(whole[-1], Message)
    routed = RoutedWorld(ScriptedWorld(script={}), Circuit(world))
    assert await transcript(routed, STATE, rollout) == whole
    assert await transcript(Circuit(ScriptedWorld(script={})), STATE, rollout) == ()
    assert await transcript(RoutedWorld(ScriptedWorld(script={})), STATE, rollout) == ()
