"""How far the explorations go: near enough to be quick in `make test`, to the end in `make explore`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

EVERYTHING: Final = os.environ.get('SLUICE_EXPLORE') == 'everything'
"""Also the worlds of wheels go to their end, which takes hours."""

TO_THE_END: Final = EVERYTHING or os.environ.get('SLUICE_EXPLORE') == 'all'
MOST: Final = 10**9 if TO_THE_END else 1_000
"""How many states of a world are looked at, those nearest to its beginning first."""

FAR: Final = 10_000
"""States of a world of wheels (hashed streams, `sticky`): some have a hundred thousand, and one has more than half an hour's."""

PATIENCE: Final = 7_200 if TO_THE_END else 300
"""Seconds for one world, at 500 states a second and more: only ends what would never end."""

NEAR: Final = 1_000
"""States; where every mutant ends, so that `make test` would see what each of them does."""

FURTHER: Final = {'forced-gone': 2_000, 'map-off': 2_000}
"""Worlds in which one ends only then."""


def most_of(world: str) -> int:
    """How many states of this world are looked at."""
    wheel = world.startswith(('map', 'ring', 'bound', 'sticky'))
    most = max(MOST, near(world))
    return min(most, FAR) if wheel and not EVERYTHING else most


def near(world: str) -> int:
    """How many states of this world are near its beginning."""
    return FURTHER.get(world, NEAR)


def looked_at(states: int, most: int = MOST) -> str:
    """For a test's output: were these all states of the world?"""
    return f'all {states:,}' if states < most else f'the nearest {states:,}'


def near_first(worlds: Sequence[str], most: int) -> Iterator[tuple[str, int]]:
    """(world, how many states of it): near the beginning of each, before any is looked at further."""
    yield from ((world, near(world)) for world in worlds)
    yield from ((world, most) for world in worlds)
