"""Claude Agent SDK: a hook before every tool of the Claude Code process, which fails closed."""
