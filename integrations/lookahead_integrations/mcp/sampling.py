"""The model of whoever calls: the client's own, asked by `sampling/createMessage` while its call waits."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, cast

import anyio

from lookahead.errors import ModelError, ModelRefused, ModelTimeout, ModelUnreachable, NotMyWorld
from lookahead.models.answer import divided
from lookahead.models.count import count, count_messages
from lookahead.types import Action, Asking, Completion, Cost, Message, Observation, Sample, State, Usage
from lookahead.worlds.language import LanguageWorld
from lookahead_integrations.mcp.exchange import Call, Client, Json, Question, RpcError

METHOD: Final = "sampling/createMessage"
MARK: Final = "lookahead/sampling"
"""In `_meta` of what we ask: who sees it knows that a world model asks, and not the server."""
AT_ONCE: Final = 4
"""So many questions are put to one client at the same time."""
_TOKENS: Final = 4096
_ENDED: Final[Mapping[str, Any]] = {"maxTokens": "length", "refusal": "refused", "contentFilter": "refused"}

_CALL: Final[ContextVar[Call | None]] = ContextVar("CALL", default=None)
_ASKING: Final[ContextVar[bool]] = ContextVar("ASKING", default=False)
_under_way: Final[dict[str, int]] = {}


@contextmanager
def on_behalf_of(call: Call) -> Generator[None]:
    """What is asked of the client's model in this block is asked while this call waits."""
    token = _CALL.set(call)
    try:
        yield
    finally:
        _CALL.reset(token)


def offers(client: Client) -> bool:
    """Whether this client lets a server use its model."""
    return isinstance(client.capabilities.get("sampling"), dict)


def busy(client: Client) -> bool:
    """Whether its model is being asked right now."""
    return _under_way.get(client.key, 0) > 0


class ClientModel:
    """The client's own model, as a `Complete`. In both eras the question is the same; cancelling the call ends it.

    It is offered no tools and no context of other servers, so it cannot call what asks it; and what is imagined while
    it is asked does not ask it again.
    """

    def __init__(self, call: Call | None = None) -> None:
        self._call = call
        self._named: dict[str, str] = {}

    @property
    def name(self) -> str:
        """Which client, and which model it says that it used."""
        call = self._call or _CALL.get()
        who = str(call.client.info.get("name") or "unnamed") if call is not None else "unnamed"
        model = self._named.get(who)
        return f"client:{who}" + (f"#{model}" if model else "")

    async def __call__(self, messages: Sequence[Message], asking: Asking, /) -> Completion:
        call = self._call or _CALL.get()
        if call is None:
            raise ModelUnreachable("the client's own model can be asked only while a call of that client waits")
        if not offers(call.client):
            raise ModelUnreachable(
                "this client does not offer its own model (sampling); name one with --world, see lookahead proxy --help"
            )
        key = call.client.key
        if _ASKING.get() or _under_way.get(key, 0) >= AT_ONCE:
            raise ModelError("the client's model is being asked already, and is not asked from within its own answer")
        questions = {f"lookahead-{number + 1}": _question(messages, asking) for number in range(asking.n)}
        began = anyio.current_time()
        token = _ASKING.set(True)
        _under_way[key] = _under_way.get(key, 0) + 1
        try:
            with anyio.fail_after(asking.seconds):
                answers = await call.client.ask(questions)
        except TimeoutError:
            raise ModelTimeout(f"{self.name}: nobody answered for the client's model in time") from None
        except RpcError as error:
            refused = error.code == -1 or "reject" in str(error).lower() or "denied" in str(error).lower()
            kind = ModelRefused if refused else ModelError
            raise kind(f"{self.name}: the client did not let its model answer: {error}") from error
        finally:
            _ASKING.reset(token)
            _under_way[key] -= 1
            if not _under_way[key]:
                del _under_way[key]
        return self._completion(messages, call.client, [answers.get(key) for key in questions], began)

    def _completion(
        self, messages: Sequence[Message], client: Client, answers: Sequence[Json | None], began: float
    ) -> Completion:
        samples = [sample for answer in answers if (sample := _sample(answer)) is not None]
        if not samples:
            raise ModelRefused(f"{self.name}: the client answered without a message of its model")
        model = next((str(one["model"]) for one in answers if one is not None and one.get("model")), "")
        if model:
            self._named[str(client.info.get("name") or "unnamed")] = model
        generated = sum(count(sample.text) + count(sample.thought) for sample in samples)
        usage = Usage(prompt=count_messages(messages) * len(samples), generated=generated, counted="estimate")
        seconds = max(0.0, anyio.current_time() - began)
        cost = Cost(calls=len(samples), tokens=usage.prompt + usage.generated, seconds=seconds)
        return Completion(samples=tuple(samples), model=model or self.name, usage=usage, cost=cost)


class ClientWorld:
    """What the client's own model imagines; not our world while no call of a client that offers it waits."""

    def __init__(self, **options: Any) -> None:
        self._model = ClientModel()
        self._world = LanguageWorld(self._model, **options)

    @property
    def name(self) -> str:
        return self._model.name

    async def __call__(self, state: State, action: Action, /) -> Observation:
        call = _CALL.get()
        if call is None or not offers(call.client) or _ASKING.get():
            raise NotMyWorld("no world model is configured, and this client does not offer its own (sampling)")
        return await self._world(state, action)


def _question(messages: Sequence[Message], asking: Asking) -> Question:
    said = [message.content for message in messages if message.role == "system"]
    turns = [message for message in messages if message.role != "system"]
    if asking.schema_of is not None:
        said.append("Answer with JSON alone that fits this schema: " + _compact(asking.schema_of))
    if asking.choices:
        said.append("Answer with one of these words alone: " + ", ".join(asking.choices))
    params: Json = {
        "messages": [{"role": turn.role, "content": {"type": "text", "text": turn.content}} for turn in turns],
        "maxTokens": asking.max_tokens or _TOKENS,
        "includeContext": "none",
        "metadata": {MARK: True},
        "_meta": {MARK: True},
    }
    if said:
        params["systemPrompt"] = "\n\n".join(said)
    if asking.temperature is not None:
        params["temperature"] = asking.temperature
    if asking.stop:
        params["stopSequences"] = list(asking.stop)
    return Question(method=METHOD, params=params)


def _compact(schema: Mapping[str, Any]) -> str:
    from lookahead.canonical import canonical

    return canonical(schema)


def _sample(answer: Json | None) -> Sample | None:
    """The text of a message, whatever parts it came in; None where there is none."""
    if answer is None:
        return None
    content: Any = answer.get("content")
    parts = cast(list[Any], content) if isinstance(content, list) else [content]
    blocks = [cast(Json, part) for part in parts if isinstance(part, dict)]
    texts = [str(part["text"]) for part in blocks if part.get("type") == "text" and isinstance(part.get("text"), str)]
    if not texts:
        return None
    thought, text = divided("".join(texts))
    return Sample(text=text, thought=thought, ended=_ENDED.get(str(answer.get("stopReason")), "stop"))
