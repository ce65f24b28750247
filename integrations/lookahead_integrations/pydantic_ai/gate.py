"""The capability that every run of a wrapped agent is given, and the toolset that it puts around all others."""

from dataclasses import dataclass, replace
from typing import Any, Final, cast

from pydantic import ValidationError
from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.tools import ToolDenied
from pydantic_ai.toolsets import AbstractToolset, WrapperToolset
from pydantic_ai.toolsets.abstract import ToolsetTool

from lookahead.errors import ConfigError, PermitError
from lookahead.functions import jsonable
from lookahead.permit import Answer, Permit, swap_notice
from lookahead.session import Session
from lookahead.types import Action
from lookahead_integrations.pydantic_ai.answers import observed, said, with_notice
from lookahead_integrations.pydantic_ai.desk import Desk
from lookahead_integrations.pydantic_ai.rivals import Sampling, action_of, calls_of

HARMLESS: Final = frozenset({"tool_search"})
"""What a model's provider does itself without reaching beyond this agent: it looks among its tools."""


@dataclass(repr=False)
class Gated(WrapperToolset[Any]):
    """Where a call becomes real: below every hook, so that what is judged is what runs."""

    desk: Desk
    asking: bool

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        try:
            action = Action(tool=name, arguments=cast(Any, jsonable(tool_args)), call_id=ctx.tool_call_id)
        except (ValidationError, RecursionError) as cause:
            return ToolDenied(f"Not done: the arguments of {name} cannot be written down: {type(cause).__name__}")
        self.desk.learn([tool.tool_def])
        written = as_written(name, tool_args, ctx, tool)
        session, held = await self.desk.settled(ctx, action, written, asking=self.asking)
        begun = held if isinstance(held, Answer) else await session.release(held)
        if isinstance(begun, Answer):
            guard = begun.observation.origin.kind == "guard"
            return ToolDenied(begun.observation.content) if guard else said(begun.observation)
        if self.desk.dry:
            raise PermitError("in a dry run nothing is done")
        return await self._done(session, begun, (name, tool_args, ctx, tool), written or action)

    async def _done(
        self,
        session: Session,
        permit: Permit,
        given: tuple[str, dict[str, Any], RunContext[Any], ToolsetTool[Any]],
        action: Action,
    ) -> Any:
        swapped = permit.decision.choice == "swap"
        try:
            call = self._other(permit.action, given[2]) if swapped else given
            permit.take(permit.action if swapped else action)
            value = await super().call_tool(*call)
        except (ApprovalRequired, CallDeferred) as pause:
            # The tool itself wants to be asked about, or is done elsewhere.
            await session.paused(permit, type(pause).__name__)
            if swapped:
                return ToolDenied(f"Not done: {permit.action.tool} promises better, and asks first: propose it itself")
            raise
        except BaseException as error:
            await session.failed(permit, error)
            if isinstance(error, PermitError) and not permit.taken:
                return ToolDenied(f"Not done: {error}")
            raise
        await session.finish(permit, observed(value))
        return with_notice(swap_notice(permit.decision), value) if swapped else value

    def _other(
        self, action: Action, ctx: RunContext[Any]
    ) -> tuple[str, dict[str, Any], RunContext[Any], ToolsetTool[Any]]:
        """Another tool of this run, with arguments that it takes."""
        known = (ctx.tool_manager.tools or {}) if ctx.tool_manager is not None else {}
        tool = known.get(action.tool)
        if tool is None or tool.tool_def.kind != "function" or tool.args_validator_func is not None:
            raise PermitError(f"{action.tool} promises better, and only its own call can do it: propose it itself")
        arguments = tool.args_validator.validate_python(dict(action.arguments), context=ctx.validation_context)
        return action.tool, arguments, replace(ctx, tool_name=action.tool), tool


def as_written(name: str, given: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]) -> Action | None:
    """The call as the model wrote it, if what is to run is what comes of that: nobody changed it on the way."""
    for message in reversed(ctx.messages):
        if not isinstance(message, ModelResponse):
            continue
        for call in calls_of(message):
            if call.tool_call_id == ctx.tool_call_id and call.tool_name == name:
                action = action_of(call)
                if action is None:
                    return None
                try:
                    came = (
                        tool.args_validator.validate_json(call.args or "{}", context=ctx.validation_context)
                        if isinstance(call.args, str)
                        else tool.args_validator.validate_python(call.args or {}, context=ctx.validation_context)
                    )
                    return action if bool(came == given) else None
                except Exception:
                    return None
    return None


@dataclass(repr=False)
class Lookahead(AbstractCapability[Any]):
    """Decides all calls of an answer as soon as it is there, and stands before each when it is done."""

    desk: Desk
    asking: bool
    """Whether this run can end with a question, or somebody answers it within."""

    def get_ordering(self) -> CapabilityOrdering:
        return CapabilityOrdering(position="innermost")

    def get_wrapper_toolset(self, toolset: AbstractToolset[Any]) -> AbstractToolset[Any]:
        return Gated(wrapped=toolset, desk=self.desk, asking=self.asking)

    async def before_model_request(
        self, ctx: RunContext[Any], request_context: ModelRequestContext
    ) -> ModelRequestContext:
        tools = request_context.model_request_parameters.native_tools
        native = [tool for tool in tools if getattr(tool, "kind", "") not in HARMLESS]
        if native and self.desk.dry:
            left = [tool for tool in tools if tool not in native]
            kept = replace(request_context.model_request_parameters, native_tools=left)
            return replace(request_context, model_request_parameters=kept)
        if native and not self.desk.opaque:
            names = ", ".join(str(getattr(tool, "kind", type(tool).__name__)) for tool in native)
            raise ConfigError(
                f"this run has tools that the model's provider does itself, where nobody can look: {names}. Next: "
                'leave them out, or say policy={"opaque": "allow"}'
            )
        return request_context

    async def after_model_request(
        self, ctx: RunContext[Any], *, request_context: ModelRequestContext, response: ModelResponse
    ) -> ModelResponse:
        tools = (ctx.tool_manager.tools or {}) if ctx.tool_manager is not None else {}
        function = {name: tool for name, tool in tools.items() if tool.tool_def.kind in ("function", "unapproved")}
        self.desk.learn([tool.tool_def for tool in function.values()])
        actions: list[Action] = []
        for call in calls_of(response):
            known = tools.get(call.tool_name)
            if known is not None and known.tool_def.kind == "external" and not self.desk.opaque:
                raise ConfigError(
                    f"{call.tool_name!r} is done outside of this run, where nobody can look. Next: "
                    'leave it out, or say policy={"opaque": "allow"}'
                )
            action = action_of(call) if call.tool_name in function else None
            if action is not None and _fits(function[call.tool_name], call.args, ctx):
                actions.append(action)
        if actions:
            sampling = Sampling(context=ctx, request=request_context)
            await self.desk.decide(ctx, sampling, actions, self.asking)
        return response


def _fits(tool: ToolsetTool[Any], args: Any, ctx: RunContext[Any]) -> bool:
    """What the SDK will send back to the model itself need not be imagined."""
    try:
        if isinstance(args, str):
            tool.args_validator.validate_json(args or "{}", context=ctx.validation_context)
        else:
            tool.args_validator.validate_python(args or {}, context=ctx.validation_context)
    except ValidationError:
        return False
    except Exception:
        return True
    return True
