"""A pairing heap over the entries of the waiting line, kept in the board's cells.

The order of every queue: lower key first (class, then arrival time plus offset), then lower sequence, so equal keys leave
in the order they came. Insert and head are O(1), pop and remove O(log n) amortised (Fredman, Sedgewick, Sleator, Tarjan
1986); nothing is allocated. The links are derived cells: after a holder's death they are never followed, but built anew.

Plainly that would let one pop after ten thousand inserts pay for them all, inside one hold: each would be a child of the root.
So insert joins the newest children of a root while they are of equal rank, as a binary counter carries: the root then has
few children (E_RANK only says whom to join; whatever it says, the order is right).

`root` is the cell that holds the root entry + 1. E_CHILD is an entry's first child + 1, E_NEXT its next sibling + 1,
E_PREV its previous sibling + 1, or its parent + 1 when it is the first child.
"""

from __future__ import annotations

from collections.abc import MutableSequence

from dataplane.core.layout import ENTRY_STRIDE, Layout


def insert(cells: MutableSequence[int], at: Layout, root: int, entry: int) -> None:
    """Add an entry whose key and sequence cells are filled in."""
    row = entry * ENTRY_STRIDE
    cells[at.E_CHILD + row] = cells[at.E_NEXT + row] = cells[at.E_PREV + row] = cells[at.E_RANK + row] = 0
    top = cells[root]
    if not top:
        cells[root] = entry + 1
    elif before(cells, at, entry, top - 1):
        cells[root] = _meld(cells, at, top - 1, entry) + 1
    else:
        _adopt(cells, at, top - 1, entry)


def _adopt(cells: MutableSequence[int], at: Layout, parent: int, entry: int) -> None:
    """An entry without siblings becomes a child of `parent`, joined with those of its rank that came last."""
    above = parent * ENTRY_STRIDE
    child = cells[at.E_CHILD + above]
    while child and cells[at.E_RANK + (child - 1) * ENTRY_STRIDE] == cells[at.E_RANK + entry * ENTRY_STRIDE]:
        following = cells[at.E_NEXT + (child - 1) * ENTRY_STRIDE]
        entry = _meld(cells, at, entry, child - 1)
        cells[at.E_RANK + entry * ENTRY_STRIDE] += 1
        child = following
    cells[at.E_NEXT + entry * ENTRY_STRIDE] = child
    cells[at.E_PREV + entry * ENTRY_STRIDE] = parent + 1
    if child:
        cells[at.E_PREV + (child - 1) * ENTRY_STRIDE] = entry + 1
    cells[at.E_CHILD + above] = entry + 1


def remove(cells: MutableSequence[int], at: Layout, root: int, entry: int) -> None:
    """Take an entry out, wherever it is in the heap."""
    row = entry * ENTRY_STRIDE
    below = _merge_children(cells, at, cells[at.E_CHILD + row])
    previous = cells[at.E_PREV + row]
    if not previous:
        cells[root] = below
        return
    following = cells[at.E_NEXT + row]
    behind = (previous - 1) * ENTRY_STRIDE
    if cells[at.E_CHILD + behind] == entry + 1:
        cells[at.E_CHILD + behind] = following
    else:
        cells[at.E_NEXT + behind] = following
    if following:
        cells[at.E_PREV + (following - 1) * ENTRY_STRIDE] = previous
    if below:
        cells[root] = _meld(cells, at, cells[root] - 1, below - 1) + 1


def before(cells: MutableSequence[int], at: Layout, one: int, other: int) -> bool:
    """Is entry `one` served before entry `other`?"""
    mine, its = cells[at.E_KEY + one * ENTRY_STRIDE], cells[at.E_KEY + other * ENTRY_STRIDE]
    if mine != its:
        return mine < its
    return cells[at.E_SEQ + one * ENTRY_STRIDE] < cells[at.E_SEQ + other * ENTRY_STRIDE]


def _meld(cells: MutableSequence[int], at: Layout, one: int, other: int) -> int:
    """Join two heaps by their roots; the later becomes the first child of the earlier, which is returned."""
    if before(cells, at, other, one):
        one, other = other, one
    row, below = one * ENTRY_STRIDE, other * ENTRY_STRIDE
    child = cells[at.E_CHILD + row]
    cells[at.E_NEXT + below] = child
    cells[at.E_PREV + below] = one + 1
    if child:
        cells[at.E_PREV + (child - 1) * ENTRY_STRIDE] = other + 1
    cells[at.E_CHILD + row] = other + 1
    cells[at.E_NEXT + row] = cells[at.E_PREV + row] = 0
    return one


def _merge_children(cells: MutableSequence[int], at: Layout, first: int) -> int:
    """Two-pass merge of a list of siblings; returns the new root + 1, or 0. Without recursion: a list may be long."""
    pairs = 0
    while first:
        one = first - 1
        second = cells[at.E_NEXT + one * ENTRY_STRIDE]
        if second:
            first = cells[at.E_NEXT + (second - 1) * ENTRY_STRIDE]
            one = _meld(cells, at, one, second - 1)
        else:
            first = 0
        cells[at.E_NEXT + one * ENTRY_STRIDE] = pairs
        pairs = one + 1
    if not pairs:
        return 0
    root = pairs - 1
    following = cells[at.E_NEXT + root * ENTRY_STRIDE]
    while following:
        one = following - 1
        following = cells[at.E_NEXT + one * ENTRY_STRIDE]
        root = _meld(cells, at, root, one)
    cells[at.E_NEXT + root * ENTRY_STRIDE] = cells[at.E_PREV + root * ENTRY_STRIDE] = 0
    return root + 1
