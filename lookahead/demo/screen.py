"""Where the demo is shown: redrawn in place on a terminal, line by line elsewhere, or nowhere for `--json`."""

import os
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from lookahead.demo.scene import Scene
from lookahead.drawing import Branch, Drawing, draw, plain
from lookahead.events import Acted, Decided, Event, Imagined, Judged, Proposed

WIDEST = 100
PAUSES: dict[type[Event] | None, float] = {
    None: 1.0,
    Proposed: 1.2,
    Imagined: 1.5,
    Judged: 0.5,
    Decided: 2.5,
    Acted: 2.5,
}
"""How long each kind of event stays before the next one is drawn, for the eye of whoever watches; None: a new wish."""


class Screen(Protocol):
    def show(self, scene: Scene, *, done: bool = False) -> None: ...


class Nowhere:
    def show(self, scene: Scene, *, done: bool = False) -> None:
        pass


class Plain:
    """Each part of the tree once, as soon as nothing of it can change."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._printed = out, 0
        self._wide = min(shutil.get_terminal_size((80, 24)).columns, WIDEST)
        self._ascii = not speaks_unicode(out)

    def show(self, scene: Scene, *, done: bool = False) -> None:
        # With one more child below, no line above it changes any more.
        settled = [*scene.branch().below] if done else [*scene.branch().below[:-1]]
        more = () if done else (Branch(label=()),)
        root = scene.branch()
        whole = Branch(label=root.label, below=(*settled, *more))
        lines = plain(draw(whole, self._wide, ascii_only=self._ascii))
        for line in lines[self._printed : len(lines) - len(more)]:
            self._out.write(line + "\n")
            self._printed += 1
        self._out.flush()


class Live:
    """The tree redrawn in place; when it outgrows the terminal, its end stays in sight."""

    def __init__(self, console: Any, live: Any) -> None:
        self._console, self._live = console, live

    def show(self, scene: Scene, *, done: bool = False) -> None:
        room = None if done else max(self._console.size.height - 1, 5)
        self._live.update(Drawing(scene.branch(), WIDEST, tallest=room), refresh=not done)


@contextmanager
def screen(*, quiet: bool) -> Generator[tuple[Screen, bool]]:
    """A screen that fits what standard output is, and whether somebody is watching who wants pauses."""
    if quiet:
        yield Nowhere(), False
    elif not sys.stdout.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        yield Plain(sys.stdout), False
    else:
        import rich.console
        import rich.live

        console = rich.console.Console(highlight=False)
        with rich.live.Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
            yield Live(console, live), True


def speaks_unicode(out: TextIO) -> bool:
    return (out.encoding or "ascii").lower().replace("-", "").startswith("utf")
