"""Functions on which somebody left a mark: a framework's are the framework's, all others are what they look like."""

import functools
from pathlib import Path

from lookahead import with_lookahead
from lookahead.testing import ScriptedWorld


def test_a_decorated_function_is_wrapped_as_the_function_that_it_is(tmp_path: Path) -> None:
    def plain(path: str) -> str:
        """Reads."""
        return f"read {path}"

    @functools.wraps(plain)
    def decorated(path: str) -> str:
        return plain(path)

    decorated.owner = "somebody"  # type: ignore[attr-defined]
    world = ScriptedWorld(script={"*": "as imagined"})
    dry = with_lookahead([decorated], world=world, mode="dry-run", journal=tmp_path / "journal.db")
    assert dry[0]("x") == "as imagined"
    assert with_lookahead([decorated], mode="off")[0]("x") == "read x"
    dry[0].lookahead.close()  # type: ignore[attr-defined]
