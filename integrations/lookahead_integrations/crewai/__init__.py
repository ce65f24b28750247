"""CrewAI: the tools of agents, tasks and crews, guarded themselves, because its hooks fail open."""
