"""AutoGen: assistants, teams, and both as tools."""
