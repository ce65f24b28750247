"""Everything that can go wrong, named by the boundary that it crossed.

    LookaheadError
    ├── ConfigError          a setting, a policy or an argument of ours cannot be understood
    │   └── UnsupportedAgent     no adapter knows this kind of agent
    ├── CallError            the call itself cannot be understood, so it is not allowed
    ├── Refused              the guard said no; its text is written for the agent and for a person
    ├── Swapped              another tool was used instead, and the asked one could not have returned that answer
    ├── WorldError           a world could not imagine
    │   ├── NotMyWorld           it does not know this kind of action: ask the next one
    │   ├── OutOfReach           the call would change something outside of what can be copied
    │   ├── WorldTimeout         it did not answer in time
    │   ├── Unreadable           it answered, and what it said cannot be read as an observation
    │   └── SandboxMissing       no confinement can be had here, so nothing was run
    ├── ModelError           a language model could not answer; the message says what to run next
    │   ├── ModelUnreachable     nobody answers there, or the connection broke and retrying did not help
    │   ├── ModelNotFound        the endpoint answers, but serves no model of this name
    │   ├── ModelTimeout         no answer before the deadline
    │   ├── ModelRefused         it will not answer this
    │   ├── ModelCutOff          the answer reached its limit of tokens before its end
    │   ├── ContextTooLong       the prompt does not fit the model
    │   └── ModelOutOfMemory     the engine has no memory for it
    ├── CriticError          a critic could not be read; never a score of 0
    ├── ProposerError        no rivals could be had
    ├── JournalError         the record cannot be written or read; nothing is executed that is not recorded
    │   └── JournalCorrupt       what is on disk is not what was written
    └── PermitError          a permit was used twice, altered, or has expired

Foreign exceptions are translated by `boundary()`, in one place, where they cross into our code.
"""

from collections.abc import Callable
from types import TracebackType

from lookahead.types import Decision

_clean: list[Callable[[str], str]] = []


def clean_with(clean: Callable[[str], str]) -> None:
    """Whoever can take secrets out of a text says so here; this floor knows nobody above it."""
    _clean.append(clean)


class LookaheadError(Exception):
    """The root. Its message names the cause and the next step, and no secret."""

    def __str__(self) -> str:
        text = super().__str__()
        for clean in _clean:
            text = clean(text)
        return text


class ConfigError(LookaheadError): ...


class UnsupportedAgent(ConfigError, TypeError): ...


class CallError(LookaheadError, ValueError): ...


class Refused(LookaheadError):
    """Nothing was done. `decision` holds what was imagined and why it was refused."""

    def __init__(self, message: str, decision: Decision) -> None:
        super().__init__(message)
        self.decision = decision


class Swapped(LookaheadError):
    """Something else was done, on purpose and allowed. `result` is what came of it."""

    def __init__(self, message: str, decision: Decision, result: object) -> None:
        super().__init__(message)
        self.decision = decision
        self.result = result


class WorldError(LookaheadError): ...


class NotMyWorld(WorldError): ...


class OutOfReach(WorldError): ...


class WorldTimeout(WorldError): ...


class Unreadable(WorldError): ...


class SandboxMissing(WorldError): ...


class ModelError(LookaheadError): ...


class ModelUnreachable(ModelError): ...


class ModelNotFound(ModelError): ...


class ModelTimeout(ModelError): ...


class ModelRefused(ModelError): ...


class ModelCutOff(ModelError): ...


class ContextTooLong(ModelError): ...


class ModelOutOfMemory(ModelError): ...


class CriticError(LookaheadError): ...


class ProposerError(LookaheadError): ...


class JournalError(LookaheadError): ...


class JournalCorrupt(JournalError): ...


class PermitError(LookaheadError): ...


class boundary:
    """Give any foreign exception that leaves this block one of our names; ours pass through untouched."""

    __slots__ = ("_doing", "_error")

    def __init__(self, error: type[LookaheadError], doing: str) -> None:
        self._error, self._doing = error, doing

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, cause: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(cause, Exception) or isinstance(cause, LookaheadError):
            return
        if isinstance(cause, TimeoutError):
            named = WorldTimeout if self._error is WorldError else self._error
            raise named(f"{self._doing}: no answer in time") from cause
        raise self._error(f"{self._doing}: {type(cause).__name__}: {cause}") from cause
