"""`balance static-rr` and everything by hash: a wheel, made at the commit, says whose turn it is or who has which hash value.

A wheel is a run of cells (core/wheels.py makes it). Of `static-rr` and of `hash-type map-based` each slot is a server, which
comes as often as its weight says, in HAProxy's order; a hash value has the slot `value % size`. Of `hash-type consistent` the
slots are the points of all servers on a ring of 2^32, in order: a value belongs to the nearer of the points before and after
it. A point counts while its server is in rotation and of enough weight, which cells say, so that the ring itself is to be
made anew only when a server came that it lacks, when one weighs more than ever, or when few of its points count.

Who is tied to a server (`target`) waits for it when it is full. Who brings no key goes round the wheel, in HAProxy's order,
past the full ones; after FEW of those it gets who has had room for the longest, by a tournament: KEY is a number, the lower
the longer. So no decision scans the servers.

Cells, all derived: CURSOR counts the numbers, FWRR_POS is the slot that is next. Of Bounded also FWRR_LPOS, what a server
had in use when it was last looked at, and FWRR_CYCLE, the sum of those. Manual: `balance`, `hash-type`,
`hash-balance-factor`, `hash-preserve-affinity`.
"""

from __future__ import annotations

from collections.abc import Callable, MutableSequence, Sequence
from typing import Final

from dataplane.core import line
from dataplane.core.balance import tree
from dataplane.core.balance.tournament import Tournament
from dataplane.core.balance.tree import ABSENT, Shape
from dataplane.core.layout import NOBODY, Layout, Rota
from dataplane.core.limit import below_top

FEW: Final = 16
"""So many slots without room are passed over in one pick."""
LONGEST: Final = 256
"""So many points, whose servers may not be taken for another reason than that they are out, are passed over; then it is the nearest."""
POINT_BITS: Final = 12
SERVER_BITS: Final = 14
PLACE_BITS: Final = POINT_BITS + SERVER_BITS
"""A slot of a ring: the place on the ring, the server, the number of its point."""

_IN = int(Rota.IN)
_POINTS: Final = (1 << POINT_BITS) - 1
_SERVERS: Final = (1 << SERVER_BITS) - 1
_AROUND: Final = (1 << 32) - 1
ALWAYS, WHILE_ROOM, WHILE_QUEUE = 0, 1, 2
"""AFFINITY: what a stream keeps to its server for (`hash-preserve-affinity always | maxconn | maxqueue`)."""


class StaticRoundRobin(Tournament):
    """`balance static-rr`; and what all that have a wheel do for a stream without a key."""

    def choose(
        self,
        cells: MutableSequence[int],
        shape: Shape,
        avoid: int,
        room: Callable[[int], bool],
        draw: Callable[[], int],
    ) -> int:
        """Whose turn it is; see Balancer."""
        at, backend = shape.at, shape.backend
        if tree.head(cells, shape, at.KEY, at.NODE) < 0:
            return NOBODY
        size, start, place = cells[at.WHEEL_SIZE + backend], cells[at.WHEEL + backend], cells[at.FWRR_POS + backend]
        for _ in range(min(size, FEW)):
            if place >= size:
                place = 0
            server = self.holder(cells, shape, cells[start + place])
            place += 1
            if server >= 0 and server != avoid and room(server):
                cells[at.FWRR_POS + backend] = place
                return server
        server = Tournament.choose(self, cells, shape, avoid, room, draw)
        if server >= 0:
            cells[at.FWRR_POS + backend] = place
            tree.put(cells, shape, at.KEY, at.NODE, server, _number(cells, shape))
        return server

    def holder(self, cells: MutableSequence[int], shape: Shape, slot: int) -> int:
        """The server of a slot, or NOBODY while it may not be sent traffic."""
        return slot if cells[shape.at.ROTA + slot] == _IN else NOBODY

    def look(self, cells: MutableSequence[int], shape: Shape, server: int) -> None:
        """It came, left, is full or is not; see Balancer."""
        at = shape.at
        absent = cells[at.KEY + server] >= ABSENT
        if cells[at.ROTA + server] != _IN or not below_top(cells, at, server):
            if not absent:
                tree.put(cells, shape, at.KEY, at.NODE, server, ABSENT)
        elif absent or cells[at.STALE + shape.backend]:
            tree.put(cells, shape, at.KEY, at.NODE, server, _number(cells, shape))

    def forget(self, cells: MutableSequence[int], at: Layout, backend: int, members: Sequence[int]) -> None:
        """The wheel begins at its first slot, numbers begin anew."""
        cells[at.CURSOR + backend] = cells[at.FWRR_POS + backend] = 0


class Map(StaticRoundRobin):
    """A hash with `hash-type map-based`."""

    def target(
        self, cells: MutableSequence[int], shape: Shape, value: int, avoid: int, room: Callable[[int], bool]
    ) -> int:
        """Whoever has the slot, also one that is to be avoided; see Balancer."""
        at, backend = shape.at, shape.backend
        size = cells[at.WHEEL_SIZE + backend]
        return self.holder(cells, shape, cells[cells[at.WHEEL + backend] + value % size]) if size else NOBODY


class Sticky(StaticRoundRobin):
    """`balance sticky`: everybody is tied to the one server that the commit elected."""

    def target(
        self, cells: MutableSequence[int], shape: Shape, value: int, avoid: int, room: Callable[[int], bool]
    ) -> int:
        """The elected one, whatever the value; see Balancer."""
        elected = cells[shape.at.ELECTED + shape.backend] - 1
        return elected if elected >= 0 and cells[shape.at.ROTA + elected] == _IN else NOBODY


class Ring(StaticRoundRobin):
    """A hash with `hash-type consistent`."""

    def holder(self, cells: MutableSequence[int], shape: Shape, slot: int) -> int:
        """The server of a point that counts now, or NOBODY."""
        server = slot >> POINT_BITS & _SERVERS
        if cells[shape.at.ROTA + server] != _IN or (slot & _POINTS) >= cells[shape.at.EWEIGHT + server]:
            return NOBODY
        return server

    def target(
        self, cells: MutableSequence[int], shape: Shape, value: int, avoid: int, room: Callable[[int], bool]
    ) -> int:
        """The nearer of the two neighbours, or the first after it that may be taken; see Balancer."""
        at, backend = shape.at, shape.backend
        size, start = cells[at.WHEEL_SIZE + backend], cells[at.WHEEL + backend]
        if not size:
            return NOBODY
        after = self._counting(cells, shape, _first(cells, start, size, value), 1)
        if after < 0:
            return NOBODY
        before = self._counting(cells, shape, after - 1, -1)
        behind = value - (cells[start + before] >> PLACE_BITS) & _AROUND
        ahead = (cells[start + after] >> PLACE_BITS) - value & _AROUND
        place = before if behind <= ahead else after
        nearest = server = cells[start + place] >> POINT_BITS & _SERVERS
        if (avoid < 0 and not self.picky(cells, shape)) or cells[at.IN_ROTATION + backend] == 1:
            return nearest
        for _ in range(LONGEST):
            if server >= 0 and server != avoid and self.may_take(cells, shape, server, room):
                return server
            place += 1
            if place >= size:
                place = 0
            server = self.holder(cells, shape, cells[start + place])
        return nearest

    def _counting(self, cells: MutableSequence[int], shape: Shape, place: int, step: int) -> int:
        """The first slot from `place` on, going round, whose point counts, or NOBODY."""
        size, start = cells[shape.at.WHEEL_SIZE + shape.backend], cells[shape.at.WHEEL + shape.backend]
        for _ in range(size):
            if place >= size:
                place = 0
            elif place < 0:
                place = size - 1
            if self.holder(cells, shape, cells[start + place]) >= 0:
                return place
            place += step
        return NOBODY

    def picky(self, cells: MutableSequence[int], shape: Shape) -> bool:
        """Does it depend on its load who may be taken?"""
        return cells[shape.at.AFFINITY + shape.backend] != ALWAYS

    def may_take(self, cells: MutableSequence[int], shape: Shape, server: int, room: Callable[[int], bool]) -> bool:
        """May a stream be tied to this server now?"""
        at, affinity = shape.at, cells[shape.at.AFFINITY + shape.backend]
        if affinity == ALWAYS or room(server):
            return True
        return affinity == WHILE_QUEUE and not 0 < cells[at.MAXQUEUE + server] <= line.queued(cells, at, server)


class Bounded(Ring):
    """The same with `hash-balance-factor`: nobody is given more than so many hundredths of the mean load, for its weight."""

    counts = True
    moves = True

    def picky(self, cells: MutableSequence[int], shape: Shape) -> bool:
        """It does; before the sums are whole nobody knows how."""
        return not cells[shape.at.STALE + shape.backend]

    def may_take(self, cells: MutableSequence[int], shape: Shape, server: int, room: Callable[[int], bool]) -> bool:
        """Has it a part left of the slots that one stream more would make it, shared out by weight?"""
        if not Ring.may_take(self, cells, shape, server, room):
            return False
        at, backend, weight = shape.at, shape.backend, cells[shape.at.EWEIGHT + server]
        whole, heavier = cells[at.ROTATION_WEIGHT + backend], cells[at.CUMULATIVE + server]
        slots = ((cells[at.FWRR_CYCLE + backend] + 1) * cells[at.BALANCE_FACTOR + backend] + 99) // 100
        rest = slots % whole
        part = weight * (slots // whole) + (heavier + weight) * rest // whole - heavier * rest // whole
        return cells[at.TOTAL + server] < max(1, part)

    def look(self, cells: MutableSequence[int], shape: Shape, server: int) -> None:
        """What it has in use changed, or as of any; see Balancer."""
        at = shape.at
        more = cells[at.TOTAL + server] - cells[at.FWRR_LPOS + server]
        if more:
            cells[at.FWRR_LPOS + server] += more
            cells[at.FWRR_CYCLE + shape.backend] += more
        Ring.look(self, cells, shape, server)

    def forget(self, cells: MutableSequence[int], at: Layout, backend: int, members: Sequence[int]) -> None:
        """The sums begin anew, too."""
        Ring.forget(self, cells, at, backend, members)
        cells[at.FWRR_CYCLE + backend] = 0
        for server in members:
            cells[at.FWRR_LPOS + server] = 0


def _first(cells: MutableSequence[int], start: int, size: int, value: int) -> int:
    """The first slot of a ring that is not before `value`; `size` when there is none."""
    low, high, least = 0, size, value << PLACE_BITS
    while low < high:
        middle = (low + high) >> 1
        if cells[start + middle] < least:
            low = middle + 1
        else:
            high = middle
    return low


def _number(cells: MutableSequence[int], shape: Shape) -> int:
    place = shape.at.CURSOR + shape.backend
    number = cells[place]
    cells[place] = number + 1
    return number
