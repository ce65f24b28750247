"""Puts the proxy in front of an entry's server, and takes it away again: the one undoes the other to the byte."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lookahead_integrations.mcp.clients import layout
from lookahead_integrations.mcp.clients.files import ClientFile, Entry
from lookahead_integrations.mcp.clients.invocation import (
    BARE,
    BEARER_ENV,
    HEADER,
    HEADER_ENV,
    NO_ARGS,
    TYPE,
    URL,
    WRAPPED,
    Invocation,
    invocation,
    strings,
)
from lookahead_integrations.mcp.clients.tree import Edit, Field, Node, texts

_HTTP: Final = ("http", "streamable-http", "streamableHttp", "streamable_http")
_LOGINS: Final = ("oauth", "auth", "headersHelper", "scopes", "oauth_resource", "authProviderType")
"""By these a client logs in by itself, which it does for a URL and not for a command."""
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VARIABLE: Final = "MCP_HEADER_"


class Left(Exception):
    """An entry cannot be wrapped or unwrapped, and is left as it is; the text says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """How an entry is to start the proxy."""

    command: tuple[str, ...]
    """The words that start Lookahead."""
    options: tuple[str, ...]
    """Of `lookahead proxy`."""


def wrapping(file: ClientFile, entry: Entry, start: Start) -> list[Edit]:
    """The edits that put the proxy in front. Raises Left."""
    command, url = entry.node.get("command"), entry.node.get("url")
    if command is not None and url is not None:
        raise Left("it has both a command and a url; take one out")
    if command is not None:
        return list(_command_wrapped(file, entry, command, start))
    if url is not None:
        return list(_url_wrapped(file, entry, url, start))
    raise Left("it has neither a command nor a url, so there is nothing to stand in front of")


def unwrapping(file: ClientFile, entry: Entry) -> list[Edit]:
    """The edits that take the proxy away. Raises Left."""
    found = invocation(entry.node)
    if found is None:
        raise Left("it is not wrapped")
    if found.value(URL) is not None:
        return list(_url_unwrapped(file, entry, found))
    if not found.rest:
        raise Left('there is no command behind the "--" of the proxy; restore it from a backup')
    return list(_command_unwrapped(file, entry, found))


def _started(entry: Entry, start: Start) -> list[str]:
    """By the entry's own name: in records, ten servers that `npx` starts are not all called npx."""
    return [*start.command[1:], "proxy", f"--name={entry.name}", *start.options]


def _command_wrapped(file: ClientFile, entry: Entry, command: Field, start: Start) -> Iterator[Edit]:
    if command.node.kind != "text":
        raise Left("its command is no text")
    args = entry.node.get("args")
    if args is not None and texts(args.node) is None:
        raise Left("its args are no list of texts")
    hint = (WRAPPED, NO_ARGS) if args is None else ()
    words = [file.spelled(word) for word in (*_started(entry, start), *hint, "--")]
    words.append(_token(file, command.node))
    yield layout.rewritten(command.node, file.spelled(start.command[0]))
    if args is None:
        yield layout.after(file, entry, command, "args", f"[{', '.join(words)}]")
    else:
        yield layout.in_front(file, args.node, words)


def _command_unwrapped(file: ClientFile, entry: Entry, found: Invocation) -> Iterator[Edit]:
    command, args = entry.node.fields[_at(entry, "command")], entry.node.fields[_at(entry, "args")]
    yield layout.rewritten(command.node, _token(file, found.rest[0]))
    if len(found.rest) == 1 and NO_ARGS in found.hints:
        yield layout.taken_out(file, entry, args)
    else:
        yield layout.without(args.node, found.mark + 1)  # the words begin with the command, which is no argument


def _url_wrapped(file: ClientFile, entry: Entry, url: Field, start: Start) -> Iterator[Edit]:
    kind = entry.node.get("type")
    if url.node.kind != "text" or (kind is not None and kind.node.kind != "text"):
        raise Left("its url or type is no text")
    if kind is not None and kind.node.value not in _HTTP:
        raise Left(f"the proxy speaks streamable HTTP, and this is {kind.node.value!r}")
    if kind is None and str(url.node.value).rstrip("/").endswith("/sse"):
        raise Left("the proxy speaks streamable HTTP, and a url that ends in /sse is of the older transport")
    if not re.match(r"https?://|\$\{", str(url.node.value)):
        raise Left("its url is none of http or https")
    if entry.node.get("args") is not None:
        raise Left("it has args beside a url; take them out")
    if login := next((key for key in _LOGINS if entry.node.get(key) is not None), None):
        raise Left(f"its client logs in by {login!r}, which a client does for a url alone")
    words = _started(entry, start)
    if kind is not None:
        words += [WRAPPED, TYPE + kind.node.value]
        yield layout.rewritten(kind.node, file.spelled("stdio"))
    for edits, options in (_headers_wrapped(file, entry), _variables_wrapped(file, entry)):
        yield from edits
        words += options
    spelled = [file.spelled(word) for word in (*words, URL)] + [_token(file, url.node)]
    yield from layout.renamed(file, url, "command")
    yield layout.rewritten(url.node, file.spelled(start.command[0]))
    yield layout.after(file, entry, url, "args", f"[{', '.join(spelled)}]")


def _headers_wrapped(file: ClientFile, entry: Entry) -> tuple[list[Edit], list[str]]:
    """Headers become variables of the proxy: what is in `args` could be read by everybody on the machine.

    Their values stay where they are and as they are. The client expands variables in `env` as it does in headers.
    """
    name = _headers_name(file)
    headers = entry.node.get(name)
    if headers is None:
        return [], []
    if entry.node.get("env") is not None:
        raise Left(f"it has env beside {name}; take one out")
    values = strings(headers)
    if values is None:
        raise Left(f"its {name} are no table of texts")
    if strange := next((header for header in values if not _TOKEN.fullmatch(header)), None):
        raise Left(f"{strange!r} is no name that a header can have; mend it")
    if empty := next((header for header, value in values.items() if not value), None):
        raise Left(f"its header {empty} is empty; take it out")
    edits, options, taken = list(layout.renamed(file, headers, "env")), list[str](), set[str]()
    for header in headers.node.fields:
        variable = _variable(header.key, taken)
        edits += layout.renamed(file, header, variable)
        options.append(f"{HEADER_ENV}={header.key}={variable}")
    return edits, options


def _variables_wrapped(file: ClientFile, entry: Entry) -> tuple[list[Edit], list[str]]:
    """Codex names variables for headers; a command gets none but those that are named to be passed on."""
    named, bearer = entry.node.get("env_http_headers"), entry.node.get("bearer_token_env_var")
    field = named or bearer
    if field is None:
        return [], []
    if entry.node.get("env_vars") is not None or (named is not None and bearer is not None):
        raise Left("it names variables for its headers in two ways; keep one of them")
    if bearer is not None and bearer.node.kind == "text":
        variables, options = [str(bearer.node.value)], [BEARER_ENV, str(bearer.node.value)]
    elif field.node.whole and (given := strings(field)) is not None:
        variables = list(given.values())
        options = [f"{HEADER_ENV}={header}={variable}" for header, variable in given.items()]
        if all(file.text[header.start] not in "\"'" for header in field.node.fields):
            options += (WRAPPED, BARE)
    else:
        raise Left(f"its {field.key} is no single value; write it as one")
    row = ", ".join(file.spelled(variable) for variable in variables)
    return [layout.rewritten(field.node, f"[{row}]"), *layout.renamed(file, field, "env_vars")], options


def _url_unwrapped(file: ClientFile, entry: Entry, found: Invocation) -> Iterator[Edit]:
    command, args = entry.node.fields[_at(entry, "command")], entry.node.fields[_at(entry, "args")]
    kind = entry.node.get("type")
    token = found.word(URL)
    url = _token(file, token) if token is not None else file.spelled(found.value(URL) or "")
    if kind is not None and kind.node.value == "stdio":
        was = next((hint.removeprefix(TYPE) for hint in found.hints if hint.startswith(TYPE)), "http")
        yield layout.rewritten(kind.node, file.spelled(was))
    yield from layout.renamed(file, command, "url")
    if given := dict(_header(said) for said in found.values(HEADER)):
        url += _given_headers(file, entry, command, given)
    yield layout.rewritten(command.node, url)
    yield layout.taken_out(file, entry, args)
    yield from _headers_unwrapped(file, entry, found)


def _headers_unwrapped(file: ClientFile, entry: Entry, found: Invocation) -> Iterator[Edit]:
    names = {variable: header for header, _, variable in (one.partition("=") for one in found.values(HEADER_ENV))}
    env, passed, bearer = entry.node.get("env"), entry.node.get("env_vars"), found.value(BEARER_ENV)
    if passed is not None:
        mine = {variable: header for variable, header in names.items() if variable in (texts(passed.node) or ())}
        keys = [header if BARE in found.hints else file.spelled(header) for header in mine.values()]
        row = ", ".join(f"{key} = {file.spelled(variable)}" for key, variable in zip(keys, mine, strict=True))
        if bearer is not None or (mine and texts(passed.node) == list(mine)):
            yield from layout.renamed(file, passed, "bearer_token_env_var" if bearer else "env_http_headers")
            yield layout.rewritten(passed.node, file.spelled(bearer) if bearer else f"{{ {row} }}")
            names = {variable: header for variable, header in names.items() if variable not in mine}
    if env is None:
        return
    mine = [field for field in env.node.fields if field.key in names]
    if not mine and env.node.fields:
        return
    if strange := [field.key for field in env.node.fields if field.key not in names]:
        raise Left(f"its env holds {strange[0]!r}, which is none of its headers; take it out")
    yield from layout.renamed(file, env, _headers_name(file))
    for field in mine:
        yield from layout.renamed(file, field, names[field.key])


def _given_headers(file: ClientFile, entry: Entry, command: Field, given: dict[str, str]) -> str:
    """A member with the headers that someone gave by hand, to stand behind the url."""
    if entry.node.get("env") is not None:
        raise Left(f"it gives headers by {HEADER} and has env as well; move them into one place")
    if file.syntax == "toml" and not entry.node.whole:
        raise Left(f"it gives headers by {HEADER}; write them as http_headers yourself")
    equals = ": " if file.syntax == "json" else " = "
    row = ", ".join(f"{file.spelled(name)}{equals}{file.spelled(value)}" for name, value in given.items())
    return layout.after(file, entry, command, _headers_name(file), f"{{{row}}}").new


def _headers_name(file: ClientFile) -> str:
    return "headers" if file.syntax == "json" else "http_headers"


def _header(said: str) -> tuple[str, str]:
    name, _, value = said.partition(":")
    return name.strip(), value.strip()


def _variable(header: str, taken: set[str]) -> str:
    """A variable for a header; two headers that differ in case or in signs have two."""
    plain = name = _VARIABLE + re.sub(r"[^A-Z0-9]", "_", header.upper())
    number = 1
    while name in taken:
        number += 1
        name = f"{plain}_{number}"
    taken.add(name)
    return name


def _token(file: ClientFile, node: Node) -> str:
    """A value as it is spelled in the file."""
    return file.text[node.start : node.end]


def _at(entry: Entry, key: str) -> int:
    return next(at for at, field in enumerate(entry.node.fields) if field.key == key)
