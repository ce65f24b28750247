"""`with_lookahead` for the Claude Agent SDK: options in which every tool call passes a hook, or a client with them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from os import PathLike
from typing import Any, Final, cast

from lookahead.errors import ConfigError
from lookahead.host import ToolPath
from lookahead.types import Tool, ToolEffect
from lookahead.wrap import Options
from lookahead_integrations.claude.hooks import Guard
from lookahead_integrations.claude.servers import listed, stub

_sdk: Any = import_module("claude_agent_sdk")

READS: Final = (
    *("Read", "Glob", "Grep", "LS", "NotebookRead", "WebSearch", "TodoWrite", "ToolSearch"),
    *("BashOutput", "TaskOutput", "ListMcpResourcesTool", "ReadMcpResourceTool", "AskUserQuestion", "ExitPlanMode"),
)
CHANGES: Final = ("Write", "Edit", "MultiEdit", "NotebookEdit")
SHELLS: Final = ("Bash", "KillShell")

AGENTS: Final = ("Task", "Agent", "Skill", "Workflow")
"""What starts subagents. Versions of Claude Code are known whose hooks are not called for what subagents do."""

_GRACE: Final = 120.0


def wrap(agent: Any, options: Options) -> Any:
    """The same type back; what was given is as it was."""
    if isinstance(agent, _sdk.ClaudeSDKClient):
        if getattr(agent, "_query", None) is not None:
            raise ConfigError("this ClaudeSDKClient is connected already: wrap it before connect()")
        own = wrap(agent.options, options)
        client = type(agent)(options=own, transport=agent._custom_transport)
        client.lookahead = own.lookahead
        return client
    if hasattr(agent, "lookahead"):
        raise ConfigError("these options are guarded already: wrap them once")
    servers = _servers(agent)
    dry = options.mode == "dry-run"
    if dry and (why := _real(agent, servers)):
        raise ConfigError(
            "Claude Agent SDK cannot be run dry with these options, because tools of the Claude Code process itself "
            f"would be real: {'; '.join(why)}. Only the tools of in-process MCP servers (create_sdk_mcp_server) can be "
            "replaced"
        )
    here = [listed(name, config) for name, config in servers.items() if config.get("type") == "sdk"]
    tools = [*([] if dry else _built_in()), *(tool for server in here for tool in server.described())]
    session = options.open(tools, paths=_paths(agent, servers, tools), host="Claude Agent SDK", host_asks=True)
    theirs = cast(Mapping[str, Sequence[Any]], agent.hooks or {})
    guard = Guard(
        session=session,
        user_hooks=tuple(theirs.get("PreToolUse", ())),
        can_use_tool=agent.can_use_tool,
        stubs=frozenset(tool.name for tool in tools) if dry else frozenset(),
    )
    wrapped = replace(
        agent,
        hooks=_hooks(theirs, guard, options.policy.approval_seconds + _GRACE),
        can_use_tool=guard.ask if agent.can_use_tool is not None else None,
        disallowed_tools=[*agent.disallowed_tools, *_blocked(agent, options)],
        mcp_servers={server.name: stub(server, session) for server in here} if dry else agent.mcp_servers,
    )
    wrapped.lookahead = session
    return wrapped


def _servers(agent: Any) -> Mapping[str, Mapping[str, Any]]:
    """Those that are said here; a path or a text of settings is the process's to read."""
    given = cast(object, agent.mcp_servers)
    return cast(Mapping[str, Mapping[str, Any]], given) if isinstance(given, Mapping) else {}


def _hooks(hooks: Mapping[str, Sequence[Any]], guard: Guard, seconds: float) -> dict[str, list[Any]]:
    """A hook that fails blocks; a process too old to promise that is not connected to."""
    matcher = _sdk.HookMatcher
    return {
        **{name: list(matchers) for name, matchers in hooks.items()},
        "PreToolUse": [matcher(hooks=[guard.before], timeout=seconds, on_failure="block")],
        "PostToolUse": [matcher(hooks=[guard.after]), *hooks.get("PostToolUse", ())],
        "PostToolUseFailure": [matcher(hooks=[guard.after]), *hooks.get("PostToolUseFailure", ())],
        "PermissionDenied": [matcher(hooks=[guard.refused]), *hooks.get("PermissionDenied", ())],
    }


def _built_in() -> list[Tool]:
    effects: list[tuple[ToolEffect, Sequence[str]]] = [("reads", READS), ("changes", CHANGES), ("unknown", SHELLS)]
    return [Tool(name=name, effect=effect) for effect, names in effects for name in names]


def _wanted(agent: Any) -> list[str]:
    """The ways to subagents that the user asked for by name."""
    tools = cast(object, agent.tools)
    named = [*cast(list[str], agent.allowed_tools), *(cast(list[str], tools) if isinstance(tools, list) else ())]
    wanted = [name for name in AGENTS if any(one.split("(")[0] == name for one in named)]
    if agent.agents and not {"Task", "Agent"} & set(wanted):
        wanted += ["Task", "Agent"]
    if agent.skills and "Skill" not in wanted:
        wanted.append("Skill")
    return wanted


def _blocked(agent: Any, options: Options) -> list[str]:
    kept = _wanted(agent) if options.policy.opaque == "allow" else []
    return [name for name in AGENTS if name not in kept and name not in agent.disallowed_tools]


def _paths(agent: Any, servers: Mapping[str, Mapping[str, Any]], tools: Sequence[Tool]) -> list[ToolPath]:
    paths = [ToolPath(tool=tool.name) for tool in tools]
    paths += [
        ToolPath(tool=f"mcp__{name}__*", why="each call passes the hook")
        for name, config in servers.items()
        if config.get("type") != "sdk"
    ]
    why = "Claude Code does not call hooks for all that subagents do"
    opaque = [name for name in _wanted(agent) if name not in agent.disallowed_tools]
    for name in AGENTS:
        how = "opaque" if name in opaque else "blocked"
        paths.append(ToolPath(tool=name, how=how, why=why if how == "opaque" else f"{why}: disallowed_tools"))
    return paths


def _real(agent: Any, servers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What would be real in a dry run: everything that is not in this process."""
    why: list[str] = []
    if agent.tools != []:
        why.append("say tools=[] (no built-in tools)")
    if isinstance(agent.mcp_servers, str | PathLike) or any(one.get("type") != "sdk" for one in servers.values()):
        why.append("leave out the MCP servers that are processes or addresses of their own")
    if not agent.strict_mcp_config:
        why.append("say strict_mcp_config=True (no servers from settings files)")
    if agent.setting_sources != []:
        why.append("say setting_sources=[] (no hooks from settings files)")
    if agent.plugins:
        why.append("leave out the plugins")
    return why


__all__ = ["wrap"]
