"""A LangChain agent with LookaheadMiddleware: the better of three messages goes on, and one call waits for an answer.

    pip install 'lookahead-agents[langchain]'
    python examples/agents/langchain.py

With a model of your own: pip install langchain-openai, and set LOOKAHEAD_EXAMPLE_URL=http://localhost:8000/v1 and
LOOKAHEAD_EXAMPLE_MODEL=name-of-the-model.
"""

import itertools
import os
import sys
from typing import Any

if sys.path and os.path.basename(sys.path[0]) == "agents":
    del sys.path[0]  # this very file is called like the library

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from lookahead import Action, BestOf, Observation, Origin, Rollout, State, Verdict
from lookahead_integrations.langgraph import LookaheadMiddleware

OWED = {"order 7": 30}
"""What the shop owes, by order: this is the real thing."""


@tool
def look_up(order: str) -> str:
    """What is owed on an order."""
    return f"{OWED[order]} are owed on {order}"


@tool
def give_back(order: str, amount: int) -> str:
    """Gives money back."""
    OWED[order] -= amount
    return f"{amount} given back, {OWED[order]} still owed"


@tool
def close(order: str) -> str:
    """Closes an order for good."""
    del OWED[order]
    return f"{order} is closed"


async def books(state: State, action: Action) -> Observation:
    """The world: here a copy of the books, in which everything can be tried."""
    left = OWED[str(action.arguments["order"])] - int(str(action.arguments.get("amount", 0)))
    return Observation(
        content=f"{left} still owed", structured={"left": left}, origin=Origin(kind="exact", world="books")
    )


async def accountant(state: State, rollout: Rollout) -> Verdict:
    """The critic: the nearer to nothing owed and nothing given away, the better."""
    seen = rollout.steps[0].observation.structured if rollout.steps else None
    left = abs(int(str(seen["left"]))) if isinstance(seen, dict) else 1000
    return Verdict(score=1 / (1 + left), reason=f"{left} away from being even")


class Written(BaseChatModel):
    """Stands for a language model: it says what was written down for it, and something else each time it is asked."""

    numbers: Any = itertools.count(1)

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        done = sum(isinstance(message, ToolMessage) for message in messages)
        number = next(self.numbers)
        turns: list[list[tuple[str, dict[str, Any]]]] = [
            [("look_up", {"order": "order 7"})],
            [("give_back", {"order": "order 7", "amount": (300, 3, 30)[number % 3 - 2]})],
            [("close", {"order": "order 7"})],
        ]
        calls = [
            ToolCall(name=name, args=arguments, id=f"call-{number}", type="tool_call")
            for name, arguments in (turns[done] if done < len(turns) else [])
        ]
        said = AIMessage("" if calls else "Order 7 is settled.", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=said)])

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    @property
    def _llm_type(self) -> str:
        return "written"


def model() -> BaseChatModel:
    url, name = os.environ.get("LOOKAHEAD_EXAMPLE_URL"), os.environ.get("LOOKAHEAD_EXAMPLE_MODEL")
    if not url or not name:
        return Written()
    from langchain.chat_models import init_chat_model

    key = os.environ.get("OPENAI_API_KEY", "none")
    return init_chat_model(name, model_provider="openai", base_url=url, api_key=key, temperature=0.7)


def main() -> None:
    lookahead = LookaheadMiddleware(
        world=books,
        critic=accountant,
        search=BestOf(k=3),
        policy={
            "look_up": {"effect": "reads"},
            "give_back": {"effect": "changes"},
            "close": "ask",
            "swap": True,  # the better of the agent's own messages may go on
        },
        journal=":memory:",
    )
    agent = create_agent(model(), [look_up, give_back, close], middleware=[lookahead], checkpointer=InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "desk"}}
    asked = {"messages": [("user", "Give back what we owe on order 7, and close it.")]}
    said = agent.invoke(asked, thread)
    while questions := said.get("__interrupt__"):
        print(questions[0].value["action_requests"][0]["description"])
        print("owed so far:", OWED)
        said = agent.invoke(Command(resume="approve"), thread)
    for message in said["messages"]:
        if isinstance(message, ToolMessage):
            print(f"{message.name}: {message.content}")
    print(said["messages"][-1].content)
    print("owed:", OWED)
    lookahead.lookahead.close()


if __name__ == "__main__":
    main()
