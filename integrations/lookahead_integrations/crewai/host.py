"""What CrewAI lets a line do."""

from typing import Final

from lookahead.host import Host

HOST: Final = Host(
    name="CrewAI",
    package="crewai",
    tested="1.15.30",
    extra="crewai",
    point="the tools of agents and tasks; a hook that blocks whatever is added to them when a crew runs",
    root="crewai",
    kinds=("Agent", "Crew"),
    load="lookahead_integrations.crewai.wrap:wrap",
    cannot={
        "rivals": (
            "the model is asked inside of CrewAI's executor; say who thinks of alternatives: "
            "search=BestOf(k=3, propose=my_proposer)"
        ),
        "resume": "a call waits while a person is asked (approve=, or the terminal); there is nothing to be resumed",
    },
)

__all__ = ["HOST"]
