"""Which messages of a `log` line with `sample` are sent (configuration manual 3.1, `log`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sampling:
    """`sample RANGES:SIZE` of a log line: of `size` messages those are sent whose numbers, from 1, are in a range."""

    ranges: tuple[tuple[int, int], ...]
    size: int

    def takes(self, number: int) -> bool:
        """Is the message of this number, from 0, sent?"""
        place = number % self.size + 1
        return any(low <= place <= high for low, high in self.ranges)
