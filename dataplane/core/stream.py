"""A stream: one request on its way through a backend, as the core sees it.

Made by a worker's exchange, which extends it with sockets and bytes. The core writes `life`, `entry`, `server`, `key`,
`seq`, `generation`, `tables` (the number its route was chosen under) and the two positions; everything else is the wish of the stream and is set before the first `admit`.
A stream owns at most one slot and at most one entry of the waiting line, never both (I3); which of the two is in `life`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from dataplane.core.layout import ANY, NOBODY


class Life(IntEnum):
    """What a stream owns: nothing, an entry, a slot, a slot with bytes sent on it, nothing any more."""

    NEW = 0
    WAITING = 1
    SLOT = 2
    RUNNING = 3
    ENDED = 4


class Admission(IntEnum):
    """What became of a stream that asked for a server."""

    SLOT = 0
    WAITING = 1
    ROUTE_AGAIN = 2
    NOSRV = 3
    FULL = 4


HASHED: Final = -2
"""A wish is the hash value `HASHED - wish` from here down."""


def hashed(value: int) -> int:
    """The wish of a stream that is tied to a server by a hash value, 0 to 2^32 - 1."""
    return HASHED - value


class Stream:
    """Wish and holdings of one request.

    `wish`: ANY, or the number of the own queue it may wait in: 2*s persistent on server s (also while s drains),
    2*s + 1 tied to s while s is in rotation, `Layout.forced_queue(s)` forced on s whatever state it is in, or `hashed(value)`: tied to whom the backend's algorithm names for that value,
    which is decided anew only when that server leaves. `klass` -2047..2047 and `offset` -524287..524287 ms order the queue
    (manual: http-request set-priority-class, set-priority-offset). `redispatch`: when its own server's queue is full it
    may go to any other. `avoid`: the server of the failed try, taken only when nobody else has room.
    """

    __slots__ = (
        'avoid', 'backend', 'counted', 'entry', 'generation', 'key', 'klass', 'life', 'offset', 'position_backend',
        'position_server', 'redispatch', 'seq', 'server', 'tables', 'wish',
    )  # fmt: skip

    def __init__(
        self, backend: int, wish: int = ANY, klass: int = 0, offset: int = 0, *, redispatch: bool = False
    ) -> None:
        self.backend = backend
        self.wish = wish
        self.klass = klass
        self.offset = offset
        self.redispatch = redispatch
        self.avoid = NOBODY
        self.life = Life.NEW
        self.entry = NOBODY
        self.server = NOBODY
        self.key = 0
        self.seq = 0
        self.generation = 0
        self.counted = False
        self.tables = 0
        self.position_server = 0
        self.position_backend = 0

    def __repr__(self) -> str:
        return (
            f'<Stream backend={self.backend} wish={self.wish} {self.life.name} entry={self.entry} '
            f'server={self.server} key={self.key}.{self.seq} generation={self.generation}>'
        )

    def joins(self, now: int, seq: int) -> int:
        """It asks in its backend, which is returned, at `now` (ms). What it asks first gives it its place in any queue's order.

        This and the next two are methods since all that a hold writes in a stream is then one call from compiled code: each
        attribute set from there costs 200 instructions, and a request's two holds read and wrote 25.
        """
        if not self.key:
            self.key = ((self.klass + 2048) << 48) + (1 << 40) + now + self.offset
            self.seq = seq
        self.counted = True
        return self.backend

    def takes(self, server: int, generation: int) -> None:
        """A slot of `server` is reserved for it, which is in its session `generation`."""
        self.server = server
        self.generation = generation
        self.life = Life.SLOT

    def parts(self) -> int:
        """It is over: it owns nothing any more. Returns the server of which it held a slot."""
        server = self.server
        self.server = self.entry = NOBODY
        self.counted = False
        self.life = Life.ENDED
        return server

    def route(self) -> int:
        """Tables changed before anything was sent: the backend under the tables now in force, NOBODY when there is none."""
        return self.backend

    def on_slot(self) -> None:
        """The wait is over: a slot is reserved on `self.server`."""
        raise NotImplementedError

    def on_refused(self, why: Admission) -> None:
        """The wait is over: nobody usable is left for this stream (NOSRV) or its queue is full (FULL)."""
        raise NotImplementedError

    def on_server_left(self) -> None:
        """Nothing was sent, and what it has is of no use: its server left or its route changed. Stop connecting, ask again."""
        raise NotImplementedError

    def on_shutdown(self) -> None:
        """Its session generation is over: shut the upstream socket down, then leave."""
        raise NotImplementedError
