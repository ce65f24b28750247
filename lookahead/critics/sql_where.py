"""Conditions that let every row through."""

from typing import Any


def always(condition: Any) -> bool:
    """Whether a condition lets every row through, as far as can be told without the rows."""
    name = type(condition).__name__
    if name == "Paren":
        return always(condition.this)
    if name == "Or":
        return always(condition.this) or always(condition.expression)
    if name in ("And", "Xor"):
        return always(condition.this) and always(condition.expression)
    if name in ("EQ", "GTE", "LTE", "NullSafeEQ", "Is") and condition.this == condition.expression:
        return True
    if name == "Like" and condition.expression.name.strip("%") == "" and "%" in condition.expression.name:
        return True
    if name == "Boolean":
        return bool(condition.this)
    if name == "Not" and type(condition.this).__name__ in ("Boolean", "Null"):
        return not condition.this.this
    # What does not look at the row is true for all rows or for none, and nobody writes the latter.
    return not any(
        type(node).__name__ in ("Column", "Placeholder", "Parameter", "Subquery", "Select", "Var")
        for node in condition.walk()
    )
