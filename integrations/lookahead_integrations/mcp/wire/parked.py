"""Calls of the newer era that wait for their client: answered `input_required`, and resumed when made again."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

import anyio
from anyio.abc import TaskGroup

from lookahead_integrations.mcp.exchange import INTERNAL_ERROR, INVALID_PARAMS, Call, Client, Json, Question, RpcError
from lookahead_integrations.mcp.exchange import Service as Service
from lookahead_integrations.mcp.settings import Limits
from lookahead_integrations.mcp.wire.sealing import Sealer, bound, rejected

ASKABLE: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""The only calls that may be answered with questions."""
MISSING_CAPABILITY: Final = -32021
_GRACE: Final = 30.0
"""Seconds in which a call that nobody waits for any more may come to its end by itself."""


class Ended(RpcError):
    """The call had its result before its client could answer."""

    def __init__(self) -> None:
        super().__init__(INTERNAL_ERROR, "the call has ended: nobody waits for its questions")


@dataclass(kw_only=True, eq=False)
class _Ask:
    """Questions that were put together, under the keys that the client sees."""

    questions: dict[str, Question]
    names: dict[str, str]
    """What who asked calls them."""
    answered: anyio.Event = field(default_factory=anyio.Event)
    answers: dict[str, Json] = field(default_factory=dict[str, Json])
    shown: bool = False


@dataclass(kw_only=True, eq=False)
class _Attempt:
    """One call, from its first request to its last answer."""

    id: str
    bound: str
    client: Client
    """Of the request that waits now, or did last."""
    token: object = None
    """For progress, in the first request."""
    now: object = None
    """For progress, in the request that waits now."""
    round: int = 0
    asks: list[_Ask] = field(default_factory=list[_Ask])
    news: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    kept: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    """In which its result waits to be fetched."""
    waiting: bool = False
    """Whether a request of its client waits now."""
    ended: bool = False
    result: Json | None = None
    error: Exception | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asker:
    """The client of a call that can be parked: each request of that call lends it its way back."""

    parking: "Parking"
    attempt: _Attempt
    method: str

    @property
    def key(self) -> str:
        return self.attempt.client.key

    @property
    def version(self) -> str:
        return self.attempt.client.version

    @property
    def info(self) -> Json:
        return self.attempt.client.info

    @property
    def capabilities(self) -> Json:
        return self.attempt.client.capabilities

    @property
    def headers(self) -> Mapping[str, str]:
        return self.attempt.client.headers

    async def ask(self, questions: Mapping[str, Question], /) -> dict[str, Json]:
        return await self.parking.ask(self.attempt, self.method, questions)

    async def tell(self, method: str, params: Json, /) -> None:
        attempt = self.attempt
        if method == "notifications/progress" and params.get("progressToken") == attempt.token:
            if attempt.now is None:
                return
            params = {**params, "progressToken": attempt.now}
        await attempt.client.tell(method, params)


@dataclass(kw_only=True, eq=False)
class Parking:
    """Stands between a front and whoever answers: to each, every call looks like one call with one result."""

    service: Service
    tasks: TaskGroup
    """Where calls run, because they outlive the request that began them."""
    limits: Limits = field(default_factory=Limits)
    sealer: Sealer = field(default_factory=Sealer)
    _attempts: dict[str, _Attempt] = field(default_factory=dict[str, _Attempt], repr=False)

    async def __call__(self, call: Call, /) -> Json:
        """The result of a call of the newer era, or `input_required`. Cancelling it cancels the call."""
        if call.notice or call.method not in ASKABLE:
            return await self.service(call)
        if "requestState" in call.params:
            return await self._outcome(self._resumed(call))
        if not any(name in call.client.capabilities for name in ("elicitation", "sampling", "roots")):
            return await self.service(_first(call, call.client))
        token = _token(call)
        attempt = _Attempt(id=secrets.token_urlsafe(18), bound=bound(call), client=call.client, token=token, now=token)
        self.tasks.start_soon(self._run, attempt, call)
        return await self._outcome(attempt)

    def forget(self, key: str) -> None:
        """The conversation is over: whatever waits in it ends."""
        for attempt in [one for one in self._attempts.values() if one.client.key == key]:
            self._attempts.pop(attempt.id, None)
            attempt.scope.cancel()
            attempt.kept.cancel()

    @property
    def waiting(self) -> int:
        return len(self._attempts)

    async def ask(self, attempt: _Attempt, method: str, questions: Mapping[str, Question]) -> dict[str, Json]:
        if attempt.ended:
            raise Ended
        for question in questions.values():
            if missing := _missing(question, attempt.client.capabilities):
                raise RpcError(
                    MISSING_CAPABILITY,
                    f"the client cannot be asked {question.method}: it did not declare this",
                    {"requiredCapabilities": missing},
                )
        if attempt.id not in self._attempts and len(self._attempts) >= self.limits.parked:
            raise RpcError(INTERNAL_ERROR, f"{self.limits.parked} calls wait for their clients: no more can be asked")
        taken = {name for ask in attempt.asks for name in ask.questions}
        names = {_free(name, taken): name for name in questions}
        ask = _Ask(questions={shown: questions[name] for shown, name in names.items()}, names=names)
        attempt.asks.append(ask)
        self._attempts[attempt.id] = attempt
        attempt.news.set()
        try:
            with anyio.fail_after(self.limits.patience):
                await ask.answered.wait()
        except TimeoutError:
            # A late answer finds nothing to resume; what was asked for may still come to its own end.
            self._attempts.pop(attempt.id, None)
            self.tasks.start_soon(self._end, attempt)
            raise
        finally:
            attempt.asks.remove(ask)
        if attempt.ended:
            raise Ended
        return ask.answers

    async def _run(self, attempt: _Attempt, call: Call) -> None:
        client = _Asker(parking=self, attempt=attempt, method=call.method)
        try:
            with attempt.scope:
                attempt.result = await self.service(_first(call, client))
        except Exception as error:
            attempt.error = error
        finally:
            attempt.ended = True
            for ask in attempt.asks:
                ask.answered.set()
            if attempt.id in self._attempts and not attempt.waiting:
                # Its client is about to come back with answers that it does not need any more: for its result.
                self.tasks.start_soon(self._keep, attempt)
            else:
                self._attempts.pop(attempt.id, None)
            attempt.news.set()

    async def _outcome(self, attempt: _Attempt) -> Json:
        attempt.waiting = True
        try:
            while not attempt.ended and all(ask.shown for ask in attempt.asks):
                attempt.news = anyio.Event()
                await attempt.news.wait()
        except BaseException:
            self._attempts.pop(attempt.id, None)
            attempt.scope.cancel()
            raise
        finally:
            attempt.waiting = False
        if attempt.ended:
            self._attempts.pop(attempt.id, None)
            attempt.kept.cancel()
        if attempt.error is not None:
            raise attempt.error
        if attempt.ended:
            if attempt.result is None:
                raise RpcError(INTERNAL_ERROR, "the call was given up, because its conversation is over")
            return attempt.result
        shown: Json = {}
        for ask in attempt.asks:
            ask.shown = True
            shown |= {name: _spelled(question) for name, question in ask.questions.items()}
        attempt.round += 1
        content = {"id": attempt.id, "round": attempt.round, "of": attempt.bound}
        state = self.sealer.seal(content, seconds=self.limits.patience)
        return {"resultType": "input_required", "inputRequests": shown, "requestState": state}

    def _resumed(self, call: Call) -> _Attempt:
        """The call that waits for these answers, now with them."""
        content = self.sealer.open(call.params["requestState"])
        if content["of"] != bound(call):
            raise rejected("it was given for another call")
        attempt = self._attempts.get(content["id"])
        if attempt is None:
            raise rejected("nothing waits for it any more")
        if attempt.round != content["round"]:
            raise rejected("it was used before")
        given: Any = call.params.get("inputResponses")
        if given is not None and not isinstance(given, dict):
            raise RpcError(INVALID_PARAMS, "inputResponses is an object: the answers by the keys of the questions")
        answers = cast(Json, given or {})
        attempt.round += 1
        attempt.client, attempt.now = call.client, _token(call)
        for ask in [ask for ask in attempt.asks if ask.shown and not ask.answered.is_set()]:
            ask.answers = {name: answers[shown] for shown, name in ask.names.items() if shown in answers}
            ask.answered.set()
        return attempt

    async def _keep(self, attempt: _Attempt) -> None:
        with attempt.kept:
            await anyio.sleep(self.limits.patience)
            self._attempts.pop(attempt.id, None)

    async def _end(self, attempt: _Attempt) -> None:
        await anyio.sleep(_GRACE)
        attempt.scope.cancel()


def _first(call: Call, client: Client) -> Call:
    # Answers that were given before anything was asked go on as they are: a server without a state of its own
    # knows them by their keys.
    return replace(call, client=client)


def _token(call: Call) -> object:
    meta = call.params.get("_meta")
    return cast(Json, meta).get("progressToken") if isinstance(meta, dict) else None


def _free(name: str, taken: set[str]) -> str:
    """The same key, or one like it where another question of this call has it."""
    shown, number = name, 1
    while shown in taken:
        number += 1
        shown = f"{name}-{number}"
    taken.add(shown)
    return shown


def _spelled(question: Question) -> Json:
    return {"method": question.method, **({"params": question.params} if question.params else {})}


def _missing(question: Question, capabilities: Json) -> Json:
    """What a client would have had to declare for this; empty where it has."""
    name = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}.get(
        question.method
    )
    if name is None or capabilities.get(name) is None:
        return {name or question.method: {}}
    declared = cast(Json, capabilities[name])
    if name == "elicitation" and question.params.get("mode") == "url" and "url" not in declared:
        return {"elicitation": {"url": {}}}
    # To declare no form of elicitation is to declare the one that there was at first.
    if name == "elicitation" and question.params.get("mode", "form") == "form" and declared and "form" not in declared:
        return {"elicitation": {"form": {}}}
    return {}
