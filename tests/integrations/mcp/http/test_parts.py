"""What the HTTP endpoint and the HTTP upstream are made of, each alone."""

import json
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookahead.errors import ConfigError
from lookahead_integrations.mcp.http import routing, sse
from lookahead_integrations.mcp.http.address import Address
from lookahead_integrations.mcp.http.stream import Stream, Streams

WORDS = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))


@given(st.lists(st.tuples(WORDS, st.sampled_from(["\n", "\r", "\r\n"])), max_size=5), st.data())
def test_events_are_the_same_wherever_the_bytes_were_cut(said: list[tuple[str, str]], data: st.DataObject) -> None:
    body = b"\xef\xbb\xbf: hello\n\n" + b"".join(
        f"id: {number}{end}event: message{end}data: {json.dumps(words)}{end}{end}".encode()
        for number, (words, end) in enumerate(said)
    )
    body += b": the end\n\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    reader, found = sse.Reader(), list[sse.Event]()
    for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        found += reader.feed(body[begin:end])
    assert [(event.id, json.loads(event.data)) for event in found] == [
        (str(number), words) for number, (words, _) in enumerate(said)
    ]


def test_an_event_as_we_write_it_is_read_as_it_was_meant() -> None:
    found = sse.Reader().feed(sse.frame(b"", id="3.0", retry=0.5) + sse.PING + sse.frame(b'{"a":1}', id="3.1"))
    assert [(event.id, event.data, event.retry) for event in found] == [("3.0", b"", 0.5), ("3.1", b'{"a":1}', None)]


def test_an_event_without_an_end_does_not_fill_the_memory() -> None:
    for endless in (b"data: " + b"x" * 60, b"data: xxxxxxxxxxxxxxxxxxxx\n"):
        reader = sse.Reader(largest=100)
        with pytest.raises(sse.TooLarge):
            _ = [reader.feed(endless) for _ in range(10)]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_travels_in_a_header_and_comes_back(text: str) -> None:
    header = routing.encoded(text)
    assert header.isascii()
    assert header.isprintable()
    assert header == header.strip()
    assert routing.decoded(header) == text


@pytest.mark.parametrize("bad", ["=?base64?!!?=", "=?base64?/w==?=", "=?base64?YR==?=", "=?base64?YQ?="])
def test_a_wrapped_value_with_a_second_spelling_is_no_value(bad: str) -> None:
    assert routing.decoded(bad) is None


SCHEMA: Any = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
        "sure": {"type": "boolean", "x-mcp-header": "Sure", "default": {"x-mcp-header": "no schema"}},
    },
}


@given(
    st.fixed_dictionaries(
        {}, optional={"region": st.text(st.characters(exclude_categories=["Cs"])), "sure": st.booleans()}
    ),
    st.integers() | st.none(),
)
def test_headers_of_arguments_as_we_make_them_are_those_that_we_accept(arguments: dict[str, Any], number: int) -> None:
    arguments = {**arguments, "deep": {"n": number}}
    made = {name.lower(): value for name, value in routing.param_headers(SCHEMA, arguments).items()}
    assert routing.param_refusal(SCHEMA, arguments, made.items()) is None
    for name in made:
        fewer = {key: value for key, value in made.items() if key != name}
        assert routing.param_refusal(SCHEMA, arguments, fewer.items()) is not None
        assert routing.param_refusal(SCHEMA, arguments, [*made.items(), (name, made[name])]) is not None
        assert routing.param_refusal(SCHEMA, arguments, (fewer | {name: "else"}).items()) is not None


@pytest.mark.parametrize(
    "broken",
    [
        {"properties": {"a": {"type": "number", "x-mcp-header": "A"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": ""}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": "A\r\nB"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": "X"}, "b": {"type": "string", "x-mcp-header": "x"}}},
        {"anyOf": [{"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}]},
        {"x-mcp-header": "A", "type": "string"},
    ],
)
def test_a_schema_that_declares_a_header_wrongly_declares_none(broken: Any) -> None:
    assert routing.param_headers(broken, {"a": "b"}) == {}
    assert not routing.wants_headers(broken)


def test_what_is_kept_for_a_client_that_lost_its_connection_is_bounded() -> None:
    streams = Streams(kept_bytes=100, kept_streams=2)
    first = streams.open()
    for _ in range(50):
        streams.put(first, b"x" * 10)
    assert len(first) == 10
    assert streams.find("1.50") is not None
    assert streams.find("1.51") is None
    for _ in range(3):
        streams.close(streams.open())
    assert streams.find("2.0") is None
    assert streams.find("4.0") is not None
    large = streams.open()
    streams.put(large, b"y" * 1000)
    assert len(large) == 1
    assert len(first) == 0


@pytest.mark.anyio
async def test_a_message_goes_to_the_newest_reader_alone() -> None:
    stream, old, new = Stream("1"), list[int](), list[int]()
    stream.put(b"a")

    async def read(into: list[int], after: int) -> None:
        async for number, _ in stream.after(after):
            into.append(number)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read, old, 0)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(read, new, 1)
            await anyio.wait_all_tasks_blocked()
            stream.put(b"b")
            stream.end()
    assert (old, new) == ([1], [2])


@pytest.mark.parametrize("name", ["Host", "content-length", "MCP-Session-Id", "mcp-method", "Origin"])
def test_a_header_that_the_transport_writes_cannot_be_configured(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Address(url="https://h/mcp", headers={name: "x"})
    with pytest.raises(ConfigError, match=name):
        Address(url="https://h/mcp", passed=frozenset({name}))


def test_an_address_is_shown_without_what_it_may_hide() -> None:
    address = Address(url="https://user:secret@h:8/mcp?key=secret#secret", headers={"Authorization": "Bearer secret"})
    assert address.shown == "https://h:8/mcp"
    assert "secret" not in repr(address)
    for url in ("file:///etc/passwd", "ftp://h/", "https://", "h/mcp"):
        with pytest.raises(ConfigError, match="not the URL"):
            Address(url=url)
