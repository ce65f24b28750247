import socket
from typing import Any

import pytest

from lookahead.schema import fits
from lookahead.testing import call
from lookahead.types import Tool

PATH: dict[str, Any] = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "times": {"type": "integer", "minimum": 1}},
    "required": ["path"],
    "additionalProperties": False,
}


def tool(schema: dict[str, Any]) -> Tool:
    return Tool(name="write", parameters=schema)


@pytest.mark.parametrize(
    ("arguments", "fit"),
    [
        ({"path": "a"}, True),
        ({"path": "a", "times": 1}, True),
        ({"path": "a", "times": 1.0}, True),
        ({}, False),
        ({"path": 1}, False),
        ({"path": "a", "times": 0}, False),
        ({"path": "a", "times": "1"}, False),
        ({"path": "a", "times": True}, False),
        ({"path": "a", "other": 1}, False),
    ],
)
def test_arguments_fit_when_the_schema_says_so(arguments: dict[str, Any], fit: bool):
    assert fits(call("write", **arguments), tool(PATH)) is fit


def test_a_tool_without_a_schema_takes_anything():
    assert fits(call("write", anything=[1]), tool({})) is True


def test_references_inside_the_schema_are_followed():
    schema: dict[str, Any] = {"$defs": {"name": {"type": "string"}}, "properties": {"path": {"$ref": "#/$defs/name"}}}
    assert fits(call("write", path="a"), tool(schema)) is True
    assert fits(call("write", path=1), tool(schema)) is False


@pytest.mark.parametrize("where", ["http://127.0.0.1:9/schema.json", "file:///etc/passwd"])
def test_a_reference_to_somewhere_else_is_never_fetched(where: str, monkeypatch: pytest.MonkeyPatch):
    asked: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: asked.append(args))
    schema: dict[str, Any] = {"properties": {"path": {"$ref": where}}}
    assert fits(call("write", path="a"), tool(schema)) is False
    assert asked == []


@pytest.mark.parametrize("schema", [{"type": 5}, {"properties": []}, {"pattern": "["}, {"required": 1}])
def test_nothing_fits_a_schema_that_cannot_be_read(schema: dict[str, Any]):
    broken: dict[str, Any] = {"properties": {"path": schema}, **schema}
    assert fits(call("write", path="a"), tool(broken)) is False


def test_two_spellings_of_one_schema_are_one_schema():
    turned = dict(reversed(list(PATH.items())))
    assert fits(call("write", path="a"), tool(turned)) is fits(call("write", path="a"), tool(PATH)) is True
