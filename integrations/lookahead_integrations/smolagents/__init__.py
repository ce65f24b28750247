"""smolagents: tool-calling agents and code agents, with the agents that they manage."""
