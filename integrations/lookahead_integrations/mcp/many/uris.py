"""The resources of several servers beside each other: an address is spelled as before while one server has it."""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

KEPT: Final = 20_000
"""So many addresses are remembered."""


class Uris:
    """Who has which address. One that two servers have gets its server's name before its scheme: `git+file:///a`."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self._schemes = {key: _scheme(prefix) for key, prefix in prefixes.items()}
        self._owners: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._templates: dict[str, tuple[str, ...]] = {}
        self._order = {key: place for place, key in enumerate(prefixes)}

    def learn(self, key: str, uris: Iterable[str]) -> None:
        for uri in uris:
            self._owners[uri] = self._added(self._owners.get(uri, ()), key)
            self._owners.move_to_end(uri)
        while len(self._owners) > KEPT:
            self._owners.popitem(last=False)

    def learn_templates(self, key: str, templates: Iterable[str]) -> None:
        for template in templates:
            if template in self._templates or len(self._templates) < KEPT:
                self._templates[template] = self._added(self._templates.get(template, ()), key)

    def seen(self, key: str, uri: str) -> str:
        """A server spoke of an address: what a client is told it is."""
        if uri not in self._owners:
            self.learn(key, (uri,))
        return self.outer(key, uri)

    def outer(self, key: str, uri: str) -> str:
        owners = self._owners.get(uri) or self._templates.get(uri) or ()
        return uri if owners in ((), (key,)) else f"{self._schemes[key]}+{uri}"

    def inner(self, shown: str) -> list[tuple[str, str]]:
        """Who may have this address and what it is there, the likeliest first; empty where nobody is known to."""
        if owners := self._owners.get(shown) or self._templates.get(shown):
            return [(key, shown) for key in owners]
        scheme, plus, uri = shown.partition("+")
        for key, its in self._schemes.items():
            if plus and scheme == its:
                return [(key, uri)]
        matches = [template for template in self._templates if _matches(template, shown)]
        matches.sort(key=lambda template: -len(re.sub(r"\{[^{}]*\}", "", template)))
        return list(dict.fromkeys((key, shown) for template in matches for key in self._templates[template]))

    def _added(self, owners: tuple[str, ...], key: str) -> tuple[str, ...]:
        return owners if key in owners else tuple(sorted((*owners, key), key=self._order.__getitem__))


def _scheme(prefix: str) -> str:
    """As a scheme may be spelled."""
    name = prefix.replace("_", "-").lower()
    return name if name[:1].isalpha() else f"x-{name}"


def _matches(template: str, uri: str) -> bool:
    """Whether an address may come of a template: all that stands outside of its braces is there, in order."""
    at = 0
    literals = re.split(r"\{[^{}]*\}", template)
    for number, literal in enumerate(literals):
        found = uri.find(literal, at) if number else (0 if uri.startswith(literal) else -1)
        if found < 0:
            return False
        at = found + len(literal)
    return uri.endswith(literals[-1])
