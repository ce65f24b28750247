"""A world of your own in shadow mode: real answers at once, the imagined ones compared, until it may be believed.

python examples/earn_a_record.py
"""

import random

import anyio

from lookahead import Action, Journal, Observation, State, Tool, with_lookahead
from lookahead.ledger import Ledger

STOCK = {"apples": 5, "pears": 0}


async def warehouse(state: State, action: Action) -> Observation:
    """The real thing."""
    left = STOCK[str(action.arguments["item"])]
    return Observation(content="taken" if left else "none left", failed=not left)


async def my_model(state: State, action: Action) -> Observation:
    """A world model: here a guess that is wrong now and then."""
    left = STOCK[str(action.arguments["item"])] if random.random() < 0.9 else 1
    return Observation(content="taken" if left else "none left", failed=not left)


async def run() -> None:
    random.seed(7)
    with Journal(":memory:") as journal:
        watched = with_lookahead(warehouse, mode="shadow", world=my_model, journal=journal)
        state = State(goal="fill the order", tools=(Tool(name="take"),))
        for number in range(40):
            action = Action(tool="take", arguments={"item": ("apples", "pears")[number % 2]})
            state = state.then(action, await watched(state, action), keep=10)
            watched.lookahead.settle()  # type: ignore[attr-defined]
        standing = Ledger(journal).standing("take", "my_model")
        print(f"right in {standing.rate(True):.0%} of {standing.trials(True)} calls that change something,")
        print(f"so by the lower bound it has earned {standing.bound(True):.2f}; to veto takes 0.70, to swap 0.80")


def main() -> None:
    anyio.run(run)


if __name__ == "__main__":
    main()
