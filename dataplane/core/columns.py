"""What the commit columns of the board should hold, and which cells differ from what was last committed.

Values are collected here outside the lock; `images` then gives one contiguous run per column, from the lowest changed
cell to the highest. That a run also carries unchanged cells between them is harmless, because nobody else writes these
columns, and it is what keeps a commit of a thousand servers a few slice copies. A fresh board is all zeros, and so is this.
"""

from __future__ import annotations

from array import array

from dataplane.core.commit import Image


class Columns:
    """Wanted values by (first cell of the column, row)."""

    def __init__(self) -> None:
        self._values: dict[int, array[int]] = {}
        self._changed: dict[int, tuple[int, int]] = {}

    def get(self, column: int, row: int) -> int:
        """The value wanted, 0 if it was never set."""
        values = self._values.get(column)
        return values[row] if values is not None and row < len(values) else 0

    def set(self, column: int, row: int, value: int) -> bool:
        """Want `value` in this cell. Returns whether that differs from what was wanted before."""
        if self.get(column, row) == value:
            return False
        values = self._values.setdefault(column, array('q'))
        if row >= len(values):
            values.extend([0] * (row + 1 - len(values)))
        values[row] = value
        low, high = self._changed.get(column, (row, row))
        self._changed[column] = (min(low, row), max(high, row))
        return True

    def images(self) -> tuple[Image, ...]:
        """The runs that bring the board up to date; the next call starts from here."""
        images = tuple(
            Image(column + low, self._values[column][low : high + 1])
            for column, (low, high) in sorted(self._changed.items())
        )
        self._changed.clear()
        return images
