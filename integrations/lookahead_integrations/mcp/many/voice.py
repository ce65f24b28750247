"""The client, as one of several servers sees it: what that server says is told in the names that the client knows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from lookahead_integrations.mcp.exchange import META, Json, Question, Through
from lookahead_integrations.mcp.many.merging import object_of, objects
from lookahead_integrations.mcp.many.names import MARK, Names
from lookahead_integrations.mcp.many.uris import Uris

RELATED: Final = f"{META}related-task"
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
UPDATED: Final = "notifications/resources/updated"


@dataclass(frozen=True, kw_only=True)
class Book:
    """Who is called what, on both sides."""

    prefixes: Mapping[str, str]
    tools: Names
    prompts: Names
    uris: Uris

    def task(self, key: str, id: str) -> str:
        return f"{self.prefixes[key]}{MARK}{id}"

    def owner(self, task: str) -> tuple[str, str] | None:
        prefix, mark, id = task.partition(MARK)
        key = next((key for key, its in self.prefixes.items() if its == prefix), None)
        return (key, id) if mark and key is not None else None

    def told(self, key: str, params: Json) -> Json:
        """A notification or a question of a server, in the client's names."""
        if isinstance(uri := params.get("uri"), str):
            params = {**params, "uri": self.uris.outer(key, uri)}
        return self.with_task(key, params)

    def with_task(self, key: str, said: Json) -> Json:
        """Whatever names a task of a server, so that it names it as the client does."""
        if isinstance(id := said.get("taskId"), str):
            said = {**said, "taskId": self.task(key, id)}
        meta = object_of(said.get("_meta"))
        if isinstance(id := object_of(meta.get(RELATED)).get("taskId"), str):
            related = {**object_of(meta[RELATED]), "taskId": self.task(key, id)}
            said = {**said, "_meta": {**meta, RELATED: related}}
        return said

    def result(self, key: str, said: Json) -> Json:
        """The answer to a call, with the addresses and tasks in it as the client knows them."""
        said = self.with_task(key, said)
        if task := object_of(said.get("task")):
            said = {**said, "task": self.with_task(key, task)}
        for name in ("content", "contents", "messages"):
            if isinstance(said.get(name), list):
                said = {**said, name: [self._part(key, part) for part in said[name]]}
        return said

    def listed(self, key: str, kind: str, item: Json) -> Json:
        """One item of a server's list."""
        name, uri, template = item.get("name"), item.get("uri"), item.get("uriTemplate")
        if kind == "tasks":
            return self.with_task(key, item)
        if kind in ("tools", "prompts") and isinstance(name, str):
            names = self.tools if kind == "tools" else self.prompts
            return self._with_view(key, {**item, "name": names.outer(key, name)})
        if kind == "resources" and isinstance(uri, str):
            return {**item, "uri": self.uris.outer(key, uri)}
        if kind == "resourceTemplates" and isinstance(template, str):
            return {**item, "uriTemplate": self.uris.outer(key, template)}
        return item

    def learn(self, key: str, kind: str, items: list[Json]) -> None:
        def texts(name: str) -> list[str]:
            return [item[name] for item in items if isinstance(item.get(name), str)]

        match kind:
            case "tools":
                self.tools.learn(key, texts("name"))
            case "prompts":
                self.prompts.learn(key, texts("name"))
            case "resources":
                self.uris.learn(key, texts("uri"))
            case "resourceTemplates":
                self.uris.learn_templates(key, texts("uriTemplate"))
            case _:
                pass

    def _part(self, key: str, part: object) -> object:
        said = object_of(part)
        if inner := object_of(said.get("resource")):
            return {**said, "resource": self._part(key, inner)}
        if (content := object_of(said.get("content"))) and said.get("role"):
            return {**said, "content": self._part(key, content)}
        if isinstance(uri := said.get("uri"), str):
            return {**said, "uri": self.uris.seen(key, uri)}
        return part

    def _with_view(self, key: str, tool: Json) -> Json:
        """A tool that is shown by a page of its server."""
        meta = object_of(tool.get("_meta"))
        view = object_of(meta.get("ui"))
        if isinstance(uri := view.get("resourceUri"), str):
            return {**tool, "_meta": {**meta, "ui": {**view, "resourceUri": self.uris.outer(key, uri)}}}
        return tool


class Hears(Protocol):
    """Whoever has a say in what one server tells a client. None: it is not told."""

    async def __call__(self, key: str, method: str, params: Json, /) -> Json | None: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Voice(Through):
    """One client, for one server."""

    server: str
    book: Book
    hears: Hears | None = None

    async def ask(self, questions: Mapping[str, Question], /) -> dict[str, Json]:
        return await self.client.ask({name: self._question(question) for name, question in questions.items()})

    async def tell(self, method: str, params: Json, /) -> None:
        params = self.book.told(self.server, params)
        if method == "notifications/message":
            logger = params.get("logger")
            prefix = self.book.prefixes[self.server]
            params = {**params, "logger": f"{prefix}/{logger}" if logger else prefix}
        heard = params if self.hears is None else await self.hears(self.server, method, params)
        if heard is not None:
            await self.client.tell(method, heard)

    def _question(self, question: Question) -> Question:
        """A person has to know which server wants to know something."""
        params = self.book.told(self.server, question.params)
        if question.method == "elicitation/create" and isinstance(said := params.get("message"), str):
            params = {**params, "message": f"{self.book.prefixes[self.server]}: {said}"}
        return replace(question, params=params)


def wishes(book: Book, key: str, wanted: Json) -> Json:
    """Of what a client wants to be told, what one server may have to tell, in that server's names."""
    mine: Json = {name: value for name, value in wanted.items() if value is True}
    uris = [
        uri for shown in _strings(wanted.get("resourceSubscriptions")) for one, uri in owners(book, shown) if one == key
    ]
    tasks = [
        id for shown in _strings(wanted.get("taskIds")) for one, id in [book.owner(shown) or ("", "")] if one == key
    ]
    known = {"resourceSubscriptions": uris, "taskIds": tasks}
    return {**mine, **{name: value for name, value in known.items() if value}}


def owners(book: Book, shown: str) -> list[tuple[str, str]]:
    """Who may have an address: those who are known to, else everybody."""
    return book.uris.inner(shown) or [(key, shown) for key in book.prefixes]


def granted(book: Book, said: Mapping[str, Json]) -> Json:
    """All that the servers agreed to tell, in the client's names."""
    merged: Json = {}
    for key, one in said.items():
        for name, value in one.items():
            if isinstance(value, list):
                outer = book.uris.outer if name == "resourceSubscriptions" else book.task
                shown = [outer(key, each) for each in _strings(value)]  # pyright: ignore[reportUnknownArgumentType]
                merged[name] = list(dict.fromkeys([*merged.get(name, []), *shown]))
            elif value:
                merged[name] = value
    return merged


def _strings(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]


__all__ = ["ACKNOWLEDGED", "UPDATED", "Book", "Voice", "granted", "objects", "owners", "wishes"]
