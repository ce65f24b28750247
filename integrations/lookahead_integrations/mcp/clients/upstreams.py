"""The servers of a client's file as the proxy reaches them by itself, where no client reads the file for it."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lookahead_integrations.mcp.clients.files import ClientFile, Entry, load, parse
from lookahead_integrations.mcp.clients.invocation import strings
from lookahead_integrations.mcp.clients.rewriting import unwrap
from lookahead_integrations.mcp.clients.tree import texts

_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_NAME: Final = re.compile(r"(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_LITERAL: Final = ("Claude Desktop", "Codex")
"""Clients that take every value as it is written."""
_KINDS: Final = ("stdio", "http", "streamable-http", "streamableHttp", "streamable_http")


class Unreachable(Exception):
    """A server of the file cannot be had, and why."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """How one server is reached."""

    name: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    cwd: str | None = None
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    unset: tuple[str, ...] = ()
    """Variables that it names and nobody set; they stay as they are written."""


def targets(path: Path, environment: Mapping[str, str] = os.environ) -> dict[str, "Target | Unreachable"]:
    """Each server by its key in the file; one that is switched off is left out, and one wrapped by us is unwrapped."""
    file = load(path)
    bare = unwrap(file, ()).text
    if bare != file.text:
        file = parse(path, bare.encode("utf-8"))
    found: dict[str, Target | Unreachable] = {}
    for entry in file.entries:
        value = entry.node.value
        if value.get("disabled") is True or value.get("enabled") is False:
            continue
        try:
            found.setdefault(entry.name, target(file, entry, environment))
        except Unreachable as error:
            found.setdefault(entry.name, error)
    return found


def target(file: ClientFile, entry: Entry, environment: Mapping[str, str]) -> Target:
    """Raises Unreachable."""
    unset: list[str] = []
    said = _expanding(file, environment, unset)
    node = entry.node
    for name in ("env", "headers", "http_headers"):
        if strings(node.get(name)) is None:
            raise Unreachable(f"its {name} are no table of texts")
    kind = node.text("type")
    if kind is not None and kind not in _KINDS:
        raise Unreachable(f"the proxy speaks stdio and streamable HTTP, and this is {kind!r}")
    if (command := node.text("command")) is not None:
        args = node.get("args")
        words = [] if args is None else texts(args.node)
        if words is None:
            raise Unreachable("its args are no list of texts")
        cwd = node.text("cwd")
        return Target(
            name=entry.name,
            command=(said(command), *map(said, words)),
            env={name: said(value) for name, value in (strings(node.get("env")) or {}).items()},
            cwd=None if cwd is None else os.path.join(_folder(file), os.path.expanduser(said(cwd))),
            unset=tuple(dict.fromkeys(unset)),
        )
    if (url := node.text("url")) is None:
        raise Unreachable("it has neither a command nor a url")
    headers = {**(strings(node.get("headers")) or {}), **(strings(node.get("http_headers")) or {})}
    return Target(
        name=entry.name,
        url=said(url),
        headers={**{name: said(value) for name, value in headers.items()}, **_named(node.value, environment)},
        unset=tuple(dict.fromkeys(unset)),
    )


def _named(entry: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Headers of which an entry for Codex says in which variables they are."""
    named = {str(name): str(variable) for name, variable in dict(entry.get("env_http_headers") or {}).items()}
    found: dict[str, str] = {}
    bearer = entry.get("bearer_token_env_var")
    for name, variable in (*named.items(), *([("Authorization", str(bearer))] if bearer else [])):
        if not environment.get(variable):
            raise Unreachable(f"its header {name} is in the variable {variable}, which is not set")
        found[name] = f"Bearer {environment[variable]}" if variable == bearer else environment[variable]
    return found


def _expanding(file: ClientFile, environment: Mapping[str, str], unset: list[str]) -> Callable[[str], str]:
    """As the client of this file would read a value: once, and never what comes of it again."""
    if file.client in _LITERAL:
        return lambda text: text
    folder = _folder(file)
    places = {
        "workspaceFolder": folder,
        "workspaceFolderBasename": os.path.basename(folder),
        "userHome": str(Path.home()),
        "pathSeparator": os.sep,
        "/": os.sep,
    }

    def meant(found: re.Match[str]) -> str:
        said = found[1]
        if said in places:
            return places[said]
        if said.startswith("input:"):
            raise Unreachable(f"it asks for ${{{said}}}, which VS Code alone can; write ${{env:NAME}} in its place")
        named = _NAME.fullmatch(said)
        if named is not None and environment.get(named[1]) is not None:
            return environment[named[1]]
        if named is not None and named[2] is not None:
            return named[2]
        unset.append(said)
        return found[0]

    return lambda text: _VARIABLE.sub(meant, text)


def _folder(file: ClientFile) -> str:
    """That the file is for: the one that it lies in, or the one above a client's own."""
    parent = file.path.parent
    return str(parent.parent if parent.name in (".cursor", ".vscode", ".codex") else parent)
