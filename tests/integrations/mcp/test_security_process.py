"""The proxy as a process: what a command line, a dying server and a terminal could be made to do."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from mcp_through import client, serving, text, through

pytestmark = pytest.mark.anyio

SECRET = "ghp_" + "a1B2c3" * 6


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def options(folder: Path, *more: str) -> tuple[str, ...]:
    (folder / "policy.json").write_text('{"*": "allow"}')
    return ("--policy", str(folder / "policy.json"), "--journal", str(folder / "journal.db"), *more)


def written(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def heard(lines: Iterable[Path]) -> str:
    return "".join(path.read_text(errors="replace") for path in lines if path.exists())


async def failed(command: Sequence[str], **more: Any) -> str:
    """What a client is told that cannot connect."""

    def leaves(error: BaseException) -> Iterator[BaseException]:
        inner: Sequence[BaseException] = getattr(error, "exceptions", ())
        yield from (leaf for one in inner for leaf in leaves(one)) if inner else [error]

    try:
        async with client(command, **more):
            return ""
    except Exception as error:
        return "\n".join(str(leaf) for leaf in leaves(error))


async def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    odd = ["; touch owned", "$(touch owned)", "`touch owned`", "a b", "*", "${HOME}", "", "|cat", "-x\n"]
    said = "import sys, json; open('argv', 'w').write(json.dumps(sys.argv[1:]))"
    command = (sys.executable, "-c", said, *odd)
    assert await failed(through(command, *options(tmp_path)), cwd=tmp_path)
    assert json.loads(heard([tmp_path / "argv"])) == odd
    assert not heard([tmp_path / "owned"])


async def test_the_last_words_of_a_server_hold_no_secret_and_no_order_to_a_terminal(tmp_path: Path) -> None:
    code = f"import sys; sys.stdin.readline(); sys.exit('\\x1b[31mcannot log in with token={SECRET}\\u202e')"
    log = tmp_path / "log"
    said = await failed(through((sys.executable, "-c", code), *options(tmp_path)), log=log)
    assert "cannot log in" in said
    assert SECRET not in said
    assert "\x1b" not in said + heard([log])
    assert "\u202e" not in said + heard([log])


async def test_what_is_kept_is_ours_alone_and_the_server_alone_gets_its_secrets(tmp_path: Path) -> None:
    command = through(serving("both"), *options(tmp_path, "--env", f"OTHER_TOKEN={SECRET[::-1]}"))
    async with client(command, env={"API_TOKEN": SECRET}, cwd=tmp_path) as mcp:
        assert text(await mcp.call_tool("echo", {"text": f"token={SECRET}"})) == f"token={SECRET}"
        known: Any = (await mcp.call_tool("whoami", {})).structured_content
        assert known["env"]["API_TOKEN"] == SECRET
        assert known["env"]["OTHER_TOKEN"] == SECRET[::-1]
    kept = written(tmp_path)
    assert b"whoami" in b"".join(kept.values())
    for secret in (SECRET, SECRET[::-1]):
        assert [path.name for path, content in kept.items() if secret.encode() in content] == []
    ours = [path for path in kept if path.name.startswith(("pins", "journal"))]
    assert len(ours) >= 2
    assert [path.name for path in ours if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_a_tool_that_comes_in_the_middle_of_a_session_is_looked_at(tmp_path: Path, era: Any) -> None:
    log = tmp_path / "log"
    async with client(through(serving("both"), *options(tmp_path, "--strict")), era, cwd=tmp_path, log=log) as mcp:
        assert "grown" not in [tool.name for tool in (await mcp.list_tools()).tools]
        assert text(await mcp.call_tool("grow", {})) == "done"
        refused = await mcp.call_tool("grown", {})
        assert refused.is_error
        assert "held back" in text(refused)
        assert "grown" not in [tool.name for tool in (await mcp.list_tools()).tools]
        assert text(await mcp.call_tool("echo", {"text": "still there"})) == "still there"
    assert 'the tool "grown" is held back' in heard([log])
