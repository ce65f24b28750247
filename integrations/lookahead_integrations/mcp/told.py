"""From the words of a command line to what the proxy was told."""

import argparse
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from lookahead.errors import ConfigError
from lookahead_integrations.mcp.settings import Limits, Mode, ProxySettings, Source, mode_of
from lookahead_integrations.mcp.wire.command import Command


def command_of(args: argparse.Namespace) -> Command | None:
    if not args.extra:
        return None
    if args.extra[0].startswith("-"):
        raise ConfigError(f"after -- comes the server's command, and {args.extra[0]!r} is none")
    if args.cwd is not None and not os.path.isdir(args.cwd):
        raise ConfigError(f"--cwd {args.cwd}: there is no such folder")
    return Command(arguments=tuple(args.extra), env=_pairs("--env", args.env) or None, cwd=args.cwd)


def settings_of(args: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> ProxySettings:
    """Raises ConfigError that names the option which cannot be understood."""
    command = command_of(args)
    limits = Limits()
    if args.patience is not None:
        if not args.patience > 0:
            raise ConfigError(f"--patience {args.patience:g}: a number of seconds above 0")
        limits = replace(limits, patience=args.patience)
    return ProxySettings(
        command=command.arguments if command else (),
        env=command.env if command else None,
        cwd=command.cwd if command else None,
        url=args.url,
        config=args.config,
        listen=args.listen,
        mode=_mode(args.mode),
        world=args.world,
        policy=_policy(args.policy),
        journal=args.journal,
        goal=args.goal,
        name=args.name,
        saved=args.saved,
        recording=args.recording,
        run=args.recorded,
        replay=args.replay,
        chain=cast(tuple[Source, ...], ("replay", *_several(args.then))),
        sampling=not args.no_sampling,
        pins=args.pins,
        strict=args.strict,
        extensions=tuple(_several(args.offer)),
        headers=_headers(args, environment),
        passed=tuple(name.lower() for name in args.pass_header),
        tokens=tuple(_variable("--token-env", name, environment) for name in args.token_env),
        hosts=tuple(args.allow_host),
        origins=tuple(args.allow_origin),
        limits=limits,
    )


def _mode(given: str | None) -> Mode:
    if given is not None:
        return mode_of(given)
    from lookahead.settings import Settings

    return mode_of(Settings.found().mode)


def _policy(given: str | None) -> Any:
    """A path, or what a JSON file says: clients' own files are JSON, and so may be the rules beside them."""
    if given is None or not given.endswith(".json"):
        return given
    try:
        found = json.loads(Path(given).read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"--policy {given} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"--policy {given}: an object of tools and their rules, such as {{'delete_*': 'deny'}}")
    return cast(dict[str, Any], found)


def _headers(args: argparse.Namespace, environment: Mapping[str, str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for given in args.header:
        name, colon, value = given.partition(":")
        if not colon or not name.strip():
            raise ConfigError("--header 'NAME: VALUE': a name, a colon and a value")
        headers[name.strip()] = value.strip()
    for name, variable in _pairs("--header-env", args.header_env).items():
        headers[name] = _variable("--header-env", variable, environment)
    if args.bearer_env is not None:
        headers["Authorization"] = f"Bearer {_variable('--bearer-env', args.bearer_env, environment)}"
    if headers and args.url is None:
        raise ConfigError("headers are for a server at a URL: add --url")
    return headers


def _variable(option: str, name: str, environment: Mapping[str, str]) -> str:
    if not environment.get(name):
        raise ConfigError(f"{option} {name}: the variable is not set")
    return environment[name]


def _pairs(option: str, given: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise ConfigError(f"{option} NAME=VALUE: a name, an equals sign and a value")
        found[name] = value
    return found


def _several(given: Iterable[str]) -> list[str]:
    return [name.strip() for one in given for name in one.split(",") if name.strip()]
