"""Who may keep a connection to a statistics section, and for how long.

Each is a descriptor of the supervisor, which needs its own for new workers and for the stats socket, and aiohttp gives who says nothing
all the time there is. So there are `most` of them at a time, of which the one that has been silent for longest makes room for a newcomer;
and each request has `patience` seconds, from the connection's beginning or the request's head to the last byte of the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

MOST: Final = 256
PATIENCE: Final = 60.0
EVERY: Final = 5.0
"""Seconds between two looks at who has stayed too long."""


class Guest(Protocol):
    """A connection's protocol, as aiohttp makes it; `transport` is None before it is there and when it is gone."""

    @property
    def transport(self) -> asyncio.Transport | None:
        """What it is connected by."""


class Doorkeeper:
    """One per section: the factory of its protocols. `make` makes one, `known` are those that are connected."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, make: Callable[[], asyncio.BaseProtocol],
        known: Callable[[], Sequence[Guest]], *, most: int = MOST, patience: float = PATIENCE, every: float = EVERY,
    ) -> None:  # fmt: skip
        self._loop, self._make, self._known = loop, make, known
        self._most, self._patience, self._every = most, patience, every
        self._since: dict[Guest, float] = {}
        self._served: set[Guest] = set()
        self._timer = loop.call_later(every, self._sweep)

    def __call__(self) -> asyncio.BaseProtocol:
        """A newcomer."""
        self._look()
        more = len(self._since) - self._most + 1
        if more > 0:
            for guest in sorted(self._since, key=lambda guest: (guest in self._served, self._since[guest]))[:more]:
                self._end(guest)
        return self._make()

    @contextmanager
    def serving(self, guest: Guest) -> Iterator[None]:
        """A request has come whole, and is being answered."""
        self._since[guest] = self._loop.time()
        self._served.add(guest)
        try:
            yield
        finally:
            self._served.discard(guest)

    def close(self) -> None:
        """Look after nobody any more."""
        self._timer.cancel()

    def _look(self) -> None:
        """Who is there, and since when: those that are gone are forgotten."""
        now = self._loop.time()
        self._since = {guest: self._since.get(guest, now) for guest in self._known() if guest.transport is not None}

    def _sweep(self) -> None:
        self._timer = self._loop.call_later(self._every, self._sweep)
        self._look()
        late = self._loop.time() - self._patience
        for guest in [guest for guest, since in self._since.items() if since <= late]:
            self._end(guest)

    def _end(self, guest: Guest) -> None:
        self._since.pop(guest, None)
        if guest.transport is not None:
            guest.transport.abort()
