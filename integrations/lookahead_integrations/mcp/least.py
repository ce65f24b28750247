"""The least value that a JSON schema allows, and the value nearest to a given one: the same each time."""

import math
from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic import JsonValue

from lookahead.critics.nameset import nameset
from lookahead_integrations.mcp.overlay.words import words
from lookahead_integrations.mcp.schemas import fault
from lookahead_integrations.mcp.spellings import spellings

_DEEPEST: Final = 24
_FORMATS: Final[Mapping[str, str]] = {
    "date-time": "1970-01-01T00:00:00Z",
    "date": "1970-01-01",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "nobody@example.invalid",
    "uri": "about:blank",
    "uri-reference": "about:blank",
    "url": "about:blank",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "ipv4": "0.0.0.0",
    "ipv6": "::",
    "hostname": "example.invalid",
}
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_WENT_WELL: Final = nameset("success succeeded ok successful done completed")


class NoValue(Exception):
    """No value fits, or none that can be found."""


class Least:
    """Fills in what is missing. `filled` says where, as JSON pointers."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.root = schema
        self.filled: list[str] = []

    def like(self, value: JsonValue, text: str = "") -> JsonValue:
        """The value nearest to this one. What was said is kept where it fits; what is missing is filled in."""
        self.filled = []
        return self._like(self.root, value, "", 0)

    def _like(self, schema: Any, value: JsonValue, place: str, deep: int) -> JsonValue:
        if deep > _DEEPEST:
            raise NoValue(f"{place or 'the value'}: the schema goes deeper than {_DEEPEST} levels")
        if schema is True or schema == {}:
            return value
        if schema is False:
            raise NoValue(f"{place or 'the value'}: the schema allows nothing here")
        own = self._resolved(schema, deep)
        if "const" in own:
            return self._filled(place, own["const"], unless=value)
        if isinstance(own.get("enum"), list):
            return self._among(own["enum"], value, place)
        for word in ("anyOf", "oneOf"):
            if isinstance(own.get(word), list):
                return self._either(own, cast(list[Any], own[word]), word, value, place, deep)
        kind = self._kind(own, value)
        if kind == "object":
            return self._object(own, value, place, deep)
        if kind == "array":
            return self._array(own, value, place, deep)
        if kind is None or kind == "null":
            return value if kind is None else None
        if kind == "boolean":
            return self._boolean(value, place)
        if kind == "string":
            return self._string(own, value, place)
        return self._number(own, value, place, whole=kind == "integer")

    def _resolved(self, schema: Any, deep: int) -> dict[str, Any]:
        """The schema with its local references and its `allOf` written out."""
        own = dict(cast(dict[str, Any], schema))
        for _ in range(_DEEPEST):
            reference = own.pop("$ref", None)
            if reference is None:
                break
            found: Any = self.root
            if not isinstance(reference, str) or not reference.startswith("#"):
                raise NoValue(f"the schema refers to {reference!r}, which lies elsewhere")
            for part in reference[1:].strip("/").split("/") if reference != "#" else ():
                part = part.replace("~1", "/").replace("~0", "~")
                inner = cast(dict[str, Any], found) if isinstance(found, dict) else {}
                if part not in inner:
                    raise NoValue(f"the schema refers to {reference!r}, which is not in it")
                found = inner[part]
            own = {**cast(dict[str, Any], found), **own} if isinstance(found, dict) else own
        parts = own.pop("allOf", None)
        for part in cast(list[Any], parts) if isinstance(parts, list) else []:
            inner = self._resolved(part, deep) if isinstance(part, dict) else {}
            properties = {**inner.get("properties", {}), **own.get("properties", {})}
            required = [*own.get("required", []), *inner.get("required", [])]
            own = {**inner, **own}
            if properties:
                own["properties"] = properties
            if required:
                own["required"] = list(dict.fromkeys(required))
        return own

    def _kind(self, schema: Mapping[str, Any], value: JsonValue) -> str | None:
        kinds: Any = schema.get("type")
        if isinstance(kinds, list):
            several = [str(one) for one in cast(list[Any], kinds)]
            fitting = [one for one in several if _is(value, one)]
            return next(iter([*fitting, *(["null"] if value is None and "null" in several else []), *several]), None)
        if isinstance(kinds, str):
            return kinds
        if "properties" in schema or "required" in schema:
            return "object"
        if "items" in schema or "prefixItems" in schema:
            return "array"
        if {"pattern", "minLength", "maxLength", "format"} & schema.keys():
            return "string"
        return "number" if {"minimum", "maximum", "multipleOf"} & schema.keys() else None

    def _either(
        self, own: dict[str, Any], parts: list[Any], word: str, value: JsonValue, place: str, deep: int
    ) -> JsonValue:
        rest = {name: inner for name, inner in own.items() if name != word}
        found: list[tuple[int, int, JsonValue, list[str]]] = []
        before = self.filled
        for number, part in enumerate(parts):
            self.filled = list(before)
            try:
                whole: Any = {**rest, **self._resolved(part, deep)} if isinstance(part, dict) else part
                if isinstance(part, dict) and "properties" in rest:
                    whole["properties"] = {**rest["properties"], **whole.get("properties", {})}
                    whole["required"] = [*rest.get("required", []), *whole.get("required", [])]
                made = self._like(whole, value, place, deep + 1)
            except NoValue:
                continue
            definitions = {name: self.root[name] for name in ("$defs", "definitions") if name in self.root}
            if fault({**own, **definitions}, made) is None:
                changed = 0 if made == value else 1
                found.append((changed, len(self.filled), made, self.filled))
                if not changed:
                    break
            del number
        if not found:
            self.filled = before
            raise NoValue(f"{place or 'the value'}: none of {len(parts)} alternatives can be met")
        _, _, made, self.filled = min(found, key=lambda one: one[:2])
        return made

    def _among(self, choices: list[Any], value: JsonValue, place: str) -> JsonValue:
        if value in choices:
            return value
        if isinstance(value, str):
            near = [one for one in choices if isinstance(one, str) and one.casefold() == value.strip().casefold()]
            if near:
                return near[0]
        if not choices:
            raise NoValue(f"{place or 'the value'}: the schema has no choice to offer")
        return self._filled(place, choices[0])

    def _object(self, own: dict[str, Any], value: JsonValue, place: str, deep: int) -> JsonValue:
        properties: dict[str, Any] = own.get("properties") or {}
        required: list[str] = list(own.get("required") or ())
        given = dict(value) if isinstance(value, dict) else {}
        if not isinstance(value, dict) and value is not None:
            self.filled.append(place)
        alike = {"".join(words(name)): name for name in given}
        made: dict[str, JsonValue] = {}
        for name, schema in properties.items():
            source = name if name in given else alike.get("".join(words(name)), name)
            if source in given:
                kept = len(self.filled)
                try:
                    made[name] = self._like(schema, given.pop(source), f"{place}/{_escaped(name)}", deep + 1)
                except NoValue:
                    if name in required:
                        raise
                    del self.filled[kept:]
            elif name in required:
                made[name] = self._missing(name, schema, f"{place}/{_escaped(name)}", deep + 1)
        for name in required:
            if name not in made:
                more = own.get("additionalProperties", True)
                said = given.pop(name, None)
                made[name] = self._like(more, said, f"{place}/{_escaped(name)}", deep + 1)
        extra = own.get("additionalProperties", True)
        for name, one in given.items():
            if extra is not False:
                made[name] = one if extra is True else self._like(extra, one, f"{place}/{_escaped(name)}", deep + 1)
        for number in range(int(own.get("minProperties") or 0) - len(made)):
            made[f"property{number + 1}"] = self._like(extra, None, f"{place}/property{number + 1}", deep + 1)
        return made

    def _missing(self, name: str, schema: Any, place: str, deep: int) -> JsonValue:
        """What nobody said. Whether it went well was said: an answer that failed has another form."""
        before = len(self.filled)
        known = isinstance(schema, dict) and cast(dict[str, Any], schema).get("type") == "boolean"
        if known and _WENT_WELL & set(words(name)):
            made: JsonValue = True
        elif isinstance(schema, dict) and "default" in schema:
            made = cast(dict[str, Any], schema)["default"]
        else:
            made = self._like(schema, None, place, deep)
        del self.filled[before:]
        self.filled.append(place)
        return made

    def _array(self, own: dict[str, Any], value: JsonValue, place: str, deep: int) -> JsonValue:
        given = value if isinstance(value, list) else [] if value is None else [value]
        if value is None:
            self.filled.append(place)
        first: list[Any] = list(own.get("prefixItems") or ())
        rest = own.get("items", True)
        made: list[JsonValue] = []
        for number, one in enumerate(given):
            schema = first[number] if number < len(first) else rest
            try:
                fitted = self._like(schema, one, f"{place}/{number}", deep + 1)
            except NoValue:
                continue
            if not (own.get("uniqueItems") and fitted in made):
                made.append(fitted)
        while len(made) < int(own.get("minItems") or 0):
            number = len(made)
            schema = first[number] if number < len(first) else rest
            made.append(self._distinct(schema, made, f"{place}/{number}", deep, unique=own.get("uniqueItems") is True))
        most = own.get("maxItems")
        return made[: int(most)] if isinstance(most, int | float) else made

    def _distinct(self, schema: Any, made: list[JsonValue], place: str, deep: int, *, unique: bool) -> JsonValue:
        one = self._like(schema, None, place, deep + 1)
        if not unique or one not in made:
            return one
        own = self._resolved(schema, deep) if isinstance(schema, dict) else {}
        others: list[JsonValue] = [*own.get("enum", []), *range(len(made) + 1), *(f"{n}" for n in range(len(made) + 1))]
        for other in others:
            made_other = self._like(schema, other, place, deep + 1)
            if made_other not in made:
                return made_other
        raise NoValue(f"{place}: no other value can be found")

    def _boolean(self, value: JsonValue, place: str) -> JsonValue:
        if isinstance(value, bool):
            return value
        words_of: dict[str, bool] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        said = words_of.get(str(value).strip().lower()) if isinstance(value, str | int | float) else None
        return said if said is not None else self._filled(place, False)

    def _string(self, own: Mapping[str, Any], value: JsonValue, place: str) -> JsonValue:
        said = value if isinstance(value, str) else None
        if said is None and isinstance(value, int | float) and not isinstance(value, bool):
            said = str(value)
        if said is not None and self._fits(own, said):
            return said
        shortest, longest = int(own.get("minLength") or 0), own.get("maxLength")
        if said is not None and isinstance(longest, int) and self._fits(own, said[:longest]):
            return said[:longest]
        tried: list[str] = [str(own["default"])] if isinstance(own.get("default"), str) else []
        tried += [one for one in cast(list[Any], own.get("examples") or ()) if isinstance(one, str)]
        tried += [_FORMATS[own["format"]]] if own.get("format") in _FORMATS else []
        if isinstance(own.get("pattern"), str):
            tried += spellings(own["pattern"], shortest)
        tried += ["", "x" * shortest, "0" * shortest]
        made = next((one for one in tried if self._fits(own, one)), None)
        if made is None:
            raise NoValue(f"{place or 'the value'}: no text is known that fits {own.get('pattern')!r}")
        return self._filled(place, made)

    def _fits(self, own: Mapping[str, Any], text: str) -> bool:
        return fault({name: one for name, one in own.items() if name not in ("default", "examples")}, text) is None

    def _number(self, own: Mapping[str, Any], value: JsonValue, place: str, *, whole: bool) -> JsonValue:
        said = _as_number(value, whole=whole)
        low, high = _bounds(own, whole=whole)
        step = own.get("multipleOf")
        if said is not None and low <= said <= high and (not step or _multiple(said, step)):
            return said
        if said is None and isinstance(own.get("default"), int | float):
            return self._filled(place, own["default"])
        near = min(max(said if said is not None else 0, low), high)
        if step:
            near = math.ceil(near / step - 1e-12) * step
        if whole:
            near = math.ceil(near)
        if not low <= near <= high:
            raise NoValue(f"{place or 'the value'}: no number lies within its bounds")
        return self._filled(place, near)

    def _filled(self, place: str, made: JsonValue, *, unless: JsonValue = None) -> JsonValue:
        if made != unless:
            self.filled.append(place)
        return made


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _is(value: JsonValue, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return type(value) in _KINDS.get(kind, ())


def _as_number(value: JsonValue, *, whole: bool) -> int | float | None:
    if isinstance(value, str):
        try:
            value = float(value.strip())
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if not whole or isinstance(value, int) else None


def _bounds(own: Mapping[str, Any], *, whole: bool) -> tuple[float, float]:
    low = own.get("minimum", -math.inf)
    high = own.get("maximum", math.inf)
    gap = 1 if whole else 1e-9
    above, under = own.get("exclusiveMinimum"), own.get("exclusiveMaximum")
    if isinstance(above, int | float) and not isinstance(above, bool):
        low = max(low, above + gap)
    if isinstance(under, int | float) and not isinstance(under, bool):
        high = min(high, under - gap)
    return low, high


def _multiple(value: float, step: float) -> bool:
    return abs(value / step - round(value / step)) < 1e-9
