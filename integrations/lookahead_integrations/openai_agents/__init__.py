"""The OpenAI Agents SDK: an agent, its handoffs and its agents-as-tools, guarded."""
