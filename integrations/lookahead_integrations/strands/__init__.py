"""Strands Agents: the tools in an agent's registry, guarded where they are."""
