from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from dataplane.core import heap
from dataplane.core.layout import ENTRY_STRIDE, Layout

AT = Layout(workers=1, servers=1, backends=1, frontends=1, entries=40)
ROOT = AT.QUEUE_ROOT


def board(keys: list[tuple[int, int]]) -> array[int]:
    cells = array('q', [0]) * AT.size
    for entry, (key, seq) in enumerate(keys):
        cells[AT.E_KEY + entry * ENTRY_STRIDE] = key
        cells[AT.E_SEQ + entry * ENTRY_STRIDE] = seq
    return cells


def drain(cells: array[int]) -> list[int]:
    out = []
    while cells[ROOT]:
        out.append(cells[ROOT] - 1)
        heap.remove(cells, AT, ROOT, out[-1])
    return out


def test_an_empty_heap_has_root_zero_and_one_entry_is_its_root() -> None:
    cells = board([(5, 0)])
    heap.insert(cells, AT, ROOT, 0)
    assert cells[ROOT] == 1
    heap.remove(cells, AT, ROOT, 0)
    assert cells[ROOT] == 0


def test_equal_keys_leave_in_the_order_of_their_sequence() -> None:
    cells = board([(7, 2), (7, 0), (7, 1), (3, 9)])
    for entry in range(4):
        heap.insert(cells, AT, ROOT, entry)
    assert drain(cells) == [3, 1, 2, 0]


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 1000)), min_size=1, max_size=40, unique_by=lambda k: k[1]),
    st.lists(st.integers(0, 39), max_size=40),
)
def test_any_mix_of_inserts_and_removals_is_a_sorted_list(keys: list[tuple[int, int]], gone: list[int]) -> None:
    cells = board(keys)
    left: list[int] = []
    for entry in range(len(keys)):
        heap.insert(cells, AT, ROOT, entry)
        left.append(entry)
        if entry < len(gone) and gone[entry] in left:
            left.remove(gone[entry])
            heap.remove(cells, AT, ROOT, gone[entry])
    assert drain(cells) == sorted(left, key=lambda entry: keys[entry])


def test_a_long_list_of_siblings_is_merged_without_recursion() -> None:
    at = Layout(workers=1, servers=1, backends=1, frontends=1, entries=5000)
    cells = array('q', [0]) * at.size
    for entry in range(5000):
        cells[at.E_SEQ + entry * ENTRY_STRIDE] = entry
        heap.insert(cells, at, at.QUEUE_ROOT, entry)
    for entry in range(5000):
        assert cells[at.QUEUE_ROOT] == entry + 1
        heap.remove(cells, at, at.QUEUE_ROOT, entry)
