"""A server that begins with `initialize`, and whoever asks it, in either era."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final, cast

import anyio

from lookahead_integrations.mcp.exchange import INTERNAL_ERROR, Call, Client, Json, Question, RpcError, modern
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.wire import eras
from lookahead_integrations.mcp.wire.channel import Channel
from lookahead_integrations.mcp.wire.parked import ASKABLE, Ended

_LOGGED: Final = "notifications/message"
_PROGRESS: Final = "notifications/progress"


@dataclass(kw_only=True, eq=False)
class Kept:
    """What a server was told of a client, to tell it again when it had to be started again."""

    level: str | None = None
    uris: "Counter[str]" = field(default_factory=Counter[str])
    """That are subscribed to, and how often."""


@dataclass(kw_only=True, eq=False)
class _Waiting:
    """What the server asks while nobody calls it who could be asked."""

    question: Question
    taken: bool = False
    done: anyio.Event = field(default_factory=anyio.Event)
    answer: Json | None = None
    error: RpcError | None = None


@dataclass(kw_only=True, eq=False)
class Older:
    """Serves one conversation. A client of its own era is passed on to the letter."""

    channel: Channel
    limits: Limits
    kept: Kept
    standing: Client | None = None
    """The connection of a client of the same era."""
    greeting: Json = field(default_factory=dict[str, object])
    """What it answered to `initialize`."""
    _calls: dict[int, Call] = field(default_factory=dict[int, Call], repr=False)
    _waiting: list[_Waiting] = field(default_factory=list[_Waiting], repr=False)
    _listens: dict[int, tuple[Client, Json]] = field(default_factory=dict[int, tuple[Client, Json]], repr=False)
    _numbers: "count[int]" = field(default_factory=lambda: count(1), repr=False)

    async def __call__(self, call: Call, /) -> Json:
        if call.notice:
            if not modern(call.client):
                await self.channel.notify(call.method, call.params)
            return {}
        if not modern(call.client):
            result = await self._request(call, call.params)
            self._remember(call)
            return result
        if call.method == "server/discover":
            return eras.discovered(self.greeting)
        if call.method in eras.GONE:
            raise eras.unknown(call.method)
        if call.method == eras.LISTEN:
            return await self._listen(call)
        return await self._bridged(call)

    async def restore(self) -> None:
        """After it was started again: what the one before it was told."""
        if self.kept.level is not None:
            await self.channel.request("logging/setLevel", {"level": self.kept.level})
        for uri in [uri for uri, times in self.kept.uris.items() if times > 0]:
            await self.channel.request("resources/subscribe", {"uri": uri})

    async def asked(self, method: str, params: Json, of: Call | None = None) -> Json:
        question = Question(method=method, params=params)
        if self.standing is not None:
            mine = of or self._latest()
            client = mine.client if mine is not None else self.standing
            return (await client.ask({method: question}))[method]
        if method == "ping":
            return {}
        return await self._put(question, of)

    async def told(self, method: str, params: Json, of: Call | None = None) -> None:
        of = of or (self._of_token(params) if method == _PROGRESS else None)
        if method == _PROGRESS:
            if of is not None:
                await of.client.tell(method, params)
        elif self.standing is not None:
            mine = of or (self._latest() if method == _LOGGED else None)
            await (mine.client if mine is not None else self.standing).tell(method, params)
        elif method in eras.LISTS or method == eras.UPDATED:
            for client, wishes in list(self._listens.values()):
                if eras.belongs(method, params, wishes):
                    await client.tell(method, params)
        elif (mine := of or self._latest()) is not None and self._wanted(method, params, mine):
            await mine.client.tell(method, params)

    # A client of the same era

    async def _request(self, call: Call, params: Json) -> Json:
        mark = id(call)
        self._calls[mark] = call
        try:
            return await self.channel.request(call.method, params, call=call, related=_Of(self, call))
        finally:
            del self._calls[mark]

    def _remember(self, call: Call) -> None:
        uri, level = call.params.get("uri"), call.params.get("level")
        if call.method == "logging/setLevel" and isinstance(level, str):
            self.kept.level = level
        elif call.method == "resources/subscribe" and isinstance(uri, str):
            self.kept.uris[uri] = 1
        elif call.method == "resources/unsubscribe" and isinstance(uri, str):
            self.kept.uris[uri] = 0

    # A client of the newer era

    async def _bridged(self, call: Call) -> Json:
        level = eras.level_of(call.params)
        if level is not None and level != self.kept.level and "logging" in self._capabilities:
            await self._louder(level)
        if call.method in ASKABLE:
            for waiting in [one for one in self._waiting if not one.taken]:
                await self._take(waiting, call)
        try:
            result = await self._request(call, eras.without_envelope(call.params))
        except RpcError as error:
            raise eras.read_error(error, call.method) from error
        return eras.completed(call.method, result, cast(Json, self.greeting.get("serverInfo")))

    async def _louder(self, level: str) -> None:
        """All calls share one level there, so it only ever grows; what one did not ask for, it is not told."""
        if self.kept.level is None or eras.loud_enough(self.kept.level, level):
            self.kept.level = level
            await self.channel.request("logging/setLevel", {"level": level})

    async def _listen(self, call: Call) -> Json:
        given = call.params.get("notifications")
        wishes = eras.wished(cast(Json, given) if isinstance(given, dict) else {}, self._capabilities)
        uris = cast(list[str], wishes.get("resourceSubscriptions", []))
        self._listens[id(call)] = call.client, wishes
        try:
            await call.client.tell(eras.ACKNOWLEDGED, {"notifications": wishes})
            for uri in uris:
                self.kept.uris[uri] += 1
                if self.kept.uris[uri] == 1:
                    await self.channel.request("resources/subscribe", {"uri": uri})
            await self.channel.closed()
        finally:
            del self._listens[id(call)]
            with anyio.CancelScope(shield=True), anyio.move_on_after(1.0):
                await self._leave(uris)
        # It has ended on purpose: who still wants to hear asks anew.
        return eras.completed(call.method, {}, cast(Json, self.greeting.get("serverInfo")))

    async def _leave(self, uris: list[str]) -> None:
        for uri in uris:
            self.kept.uris[uri] -= 1
            if self.kept.uris[uri] <= 0 and self.channel.alive:
                del self.kept.uris[uri]
                await self.channel.request("resources/unsubscribe", {"uri": uri})

    async def _put(self, question: Question, of: Call | None) -> Json:
        """Asks in the name of the call that the question belongs to, or of the next one that can be asked."""
        waiting, tried = _Waiting(question=question), set[int]()
        self._waiting.append(waiting)
        try:
            while not waiting.taken and (mine := self._askable(of, tried)) is not None:
                tried.add(id(mine))
                await self._take(waiting, mine)
            with anyio.fail_after(self.limits.patience):
                await waiting.done.wait()
        except TimeoutError as error:
            raise RpcError(INTERNAL_ERROR, f"nobody was there to answer {question.method}") from error
        finally:
            self._waiting.remove(waiting)
        if waiting.error is not None:
            raise waiting.error
        return cast(Json, waiting.answer)

    async def _take(self, waiting: _Waiting, call: Call) -> None:
        waiting.taken = True
        question = waiting.question
        key = f"{question.method.split('/')[0]}-{next(self._numbers)}"
        try:
            waiting.answer = (await call.client.ask({key: question})).get(key)
            if waiting.answer is None:
                waiting.answer, waiting.error = _unanswered(question)
        except Ended:
            # Whoever calls next is asked.
            waiting.taken = False
            return
        except (RpcError, TimeoutError) as error:
            waiting.error = error if isinstance(error, RpcError) else RpcError(INTERNAL_ERROR, "no answer in time")
        waiting.done.set()

    # Both

    @property
    def _capabilities(self) -> Json:
        return cast(Json, self.greeting.get("capabilities") or {})

    def _latest(self) -> Call | None:
        """The server does not say to which call it says something: to the one that came last, most likely."""
        return next(reversed(self._calls.values()), None)

    def _askable(self, of: Call | None, tried: set[int]) -> Call | None:
        """All calls of one conversation are of one person: any of them will do that has not ended meanwhile."""
        calls = [*self._calls.values(), *([of] if of is not None else [])]
        return next((call for call in reversed(calls) if call.method in ASKABLE and id(call) not in tried), None)

    def _of_token(self, params: Json) -> Call | None:
        token = params.get("progressToken")
        return next((call for call in self._calls.values() if _token(call) == token), None)

    def _wanted(self, method: str, params: Json, call: Call) -> bool:
        least = eras.level_of(call.params)
        return method != _LOGGED or (least is not None and eras.loud_enough(params.get("level"), least))


@dataclass(frozen=True, eq=False)
class _Of:
    """Hears what the server says about one call, where the transport can tell."""

    server: Older
    call: Call

    async def asked(self, method: str, params: Json, /) -> Json:
        return await self.server.asked(method, params, self.call)

    async def told(self, method: str, params: Json, /) -> None:
        await self.server.told(method, params, self.call)


def _token(call: Call) -> object:
    meta = call.params.get("_meta")
    return cast(Mapping[str, object], meta).get("progressToken") if isinstance(meta, dict) else None


def _unanswered(question: Question) -> tuple[Json | None, RpcError | None]:
    if question.method == "elicitation/create":
        return {"action": "cancel"}, None
    return None, RpcError(INTERNAL_ERROR, f"the client did not answer {question.method}")
