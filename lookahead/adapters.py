"""The agents that need no framework: Python functions, alone or in a collection, and environments."""

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import CoroutineType
from typing import Any, Protocol, TypeGuard, TypeVar, cast

from lookahead.errors import ConfigError, Refused, Swapped
from lookahead.functions import Function, ToolFunction
from lookahead.permit import Answer, Permit, swap_notice
from lookahead.portal import portal
from lookahead.session import Off, Session
from lookahead.types import Action, Environment, Observation, State, Tool

T = TypeVar("T")


class Opening(Protocol):
    """Starts a session for these tools; `real` does an action for real, for worlds that ask the tool itself."""

    def __call__(
        self, tools: Iterable[Tool], *, functions: Mapping[str, ToolFunction], real: Environment | None
    ) -> Session: ...


def is_function(agent: object) -> TypeGuard[Function]:
    return inspect.isroutine(agent) or isinstance(agent, functools.partial)


def is_environment(agent: object) -> TypeGuard[Environment]:
    """An async callable that takes a state and an action. A plain function must call them so, or annotate them."""
    if inspect.isclass(agent) or not callable(agent):
        return False
    function = agent if inspect.isroutine(agent) else type(agent).__call__
    if not inspect.iscoroutinefunction(function):
        return False
    parameters = [
        parameter
        for parameter in inspect.signature(agent).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if len(parameters) != 2:
        return False
    if not inspect.isroutine(agent):
        return True
    return _is_the(parameters[0], State, "state") and _is_the(parameters[1], Action, "action")


def _is_the(parameter: inspect.Parameter, kind: type, name: str) -> bool:
    if parameter.annotation is parameter.empty:
        return parameter.name == name
    return parameter.annotation in (kind, kind.__name__)


def is_functions(agent: object) -> bool:
    if is_function(agent):
        return True
    items: Collection[Any]
    if isinstance(agent, Mapping):
        items = list(cast(Mapping[Any, Any], agent).values())
    elif isinstance(agent, list | tuple | set | frozenset):
        items = cast(Collection[Any], agent)
    else:
        return False
    return len(items) > 0 and all(is_function(item) for item in items)


def wrap_environment(environment: Environment, opening: Opening) -> Environment:
    session = opening((), functions={}, real=environment)
    return _like_the_environment(environment, session.line.around(environment), session)


def _like_the_environment(environment: Environment, act: Environment, session: Session | Off) -> Environment:
    async def guarded(state: State, action: Action, /) -> Observation:
        return await act(state, action)

    guarded.__doc__ = environment.__doc__
    guarded.__name__ = getattr(environment, "__name__", "guarded")
    return _with_session(guarded, session)


def unguarded(agent: Any) -> Any:
    """The same shape comes back as when it is guarded, and says of itself that nothing is.

    What could not be guarded, and what another adapter would have wrapped, is handed back as it is.
    """
    if isinstance(getattr(agent, "lookahead", None), Session):
        return agent  # it was guarded before, and still is
    if is_environment(agent):
        return _like_the_environment(agent, agent, Off())
    if is_function(agent):
        try:
            return _free(ToolFunction.of(agent))
        except ConfigError:
            return agent
    if not is_functions(agent):
        return agent
    shape = cast(Callable[[Any], Any], type(agent))
    if isinstance(agent, Mapping):
        functions = cast(Mapping[Any, Function], agent)
        return shape({key: unguarded(function) for key, function in functions.items()})
    return shape([unguarded(function) for function in cast(Iterable[Function], agent)])


def _free(tool: ToolFunction) -> Function:
    async def free_async(*args: Any, **kwargs: Any) -> Any:
        return await tool.function(*args, **kwargs)

    def free_sync(*args: Any, **kwargs: Any) -> Any:
        return tool.function(*args, **kwargs)

    return _like_the_function(tool, free_async if tool.is_async else free_sync, Off())


def wrap_functions(agent: Any, opening: Opening) -> Any:
    """A function, or a list, tuple, set or dict of functions: the same shape comes back."""
    if is_function(agent):
        return wrap_functions([agent], opening)[0]
    shape = cast(Callable[[Any], Any], type(agent))
    mapping = cast(Mapping[Any, Function], agent) if isinstance(agent, Mapping) else None
    functions = list(mapping.values() if mapping is not None else cast(Iterable[Function], agent))
    tools = [ToolFunction.of(function) for function in functions]
    by_name: dict[str, ToolFunction] = {}
    for tool in tools:
        if by_name.setdefault(tool.name, tool).function is not tool.function:
            raise ConfigError(f"two tools are called {tool.name!r}: a policy could not tell them apart; rename one")
    session = opening((tool.tool for tool in by_name.values()), functions=by_name, real=real_functions(by_name))
    wrapped = [wrap_function(by_name[tool.name], session, by_name) for tool in tools]
    if mapping is not None:
        return shape(zip(mapping, wrapped, strict=True))
    return shape(wrapped)


def real_functions(functions: Mapping[str, ToolFunction]) -> Environment:
    """The functions as an environment, for worlds that ask the tool itself (its own dry-run flag)."""

    async def functions_for_real(state: State, action: Action, /) -> Observation:
        tool = functions[action.tool]
        args, kwargs = tool.bind(action)
        value = tool.function(*args, **kwargs)
        return tool.answer(await value if inspect.isawaitable(value) else value)

    return functions_for_real


def wrap_function(tool: ToolFunction, session: Session, tools: Mapping[str, ToolFunction]) -> Function:
    """The same function to look at; calling it walks the line."""
    call = GuardedCall(tool=tool, session=session, tools=tools)
    if tool.is_async:

        async def guarded_async(*args: Any, **kwargs: Any) -> Any:
            return await call.awaited(args, kwargs)

        guarded: Function = guarded_async
    else:

        def guarded_sync(*args: Any, **kwargs: Any) -> Any:
            return call.blocking(args, kwargs)

        guarded = guarded_sync
    return _like_the_function(tool, guarded, session)


def _like_the_function(tool: ToolFunction, guarded: Function, session: Session | Off) -> Function:
    names = [name for name in functools.WRAPPER_ASSIGNMENTS if name != "__annotations__"]
    functools.update_wrapper(guarded, tool.function, assigned=names)
    # The way to the bare function must not be one attribute away from whoever holds the guarded one.
    del guarded.__wrapped__  # type: ignore[attr-defined]
    guarded.__name__ = tool.name
    guarded.__annotations__ = dict(tool.hints) or dict(getattr(tool.function, "__annotations__", {}))
    guarded.__signature__ = tool.signature  # type: ignore[attr-defined]
    return _with_session(guarded, session)


@dataclass(frozen=True, kw_only=True)
class GuardedCall:
    """One call of one function on the line. The real function runs where the caller is, not on our thread."""

    tool: ToolFunction
    session: Session
    tools: Mapping[str, ToolFunction]

    async def awaited(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        begun = await self.session.begin(self.tool.action(args, kwargs))
        if isinstance(begun, Answer):
            return self._answered(begun)
        return await self._awaited(begun, args, kwargs)

    async def _awaited(self, permit: Permit, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            with self.session.acting(permit):
                value = self._run(permit, args, kwargs)
                if inspect.isawaitable(value):
                    value = await value
        except BaseException as error:
            await self.session.failed(permit, error)
            raise
        await self.session.finish(permit, self._doing(permit).answer(value))
        return self._returned(permit, value)

    def blocking(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        begun = self.session.begin_here(self.tool.action(args, kwargs))
        if isinstance(begun, Answer):
            return self._answered(begun)
        try:
            with self.session.acting(begun):
                value = self._run(begun, args, kwargs)
                if issubclass(type(value), CoroutineType):
                    # An async rival does a sync function's work: the caller cannot await it.
                    value = portal.call(_awaitable, value)
        except BaseException as error:
            portal.call(self.session.failed, begun, error)
            raise
        self.session.finish_here(begun, self._doing(begun).answer(value))
        return self._returned(begun, value)

    def _doing(self, permit: Permit) -> ToolFunction:
        return self.tools[permit.action.tool]

    def _run(self, permit: Permit, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if permit.decision.choice == "swap":
            args, kwargs = self._doing(permit).bind(permit.take(permit.action))
        else:
            # Written down anew: a list that was changed while the call was being judged makes it another call.
            permit.take(self.tool.action(args, kwargs))
        return self._doing(permit).function(*args, **kwargs)

    def _answered(self, answer: Answer) -> Any:
        if answer.observation.origin.kind == "guard":
            raise Refused(answer.observation.content, answer.decision)
        return self.tool.value(answer.observation)

    def _returned(self, permit: Permit, value: Any) -> Any:
        """What was done instead is said with the answer, or in its place where it could not be said in it."""
        if permit.decision.choice != "swap":
            return value
        notice = swap_notice(permit.decision)
        if isinstance(value, str) and self.tool.signature.return_annotation in (str, inspect.Signature.empty, Any):
            return f"{notice}\n{value}"
        raise Swapped(f"{notice}\n{self._doing(permit).answer(value).content}", permit.decision, value)


async def _awaitable(value: Any) -> Any:
    return await value


def _with_session(wrapped: T, session: Session | Off) -> T:
    cast(Any, wrapped).lookahead = session
    return wrapped
