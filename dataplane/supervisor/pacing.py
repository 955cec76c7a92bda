"""Long dumps, a few rows per turn of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, TypeVar

_TURN: Final = 16
"""Rows of a dump after which other callbacks of the loop have their turn."""

_Item = TypeVar('_Item')


async def gather(items: Iterable[_Item]) -> list[_Item]:
    """The items as a list, with a turn for others every few of them."""
    found = []
    for item in items:
        found.append(item)
        if len(found) % _TURN == 0:
            await asyncio.sleep(0)
    return found
