"""The layers that make up an imagined state of the directory, shared between the states that grew from it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(eq=False)
class Layer:
    """One writable layer, sealed after its run. It is removed when the last stack that holds it is let go."""

    name: str
    users: int = 0


class Shelf:
    """Counts who holds what; says which layers nobody holds any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def hold(self, layers: tuple[Layer, ...]) -> None:
        with self._lock:
            for layer in layers:
                layer.users += 1

    def let_go(self, layers: tuple[Layer, ...]) -> list[str]:
        with self._lock:
            for layer in layers:
                layer.users -= 1
            return [layer.name for layer in layers if not layer.users]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """A view of the directory: the real one, or a whole copy of it, under layers (newest first). One holder each."""

    shelf: Shelf
    layers: tuple[Layer, ...] = ()
    whole: Layer | None = None

    def hold(self) -> "Stack":
        self.shelf.hold(self._all)
        return Stack(shelf=self.shelf, layers=self.layers, whole=self.whole)

    def under(self, layer: Layer) -> "Stack":
        made = Stack(shelf=self.shelf, layers=(layer, *self.layers), whole=self.whole)
        self.shelf.hold(made._all)
        return made

    def replaced_by(self, copy: Layer) -> "Stack":
        made = Stack(shelf=self.shelf, whole=copy)
        self.shelf.hold(made._all)
        return made

    def let_go(self, remove: Callable[[str], None]) -> None:
        for name in self.shelf.let_go(self._all):
            remove(name)

    @property
    def _all(self) -> tuple[Layer, ...]:
        return (*self.layers, *((self.whole,) if self.whole else ()))
