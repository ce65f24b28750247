"""Finds the servers in a client's configuration file, whichever client it belongs to."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from lookahead.errors import ConfigError
from lookahead_integrations.mcp.clients import jsonc, toml_text
from lookahead_integrations.mcp.clients.tree import Field, Lines, Malformed, Node

Client: TypeAlias = Literal["Claude Desktop", "Claude Code", "Cursor", "VS Code", "Codex", "an MCP client"]
Syntax: TypeAlias = Literal["json", "toml"]
LARGEST: Final = 64 * 1024 * 1024
"""Bytes. A file of this size was not written for servers."""

_MAPS: Final = (("mcpServers",), ("servers",), ("mcp", "servers"), ("mcp_servers",))
"""Where clients keep their servers."""
_PROJECTS: Final = "projects"


class ClientFileError(ConfigError):
    """A client's file cannot be read or written; nothing in it was changed."""


class NoServers(ClientFileError):
    """A file in order that names no servers."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One server, as a client's file names it."""

    name: str
    within: tuple[str, ...]
    """The keys that lead to the map in which it stands."""
    field: Field
    line: int

    @property
    def node(self) -> Node:
        return self.field.node

    @property
    def project(self) -> str:
        """The folder that a server of Claude Code is for; empty where it is for all."""
        return self.within[1] if self.within[:1] == (_PROJECTS,) else ""

    @property
    def title(self) -> str:
        return f"{self.name} ({self.project})" if self.project else self.name


@dataclass(frozen=True, kw_only=True)
class ClientFile:
    """A file as it was read. `text` keeps every byte: line ends, the mark at its beginning, comments."""

    path: Path
    text: str
    syntax: Syntax
    client: Client
    entries: tuple[Entry, ...]

    def spelled(self, text: str) -> str:
        return jsonc.spelled(text) if self.syntax == "json" else toml_text.spelled(text)

    def named(self, name: str, within: tuple[str, ...]) -> Entry | None:
        return next((entry for entry in self.entries if (entry.name, entry.within) == (name, within)), None)


def load(path: Path) -> ClientFile:
    return parse(path, raw(path))


def raw(path: Path) -> bytes:
    """What is in the file now."""
    try:
        if path.stat().st_size > LARGEST:
            raise ClientFileError(f"{path} is larger than {LARGEST:,} bytes: name a client's configuration file")
        return path.read_bytes()
    except FileNotFoundError as cause:
        raise ClientFileError(f"there is no file {path}; name the configuration file of your client") from cause
    except OSError as cause:
        raise ClientFileError(f"{path} cannot be read: {cause.strerror}; mend that, then run again") from cause


def parse(path: Path, content: bytes) -> ClientFile:
    """Raises ClientFileError, which says the line and what to do."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as cause:
        line = content.count(b"\n", 0, cause.start) + 1
        raise ClientFileError(f"{path}:{line}: this is not UTF-8; save the file as UTF-8, then run again") from cause
    syntax: Syntax = "toml" if path.suffix == ".toml" else "json"
    lines = Lines(text)
    try:
        root = (toml_text if syntax == "toml" else jsonc).read(text)
    except Malformed as cause:
        language = "TOML" if syntax == "toml" else "JSON"
        raise ClientFileError(
            f"{path}:{lines.at(cause.at)}: {cause.said}: the file is not valid {language}; mend it, then run again"
        ) from cause
    entries = tuple(_entries(path, root, lines))
    return ClientFile(path=path, text=text, syntax=syntax, client=_client(path, root), entries=entries)


def _entries(path: Path, root: Node, lines: Lines) -> Iterator[Entry]:
    maps = list(_found(path, root, lines))
    if not maps:
        raise NoServers(
            f'{path} names no servers: there is no "mcpServers", "servers" or [mcp_servers] in it; '
            "name a file of Claude, Cursor, VS Code or Codex"
        )
    for within, node in maps:
        _once(path, node, lines)
        for field in node.fields:
            if field.node.kind != "table":
                raise ClientFileError(
                    f"{path}:{lines.at(field.start)}: the server {field.key!r} is no object; mend it, then run again"
                )
            _once(path, field.node, lines)
            for inner in field.node.fields:
                _once(path, inner.node, lines)
            yield Entry(name=field.key, within=within, field=field, line=lines.at(field.start))


def _found(path: Path, root: Node, lines: Lines) -> Iterator[tuple[tuple[str, ...], Node]]:
    """The maps of servers, each with the keys that lead to it."""
    _once(path, root, lines)
    for keys in _MAPS:
        if (node := _below(root, keys)) is not None:
            yield keys, node
    projects = root.get(_PROJECTS)
    for field in projects.node.fields if projects is not None else ():
        if (node := _below(field.node, ("mcpServers",))) is not None:
            _once(path, field.node, lines)
            yield (_PROJECTS, field.key, "mcpServers"), node
    if root.fields and all(_server(field.node) for field in root.fields):
        yield (), root


def _below(node: Node, keys: tuple[str, ...]) -> Node | None:
    for key in keys:
        field = node.get(key)
        if field is None or field.node.kind != "table":
            return None
        node = field.node
    return node


def _server(node: Node) -> bool:
    return node.kind == "table" and (node.text("command") is not None or node.text("url") is not None)


def _once(path: Path, node: Node, lines: Lines) -> None:
    """One of two values under one name is lost on whoever reads the file, so neither is touched."""
    if (field := node.twice()) is not None:
        raise ClientFileError(
            f"{path}:{lines.at(field.start)}: {field.key!r} is there twice; take one out, then run again"
        )


def _client(path: Path, root: Node) -> Client:
    parent = path.parent.name
    if path.suffix == ".toml":
        return "Codex"
    if path.name == "claude_desktop_config.json":
        return "Claude Desktop"
    if path.name.startswith((".mcp.json", ".claude.json")) or root.get(_PROJECTS):
        return "Claude Code"
    if parent == ".cursor":
        return "Cursor"
    if parent == ".vscode" or root.get("servers") or root.get("mcp"):
        return "VS Code"
    return "an MCP client"


def known(
    home: Path | None = None, folder: Path | None = None, environment: Mapping[str, str] = os.environ
) -> list[Path]:
    """The files of clients that are there: those of this folder, then those of this person."""
    home, folder = home or Path.home(), folder or Path.cwd()
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    mac = home / "Library" / "Application Support"
    codex = Path(environment.get("CODEX_HOME") or home / ".codex")
    claude = environment.get("CLAUDE_CONFIG_DIR")
    places = [
        folder / ".mcp.json",
        folder / ".cursor" / "mcp.json",
        folder / ".vscode" / "mcp.json",
        folder / ".codex" / "config.toml",
        Path(claude) / ".claude.json" if claude else home / ".claude.json",
        home / ".cursor" / "mcp.json",
        config / "Claude" / "claude_desktop_config.json",
        mac / "Claude" / "claude_desktop_config.json",
        config / "Code" / "User" / "mcp.json",
        mac / "Code" / "User" / "mcp.json",
        codex / "config.toml",
    ]
    return [path for path in dict.fromkeys(places) if path.is_file()]
