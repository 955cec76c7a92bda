"""Operations whose end is still to be seen, found by what they wait for and by what they are about.

An acknowledgement concerns the operations that wait for its data plane, a change those that are about the same things; with
1,000 changes a second and 100 data planes, looking at all of them every time is more than a processor does. Nor is there an
entry per operation and data plane where the acknowledged versions say it all (see `convergence`): such operations wait in
the order of their versions for the slowest. What must hold:

1. An operation is here exactly as long as it is open and remembered.
2. It waits by name for a data plane exactly as long as that one is known, has not done its part, and more than an
   acknowledgement is asked of it.
3. It is among those that wait for the slowest at least as long as it wants nothing but an acknowledgement of some data plane
   that has not given it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from operator import itemgetter

from controlplane.domain.desired import Key
from controlplane.domain.operations import Goal, Operation, Progressed
from controlplane.domain.version import Version


class InOrder:
    """Operations from the lowest version to the highest. One that changed nothing may be older than what was asked before it."""

    def __init__(self, operations: Iterable[Operation] = ()) -> None:
        self._entries = sorted((operation.version, operation.id) for operation in operations)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, operation: Operation) -> None:
        """Take it in; it must not be here."""
        insort(self._entries, (operation.version, operation.id))

    def discard(self, operation: Operation) -> None:
        """Take it out, if it is here."""
        entry = (operation.version, operation.id)
        index = bisect_left(self._entries, entry)
        if index < len(self._entries) and self._entries[index] == entry:
            del self._entries[index]

    def first(self) -> str | None:
        """The id of the one with the lowest version."""
        return self._entries[0][1] if self._entries else None

    def upto(self, version: Version) -> list[str]:
        """The ids of those at `version` and below."""
        return [name for _, name in self._entries[: bisect_right(self._entries, version, key=itemgetter(0))]]


class Unfinished:
    """The indexes. Whoever changes `reached` of an operation says so here. `_waiting` has no data plane for which none waits."""

    def __init__(self) -> None:
        self._all: dict[str, Operation] = {}
        self._about: dict[Key, dict[str, Operation]] = {}
        self._waiting: dict[str, InOrder] = {}
        self._refused: dict[str, Operation] = {}
        self._for_slowest = InOrder()

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def add(self, operation: Operation, planes: Iterable[str]) -> None:
        """It begins, and waits for `planes` by name."""
        self._all[operation.id] = operation
        for target in operation.targets:
            self._about.setdefault(target.key, {})[operation.id] = operation
        for name in planes:
            self._waiting.setdefault(name, InOrder()).add(operation)
        if operation.goal is Goal.ACKED:
            self._for_slowest.add(operation)

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
        for name in tuple(self._waiting):
            self.reached(operation, name)
        self._for_slowest.discard(operation)

    def join(self, plane: str, lacking: Iterable[Operation]) -> None:
        """From now on `lacking` wait by name for this data plane, and whoever asks for acknowledgements for the slowest."""
        self._waiting[plane] = InOrder(lacking)
        self._drop_empty(plane)
        self._for_slowest = InOrder(operation for operation in self._all.values() if operation.goal is Goal.ACKED)

    def oldest(self) -> Operation | None:
        """Of those that wait for the slowest, the one with the lowest version."""
        name = self._for_slowest.first()
        return None if name is None else self._all[name]

    def passed(self, operation: Operation) -> None:
        """It waits for the slowest no more."""
        self._for_slowest.discard(operation)

    def leave(self, plane: str) -> None:
        """Nobody waits for it any more."""
        self._waiting.pop(plane, None)

    def reached(self, operation: Operation, plane: str) -> None:
        """The data plane has done its part."""
        if plane in self._waiting:
            self._waiting[plane].discard(operation)
            self._drop_empty(plane)

    def _drop_empty(self, plane: str) -> None:
        if not self._waiting[plane]:
            del self._waiting[plane]

    def waiting_for(self, plane: str, acked: Version) -> list[Operation]:
        """Those that wait for the data plane by name, and not for an acknowledgement beyond `acked`."""
        waiting = self._waiting.get(plane)
        return [] if waiting is None else [self._all[name] for name in waiting.upto(acked)]

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
