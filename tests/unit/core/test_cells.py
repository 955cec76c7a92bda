from __future__ import annotations

from array import array

from dataplane.core.cells import copy


def test_a_run_is_stored_and_nothing_beside_it() -> None:
    cells = array('q', [7] * 6)
    copy(cells, 2, array('q', [1, -2, 3]))
    copy(cells, 5, array('q'))
    assert list(cells) == [7, 7, 1, -2, 3, 7]
