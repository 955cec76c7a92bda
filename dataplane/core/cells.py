"""Runs of cells. One cell is `cells[n]`, whoever keeps them: shared memory, or an array in tests."""

from __future__ import annotations

from array import array
from collections.abc import MutableSequence


def copy(cells: MutableSequence[int], start: int, values: array[int]) -> None:
    """Store `values` from cell `start` on. Not one store: who reads without the lock may see some of them."""
    cells[start : start + len(values)] = values
