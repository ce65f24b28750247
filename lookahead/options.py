"""Whether what `with_lookahead` was told can be meant: one plain error for each wrong argument, none passed over."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from lookahead.errors import ConfigError
from lookahead.explain import did_you_mean, meant, shown
from lookahead.journal import Journal
from lookahead.policy import Condition, Line, Policy, covers
from lookahead.types import Tool

MODES: Final = ("guard", "shadow", "dry-run", "off")


def check(
    *, goal: object, world: object, critic: object, search: object, mode: object, journal: object, approve: object
) -> None:
    """Raises what is wrong with the first argument that cannot be meant. None is always: not given."""
    if goal is not None and not isinstance(goal, str):
        raise _wrong("goal", goal, "is no text", 'what the agent is to achieve: goal="tidy the folder"')
    if mode is not None and mode not in MODES:
        raise ConfigError(f"mode={mode!r} is none of {', '.join(MODES)}{did_you_mean(str(mode), MODES)}")
    if world is not None and not isinstance(world, str):
        _check_call(
            "world",
            world,
            ("a state", "an action"),
            'an Environment, "async def my_world(state, action) -> Observation", or its name: world="directory:."',
        )
    if critic is not None:
        _check_call(
            "critic", critic, ("a state", "a rollout"), 'a Critic, "async def my_critic(state, rollout) -> Verdict"'
        )
    if search is not None:
        accepted = "a search: search=BestOf(k=3, propose=my_proposer)"
        _check_call("search", search, ("its thinking", "a state", "an action"), accepted)
        if not hasattr(search, "calls"):
            raise _wrong("search", search, "does not say how many calls it makes", accepted)
    if journal is not None and not (isinstance(journal, Journal | os.PathLike | str) and journal != ""):
        raise _wrong(
            "journal", cast(object, journal), "is no journal", 'a Journal or the path of one: journal="agent.db"'
        )
    if approve is not None:
        _check_call(
            "approve",
            approve,
            ("a request",),
            'a function, async or not, that answers True or False: "def approve(request) -> bool"',
            waits=False,
        )


def check_rivals(search: object, proposed_by_agent: bool) -> None:
    """A search among rivals needs somebody who thinks of them: itself, or the agent."""
    if proposed_by_agent or getattr(search, "propose", search) is not None:
        return
    name = type(search).__name__
    first = "width" if hasattr(search, "width") else "k"
    size = getattr(search, first, None)
    if size == 1:
        return
    raise ConfigError(
        f"search={name}({first}={size}) has nobody who thinks of other actions, "
        f"so there would be nothing to choose from; write {name}({first}={size}, propose=my_proposer), "
        'where "async def my_proposer(state, n)" returns up to n other Actions'
    )


def unused(policy: Policy, tools: Sequence[Tool], *, all_known: bool) -> list[str]:
    """What the policy says that can hold for none of these tools; an error where a tool was surely meant.

    A policy may be shared by agents with other tools, so a pattern for none of them is only worth a word. Where it was
    written for these tools (`all_known`), a name that is nearly a tool's is a misspelt one, and its rule is missing.
    """
    said: list[str] = []
    names = {tool.name for tool in tools}
    for pattern, line in policy.tools.items():
        own = [tool for tool in tools if covers(pattern, tool.name)]
        if not own:
            close = _close(pattern, names, policy)
            if close and all_known and _restricts(line) and not _is_glob(pattern):
                raise ConfigError(f"the policy speaks of {pattern!r}, and no tool is called so; {close}")
            said.append(f"{pattern!r} is the name of no tool{f'; {close}' if close else ''}")
        for condition in line.when if own else ():
            if any(_may_have(tool, condition) for tool in own):
                continue
            arguments = sorted({name for tool in own for name in _arguments(tool) or ()})
            known = f"it has {', '.join(arguments)}" if arguments else "it has none"
            close = did_you_mean(_first(condition), arguments)
            text = f"{pattern!r} has a rule on {condition.argument!r}, which is no argument of it: {known}{close}"
            if close and all_known and condition.rule != "allow":
                raise ConfigError(f"the policy cannot be meant: {text}")
            said.append(text)
    return said


def _close(pattern: str, names: set[str], policy: Policy) -> str:
    """Words that name the tool that was probably meant. A tool that has a line of its own was not."""
    parts = [part.strip() for part in pattern.replace("|", ",").replace(";", ",").split(",")]
    if len(parts) > 1 and names.intersection(parts):
        return "a pattern is one name, with * for any letters: write one line for each tool"
    close = meant(pattern.strip(), names - policy.tools.keys(), cutoff=0.75)
    return f"did you mean {close!r}?" if close else ""


def _restricts(line: Line) -> bool:
    """Whether something that was to be held back may go through when the line is missing."""
    strict = line.rule is not None and line.rule != "allow"
    held = line.on_failure == "hold" or line.effect in ("changes", "destroys")
    return strict or held or any(one.rule != "allow" for one in line.when)


def _is_glob(pattern: str) -> bool:
    return any(sign in pattern for sign in "*?[")


def _arguments(tool: Tool) -> Mapping[str, Any] | None:
    """By name, or None where the schema does not close the list."""
    properties = tool.parameters.get("properties")
    if not isinstance(properties, Mapping) or tool.parameters.get("additionalProperties", False) is not False:
        return None
    return properties


def _may_have(tool: Tool, condition: Condition) -> bool:
    arguments = _arguments(tool)
    return arguments is None or condition.argument in arguments or _first(condition) in arguments


def _first(condition: Condition) -> str:
    return condition.argument.split(".")[0]


def _check_call(what: str, given: object, takes: tuple[str, ...], accepted: str, *, waits: bool = True) -> None:
    """Whether this can be called with so many values, and awaited."""
    if inspect.isclass(given):
        raise _wrong(what, given.__name__, f"is a class; give an instance, {given.__name__}(…)", accepted, quote=False)
    if not callable(given):
        raise _wrong(what, given, "cannot be called", accepted)
    if not _can_take(given, len(takes)):
        raise _wrong(what, given, f"does not take {' and '.join(takes)}", accepted)
    if waits and not _is_async(given):
        raise _wrong(what, given, "is not async", accepted)


def _can_take(given: Callable[..., object], number: int) -> bool:
    try:
        inspect.signature(given).bind(*range(number))
    except TypeError:
        return False
    except ValueError:
        # Something built in that does not tell.
        return True
    return True


def _is_async(given: Callable[..., object]) -> bool:
    asked = inspect.unwrap(given)
    return inspect.iscoroutinefunction(asked) or inspect.iscoroutinefunction(inspect.unwrap(type(asked).__call__))


def _wrong(what: str, given: object, why: str, accepted: str, *, quote: bool = True) -> ConfigError:
    return ConfigError(f"{what}={shown(given) if quote else given} {why}. It is {accepted}")
