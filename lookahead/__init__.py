"""See what an action would do before it does it."""

__version__ = "0.1.0"
