"""A data plane's own statement that servers are drained: nothing in flight there and nothing queued for them (G6).

Asked of the board, in an order that makes the answer true although no lock is held: entries first, then the workers' rows.
Nobody gives to a server that left the rotation, so what is seen empty stays empty; what was given and is being taken between
the two looks is in a row by the second. Rows of a worker that stands still or died count until they are cleared. (In DRAIN,
streams that insist on the server may come back; the statement is then about its instant.)

A server is spoken of when its pushed state is drain or maint, or when it was removed (`gone`): once when it becomes true,
again after each change of it, after a status that said something was in flight there, and after each hello and snapshot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, MutableSequence
from typing import Final

from dataplane.core import line
from dataplane.core.layout import ENTRY_STRIDE, NOBODY, EntryState, Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import AdminState
from dataplane.wire.state import State

GONE: Final = 'gone'
Key = tuple[str, str]
Row = tuple[str, str, str]
_MOST_GONE: Final = 4_096


class Holdings:
    """What servers hold, summed over the workers, from the cells."""

    def __init__(self, cells: MutableSequence[int] | memoryview[int], layout: Layout) -> None:
        self._cells = cells
        self._at = layout

    def load(self, server: int) -> tuple[int, int]:
        """(in flight, queued for it alone) of a server."""
        at, cells = self._at, self._cells
        return max(self._sum(at.SERVED, server), cells[at.TOTAL + server]), line.queued(cells, at, server)

    def waiting(self, backend: int) -> int:
        """How many wait in a backend's own queue, for whichever of its servers has room first."""
        return self._cells[self._at.QUEUE_LENGTH + self._at.backend_queue(backend)]

    def empty(self, servers: Collection[int]) -> set[int]:
        """Those of `servers` for which nothing is in flight, reserved, aimed or queued anywhere."""
        if not servers:
            return set()
        at = self._at
        free = set(servers) - self._named_by_entries()
        return {s for s in free if not self._sum(at.SERVED, s)}

    def _sum(self, column: int, server: int) -> int:
        last = column + self._at.rows(self._cells) * self._at.servers
        return sum(self._cells[column + server : last : self._at.servers])

    def _named_by_entries(self) -> set[int]:
        """Servers that an entry was given, and those an entry waits for in their own queue."""
        at, cells = self._at, self._cells
        end = cells[at.HIGH_WATER] * ENTRY_STRIDE
        states, queues, given = (
            cells[first : first + end : ENTRY_STRIDE] for first in (at.E_STATE, at.E_QUEUE, at.E_SERVER)
        )
        found: set[int] = set()
        for state, queue, server in zip(states, queues, given, strict=True):
            if state == EntryState.GIVEN:
                found.add(server)
            elif state == EntryState.WAITING:
                found.add(line.owner(at, queue))
        found.discard(NOBODY)
        return found


class Drains:
    """Which servers are to be spoken of, and which have been."""

    def __init__(self, ledger: Ledger, holdings: Holdings) -> None:
        self._ledger = ledger
        self._holdings = holdings
        self._state: State = {'backends': {}, 'routes': {}}
        self._wanted: dict[Key, str] = {}
        self._gone: dict[Key, int | None] = {}
        self._said: set[Key] = set()

    def hello(self) -> None:
        """The control plane may know nothing: everything is to be said again."""
        self._said.clear()

    def busy(self, servers: Iterable[Key]) -> None:
        """The control plane is told that something is in flight there or queued, so what was said before is forgotten there."""
        self._said.difference_update(servers)

    def before(self, state: State) -> dict[Key, int | None]:
        """To be asked just before `state` is adopted: the servers it removes, with their indexes."""
        index = self._ledger.tables.server_of
        return {key: index(*key) for key in _specs(self._state).keys() - _specs(state).keys()}

    def adopted(self, state: State, removed: Mapping[Key, int | None]) -> None:
        """`state` is in force; `removed` is what `before` said."""
        old, new = _specs(self._state), _specs(state)
        self._said -= {key for key in self._said if old.get(key) != new.get(key)}
        self._wanted = {key: spec['adminState'] for key, spec in new.items() if spec['adminState'] != AdminState.READY}
        self._gone = {key: index for key, index in (self._gone | dict(removed)).items() if key not in new}
        for key in list(self._gone)[: max(0, len(self._gone) - _MOST_GONE)]:
            del self._gone[key]
        self._state = state

    def is_waiting(self) -> bool:
        """Whether anything is still to be said."""
        return len(self._said) < len(self._wanted) + len(self._gone)

    def news(self) -> tuple[Row, ...]:
        """What has become true since it was last asked: (backend, server, state)."""
        asked: dict[Key, int] = {}
        true: list[Key] = []
        for key in (self._wanted.keys() | self._gone.keys()) - self._said:
            index = self._gone[key] if key in self._gone else self._ledger.tables.server_of(*key)
            if index is None or (key in self._gone and index not in self._ledger.departed):
                true.append(key)
            else:
                asked[key] = index
        empty = self._holdings.empty(asked.values())
        true += (key for key, index in asked.items() if index in empty)
        self._said.update(true)
        return tuple((*key, GONE if key in self._gone else self._wanted[key]) for key in sorted(true))


def _specs(state: State) -> dict[Key, Mapping[str, str]]:
    return {
        (backend, server): spec for backend, of in state['backends'].items() for server, spec in of['servers'].items()
    }
