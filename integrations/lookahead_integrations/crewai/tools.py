"""A tool of CrewAI that walks the line when it is run."""

import inspect
import json
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, cast

import anyio.to_thread
from pydantic import PrivateAttr

from lookahead.errors import ConfigError
from lookahead.functions import jsonable
from lookahead.permit import Answer, Permit, swap_notice
from lookahead.portal import portal
from lookahead.session import Session
from lookahead.types import Action, Observation, Tool

_base: Any = import_module("crewai.tools.base_tool")
_failure: Any = import_module("crewai.tools.tool_failure")
_names: Any = import_module("crewai.utilities.string_utils")

PLAIN: Final = (str, int, float, bool, type(None))


class Told(str):
    """What lookahead says in a tool's place. It is not kept as the tool's answer to the same call."""


@dataclass(kw_only=True)
class Shop:
    """Where guarded tools find their session, and one another. In a dry run no real one is in here."""

    real: dict[str, Any] = field(default_factory=dict[str, Any])
    session: Session | None = None

    @property
    def opened(self) -> Session:
        if self.session is None:
            raise ConfigError("this tool was called while it was being wrapped")
        return self.session


class GuardedTool(_base.BaseTool):  # type: ignore[misc]
    """The same tool to look at."""

    _shop: Shop = PrivateAttr()
    _real: Any = PrivateAttr(default=None)

    @classmethod
    def of(cls, tool: Any, shop: Shop, *, dry: bool) -> "GuardedTool":
        made: Any = cls(
            name=tool.name,
            description=tool.description,
            args_schema=tool.args_schema,
            result_schema=tool.result_schema,
            description_updated=True,  # the description names its arguments already
            result_as_answer=tool.result_as_answer,
            tool_failure_policy=tool.tool_failure_policy,
            cache_function=_kept_unless_told(tool.cache_function),
        )
        made.description = tool.description
        made._shop = shop
        made._real = None if dry else tool
        return made

    def format_output_for_agent(self, raw_result: Any) -> str:
        if isinstance(raw_result, Told) or self._real is None:
            return str(raw_result)
        return str(self._real.format_output_for_agent(raw_result))

    def action(self, kwargs: dict[str, Any]) -> Action:
        return Action(tool=name_of(self), arguments=cast(Any, jsonable(kwargs)))

    def _run(self, **kwargs: Any) -> Any:
        session = self._shop.opened
        begun = session.begin_here(self.action(kwargs))
        if isinstance(begun, Answer):
            return told(begun)
        try:
            doing, given = self._doing(begun, kwargs)
            value = doing.run(**given)
        except BaseException as error:
            portal.call(session.failed, begun, error)
            raise
        session.finish_here(begun, seen(value, doing))
        return returned(begun, value, doing)

    async def _arun(self, **kwargs: Any) -> Any:
        session = self._shop.opened
        begun = await session.begin(self.action(kwargs))
        if isinstance(begun, Answer):
            return told(begun)
        try:
            doing, given = self._doing(begun, kwargs)
            if is_async(doing):
                value = await doing.arun(**given)
            else:
                value = await anyio.to_thread.run_sync(lambda: doing.run(**given))
        except BaseException as error:
            await session.failed(begun, error)
            raise
        await session.finish(begun, seen(value, doing))
        return returned(begun, value, doing)

    def _doing(self, permit: Permit, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Which tool does what: this one what it was judged for, or, after a swap, another one."""
        swapped = permit.decision.choice == "swap"
        doing = self._shop.real.get(permit.action.tool) if swapped else self._real
        if doing is None:
            raise ConfigError(f"{permit.action.tool!r} cannot be reached from here, so nothing was done")
        if swapped:
            return doing, cast(dict[str, Any], dict(permit.take(permit.action).arguments))
        permit.take(self.action(kwargs))
        return doing, kwargs


def _kept_unless_told(keeps: Any) -> Any:
    def cache(arguments: Any = None, result: Any = None) -> bool:
        return not isinstance(result, Told) and bool(keeps(arguments, result))

    return cache


def name_of(tool: Any) -> str:
    """As the model is told it."""
    return str(_names.sanitize_tool_name(tool.name))


def is_async(tool: Any) -> bool:
    function = getattr(tool, "func", None)
    kind = tool.__class__
    return kind._arun not in (_base.BaseTool._arun, _base.Tool._arun) or inspect.iscoroutinefunction(function)


def told(answer: Answer) -> Told:
    said = answer.observation
    if not said.content and said.structured is not None:
        return Told(json.dumps(said.structured, ensure_ascii=False))
    return Told(said.content)


def seen(value: Any, tool: Any) -> Observation:
    failed = isinstance(value, _failure.ToolFailure)
    if isinstance(value, str):
        return Observation(content=value)
    text = str(value.message) if failed else str(tool.format_output_for_agent(value))
    return Observation(content=text, structured=None if failed else jsonable(value), failed=failed)


def returned(permit: Permit, value: Any, tool: Any) -> Any:
    if permit.decision.choice != "swap":
        return value
    said = value if isinstance(value, str) else tool.format_output_for_agent(value)
    return Told(f"{swap_notice(permit.decision)}\n{said}")


def described(tool: Any) -> Tool:
    return Tool(name=name_of(tool), description=tool.description, parameters=tool.args_schema.model_json_schema())
