"""How long a turn of the loop may go on with new requests.

What rules do with a request may take long: a password costs what its method is meant to cost, a regular expression what it is given.
Where many such requests come at once the loop would not turn for seconds - no timer, no answer, no heartbeat, until the supervisor takes
the worker for dead. So requests beyond a turn's time are put off to the next one, in their order (connection.py).
"""

from __future__ import annotations

import asyncio
from typing import Final

from dataplane.worker.clock import now_ms

LONG: Final = 100
"""Milliseconds."""


class Turn:
    """One per worker."""

    __slots__ = ('_began', '_loop')

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._began = 0

    def is_long(self) -> bool:
        """Has this turn had its time? It counts from when this is asked first in it."""
        now = now_ms()
        if not self._began:
            self._began = now
            self._loop.call_soon(self._over)
            return False
        return now - self._began >= LONG

    def _over(self) -> None:
        self._began = 0
