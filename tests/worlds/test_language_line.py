"""A language world in the whole line: what it is asked, what its failures do; nothing imagined passes as real."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lookahead import Refused, with_lookahead
from lookahead.critics.language import CheapCritic
from lookahead.errors import ModelUnreachable
from lookahead.journal import Journal
from lookahead.models import ScriptedModel
from lookahead.models.openai import OpenAIModel
from lookahead.search import BestOf
from lookahead.testing import ScriptedProposer, call
from lookahead.types import Asking, Completion, Cost, Message, Sample, State
from lookahead.worlds.circuit import Circuit
from lookahead.worlds.language import Grounding, LanguageWorld
from lookahead.worlds.recorded import RecordedWorld
from lookahead.worlds.routed import RoutedWorld

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "benchmarks"))

from faulty_endpoint import endpoint, tagged

pytestmark = pytest.mark.anyio

POLICY: dict[str, Any] = {
    "look": {"effect": "reads"},
    "write": {"effect": "changes"},
    "wipe": {"effect": "destroys"},
}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as journal:
        yield journal


class Agent:
    """Three guarded functions over a dictionary."""

    def __init__(self, journal: Journal, world: Any, **options: Any) -> None:
        self.files = {"a": "1", "b": "2"}

        async def look(name: str) -> str:
            """Show a file."""
            return self.files[name]

        async def write(name: str, text: str) -> str:
            """Write a file."""
            self.files[name] = text
            return f"{len(text)} characters written to {name}"

        async def wipe(name: str) -> str:
            """Delete a file."""
            del self.files[name]
            return f"{name} deleted"

        tools = with_lookahead(
            [look, write, wipe],
            world=world,
            policy=POLICY,
            journal=journal,
            mode=options.pop("mode", "guard"),
            **options,
        )
        self.look, self.write, self.wipe = tools


def oracle(messages: Sequence[Message], asking: Asking) -> str:
    return tagged("3 characters written to a" if '"write"' in messages[-1].content else "a deleted")


async def test_a_call_that_only_reads_costs_no_token_of_the_world(journal: Journal):
    model = ScriptedModel(oracle)
    agent = Agent(journal, LanguageWorld(model))
    for _ in range(5):
        assert await agent.look("a") == "1"
    assert model.calls == 0
    assert all(one.decided.decision.cost.tokens == 0 for one in journal.calls())
    await agent.write("a", "abc")
    assert model.calls == 1


async def test_candidates_go_out_at_once_over_one_prefix(journal: Journal):
    model = ScriptedModel(oracle)
    rivals = [call("write", name="a", text=text) for text in ("x", "yy", "zzz")]
    agent = Agent(journal, LanguageWorld(model), search=BestOf(k=4, propose=ScriptedProposer(rivals)))
    await agent.look("a")
    await agent.write("a", "abc")
    assert model.calls == 4
    assert len({messages[:-1] for messages, _ in model.asked}) == 1
    assert "look" in model.asked[0][0][1].content


async def test_what_was_imagined_is_recorded_as_imagined_and_compared_with_what_happened(journal: Journal):
    agent = Agent(journal, LanguageWorld(ScriptedModel(oracle, name="openai:m@here")))
    assert await agent.write("a", "abc") == "3 characters written to a"
    (recorded,) = journal.calls()
    step = recorded.decided.decision.considered[0].rollout.steps[0]
    assert (step.observation.origin.kind, step.observation.origin.world) == ("model", "openai:m@here")
    assert recorded.resulted is not None
    assert recorded.resulted.agreement is not None
    assert recorded.resulted.agreement.agreed
    assert not journal.transitions()[0].observation.imagined


async def test_in_a_dry_run_the_imagined_answer_is_the_answer_and_nothing_happens(journal: Journal):
    agent = Agent(journal, LanguageWorld(ScriptedModel(oracle)), mode="dry-run")
    assert "3 characters written" in await agent.write("a", "abc")
    assert agent.files["a"] == "1"


async def test_while_the_world_is_down_reads_run_and_what_destroys_is_held_at_once(journal: Journal):
    model = ScriptedModel(ModelUnreachable("nobody answers at http://x; start it with `lookahead serve`"))
    agent = Agent(journal, Circuit(LanguageWorld(model), after=2, rest=3600))
    for number in range(6):
        assert await agent.look("b") == "2"
        with pytest.raises(Refused) as caught:
            await agent.wipe("a")
        told = " ".join(caught.value.decision.notes)
        assert "nobody answers at http://x" in told
        assert ("is not asked" in told) == (number >= 2)
    assert model.calls == 2
    assert agent.files == {"a": "1", "b": "2"}


async def test_what_is_on_record_is_not_imagined_again(journal: Journal):
    model = ScriptedModel(oracle)
    world = RoutedWorld(RecordedWorld(journal), LanguageWorld(model))
    await Agent(journal, world, goal="g").write("a", "abc")
    assert model.calls == 1
    await Agent(journal, world, goal="g").write("a", "abc")
    assert model.calls == 1
    last = journal.calls()[-1].decided.decision.considered[0].rollout.steps[0].observation
    assert (last.origin.kind, last.origin.confidence) == ("recorded", 1.0)
    assert last.cost.tokens == 0


async def test_what_happened_before_grounds_what_is_imagined_now_and_nothing_imagined_does(journal: Journal):
    model = ScriptedModel(oracle)
    await Agent(journal, LanguageWorld(model), goal="first").write("b", "real answer")
    await Agent(journal, LanguageWorld(model), goal="dry", mode="dry-run").write("b", "only imagined")
    await Agent(journal, LanguageWorld(model, grounding=Grounding(journal)), goal="next").write("a", "abc")
    system = model.asked[-1][0][0].content
    assert "11 characters written to b" in system
    assert "only imagined" not in system


async def test_in_shadow_mode_a_prediction_never_sees_the_answer_that_it_predicts(journal: Journal):
    model = ScriptedModel(oracle)
    world = LanguageWorld(model, grounding=Grounding(journal))
    agent = Agent(journal, world, goal="g")
    await agent.write("a", "abc")
    state = State(goal="g", tools=journal.runs()[0].started.tools)
    await world(state, call("write", name="a", text="abc"))
    assert "characters written to a" not in model.asked[-1][0][0].content
    await LanguageWorld(model, grounding=Grounding(journal))(state, call("write", name="a", text="abc"))
    assert "characters written to a" not in model.asked[-1][0][0].content


def test_synchronous_functions_use_the_same_world(journal: Journal):
    done: list[str] = []

    def write(name: str) -> str:
        """Write a file."""
        done.append(name)
        return "written"

    model = ScriptedModel(tagged("written"))
    world = Circuit(LanguageWorld(model))
    guarded = with_lookahead(write, world=world, policy={"write": {"effect": "changes"}}, journal=journal, mode="guard")
    assert guarded("a") == "written"
    assert (done, model.calls) == (["a"], 1)


async def test_a_real_endpoint_answers_and_its_faults_are_told(journal: Journal):
    with endpoint() as served:
        async with OpenAIModel(served.url, pause=0.01) as model:
            agent = Agent(journal, Circuit(LanguageWorld(model, seconds=10)))
            await agent.write("a", "abc")
            with pytest.raises(Refused, match="answers with 500"):
                await agent.wipe("fault=500#0")
            with pytest.raises(Refused, match="cut off"):
                await agent.wipe("fault=over-long#0")
            await agent.write("a", "abcd")
    assert agent.files == {"a": "abcd", "b": "2"}
    worlds = [one.decided.decision.considered[0].rollout for one in journal.calls()]
    assert worlds[0].steps[0].observation.origin.world.startswith("openai:m@127.0.0.1")


async def test_a_prediction_that_failed_was_paid_for_and_that_is_on_record(journal: Journal):
    paid = Completion(samples=(Sample(text="I am sorry, I cannot."),), model="m", cost=Cost(calls=1, tokens=123))
    agent = Agent(journal, Circuit(LanguageWorld(ScriptedModel(paid))))
    with pytest.raises(Refused):
        await agent.write("a", "abc")
    spent = agent.write.lookahead.spent
    (call,) = journal.calls()
    assert spent.tokens == 2 * 123
    assert call.decided.decision.cost.tokens == 2 * 123
    assert spent.seconds > 0


async def test_a_quick_critic_asks_behind_the_worlds_own_chat(journal: Journal):
    def answer(messages: Sequence[Message], asking: Asking) -> str:
        return "A" if asking.choices else tagged("3 characters written to a")

    model = ScriptedModel(answer)
    agent = Agent(journal, Circuit(LanguageWorld(model)), critic=CheapCritic(model))
    await agent.write("a", "abc")
    (foretold, _), (judged, asking) = model.asked
    assert asking.choices
    assert judged[: len(foretold)] == foretold
    assert judged[len(foretold)].content == tagged("3 characters written to a")
    assert len(judged) == len(foretold) + 2
