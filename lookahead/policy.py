"""What may be done: per tool its effect and its rule, with conditions on arguments.

Deny beats ask beats preview beats allow.
"""

import os
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias, cast, get_args

from pydantic import (
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from lookahead.canonical import canonical, digest_of
from lookahead.errors import ConfigError
from lookahead.explain import explain, meant, shown
from lookahead.types import Action, Noun, Tool, ToolEffect

Rule: TypeAlias = Literal["allow", "preview", "ask", "deny"]
RULES: Final[tuple[Rule, ...]] = get_args(Rule)

_STRICTNESS: Final[dict[Rule, int]] = {"allow": 0, "preview": 1, "ask": 2, "deny": 3}
_CAUTION: Final[dict[ToolEffect, int]] = {"reads": 0, "unknown": 1, "changes": 2, "destroys": 3}
_DESTRUCTIVE_WORDS: Final = re.compile(
    r"(?:^|[_\W])(delete|destroy|drop|erase|format|kill|purge|remove|reset|revoke|rm|shred|terminate|truncate|uninstall"
    r"|unlink|wipe)(?:$|[_\W])"
)


class DryRunFlag(Noun):
    """The tool's own argument that makes it only say what it would do. A wrong declaration runs the real thing."""

    argument: str
    value: JsonValue = True


class Condition(Noun):
    """A rule that holds only for calls whose argument looks like this."""

    argument: str
    """The argument's name; a dotted path reaches inside objects and lists (`to.0.address`)."""
    rule: Rule
    equals: JsonValue = None
    matches: str | None = None
    """A glob over the argument as text."""
    regex: str | None = None
    above: float | None = None
    below: float | None = None
    outside: str | None = None
    """True for a path that leaves this directory, `..` and symbolic links followed."""
    absent: bool = False
    """True when the argument is not given at all; `absent = false` holds when it is given."""

    @model_validator(mode="after")
    def _one_test(self) -> "Condition":
        given = [name for name in _TESTS if name in self.model_fields_set]
        if len(given) != 1:
            raise ValueError(f"a condition holds exactly one of {', '.join(_TESTS)}; this one holds {given or 'none'}")
        return self

    @model_serializer(mode="wrap")
    def _as_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, JsonValue]:
        """Only what was said, so that it can be read back: `equals = null` is a test, and no test is none."""
        return {key: value for key, value in handler(self).items() if key in self.model_fields_set}

    @field_validator("regex")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as cause:
                raise ValueError(f"{pattern!r} is not a regular expression: {cause}") from cause
        return pattern

    @property
    def textual(self) -> bool:
        """Whether it looks at text by its spelling, which a clever text can satisfy and still do more."""
        return self.matches is not None or self.regex is not None

    def holds(self, action: Action) -> bool | None:
        """True, False, or None when the argument is of a kind that this test cannot be put to."""
        value = _reach(action.arguments, self.argument)
        if "absent" in self.model_fields_set:
            return (value is _MISSING) == self.absent
        if value is _MISSING:
            return False
        if "equals" in self.model_fields_set:
            return canonical(value) == canonical(self.equals)
        if self.above is not None or self.below is not None:
            if isinstance(value, bool) or not isinstance(value, int | float):
                return None
            return value > self.above if self.above is not None else value < cast(float, self.below)
        if not isinstance(value, str):
            return None
        if self.outside is not None:
            return _leaves(value, self.outside)
        if self.matches is not None:
            return fnmatchcase(value, self.matches)
        return re.search(cast(str, self.regex), value) is not None


_KNOWN: Final = 1000
_TESTS: Final = ("equals", "matches", "regex", "above", "below", "outside", "absent")
_MISSING: Final = object()


class Line(Noun):
    """What the policy says of the tools that one pattern names."""

    effect: ToolEffect | None = None
    rule: Rule | None = None
    when: tuple[Condition, ...] = ()
    dry_run: DryRunFlag | None = None
    on_failure: Literal["hold", "run"] | None = None
    """What happens when no preview could be had because the world failed. Nothing said: the tool's effect decides."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"rule": given}
        if not isinstance(given, Mapping | Line):
            raise ValueError(
                f'{shown(given)} is no rule; write {", ".join(RULES)}, or a table such as {{"rule": "ask"}}'
            )
        return cast(Any, given)


class Ruling(Noun):
    """What the policy says of one call, and which line said it."""

    rule: Rule
    line: str
    effect: ToolEffect
    on_failure: Literal["hold", "run"] | None = None
    textual: bool = False
    """An `allow` that rests on the spelling of an argument: the text rules still have their say."""


class Trust(Noun):
    """How good a record a world needs, as a lower bound on how often it was right, before it may decide."""

    veto: float = Field(default=0.7, ge=0, le=1)
    """Below about this, trusting what is imagined costs an agent more than it gains (a policy that is right half of
    the time breaks even at a world error of about 30 %)."""
    swap: float = Field(default=0.8, ge=0, le=1)
    depth: float = Field(default=0.6, ge=0, le=1)
    """Look d steps deep while the bound to the power of d stays above this."""


class Policy(Noun):
    """The whole of it; `lookahead.toml` holds it under `[policy]`."""

    default: Rule = "preview"
    """For calls that no line and no condition speaks of."""
    tools: dict[str, Line] = Field(default_factory=dict)
    approval_seconds: float = Field(default=600.0, gt=0)
    """How long an approval lives."""
    swap: bool = False
    """Whether a better action may be done in place of the proposed one. Off: the agent is told, and decides again."""
    trust: Trust = Trust()
    opaque: Literal["error", "allow"] = "error"
    """What becomes of an agent that can reach tools where nobody can look: it is refused, or that is allowed."""

    @cached_property
    def digest(self) -> str:
        return digest_of(canonical(self.model_dump(mode="json")))

    def effect_of(self, name: str, tool: Tool | None) -> ToolEffect:
        """The user's word first; then the tool's; a destructive name raises `unknown`, and no name lowers anything."""
        said: list[ToolEffect] = [line.effect for _, line in self._lines(name) if line.effect is not None]
        if said:
            return max(said, key=lambda effect: _CAUTION[effect])
        declared = tool.effect if tool is not None else "unknown"
        return "destroys" if declared == "unknown" and _DESTRUCTIVE_WORDS.search(_words(name)) else declared

    def rule_on(self, action: Action, tool: Tool | None) -> Ruling:
        """The strictest of everything that speaks of this call."""
        said: list[tuple[Rule, str, bool]] = []
        on_failure: Literal["hold", "run"] | None = None
        for pattern, line in self._lines(action.tool):
            if line.rule is not None:
                said.append((line.rule, f'"{pattern}" = {line.rule}', False))
            for condition in line.when:
                holds = condition.holds(action)
                # A test that cannot be put to this argument must not open a door, and must not leave one open.
                if holds or (holds is None and _STRICTNESS[condition.rule] >= _STRICTNESS["ask"]):
                    said.append(
                        (condition.rule, f'"{pattern}" when {condition.argument} = {condition.rule}', condition.textual)
                    )
            if line.on_failure is not None:
                on_failure = "hold" if "hold" in (line.on_failure, on_failure) else "run"
        rule, line_name, textual = max(
            said, key=lambda one: _STRICTNESS[one[0]], default=(self.default, f"default = {self.default}", False)
        )
        if rule == "allow":
            textual = all(spelling for kind, _, spelling in said if kind == "allow") and bool(said)
        return Ruling(
            rule=rule,
            line=line_name,
            effect=self.effect_of(action.tool, tool),
            on_failure=on_failure,
            textual=textual,
        )

    def dry_run_of(self, name: str) -> DryRunFlag | None:
        return next((line.dry_run for _, line in self._lines(name) if line.dry_run is not None), None)

    def _lines(self, name: str) -> tuple[tuple[str, Line], ...]:
        lines = self._known.get(name)
        if lines is None:
            if len(self._known) >= _KNOWN:  # an agent may invent names without end
                self._known.clear()
            lines = tuple((pattern, line) for pattern, line in self.tools.items() if covers(pattern, name))
            self._known[name] = lines
        return lines

    @cached_property
    def _known(self) -> dict[str, tuple[tuple[str, Line], ...]]:
        """The lines that speak of a tool, by its name: the same few tools are called over and over."""
        return {}

    @classmethod
    def read(cls, given: Mapping[str, Any], where: str) -> "Policy":
        """A policy from a mapping. What is not a field of ours is a pattern: `{"delete_*": "deny"}` will do."""
        fields = {key: value for key, value in given.items() if key in cls.model_fields}
        lines = {key: value for key, value in given.items() if key not in cls.model_fields}
        for key in lines:
            # A pattern that is nearly a field of ours would be a rule that nobody meant, and a rule that is missing.
            if close := meant(key, cls.model_fields, cutoff=0.8):
                raise ConfigError(
                    f"{where} cannot be understood.\n  {key}: there is no such setting; did you mean {close!r}? "
                    "A tool that is really called so goes under tools"
                )
        tools = fields.get("tools", {})
        if not isinstance(tools, Mapping):
            raise ConfigError(
                f'{where} cannot be understood.\n  tools: {shown(tools)} is no table; write {{"delete_*": "deny"}}'
            )
        named = cast(Mapping[str, Any], tools)
        if twice := sorted(lines.keys() & named.keys()):
            # Which of the two was meant cannot be told, and the wrong one would open a door.
            raise ConfigError(
                f"{where} cannot be understood.\n  {twice[0]}: it is said twice, beside tools and under tools; "
                "say it once"
            )
        try:
            return cls.model_validate({**fields, "tools": {**named, **lines}})
        except ValidationError as cause:
            raise ConfigError(explain(cause, where, cls)) from cause


def covers(pattern: str, name: str) -> bool:
    """Whether a pattern speaks of a tool: a glob over the whole name, in which case counts."""
    return fnmatchcase(name, pattern)


def _reach(value: JsonValue, path: str) -> Any:
    # An argument whose own name holds a dot is found by that name first.
    if isinstance(value, dict) and path in value:
        return value[path]
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def _leaves(path: str, directory: str) -> bool | None:
    root = os.path.realpath(os.path.expanduser(directory))
    try:
        reached = os.path.realpath(os.path.join(root, os.path.expanduser(path)))
    except ValueError:
        # A text that no path can have: a zero byte, half a character.
        return None
    return reached != root and not reached.startswith(root.rstrip(os.sep) + os.sep)


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
