"""Operations whose end is still to be seen, found by what they wait for and by what they are about.

An acknowledgement concerns the operations that wait for its data plane, a change those that are about the same things; with
1,000 changes a second and 100 data planes, looking at all of them every time is more than a processor does. What must hold:
an operation is here exactly as long as it is open and remembered; it waits for a data plane exactly as long as that one is
known and has not done its part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from controlplane.domain.desired import Key
from controlplane.domain.operations import Operation, Progressed


class Unfinished:
    """The indexes. Whoever changes `reached` of an operation says so here."""

    def __init__(self) -> None:
        self._all: dict[str, Operation] = {}
        self._about: dict[Key, dict[str, Operation]] = {}
        self._waiting: dict[str, dict[str, Operation]] = {}
        self._refused: dict[str, Operation] = {}

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def add(self, operation: Operation, planes: Iterable[str]) -> None:
        """It begins, and waits for all of `planes`."""
        self._all[operation.id] = operation
        for target in operation.targets:
            self._about.setdefault(target.key, {})[operation.id] = operation
        for name in planes:
            self._waiting[name][operation.id] = operation

    def remove(self, operation: Operation) -> None:
        """It has ended, or is not remembered any more. Removing it twice is harmless."""
        if self._all.pop(operation.id, None) is None:
            return
        for key in {target.key for target in operation.targets}:
            about = self._about[key]
            del about[operation.id]
            if not about:
                del self._about[key]
        self._refused.pop(operation.id, None)
        for waiting in self._waiting.values():
            waiting.pop(operation.id, None)

    def join(self, plane: str, lacking: Iterable[Operation]) -> None:
        """A data plane is known from now on, and has its part in `lacking` still to do."""
        self._waiting[plane] = {operation.id: operation for operation in lacking}

    def leave(self, plane: str) -> None:
        """Nobody waits for it any more."""
        self._waiting.pop(plane, None)

    def reached(self, operation: Operation, plane: str) -> None:
        """The data plane has done its part."""
        self._waiting[plane].pop(operation.id, None)

    def waiting_for(self, plane: str) -> tuple[Operation, ...]:
        """Those for which the data plane has its part still to do."""
        return tuple(self._waiting[plane].values())

    def about(self, keys: Iterable[Key]) -> tuple[Operation, ...]:
        """Those that a change of `keys` may end or reopen: about one of them, or refused for what a backend was."""
        found = {name: operation for key in keys for name, operation in self._about.get(key, {}).items()}
        return tuple({**found, **self._refused}.values())

    def moved(self, operation: Operation) -> None:
        """Its state is another one now."""
        if not operation.open:
            self.remove(operation)
        elif operation.state is Progressed.REFUSED:
            self._refused[operation.id] = operation
        else:
            self._refused.pop(operation.id, None)
