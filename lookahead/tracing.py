"""Who traces sessions: found by name among the entry points, loaded only where somebody asks for it."""

from importlib.metadata import entry_points
from typing import Final, Protocol, cast

from lookahead.errors import ConfigError
from lookahead.events import Watch
from lookahead.explain import did_you_mean
from lookahead.session import Session

GROUP: Final = "lookahead.traces"
OFF: Final = ("", "off")


class Traces(Protocol):
    """What an entry point of the group `lookahead.traces` loads: it watches one session."""

    def __call__(self, session: Session, /) -> Watch: ...


def traces_of(name: str) -> Traces | None:
    """Who watches sessions under this name; None where tracing is off."""
    if name in OFF:
        return None
    known = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in known:
        said = ", ".join(["off", *sorted(known)])
        raise ConfigError(f"trace={name!r} is none of {said}{did_you_mean(name, ['off', *known])}")
    try:
        return cast(Traces, known[name].load())
    except ImportError as error:
        raise ConfigError(
            f"trace={name!r} cannot be had: {error}. Next: pip install 'lookahead-agents[{name}]'"
        ) from error
