"""An environment behind a policy: some calls run, some are denied, and one waits for a person.

python examples/ask_a_person.py
"""

import anyio

from lookahead import Action, Observation, Request, State, Tool, with_lookahead

POLICY = {
    "get_*": {"effect": "reads"},
    "refund": {
        "effect": "changes",
        "when": [
            {"argument": "amount", "above": 1000, "rule": "deny"},
            {"argument": "amount", "above": 100, "rule": "ask"},
            {"argument": "amount", "below": 100, "rule": "allow"},
        ],
    },
}


async def shop(state: State, action: Action) -> Observation:
    """The real thing: here, an order desk."""
    return Observation(content=f"{action.tool} done: {action.arguments}")


def manager(request: Request) -> bool:
    """Asked with the call, its predicted effects and what is wrong with it in `request.text`."""
    amount = request.decision.proposed.arguments["amount"]
    print(f"the manager is asked about {amount} and says yes")
    return True


async def run() -> None:
    desk = with_lookahead(shop, policy=POLICY, approve=manager, world="none", journal=":memory:")
    state = State(goal="settle complaint 7", tools=(Tool(name="get_order"), Tool(name="refund")))
    for action in (
        Action(tool="get_order", arguments={"order": 7}),
        Action(tool="refund", arguments={"order": 7, "amount": 20}),
        Action(tool="refund", arguments={"order": 7, "amount": 250}),
        Action(tool="refund", arguments={"order": 7, "amount": 5000}),
    ):
        observation = await desk(state, action)
        print(observation.content)
        if observation.origin.kind == "real":
            state = state.then(action, observation)


def main() -> None:
    anyio.run(run)


if __name__ == "__main__":
    main()
