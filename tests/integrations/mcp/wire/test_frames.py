import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookahead_integrations.mcp.exchange import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, RpcError
from lookahead_integrations.mcp.wire import frames
from lookahead_integrations.mcp.wire.frames import BadFrame, Lines, Notice, Reply, Request


@given(lines=st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=12), cut=st.data())
def test_lines_are_the_same_however_they_arrive(lines: list[bytes], cut: st.DataObject) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    reader, found = Lines(limit=1000), []
    while whole:
        size = cut.draw(st.integers(1, len(whole)))
        found += reader.feed(whole[:size])
        whole = whole[size:]
    assert found == [line.strip().removeprefix(b"\xef\xbb\xbf") for line in lines if line.strip()]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_line_that_is_too_long_is_passed_over_and_the_next_one_read(size: int) -> None:
    reader, found = Lines(limit=10), []
    data = b"short\n" + b"x" * 50 + b"\nafter\n" + b"y" * 11 + b"\n" + b"z" * 10 + b"\n"
    for begin in range(0, len(data), size):
        found += reader.feed(data[begin : begin + size])
    assert found == [b"short", None, b"after", None, b"z" * 10]


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"nonsense", b"\xff\xfe", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1, "a": 2}',
        b'{"params": {"name": "read", "name": "delete"}}', b"[" * 100_000, b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}", b'{"a": "\xed\xa0\x80"}', b'{"a": 1} {"b": 2}',
    ],
)  # fmt: skip
def test_what_is_not_json_to_everybody_is_a_parse_error(line: bytes) -> None:
    with pytest.raises(BadFrame) as error:
        frames.read(line)
    assert error.value.code == PARSE_ERROR


def test_too_many_brackets_within_brackets_are_refused_by_name() -> None:
    deep = b'{"jsonrpc": "2.0", "id": 7, "method": "x", "params": {"a": ' + b"[" * 300 + b"]" * 300 + b"}}"
    with pytest.raises(BadFrame) as error:
        frames.read(deep)
    assert (error.value.code, error.value.id) == (INVALID_REQUEST, 7)
    wide = json.dumps({"a": [{}] * 1000}).encode()
    assert frames.read(wide) == json.loads(wide)


@pytest.mark.parametrize(
    ("found", "code", "id"),
    [
        (1, INVALID_REQUEST, None),
        ("text", INVALID_REQUEST, None),
        (None, INVALID_REQUEST, None),
        ({}, INVALID_REQUEST, None),
        ({"jsonrpc": "1.0", "id": 1, "method": "x"}, INVALID_REQUEST, 1),
        ({"id": 1, "method": "x"}, INVALID_REQUEST, 1),
        ({"jsonrpc": "2.0", "id": 1, "method": 5}, INVALID_REQUEST, 1),
        ({"jsonrpc": "2.0", "id": True, "method": "x"}, INVALID_REQUEST, None),
        ({"jsonrpc": "2.0", "id": None, "method": "x"}, INVALID_REQUEST, None),
        ({"jsonrpc": "2.0", "id": 1.5, "method": "x"}, INVALID_REQUEST, None),
        ({"jsonrpc": "2.0", "id": {}, "method": "x"}, INVALID_REQUEST, None),
        ({"jsonrpc": "2.0", "id": 1, "method": "x", "params": [1]}, INVALID_PARAMS, 1),
        ({"jsonrpc": "2.0", "id": "a", "method": "x", "params": "p"}, INVALID_PARAMS, "a"),
        ({"jsonrpc": "2.0", "id": 1, "method": "x", "result": {}}, INVALID_REQUEST, 1),
        ({"jsonrpc": "2.0", "id": 1, "result": {}, "error": {"code": 1}}, INVALID_REQUEST, 1),
        ({"jsonrpc": "2.0", "id": 1}, INVALID_REQUEST, 1),
        ({"jsonrpc": "2.0", "result": {}}, INVALID_REQUEST, None),
    ],
)
def test_what_is_no_message_is_refused_with_the_id_that_it_had(found: object, code: int, id: object) -> None:
    with pytest.raises(BadFrame) as error:
        frames.message(found)
    assert (error.value.code, error.value.id) == (code, id)


def test_messages_are_read_as_what_they_are() -> None:
    assert frames.message({"jsonrpc": "2.0", "id": 1, "method": "x", "extra": 1}) == Request(1, "x", {})
    assert frames.message({"jsonrpc": "2.0", "id": "1", "method": "x", "params": None}) == Request("1", "x", {})
    assert frames.message({"jsonrpc": "2.0", "method": "x", "params": {"a": 1}}) == Notice("x", {"a": 1})
    assert frames.message({"jsonrpc": "2.0", "id": 2, "result": {"a": 1}}) == Reply(2, {"a": 1}, None)
    reply = frames.message({"jsonrpc": "2.0", "id": 2, "error": {"code": -5, "message": "no", "data": [1]}})
    assert isinstance(reply, Reply)
    assert isinstance(reply.error, RpcError)
    assert (reply.error.code, reply.error.message, reply.error.data) == (-5, "no", [1])


@pytest.mark.parametrize("error", [None, "text", {}, {"code": "x"}, {"code": True, "message": 1}, []])
def test_an_error_of_no_shape_is_an_error_still(error: object) -> None:
    found = {"jsonrpc": "2.0", "id": 2, "error": error}
    if error is None:
        with pytest.raises(BadFrame):
            frames.message(found)
    else:
        reply = frames.message(found)
        assert isinstance(reply, Reply)
        assert isinstance(reply.error, RpcError)


@pytest.mark.parametrize("result", [None, 1, "text", []])
def test_a_result_that_is_no_object_is_an_error(result: object) -> None:
    reply = frames.message({"jsonrpc": "2.0", "id": 2, "result": result})
    assert isinstance(reply, Reply)
    assert reply.error is not None


@pytest.mark.parametrize("text", ["\u2028\u2029\x85", "ü", "\U0001f600", "\ud800", "a\nb\r", "\x00"])
def test_every_text_leaves_as_it_came_and_on_one_line(text: str) -> None:
    line = frames.written({"a": text})
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert json.loads(line) == {"a": text}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_has_no_spelling_is_not_written(value: float) -> None:
    with pytest.raises(ValueError, match=r"JSON|range"):
        frames.written({"a": value})


def test_a_batch_is_read_only_where_the_revision_has_them() -> None:
    assert list(frames.messages([1, 2], batches=True, most=5)) == [1, 2]
    assert list(frames.messages({}, batches=False, most=5)) == [{}]
    for found, batches in (([1], False), ([], True), ([1] * 6, True)):
        with pytest.raises(BadFrame):
            frames.messages(found, batches=batches, most=5)
