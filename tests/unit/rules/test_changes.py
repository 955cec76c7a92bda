"""What changes do to a pattern's entries, and that two in one do the same."""

from __future__ import annotations

from itertools import product

import pytest

from dataplane.rules.changes import Change, Kind, after, joined

HELD = ((), ((1, b'a'),), ((1, b'a'), (2, b'b')))
CHANGES = (Change(Kind.SET, b'x'), Change(Kind.SET, b'y'), Change(Kind.ADD), Change(Kind.DEL), Change(Kind.NEW, b'z'))


@pytest.mark.parametrize(
    'held, change, expected',
    [
        (HELD[2], Change(Kind.SET, b'x'), ((1, b'x'), (2, b'x'))), (HELD[0], Change(Kind.SET, b'x'), ((9, b'x'),)),
        (HELD[1], Change(Kind.ADD), HELD[1]), (HELD[0], Change(Kind.ADD), ((9, None),)), (HELD[2], Change(Kind.DEL), ()),
        (HELD[2], Change(Kind.NEW, b'x'), ((9, b'x'),)),
    ],
)  # fmt: skip
def test_one(held: tuple[tuple[int, bytes], ...], change: Change, expected: object) -> None:
    assert after(held, change, 9) == expected


def test_two_are_one() -> None:
    for held, first, then in product(HELD, CHANGES, CHANGES):
        one_by_one = after(after(held, first, 9), then, 9)
        assert after(held, joined(first, then), 9) == one_by_one, (held, first, then)
    assert joined(None, CHANGES[0]) is CHANGES[0]
