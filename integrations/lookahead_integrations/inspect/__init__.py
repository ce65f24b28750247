"""Inspect AI: tools, agents, solvers and tasks, guarded where a tool is called."""
