import pytest

from lookahead_integrations.mcp.exchange import META, Json, RpcError
from lookahead_integrations.mcp.wire import eras
from lookahead_integrations.mcp.wire.eras import Envelope

PAIR: Json = {META + "protocolVersion": "2026-07-28", META + "clientCapabilities": {}}


@pytest.mark.parametrize(
    ("meta", "code"),
    [
        (None, -32602),
        ("text", -32602),
        ({}, -32602),
        ({META + "protocolVersion": "2026-07-28"}, -32602),
        ({META + "clientCapabilities": {}}, -32602),
        (PAIR | {META + "protocolVersion": 5}, -32602),
        (PAIR | {META + "clientCapabilities": []}, -32602),
        (PAIR | {META + "protocolVersion": "2025-11-25"}, -32022),
        (PAIR | {META + "protocolVersion": "2031-01-01"}, -32022),
    ],
)
def test_an_envelope_that_lacks_something_is_refused_as_a_server_would(meta: object, code: int) -> None:
    with pytest.raises(RpcError) as error:
        eras.envelope_of({"_meta": meta} if meta is not None else {})
    assert error.value.code == code


def test_an_envelope_is_put_on_and_taken_off_without_a_trace() -> None:
    envelope = Envelope(version="2026-07-28", info={"name": "a"}, capabilities={"roots": {}})
    for params in ({}, {"name": "a"}, {"name": "a", "_meta": {"progressToken": 0, "x": None}}):
        said = eras.with_envelope(params, envelope, "info")
        assert eras.envelope_of(said) == envelope
        assert eras.level_of(said) == "info"
        assert eras.without_envelope(said) == params
    assert eras.without_envelope({"requestState": "a", "inputResponses": {}, "_meta": 5}) == {"_meta": 5}


@pytest.mark.parametrize("method", ["tools/list", "tools/call", "resources/read"])
def test_a_result_gets_what_the_newer_era_wants_and_loses_it_again(method: str) -> None:
    result: Json = {"x": 1, "_meta": {"y": 2}}
    said = eras.completed(method, result, {"name": "s"})
    assert said["resultType"] == "complete"
    assert ("ttlMs" in said) == (method != "tools/call")
    assert said["_meta"] == {"y": 2, META + "serverInfo": {"name": "s"}}
    assert eras.plain(method, said) == result
    assert eras.plain(method, eras.completed(method, {"x": 1}, {"name": "s"})) == {"x": 1}


def test_what_a_result_says_itself_stays() -> None:
    mine: Json = {"resultType": "task", "ttlMs": 9, "_meta": {META + "serverInfo": {"name": "mine"}}}
    assert eras.completed("tools/list", mine, {"name": "other"}) == mine
    asked: Json = {"resultType": "input_required", "requestState": "a"}
    assert eras.completed("resources/read", asked, None) == asked


def test_each_era_introduces_a_server_of_the_other() -> None:
    greeting: Json = {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}, "tasks": {}, "x": {}},
        "serverInfo": {"name": "s"},
        "instructions": "be kind",
    }
    found = eras.discovered(greeting)
    assert (found["supportedVersions"], found["capabilities"]) == (["2026-07-28"], {"tools": {}, "x": {}})
    again = eras.initialized(found, "2025-11-25")
    assert again["serverInfo"] == {"name": "s"}
    assert again["instructions"] == "be kind"
    assert again["capabilities"] == {"tools": {}, "x": {}, "logging": {}}
    assert eras.initialized({}, "2025-11-25")["serverInfo"]["name"]


@pytest.mark.parametrize("asked", [None, 5, "", "2026-07-28", "1999-01-01"])
def test_a_revision_that_the_older_era_does_not_have_becomes_its_newest(asked: object) -> None:
    assert eras.agreed(asked) == "2025-11-25"
    assert eras.agreed("2024-11-05") == "2024-11-05"


@pytest.mark.parametrize("said", [{}, {"supportedVersions": None}, {"supportedVersions": "2026-07-28"}])
def test_versions_are_those_of_a_list(said: Json) -> None:
    assert eras.versions_in(said) == []


def test_questions_of_no_shape_are_questions_of_no_method() -> None:
    found = eras.questions_in({"inputRequests": {"a": 5, "b": {"method": "roots/list"}, "c": {"params": [1]}}})
    assert [(one.method, one.params) for one in found.values()] == [("", {}), ("roots/list", {}), ("", {})]
    assert eras.questions_in({"inputRequests": [1]}) == {}


def test_a_stamp_is_put_on_and_taken_off() -> None:
    for params in ({}, {"uri": "a"}, {"_meta": {"x": 1}}):
        stamped = eras.stamped(params, "id")
        assert stamped["_meta"][META + "subscriptionId"] == "id"
        assert eras.unstamped(stamped) == params
