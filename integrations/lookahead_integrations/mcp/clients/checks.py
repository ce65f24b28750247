"""What `lookahead doctor` sees in clients' files: what keeps a server from working, or a secret in the open."""

import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import anyio

from lookahead.errors import ConfigError
from lookahead.redact import redact
from lookahead_integrations.mcp.clients.command import readable
from lookahead_integrations.mcp.clients.files import ClientFile, ClientFileError, Entry, NoServers, known, load
from lookahead_integrations.mcp.clients.invocation import Invocation, invocation
from lookahead_integrations.mcp.clients.showing import nameable
from lookahead_integrations.mcp.clients.upstreams import Unreachable, target
from lookahead_integrations.mcp.exchange import RpcError

LONGEST: Final = 64
"""Characters of a tool's name as a model is given it."""
PATIENCE: Final = 30.0
_MISSING: Final = "is not found"
_TABLES: Final = ("env", "headers", "http_headers")
_VARIABLE: Final = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}")
_LITERAL: Final = ("Claude Desktop", "Codex")


@dataclass(frozen=True, kw_only=True)
class Look:
    """One thing that was looked at, in the words of the doctor."""

    about: str
    state: Literal["ok", "absent", "wrong"]
    said: str
    next: str = ""


def looks(paths: Sequence[str], *, start: bool = False, environment: Mapping[str, str] = os.environ) -> Iterator[Look]:
    """These files, or those that are found in the places of clients."""
    for path in [Path(os.path.abspath(one)) for one in paths] or known(environment=environment):
        try:
            file = load(path)
        except NoServers as error:
            if paths:
                yield _wrong("mcp", *_split(str(error)))
        except ClientFileError as error:
            yield _wrong("mcp", *_split(str(error)))
        else:
            yield from _file(file, start, environment)


def _file(file: ClientFile, start: bool, environment: Mapping[str, str]) -> Iterator[Look]:
    wrapped = sum(invocation(entry.node) is not None for entry in file.entries)
    count = f"{len(file.entries)} {'server' if len(file.entries) == 1 else 'servers'}"
    said = f"{file.path} ({file.client}): {count}, {wrapped} behind the proxy"
    yield Look(about="mcp", state="ok", said=said)
    for entry in file.entries:
        where = f"{file.path}:{entry.line}: "
        wrong = [_wrong(entry.title, where + said, step) for said, step in _entry(file, entry, environment)]
        yield from wrong
        if start and not any(look.said.endswith(_MISSING) for look in wrong):
            yield from _started(file, entry, environment)


def _entry(file: ClientFile, entry: Entry, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    found = invocation(entry.node)
    command = entry.node.text("command")
    if found is not None:
        yield from _proxy(file, entry, found, environment)
        command = found.rest[0].value if found.rest else None
    elif entry.node.get("command") is None and entry.node.get("url") is None:
        yield "it has neither a command nor a url", "give it one of them"
    if command is not None and not _resolves(command, entry, environment):
        yield f"its command {command!r} {_MISSING}", "install it, or give its whole path"
    if len(f"mcp__{entry.name}__") >= LONGEST:
        yield "its name leaves no room for the names of its tools", f"give it a name well below {LONGEST} letters"
    for name in _unset(file, entry, found, environment):
        yield f"the variable {name} is not set here", f"export {name}=…, and start the client from there"
    yield from _secrets(file, entry)


def _proxy(
    file: ClientFile, entry: Entry, found: Invocation, environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    anew = f"lookahead unwrap {file.path} --server {entry.name}\nlookahead wrap {file.path} --server {entry.name}"
    if not _resolves(found.lead[0], entry, environment):
        yield f"the proxy's command {found.lead[0]!r} {_MISSING}", anew
    if found.within is not None:
        yield "it is wrapped twice, so every call is judged twice", anew
    if not found.rest and found.value("--url") is None and found.value("--config") is None:
        yield "the proxy is told no server to stand in front of", anew
    if policy := found.value("--policy"):
        try:
            readable(os.path.join(_cwd(entry), policy))
        except ConfigError as error:
            first, _, rest = str(error).partition("\n")
            yield f"the proxy's policy cannot be used: {first}", rest or "mend it, then run again"


def _resolves(command: str, entry: Entry, environment: Mapping[str, str]) -> bool:
    if "${" in command:
        return True  # whoever expands it knows
    if os.sep in command:
        return os.access(os.path.join(_cwd(entry), os.path.expanduser(command)), os.X_OK)
    env: dict[str, Any] = entry.node.value.get("env") or {}
    return shutil.which(command, path=str(env.get("PATH") or environment.get("PATH") or os.defpath)) is not None


def _cwd(entry: Entry) -> str:
    return os.path.expanduser(entry.node.text("cwd") or "")


def _unset(file: ClientFile, entry: Entry, found: Invocation | None, environment: Mapping[str, str]) -> Iterator[str]:
    value: dict[str, Any] = entry.node.value
    headers: dict[str, Any] = value.get("env_http_headers") or {}
    named: list[str] = [str(value["bearer_token_env_var"])] if value.get("bearer_token_env_var") else []
    named += map(str, headers.values())
    if found is not None:
        own: dict[str, Any] = value.get("env") or {}
        given = [one.partition("=")[2] for one in found.values("--header-env")] + found.values("--bearer-env")
        named += [name for name in given if name not in own]
    if file.client not in _LITERAL:
        named += _VARIABLE.findall(" ".join(_texts(value)))
    yield from (name for name in dict.fromkeys(named) if not environment.get(name))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(one)


def _secrets(file: ClientFile, entry: Entry) -> Iterator[tuple[str, str]]:
    """Tokens that stand in the file itself. Where the client knows no variables, only whoever may read it matters."""
    value: dict[str, Any] = dict(entry.node.value)
    cleaned: Any = redact.json(value)
    plain = [
        f"{table}.{name}"
        for table in _TABLES
        for name, said in dict(value.get(table) or {}).items()
        if isinstance(said, str) and cleaned[table][name] != said and not nameable(said)
    ]
    if cleaned.get("args") != value.get("args"):
        yield "a secret stands in its args, which everybody on this machine can read while it runs", "move it into env"
    if not plain:
        return
    if file.client != "Claude Desktop":
        how = "name a variable in env_vars" if file.client == "Codex" else "put it into a variable, and write ${NAME}"
        yield f"a secret stands in the file in plain text: {', '.join(plain)}", how
    elif stat.S_IMODE(file.path.stat().st_mode) & 0o077:
        yield f"others on this machine can read the secret in {', '.join(plain)}", f"chmod 600 {file.path}"


def _started(file: ClientFile, entry: Entry, environment: Mapping[str, str]) -> Iterator[Look]:
    # Only here: it loads all that speaks with servers.
    from lookahead_integrations.mcp.clients.starting import AT_ONCE, tools

    where = f"{file.path}:{entry.line}: "
    try:
        reached = target(file, entry, environment)
        names = anyio.run(partial(tools, reached, seconds=PATIENCE))
    except Unreachable as error:
        yield Look(about=entry.title, state="absent", said=f"{where}not started: {error}")
        return
    except TimeoutError:
        yield _wrong(entry.title, f"{where}it does not answer within {PATIENCE:g} seconds", "start its command by hand")
        return
    except (RpcError, ConfigError, OSError) as error:
        yield _wrong(
            entry.title, f"{where}it does not start: {error}", "start its command by hand, and see what it says"
        )
        return
    long = [name for name in names if len(f"mcp__{entry.name}__{name}") > LONGEST]
    if long:
        said = f"{where}mcp__{entry.name}__{long[0]} is longer than {LONGEST} letters ({len(long)} tools)"
        yield _wrong(entry.title, said, "give the server a shorter name in the file")
    else:
        said = f"{where}starts {AT_ONCE} times at once, and has {len(names)} {'tool' if len(names) == 1 else 'tools'}"
        yield Look(about=entry.title, state="ok", said=said)


def _wrong(about: str, said: str, step: str) -> Look:
    return Look(about=about, state="wrong", said=said, next=step)


def _split(error: str) -> tuple[str, str]:
    """What is wrong, and what to do."""
    said, _, step = error.rpartition("; ")
    return (said, step) if said else (error, "mend it, then run again")
