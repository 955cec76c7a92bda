"""How far the explorations go: near enough to be quick in `make test`, to the end in `make explore`."""

from __future__ import annotations

import os
from typing import Final

MOST: Final = int(os.environ.get('SLUICE_EXPLORE', '3000'))
"""How many states of a world are looked at, those nearest to its beginning first."""

PATIENCE: Final = 300 if MOST <= 100_000 else 7_200
"""Seconds for one world, at 500 states a second and more: only ends what would never end."""


def looked_at(states: int, most: int = MOST) -> str:
    """For a test's output: were these all states of the world?"""
    return f'all {states:,}' if states < most else f'the nearest {states:,}'
