"""An exact world for tools that have a dry run of their own, by an argument that the policy declares."""

import logging
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final, cast

from pydantic import JsonValue, TypeAdapter, ValidationError

from lookahead.canonical import canonical
from lookahead.errors import NotMyWorld, WorldError, boundary
from lookahead.policy import DryRunFlag
from lookahead.types import Action, Effect, Environment, Observation, Origin, State, Tool
from lookahead.worlds.branch import steps_to_replay

log: Final = logging.getLogger("lookahead")

_EFFECTS: Final = TypeAdapter(tuple[Effect, ...])
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "boolean": (bool,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


class DryRun:
    """Asks the real tool, with the argument added that makes it only say what it would do.

    Nothing but the declaration says that the tool then does nothing: **a wrong one runs the real thing.** So the
    argument must be in the tool's schema, with a value that fits; where the tool has no schema, a warning is logged.
    After an imagined change it abstains, because the real tool would answer for a world in which that never happened.

    An answer with a list of effects under `effects` in its structured content is taken at its word; else what would
    change is not known in detail, and the effects are None.
    """

    def __init__(
        self, real: Environment, declarations: Mapping[str, DryRunFlag], *, name: str = "fork:dry-run"
    ) -> None:
        self.name = name
        self._real = real
        self._declarations = dict(declarations)
        self._warned: set[str] = set()

    async def __call__(self, state: State, action: Action, /) -> Observation:
        flag = self._flag(action.tool)
        steps_to_replay(state, lambda _: False, self.name)
        self._check(state.tool(action.tool), action, flag)
        arguments = {**action.arguments, flag.argument: flag.value}
        # Under another identity: a host that remembers calls must not take this answer for the real call's.
        asked = Action(tool=action.tool, arguments=arguments)
        with boundary(WorldError, f"{self.name}: the dry run of {action.tool}"):
            said = await self._real(state, asked)
        return said.model_copy(
            update={
                "origin": Origin(kind="exact", world=self.name, confidence=1.0),
                "effects": _effects(said.structured),
            }
        )

    def _flag(self, tool: str) -> DryRunFlag:
        if tool in self._declarations:
            return self._declarations[tool]
        for pattern, flag in self._declarations.items():
            if fnmatchcase(tool, pattern):
                return flag
        raise NotMyWorld(f"{self.name}: nobody declared a dry-run argument for {tool!r}")

    def _check(self, tool: Tool | None, action: Action, flag: DryRunFlag) -> None:
        """Everything that can be known of a declaration before it is trusted."""
        given = action.arguments.get(flag.argument)
        if flag.argument in action.arguments and not _same_or_opposite(given, flag.value):
            raise NotMyWorld(
                f"{self.name}: the agent itself set {flag.argument!r}, the argument that asks for a dry run"
            )
        if tool is None or not tool.parameters:
            if action.tool not in self._warned:
                self._warned.add(action.tool)
                log.warning(
                    "%s: %r has no schema, so only the policy says that %r makes it a dry run",
                    self.name,
                    action.tool,
                    flag.argument,
                )
            return
        properties = tool.parameters.get("properties")
        schema = cast(dict[str, JsonValue], properties).get(flag.argument) if isinstance(properties, dict) else None
        if schema is None:
            raise WorldError(
                f"{self.name}: the policy says that {flag.argument!r} makes {action.tool!r} a dry run, but the tool "
                "has no such argument and would run for real; correct dry_run in the policy"
            )
        if isinstance(schema, dict) and not _fits(flag.value, schema):
            raise WorldError(
                f"{self.name}: the policy's dry-run value for {flag.argument!r} does not fit the schema of "
                f"{action.tool!r}; correct dry_run in the policy"
            )


def _same_or_opposite(given: JsonValue, declared: JsonValue) -> bool:
    """An agent that says `dry_run=False` plainly means the real call, and that is what is being previewed."""
    if isinstance(given, bool) and isinstance(declared, bool):
        return True
    return canonical(given) == canonical(declared)


def _fits(value: object, schema: Mapping[str, JsonValue]) -> bool:
    """Whether a value is allowed by the plain parts of a schema: type, enum, const."""
    if "const" in schema and canonical(schema["const"]) != canonical(value):
        return False
    allowed = schema.get("enum")
    if isinstance(allowed, list) and canonical(value) not in [canonical(item) for item in allowed]:
        return False
    kinds = schema.get("type")
    names = [str(kind) for kind in (kinds if isinstance(kinds, list) else [kinds] if kinds else [])]
    if not names:
        return True
    if value is True or value is False:
        return "boolean" in names
    return any(isinstance(value, _TYPES.get(name, ())) for name in names)


def _effects(structured: JsonValue) -> tuple[Effect, ...] | None:
    named = structured.get("effects") if isinstance(structured, dict) else None
    if not isinstance(named, list):
        return None
    try:
        return _EFFECTS.validate_python(named)
    except ValidationError:
        return None
