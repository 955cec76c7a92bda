"""What this data plane says of its shares: all it holds, after a hello, and that it has less in flight above them than it had.

A share that was lowered ends nothing. The control plane gives what was lowered to others when it has ended, so that is said
at once and not with the next of the figures that are for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableSequence
from typing import Final

from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.supervisor.drained import Holdings
from dataplane.wire.events import Inventory
from dataplane.wire.state import State

ROWS_PER_FRAME: Final = 4_000
Row = tuple[str, str, str, int, int]


def inventory(state: State, ledger: Ledger, holdings: Holdings, *, lapsed: bool) -> list[Inventory]:
    """The frames that say what is held of every server of `state`, which is in force, and of those that were removed."""
    rows = [*_rows(state, ledger, holdings)]
    parts = [rows[first : first + ROWS_PER_FRAME] for first in range(0, len(rows), ROWS_PER_FRAME)] or [[]]
    return [
        Inventory(lapsed=lapsed, servers=tuple(part), chunk=number, chunks=len(parts))
        for number, part in enumerate(parts)
    ]


def _rows(state: State, ledger: Ledger, holdings: Holdings) -> Iterator[Row]:
    gone: dict[tuple[str, str], int] = {}
    for index, record in ledger.departed.items():
        flight = holdings.load(index)[0]
        if flight:
            key = record.backend, record.name
            gone[key] = gone.get(key, 0) + flight
    for backend, spec in state['backends'].items():
        for server, values in spec['servers'].items():
            place = ledger.tables.server_of(backend, server)
            flight = gone.pop((backend, server), 0) + (0 if place is None else holdings.load(place)[0])
            yield (backend, server, *_kind(values), flight)
    for (backend, server), flight in gone.items():
        yield backend, server, 'gone', 0, flight


def _kind(values: Mapping[str, int]) -> tuple[str, int]:
    if 'share' not in values:
        return 'own', values['maxConn']
    return ('due', 0) if values.get('shareDue') else ('share', values['share'])


class Overhang:
    """Which servers have more in flight than their share, and how much more. Looks at one cell per server."""

    def __init__(self, cells: MutableSequence[int] | memoryview[int], layout: Layout, ledger: Ledger) -> None:
        self._cells, self._at, self._ledger = cells, layout, ledger
        self._above: dict[int, tuple[int, int]] = {}

    def look(self, before: State, after: State) -> bool:
        """`after` came into force. Returns whether a share changed, so that the figures are due."""
        changed = False
        for name, backend in after['backends'].items():
            old = before['backends'].get(name, {}).get('servers', {})
            if backend['servers'] is old:
                continue
            for server, values in backend['servers'].items():
                share = values.get('share')
                if share is not None and old.get(server, {}).get('share') != share:
                    changed = True
                    index = self._ledger.tables.server_of(name, server)
                    if index is not None:
                        self._above[index] = share, self._total(index)
        return changed

    def has_fallen(self) -> bool:
        """Whether less is in flight above a share than when it was last asked."""
        fallen = False
        for index, (share, last) in tuple(self._above.items()):
            now = self._total(index)
            fallen = fallen or now < last
            if now <= share:
                del self._above[index]
            elif now < last:
                self._above[index] = share, now
        return fallen

    def _total(self, index: int) -> int:
        return self._cells[self._at.TOTAL + index]
