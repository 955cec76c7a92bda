"""What the board keeps, for `show pools`: of each kind of thing how many there ever were, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dataplane.cli.aids import Pool
from dataplane.core.counters import COUNTERS
from dataplane.core.layout import ENTRY_STRIDE, EntryState, Layout

if TYPE_CHECKING:
    from dataplane.core.tables import Tables

_CELL: Final = 8


def pools(cells: Sequence[int] | memoryview, at: Layout, tables: Tables) -> list[Pool]:
    """Entries of the waiting line, and the counters of frontends, backends and servers over all rows; sizes in bytes."""
    high = int(cells[at.HIGH_WATER])
    states = cells[at.E_STATE : at.E_STATE + high * ENTRY_STRIDE : ENTRY_STRIDE]
    found = [Pool('entry', _CELL * ENTRY_STRIDE, high, sum(state != EntryState.FREE for state in states))]
    size = _CELL * COUNTERS * (at.rows(cells) + 1)
    for name, objects in (('frontend', tables.frontends), ('backend', tables.backends), ('server', tables.servers)):
        found.append(Pool(name, size, max(objects, default=-1) + 1, len(objects)))
    return found
