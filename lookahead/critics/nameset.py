"""Sets of names, written as a line of words."""


def nameset(text: str) -> frozenset[str]:
    return frozenset(text.split())
