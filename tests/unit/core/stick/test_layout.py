"""Where figures are: no two in one place, arrays under both their names, shards by size."""

from __future__ import annotations

import pytest

from dataplane.core.stick.definition import ARRAYS, KINDS, Data, Definition, KeyType, Kind
from dataplane.core.stick.layout import ONE_SHARD, TableLayout
from dataplane.core.stick.rates import CELLS


def table(*stores: Data, size: int = 100, length: int = 4) -> Definition:
    return Definition(name='t', key=KeyType.BINARY, length=length, size=size, stores=stores)


def test_no_figure_shares_a_cell_with_another_or_with_the_key() -> None:
    stores = [Data(name, 3 if name in ARRAYS else 1, 10 if kind is Kind.RATE else 0) for name, kind in KINDS.items()]
    layout = TableLayout(table(*stores, length=17), workers=5)
    cells = [
        slot.cell + more
        for data in stores
        for element in range(data.elements)
        if (slot := layout.slots[data.name, element]).kind is not Kind.CURRENT
        for more in range(CELLS if slot.kind is Kind.RATE else 1)
    ]
    assert len(cells) == len(set(cells))
    assert min(cells) == layout.figures == 7 + 3
    assert max(cells) < layout.stride


def test_the_first_elements_of_an_array_have_the_names_of_the_single_ones() -> None:
    layout = TableLayout(table(Data('gpc', 2), Data('gpc_rate', 1, 10), Data('gpt', 1)), workers=1)
    assert layout.slot('gpc0') == layout.slot('gpc', 0)
    assert layout.slot('gpc1') == layout.slot('gpc', 1)
    assert layout.slot('gpc0_rate') == layout.slot('gpc_rate', 0)
    assert layout.slot('gpt0') == layout.slot('gpt', 0)
    assert layout.slot('gpc1_rate') is None
    assert layout.slot('gpc', 2) is None


def test_one_that_is_stored_itself_is_not_the_array_s() -> None:
    layout = TableLayout(table(Data('gpc0'), Data('gpc', 2)), workers=1)
    assert layout.slot('gpc0') != layout.slot('gpc', 0)


@pytest.mark.parametrize('size, shards', [(1, 1), (ONE_SHARD, 1), (ONE_SHARD + 1, 4), (20_000, 16), (1 << 20, 64)])
def test_large_tables_have_shards_with_room_for_keys_that_spread_unevenly(size: int, shards: int) -> None:
    layout = TableLayout(table(size=size), workers=2)
    assert layout.shards == shards
    assert layout.capacity * shards >= (size if shards == 1 else size * 5 // 4)
    assert layout.buckets >= layout.capacity
    assert layout.shard_cells % 8 == 0


def test_every_entry_has_a_tracker_of_each_worker_behind_all_entries() -> None:
    layout = TableLayout(table(Data('gpc0')), workers=3)
    assert layout.trackers == layout.entries + layout.capacity * layout.stride
    assert layout.shard_cells >= layout.trackers + 3 * layout.capacity
    assert TableLayout(table(Data('gpc0')), workers=64).stride == layout.stride
