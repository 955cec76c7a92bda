"""The trees: the root is the lowest key, whatever changed, however many servers there are, also while it is being made."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.balance import tree
from dataplane.core.balance.tree import ABSENT, Shape
from dataplane.core.layout import NOBODY, Layout

AT = Layout(workers=1, servers=64, backends=1, frontends=1, entries=1)


def made(members: tuple[int, ...]) -> tuple[array[int], Shape]:
    """A tournament in which nobody has a key yet."""
    cells, shape = array('q', [-7_777]) * AT.size, Shape(AT, 0, members)
    cells[AT.STALE] = 0
    for server in members:
        cells[AT.KEY + server] = ABSENT
    for node in range(len(members) - 1, 0, -1):
        tree.play(cells, shape, AT.KEY, AT.NODE, node)
    return cells, shape


def test_nobody_wins_an_empty_tree() -> None:
    assert tree.head(*made((0,)), AT.KEY, AT.NODE) == NOBODY
    assert tree.head(*made((3, 9)), AT.KEY, AT.NODE) == NOBODY


@given(st.permutations(range(40)), st.integers(1, 40), st.lists(st.tuples(st.integers(0, 39), st.integers(0, 50))))
def test_the_root_is_the_lowest_key(order: list[int], size: int, puts: list[tuple[int, int]]) -> None:
    members = tuple(order[:size])
    cells, shape = made(members)
    for place, key in puts:
        server = members[place % size]
        tree.put(cells, shape, AT.KEY, AT.NODE, server, key if key < 40 else ABSENT)
        found, keys = tree.head(cells, shape, AT.KEY, AT.NODE), [cells[AT.KEY + s] for s in members]
        if found == NOBODY:
            assert min(keys) == ABSENT
        else:
            assert cells[AT.KEY + found] == min(keys)


@pytest.mark.parametrize('size', [1, 2, 3, 7, 16, 40])
def test_a_change_while_the_tree_is_made_is_in_it(size: int) -> None:
    members = tuple(range(size))
    for done in range(size, 2 * size - 1):  # all leaves and some nodes
        for changed in members:
            cells, shape = made(members)
            for server in members:
                cells[AT.KEY + server] = 100 + server
            for node in range(1, size):
                cells[AT.NODE + members[node]] = -7_777
            for node in range(size - 1, 2 * size - 1 - done, -1):
                tree.play(cells, shape, AT.KEY, AT.NODE, node)
            cells[AT.STALE] = done + 1
            tree.put(cells, shape, AT.KEY, AT.NODE, changed, 5)
            for node in range(2 * size - 1 - done, 0, -1):
                tree.play(cells, shape, AT.KEY, AT.NODE, node)
            assert tree.head(cells, shape, AT.KEY, AT.NODE) == changed


def test_nothing_of_a_tree_lies_outside_of_its_members() -> None:
    members = (3, 9, 4, 20, 31)
    cells, shape = made(members)
    for number, server in enumerate(members):
        tree.put(cells, shape, AT.KEY, AT.NODE, server, 50 - number)
    touched = {cell for cell in range(AT.size) if cells[cell] != -7_777} - {AT.STALE}
    leaves, nodes = {AT.KEY + server for server in members}, {AT.NODE + server for server in members[1:]}
    assert touched == leaves | nodes
