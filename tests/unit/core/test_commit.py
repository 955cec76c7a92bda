from __future__ import annotations

from array import array
from typing import Any

from dataplane.core.commit import Commit, Image, commit
from dataplane.core.layout import Layout
from dataplane.core.stream import Admission
from tests.unit.core.planes import Planes, stream

AT = Layout(workers=1, servers=3, backends=1, frontends=1, entries=2)


def test_images_revision_and_tables_are_copied_in() -> None:
    cells = array('q', [0]) * AT.size
    commit(cells, AT, Commit(7, 3, (Image(AT.LIMIT, array('q', [1, 2, 3])), Image(AT.MAXQUEUE + 1, array('q', [9])))))
    assert list(cells[AT.LIMIT : AT.LIMIT + 3]) == [1, 2, 3]
    assert cells[AT.MAXQUEUE + 1] == 9
    assert (cells[AT.REVISION], cells[AT.TABLES]) == (7, 3)


def test_it_works_on_shared_memory_too() -> None:
    cells: Any = memoryview(bytearray(8 * AT.size)).cast('q')
    commit(cells, AT, Commit(1, 1, (Image(AT.LIMIT, array('q', [4, 5, 6])),)))
    assert cells[AT.LIMIT + 2] == 6


def test_changed_servers_are_looked_at_one_by_one_or_all() -> None:
    farm = Planes(1, 1)
    for _ in range(3):
        farm.admit(0, stream())
    at, cells = farm.at, farm.cells
    commit(cells, at, Commit(5, farm.tables, servers=(1,)))
    assert cells[at.GIVE_HEAD] == cells[at.MOVE_HEAD] == 2
    assert cells[at.GIVE_SWEEP] == 0
    commit(cells, at, Commit(6, farm.tables, backends=(0,)))
    assert cells[at.GIVE_SWEEP] == cells[at.FIRST_SERVER]
    assert farm.admit(0, stream()) is Admission.WAITING
