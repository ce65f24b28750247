import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lookahead.errors import ConfigError, ModelOutOfMemory, ModelUnreachable
from lookahead.serving.flags import Command
from lookahead.serving.server import Server, free_port

PRETEND = Path(__file__).with_name("pretend_vllm.py")


def server(tmp_path: Path, manner: str, *, key: str | None = None, note: Path | None = None) -> Server:
    port = free_port("127.0.0.1")
    environment = {"PRETEND_NOTE": str(note)} if note else {}
    command = Command(arguments=(sys.executable, str(PRETEND), manner, "--port", str(port)), environment=environment)
    return Server(command, host="127.0.0.1", port=port, log=tmp_path / "logs" / "vllm.log", key=key)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_is_ready_when_it_has_answered(tmp_path: Path):
    told: list[str] = []
    with server(tmp_path, "willing") as found:
        found.wait(told.append)
        assert found.model == "pretend"
        assert found.world == f"http://127.0.0.1:{found.port}/v1"
        pid = found.pid
    assert gone(pid)
    said = "\n".join(told)
    assert "vLLM knows the model" in said
    assert "loading the weights: 50 %" in said
    assert "it answers" in told[-1]


@pytest.mark.parametrize("manner", ["workers", "stubborn"])
def test_no_worker_survives_not_even_one_that_does_not_listen(tmp_path: Path, manner: str):
    note = tmp_path / "worker"
    found = server(tmp_path, manner, note=note)
    found.start()
    found.wait(lambda line: None)
    pid, worker = found.pid, int(note.read_text())
    assert not gone(worker)
    found.stop(grace=0.5)
    assert gone(pid)
    assert gone(worker)


def test_a_server_that_fails_says_why_and_what_next(tmp_path: Path):
    with pytest.raises(ModelOutOfMemory) as failed, server(tmp_path, "failing") as found:
        found.wait(lambda line: None)
    said = str(failed.value)
    assert "other programs hold the GPU's memory" in said
    assert "nvidia-smi" in said
    assert "    ValueError: Free memory on device cuda:0" in said
    assert str(tmp_path / "logs" / "vllm.log") in said


def test_a_server_that_is_healthy_and_yet_does_not_answer_is_not_ready(tmp_path: Path):
    with pytest.raises(ConfigError, match="--chat-template"), server(tmp_path, "mute") as found:
        found.wait(lambda line: None)
    with pytest.raises(ModelOutOfMemory), server(tmp_path, "dying") as found:
        found.wait(lambda line: None)


def test_a_server_with_a_key_is_asked_with_it(tmp_path: Path):
    with server(tmp_path, "keyed", key="s3cret") as found:
        found.wait(lambda line: None)
    with pytest.raises(ModelUnreachable, match="HTTP 401"), server(tmp_path, "keyed") as found:
        found.wait(lambda line: None)


def test_a_server_of_which_nothing_is_heard_is_given_up(tmp_path: Path):
    began = time.monotonic()
    with pytest.raises(ModelUnreachable, match="nothing happened"), server(tmp_path, "silent") as found:
        found.wait(lambda line: None, patience=0.3)
    assert time.monotonic() - began < 10


def test_waiting_is_told_from_time_to_time(tmp_path: Path):
    told: list[str] = []
    with pytest.raises(ModelUnreachable), server(tmp_path, "silent") as found:
        found.wait(told.append, patience=1.0, beat=0.2)
    assert any("still starting" in line for line in told)


def test_a_port_in_use_is_found_out_before_anything_is_loaded(tmp_path: Path):
    found = server(tmp_path, "willing")
    with socket.create_server(("127.0.0.1", found.port)), pytest.raises(ConfigError, match="--port"):
        found.start()
    assert found.pid == 0


def test_an_address_of_another_machine_is_refused(tmp_path: Path):
    command = Command(arguments=(sys.executable, "-c", ""), environment={})
    with pytest.raises(ConfigError):
        Server(command, host="no.such.host.invalid", port=1, log=tmp_path / "log").start()


def test_a_program_that_is_not_there_is_an_error_of_ours(tmp_path: Path):
    command = Command(arguments=(str(tmp_path / "nothing"),), environment={})
    with pytest.raises(ConfigError, match="cannot be started"):
        Server(command, host="127.0.0.1", port=free_port("127.0.0.1"), log=tmp_path / "log").start()


def test_a_server_that_ends_by_itself_later_is_an_error(tmp_path: Path):
    with server(tmp_path, "willing") as found:
        found.wait(lambda line: None)
        os.kill(found.pid, 9)
        with pytest.raises(ModelOutOfMemory, match="the server ended"):
            found.watch_until_it_ends()


def test_nobody_else_may_read_the_log(tmp_path: Path):
    with server(tmp_path, "willing") as found:
        assert found.log.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_the_server_ends_when_we_are_killed(tmp_path: Path):
    code = (
        "import sys, pathlib\n"
        "from lookahead.serving.flags import Command\nfrom lookahead.serving.server import Server, free_port\n"
        "port = free_port('127.0.0.1')\n"
        f"started = (sys.executable, {str(PRETEND)!r}, 'willing', '--port', str(port))\n"
        "command = Command(arguments=started, environment={})\n"
        f"server = Server(command, host='127.0.0.1', port=port, log=pathlib.Path({str(tmp_path / 'log')!r}))\n"
        "server.start()\nserver.wait(lambda line: None)\nprint(server.pid, flush=True)\nserver.watch_until_it_ends()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as ours:
        assert ours.stdout is not None
        pid = int(ours.stdout.readline())
        ours.kill()
    with os.fdopen(os.pidfd_open(pid)) as watched:
        assert select.select([watched], [], [], 10)[0]
