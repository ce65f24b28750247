"""Guarded tools: the SDK's own, with another way in. What they do for real is not reachable from a dry run."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CellType, FunctionType
from typing import Any, Final, cast

from agents import FunctionTool, RunContextWrapper
from agents.tool import (
    _consume_function_tool_default_failure,  # type: ignore[reportPrivateUsage]
    _FailureHandlingFunctionToolInvoker,  # type: ignore[reportPrivateUsage]
    _invoke_function_tool_with_metadata,  # type: ignore[reportPrivateUsage]
)
from agents.tool_context import ToolContext
from agents.util._approvals import evaluate_needs_approval_setting

from lookahead.canonical import canonical
from lookahead.errors import PermitError
from lookahead.permit import Answer, Permit, swap_notice
from lookahead.session import Session
from lookahead.types import Action, Tool
from lookahead_integrations.openai_agents.answers import observed, said, with_notice
from lookahead_integrations.openai_agents.desk import Desk, approval_item

_FAILED: Final = "_function_tool_default_failure_handled"
"""How the SDK notes on a tool's context that the answer is its own words about an error."""


@dataclass(eq=False, kw_only=True, repr=False)
class Gate:
    """What stands in the place of a tool's `on_invoke_tool`."""

    desk: Desk
    name: str
    """With its namespace."""
    bare: str
    approval: Any
    """The tool's own `needs_approval`."""
    real: FunctionTool | None = None
    """The tool itself; None in a dry run."""
    steers: bool = False
    """It only calls an agent that is guarded itself."""
    plain: bool = True
    """Nothing of the agent's author stands between a call and this tool: it may be done in another's place."""
    errors: dict[int, Exception] = field(default_factory=dict[int, Exception])

    async def __call__(self, context: ToolContext[Any], arguments: str) -> Any:
        try:
            action = Action.parse(self.name, arguments, call_id=context.tool_call_id)
        except ValueError as cause:
            return self._not_done(context, f"Not done: the arguments of {self.name} cannot be read: {cause}")
        if self.steers:
            return await self._steered(context, action, arguments)
        session, held = await self.desk.settled(self, context, action)
        begun = held if isinstance(held, Answer) else await session.release(held)
        if isinstance(begun, Answer):
            text = said(begun.observation)
            return self._not_done(context, text) if begun.observation.origin.kind == "guard" else text
        return await self._done(session, begun, context, arguments)

    async def _steered(self, context: ToolContext[Any], action: Action, arguments: str) -> Any:
        """An agent as a tool runs, and what it does is decided there; unless the policy speaks of it by name."""
        ruling = self.desk.session.line.guard.policy.rule_on(action, None)
        if ruling.rule == "deny":
            return self._not_done(
                context, f"Not done: {self.name}\nwhat: the policy forbids this call\nwhy: {ruling.line}"
            )
        if (
            ruling.rule == "ask"
            and not self.desk.dry
            and self.desk.session.mode == "guard"
            and not self.approved(context)
        ):
            return self._not_done(context, f"Not done: {self.name}\nwhat: nobody allowed it\nwhy: {ruling.line}")
        assert self.real is not None
        return await self.real.on_invoke_tool(context, arguments)

    async def _done(self, session: Session, permit: Permit, context: ToolContext[Any], arguments: str) -> Any:
        swapped = permit.decision.choice == "swap"
        gate = self.desk.gates.get(permit.action.tool, self) if swapped else self
        try:
            if swapped:
                self._may_stand_in(gate, permit)
                arguments = canonical(permit.action.arguments)
                permit.take(permit.action)
                value = await gate.run(moved(context, gate, arguments), arguments)
            else:
                permit.take(Action.parse(self.name, arguments))
                value = await self.run(context, arguments)
        except BaseException as error:
            await session.failed(permit, error)
            if isinstance(error, PermitError) and not permit.taken:
                return self._not_done(context, f"Not done: {error}")
            raise
        failed = bool(getattr(context, _FAILED, False)) or self.errors.pop(id(context), None) is not None
        await session.finish(permit, observed(value, failed=failed))
        return with_notice(swap_notice(permit.decision), value) if swapped else value

    def _may_stand_in(self, gate: "Gate", permit: Permit) -> None:
        if gate.real is None or gate.name != permit.action.tool or not gate.plain:
            raise PermitError(
                f"{permit.action.tool} promises better, and has checks of its own that only its own call goes through; "
                "propose it itself"
            )

    async def run(self, context: ToolContext[Any], arguments: str) -> Any:
        """The real tool, with its own words for errors and its own limit of time."""
        assert self.real is not None
        tool = self._watched(context)
        result = await _invoke_function_tool_with_metadata(function_tool=tool, context=context, arguments=arguments)
        setattr(context, _FAILED, result.is_sdk_generated_error)
        return result.output

    def _watched(self, context: ToolContext[Any]) -> FunctionTool:
        """A tool that words its errors itself answers them like any result: what it was told of is noted."""
        tool = cast(FunctionTool, self.real)
        words = tool._failure_error_function  # type: ignore[reportPrivateUsage]
        if words is None:
            return tool

        def noted(about: RunContextWrapper[Any], error: Exception) -> Any:
            self.errors[id(context)] = error
            return words(about, error)

        watched = copy.copy(tool)
        watched._failure_error_function = noted  # type: ignore[reportPrivateUsage]
        return watched

    def _not_done(self, context: ToolContext[Any], text: str) -> str:
        self.desk.refuse(context.tool_call_id)
        _consume_function_tool_default_failure(context)
        # Not what the tool says, so it need not look like what the tool says.
        setattr(context, _FAILED, True)
        return text

    def approved(self, context: ToolContext[Any]) -> bool:
        if context.tool_call is None:
            return False
        item = approval_item(self, context)
        status = context.get_approval_status(
            self.bare, context.tool_call_id, tool_namespace=context.tool_namespace, current_invocation=item
        )
        return status is True

    async def authors(self, context: RunContextWrapper[Any], action: Action) -> bool:
        """Whether the agent's author wants a person to be asked about this call."""
        return await evaluate_needs_approval_setting(self.approval, context, dict(action.arguments), action.call_id)

    async def needs_approval(self, context: RunContextWrapper[Any], arguments: dict[str, Any], call_id: str) -> bool:
        action = Action(tool=self.name, arguments=arguments, call_id=call_id)
        if self.steers:
            asks = self.desk.session.line.guard.policy.rule_on(action, None).rule == "ask"
            asks = asks and self.desk.session.mode == "guard"
            return asks or (not self.desk.dry and await self.authors(context, action))
        return await self.desk.waits(self, context, action)


def guarded(tool: FunctionTool, desk: Desk) -> FunctionTool:
    """The same tool to look at, in the agent's list and in what the model is told."""
    if isinstance(tool.on_invoke_tool, Gate):
        return tool
    gate = Gate(
        desk=desk,
        name=tool.qualified_name,
        bare=tool.name,
        approval=tool.needs_approval,
        real=None if desk.dry else tool,
        plain=tool.needs_approval is False and not tool.tool_input_guardrails and tool.is_enabled is True,
    )
    desk.gates[gate.name] = gate
    return _through(tool, gate)


def guarded_agent_tool(tool: FunctionTool, desk: Desk, agent: Any) -> FunctionTool:
    """An agent as a tool, with the guarded agent behind it."""
    gate = Gate(desk=desk, name=tool.qualified_name, bare=tool.name, approval=tool.needs_approval, steers=True)
    gate.real = _with_agent(tool, agent)
    desk.gates[gate.name] = gate
    made = _through(tool, gate)
    made._agent_instance = agent  # type: ignore[reportPrivateUsage]
    return made


def _through(tool: FunctionTool, gate: Gate) -> FunctionTool:
    made = object.__new__(type(tool))
    # The limit of time is the tool's own: the time to think and to ask is none of it.
    vars(made).update({**vars(tool), "on_invoke_tool": gate, "timeout_seconds": None})
    made.needs_approval = gate.needs_approval
    return made


def _with_agent(tool: FunctionTool, agent: Any) -> FunctionTool:
    invoker = cast(Any, tool.on_invoke_tool)
    impl = cast(FunctionType, invoker._invoke_tool_impl)
    cells = tuple(
        CellType(agent) if name == "self" else cell
        for name, cell in zip(impl.__code__.co_freevars, impl.__closure__ or (), strict=True)
    )
    again = FunctionType(impl.__code__, impl.__globals__, impl.__name__, impl.__defaults__, cells)
    again.__kwdefaults__ = impl.__kwdefaults__
    vars(again).update(vars(impl))
    made = copy.copy(tool)
    made._agent_instance = agent  # type: ignore[reportPrivateUsage]
    made.on_invoke_tool = _FailureHandlingFunctionToolInvoker(again, invoker._on_handled_error, function_tool=made)
    return made


def agent_behind(tool: FunctionTool) -> Any:
    """The agent of an agent-as-tool, where its place in the tool is the one that can be exchanged."""
    agent = tool._agent_instance  # type: ignore[reportPrivateUsage]
    impl = getattr(tool.on_invoke_tool, "_invoke_tool_impl", None)
    if agent is None or not isinstance(impl, FunctionType) or "self" not in impl.__code__.co_freevars:
        return None
    held = dict(zip(impl.__code__.co_freevars, impl.__closure__ or (), strict=True))["self"].cell_contents
    return agent if held is agent else None


def moved(context: ToolContext[Any], gate: Gate, arguments: str) -> ToolContext[Any]:
    """The context of the call, for the tool that is done in its place."""
    call = context.tool_call
    if call is not None:
        call = call.model_copy(update={"name": gate.bare, "arguments": arguments})
    return ToolContext.from_agent_context(
        context,
        context.tool_call_id,
        tool_call=call,
        agent=context.agent,
        tool_name=gate.bare,
        tool_arguments=arguments,
        run_config=context.run_config,
    )


def described(tool: FunctionTool) -> Tool:
    return Tool(name=tool.qualified_name, description=tool.description, parameters=tool.params_json_schema)


def function_of(tool: FunctionTool) -> Callable[..., Any] | None:
    try:
        return cast(Callable[..., Any], cast(Any, tool).__wrapped__)
    except AttributeError:
        return None
