"""The proxy as a process in front of a process: what passes, what breaks, and what is left when it ends."""

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from mcp_raw import HELLO, MODERN, Raw, proxied, raw, small


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def seen(log: Path) -> list[Any]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def asked(client: Raw) -> list[Any]:
    """Answers and notifications of one conversation, without the ids."""
    answers = [
        client.greet(**{"x-unknown": {"a": None}}),
        client.ask("tools/list", {"cursor": None, "_meta": {"x": 1}}),
        client.call("echo", text="ü\u2028\ud800", deep={"a": [1, 1.0, 1e300, -0.0, 12345678901234567890]}),
        client.ask("tools/call", {"name": "progress", "_meta": {"progressToken": "mine", "x": {}}}),
        client.ask("x/custom", {"whatever": []}),
        client.ask("nowhere/at/all"),
        client.ask("ping"),
    ]
    client.notify("notifications/x", {"a": 1})
    return [[{**one, "id": 0} for one in answers], client.notices]


def test_a_client_and_a_server_of_one_era_notice_no_difference(tmp_path: Path) -> None:
    with raw(small(tmp_path / "direct")) as client:
        direct = asked(client)
    with raw(proxied(small(tmp_path / "through"))) as client:
        through = asked(client)
    assert through == direct

    def told(log: Path) -> list[Any]:
        found = [{name: value for name, value in one.items() if name != "id"} for one in seen(log)]
        for one in found:
            one.get("params", {}).get("_meta", {}).pop("progressToken", None)
        return found

    assert told(tmp_path / "through") == told(tmp_path / "direct")


def test_environment_folder_and_arguments_pass_as_they_are(tmp_path: Path) -> None:
    arguments = ("two words", "$HOME", "`id`; echo *", "", "ü", "--", "--mode")
    given = {"GIVEN": "${NOT_EXPANDED} $HOME", "LC_ALL": "C.UTF-8"}
    folder = tmp_path / "here"
    folder.mkdir()
    with raw(proxied(small(tmp_path / "log", *arguments)), env=given, cwd=folder) as client:
        client.greet()
        told = json.loads(client.call("whoami")["result"]["content"][0]["text"])
    assert told["arguments"] == list(arguments)
    assert told["cwd"] == str(folder)
    assert {name: value for name, value in told["env"].items() if not name.startswith("LC_CTYPE")} == {
        name: value for name, value in os.environ.items() if not name.startswith("LOOKAHEAD_")
    } | given


def test_the_server_gets_what_env_and_cwd_say(tmp_path: Path) -> None:
    options = ("--mode", "off", "--env", "GIVEN=a=b", "--cwd", str(tmp_path))
    with raw(proxied(small(tmp_path / "log"), *options)) as client:
        client.greet()
        told = json.loads(client.call("whoami")["result"]["content"][0]["text"])
    assert (told["env"]["GIVEN"], told["cwd"]) == ("a=b", str(tmp_path))


def test_a_server_that_dies_in_a_call_is_started_again_and_everybody_is_told(tmp_path: Path) -> None:
    log = tmp_path / "stderr"
    with raw(proxied(small(tmp_path / "log")), log=log) as client:
        client.greet(**{"x-unknown": 5})
        client.ask("logging/setLevel", {"level": "debug"})
        client.ask("resources/subscribe", {"uri": "memo://one"})
        client.ask("resources/subscribe", {"uri": "memo://two"})
        client.ask("resources/unsubscribe", {"uri": "memo://two"})
        before = seen(tmp_path / "log")
        error = client.call("die", code=7)["error"]
        assert client.call("echo", text="again")["result"]["content"][0]["text"] == "again"
        again = seen(tmp_path / "log")[len(before) :]
        while not any(one["method"] == "notifications/tools/list_changed" for one in client.notices):
            client.ask("ping")
    assert "exit code 7" in error["message"]
    assert "the last \\x1b[31mwords\\x07" in error["message"]
    assert "tools/call of die was done is not known" in error["message"]
    methods = [one["method"] for one in again]
    assert methods[1:6] == [
        "initialize",
        "notifications/initialized",
        "logging/setLevel",
        "resources/subscribe",
        "tools/call",
    ]
    assert again[1]["params"] == before[0]["params"]
    assert again[4]["params"]["uri"] == "memo://one"
    said = [one["params"]["data"] for one in client.notices if one["method"] == "notifications/message"]
    assert "exit code 7" in said[0]
    assert "started again" in said[-1]
    written = log.read_bytes()
    assert b"the last \\x1b[31mwords\\x07" in written
    assert b"\x1b" not in written


def test_a_server_that_dies_again_and_again_is_given_time(tmp_path: Path) -> None:
    with raw(proxied(small(tmp_path / "log"))) as client:
        client.greet()
        errors = [client.call("die")["error"]["message"] for _ in range(5)]
    assert all("exit code 3" in one for one in errors[:4])
    assert any("in a row" in one for one in errors) or len(seen(tmp_path / "log")) < 40


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("there-is-no-such-command",), "command not found: there-is-no-such-command"),
        (("echo hello world",), "one word"),
        (("sh", "-c", "echo because of this >&2; exit 4"), "exit code 4. Its last words:\nbecause of this"),
        (("sh", "-c", "kill -9 $$"), "SIGKILL"),
        (("true",), "exit code 0"),
    ],
)
def test_a_server_that_does_not_start_is_an_answer_and_not_the_end(command: tuple[str, ...], said: str) -> None:
    with raw(proxied(command)) as client:
        assert said in client.ask("initialize", HELLO)["error"]["message"]
        assert said in client.ask("tools/list", {"_meta": MODERN})["error"]["message"]
        assert client.leave() == 0


def test_a_request_before_the_greeting_is_refused_but_for_a_ping(tmp_path: Path) -> None:
    with raw(proxied(small(tmp_path / "log"))) as client:
        assert client.ask("ping")["result"] == {}
        assert client.ask("tools/list")["error"]["code"] == -32600
        assert client.ask("server/discover")["error"]["code"] == -32602
        wrong = {"io.modelcontextprotocol/protocolVersion": "2030-01-01"}
        error = client.ask("server/discover", {"_meta": MODERN | wrong})["error"]
        assert (error["code"], error["data"]["requested"]) == (-32022, "2030-01-01")
        # Both ways are still open.
        assert client.ask("server/discover", {"_meta": MODERN})["result"]["supportedVersions"] == ["2026-07-28"]
        assert client.greet()["result"]["serverInfo"]["name"] == "small"
        assert client.ask("initialize", {"_meta": MODERN, **HELLO})["result"]
        assert client.ask("ping", {"_meta": MODERN})["error"]["code"] == -32601


@pytest.mark.parametrize("version", ["2025-03-26", "2025-11-25"])
def test_several_messages_in_one_are_answered_in_one_where_the_revision_has_that(version: str, tmp_path: Path) -> None:
    with raw(proxied(small(tmp_path / "log"))) as client:
        client.greet(protocolVersion=version)
        client.send(
            [
                {"jsonrpc": "2.0", "id": 1, "method": "ping"},
                {"jsonrpc": "2.0", "method": "notifications/x"},
                {"jsonrpc": "2.0", "id": "two", "method": "nowhere"},
                5,
            ]
        )
        found = client.read()
        assert client.ask("ping")["result"] == {}
    if version == "2025-03-26":
        assert {(one["id"], "error" in one) for one in found} == {(1, False), ("two", True), (None, True)}
    else:
        assert (found["id"], found["error"]["code"]) == (None, -32600)


def test_an_answer_that_is_not_json_is_an_error_and_not_a_silence(tmp_path: Path) -> None:
    with raw(proxied(small(tmp_path / "log")), log=tmp_path / "stderr") as client:
        client.greet()
        assert "cannot be read" in client.call("nan")["error"]["message"]
        assert client.call("garbage", text="still")["result"]["content"][0]["text"] == "still"
        assert "Listening on port 80" in (tmp_path / "stderr").read_text()


def test_a_message_of_any_size_passes_whole(tmp_path: Path) -> None:
    with raw(proxied(small(tmp_path / "log"))) as client:
        client.greet()
        text = "ü" * 2_000_000
        assert client.call("echo", text=text)["result"]["content"][0]["text"] == text
        assert len(client.call("big", size=9_000_000)["result"]["content"][0]["text"]) == 9_000_000
        client.write(b'{"jsonrpc": "2.0", "id": 1, "method": "' + b"x" * 17_000_000 + b'"}\n')
        error = client.read()["error"]
        assert (error["code"], "longer than" in error["message"]) == (-32600, True)
        assert client.ask("ping")["result"] == {}


def test_no_frame_ends_the_proxy_or_keeps_it_waiting(tmp_path: Path) -> None:
    chance = random.Random(7)
    good = [
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {"text": "a"}}},
        {"jsonrpc": "2.0", "id": "x", "method": "tools/list", "params": {"_meta": MODERN}},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
        {"jsonrpc": "2.0", "id": 3, "result": {}},
        {"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {"requestState": "la1.AAAA", "_meta": MODERN}},
    ]
    with raw(proxied(small(tmp_path / "log"))) as client:
        client.greet()
        for round in range(40):
            lines = []
            for _ in range(50):
                line = bytearray(json.dumps(chance.choice(good)).encode())
                for _ in range(chance.choice((0, 1, 2, 8))):
                    at = chance.randrange(len(line))
                    line[at : at + chance.choice((0, 1, 3))] = chance.choice(
                        (b"", b"\x00", b"\xff", b"}", b"[", b'"', b"null", b"1e999", b"NaN", b"\\ud800", b"{" * 300)
                    )
                lines.append(bytes(line).replace(b"\n", b" "))
            client.write(b"\n".join(lines) + b"\n")
            said = client.ask("ping")
            assert said.get("result") == {}, (round, said)


def test_what_is_under_way_when_the_client_closes_its_side_is_still_answered(tmp_path: Path) -> None:
    with raw(proxied(small(tmp_path / "log"))) as client:
        client.send({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO})
        client.send({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
        assert client.leave() == 0
        assert {client.read()["id"], client.read()["id"]} == {1, 2}
        assert client.read() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_proxy_and_all_that_it_started(number: int, tmp_path: Path) -> None:
    with raw(proxied(small(tmp_path / "log")), log=tmp_path / "stderr") as client:
        client.greet()
        server = json.loads(client.call("whoami")["result"]["content"][0]["text"])["pid"]
        child = int(client.call("child")["result"]["content"][0]["text"])
        client.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo"}})
        client.process.send_signal(number)
        assert client.process.wait(30) == 130
    assert not alive(server)
    assert not alive(child)
    assert (tmp_path / "stderr").read_text() == ""


def test_a_server_that_will_not_end_is_ended(tmp_path: Path) -> None:
    with raw(proxied(small(tmp_path / "log"))) as client:
        client.greet()
        server = json.loads(client.call("whoami")["result"]["content"][0]["text"])["pid"]
        client.call("stubborn")
        began = time.monotonic()
        assert client.leave() == 0
    assert not alive(server)
    assert time.monotonic() - began < 30


def test_thousands_of_calls_leave_nothing_behind(tmp_path: Path) -> None:
    with raw(proxied(small(tmp_path / "log"))) as client:
        client.greet()

        def calls(number: int) -> tuple[int, int]:
            for begin in range(0, number, 250):
                for id in range(begin, begin + 250):
                    era = {"_meta": MODERN} if id % 2 else {}
                    params = {"name": "echo", "arguments": {"text": "x" * 500}, **era}
                    client.send({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
                assert {client.read()["id"] for _ in range(250)} == set(range(begin, begin + 250))
            status = Path(f"/proc/{client.process.pid}/status").read_text()
            resident = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
            return int(resident), len(os.listdir(f"/proc/{client.process.pid}/fd"))

        memory, files = calls(1000)
        after, open_after = calls(4000)
    assert open_after == files
    assert after - memory < 2000, "kB"
    assert after < 70_000
