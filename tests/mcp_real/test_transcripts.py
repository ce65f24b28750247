"""What the pages in examples/mcp show comes out as they show it."""

from pathlib import Path

import pytest
from transcript import Shell, typed

PAGES = sorted((Path(__file__).resolve().parent.parent.parent / "examples" / "mcp").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_transcript_comes_out_as_it_is_written(page: Path, tmp_path: Path) -> None:
    shell = Shell(tmp_path.resolve())
    commands = list(typed(page.read_text()))
    assert commands
    for one in commands:
        assert shell.learn(one.shown, shell.run(one.command)) == one.shown, one.command
