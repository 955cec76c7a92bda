"""Wheels: whose turn it is, or who has which hash value, made from ids and weights alone. What reads them is balance/wheel.py.

They are made by the supervisor outside the lock and lie in one pool of cells that all backends share. A new one is written
where no backend's WHEEL points yet (a commit's `staged`), so that the commit itself changes two cells, however long the
wheel is. Only when the free room is in pieces too small for it, all wheels are laid side by side anew, within the hold.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from ipaddress import ip_address
from math import gcd
from typing import Final

from dataplane.core.balance.wheel import PLACE_BITS, POINT_BITS
from dataplane.core.columns import Columns
from dataplane.core.commit import Image
from dataplane.core.compose import Refused, algorithm_of
from dataplane.core.layout import Algorithm, Layout
from dataplane.core.model import Server
from dataplane.core.record import ServerRecord
from dataplane.core.tables import Tables
from dataplane.core.weight import EWEIGHT_MAX, SCALE
from dataplane.rules.hashes import avalanche
from dataplane.rules.xxhash import xxh32

MAPPED: Final = frozenset((Algorithm.STATIC_RR, Algorithm.MAP))
RINGS: Final = frozenset((Algorithm.RING, Algorithm.BOUNDED))
_IDLE: Final = 4
"""A ring of which less than one in so many points counts is made anew."""


def spread(weights: Sequence[int]) -> list[int]:
    """Slots by their number: which of the weights has it. Each comes as often as its weight says, the first first.

    Every slot goes to whoever is furthest behind its share then, counted in whole slots; the first one of several.
    """
    whole = sum(weights)
    if whole == len(weights):
        return list(range(whole))
    due: list[list[int]] = [[] for _ in range(whole)]
    for index, weight in enumerate(weights):
        for share in range(1, weight + 1):
            due[-(-share * whole // weight) - 1].append(index)
    behind = [0] * len(weights)
    waiting: dict[int, list[int]] = {0: list(range(len(weights)))}
    slots = []
    for gained in due:
        for index in gained:
            behind[index] += 1
            heappush(waiting.setdefault(behind[index], []), index)
        winner = _furthest(waiting, behind)
        behind[winner] -= 1
        heappush(waiting.setdefault(behind[winner], []), winner)
        slots.append(winner)
    return slots


def _furthest(waiting: Mapping[int, list[int]], behind: Sequence[int]) -> int:
    for level in sorted(waiting, reverse=True):
        heap = waiting[level]
        while heap:
            index = heappop(heap)
            if behind[index] == level:
                return index
    raise ValueError('nobody has any weight')


def key_of(server: Server) -> int:
    """What the points of a server are made from (`hash-key`): its id, or where it is, so that it stays itself elsewhere."""
    if server.hash_key == 'id':
        return server.id << POINT_BITS
    try:
        address = ip_address(server.host)
    except ValueError:
        return server.id << POINT_BITS  # a name, which may mean anything by now
    key = avalanche(server.port) if server.hash_key == 'addr-port' else 0
    if address.version == 6:
        return xxh32(address.packed, key)
    return avalanche(key + int.from_bytes(address.packed, 'little') & 0xFFFF_FFFF)


class Wheels:
    """The wheels of all backends, and where in the pool each lies."""

    def __init__(self, at: Layout, columns: Columns) -> None:
        self._at = at
        self._columns = columns
        self._made_of: dict[int, object] = {}
        self._points: dict[int, array[int]] = {}
        self._lying: dict[int, tuple[int, array[int]]] = {}
        self._left: list[tuple[int, int]] = []
        self._fresh: set[int] = set()
        self._moved = False

    def turn(self, backend: int, algorithm: Algorithm, servers: Iterable[tuple[int, Server, int]], unit: int) -> None:
        """The wheel of a backend for (index, server, user weight) of those in rotation; `unit` is what weights are multiples of."""
        found = list(servers)
        if algorithm in MAPPED:
            self._map(backend, [(index, -(-weight // unit)) for index, _, weight in found])
        elif algorithm in RINGS:
            self._ring(backend, {index: (key_of(server), SCALE * weight) for index, server, weight in found})
        elif backend in self._made_of:
            del self._made_of[backend]
            self._lay(backend, array('q'))

    def _map(self, backend: int, found: list[tuple[int, int]]) -> None:
        if self._made_of.get(backend) == found:
            return
        self._made_of[backend] = found
        indexes = [index for index, _ in found]
        slots = spread([weight for _, weight in found]) if found else []
        self._lay(backend, array('q', [indexes[slot] for slot in slots]))

    def _ring(self, backend: int, found: dict[int, tuple[int, int]]) -> None:
        """Who left keeps its points while that is not too many: it may come back, and nothing is to be made then."""
        before = self._made_of.get(backend)
        known: dict[int, tuple[int, int]] = before if isinstance(before, dict) else {}
        lacks = any(
            known.get(index, (key, 0))[0] != key or known.get(index, (key, 0))[1] < points
            for index, (key, points) in found.items()
        )
        counting = sum(points for _, points in found.values())
        if isinstance(before, dict) and not lacks and _IDLE * counting >= sum(points for _, points in known.values()):
            return
        self._made_of[backend] = found
        slots: list[int] = []
        for index, (key, points) in found.items():
            server = index << POINT_BITS
            slots.extend([point | server for point in self._points_of(key, points)])
        slots.sort()
        self._lay(backend, array('q', slots))

    def _points_of(self, key: int, many: int) -> array[int]:
        """The first points of a server, as slots without its number; remembered, since each takes 2 us to make."""
        if len(self._points) > 2 * self._at.servers:
            self._points.clear()  # of addresses that nobody has any more
        points = self._points.setdefault(key, array('q'))
        points.extend(
            [avalanche(key + number & 0xFFFF_FFFF) << PLACE_BITS | number for number in range(len(points), many)]
        )
        return points[:many]

    def _lay(self, backend: int, slots: array[int]) -> None:
        """Where it lies from the next commit on. Where it lay is free after that commit only, since it is read until then."""
        old = self._lying.pop(backend, None)
        if old is not None and backend not in self._fresh:
            self._left.append((old[0], len(old[1])))
        start = self._gap(len(slots))
        if start < 0:
            self._pack()
            start = sum(len(lying) for _, lying in self._lying.values())
            if start + len(slots) > self._at.wheels:
                raise ValueError(
                    f'the wheels of all backends need {start + len(slots)} slots, there are {self._at.wheels}'
                )
        self._lying[backend] = start, slots
        self._fresh.add(backend)
        self._point(backend)

    def _gap(self, size: int) -> int:
        """The first room that nobody has and nobody had a moment ago, or -1."""
        taken = [(start, len(slots)) for start, slots in self._lying.values()] + self._left
        end = 0
        for start, length in sorted(taken):
            if length and start - end >= size:
                return end
            end = max(end, start + length)
        return end if end + size <= self._at.wheels else -1

    def _pack(self) -> None:
        """All side by side, in one hold."""
        end = 0
        for backend, (_, slots) in sorted(self._lying.items()):
            self._lying[backend] = end, slots
            self._fresh.add(backend)
            end += len(slots)
            self._point(backend)
        self._moved = True

    def _point(self, backend: int) -> None:
        start, slots = self._lying[backend]
        self._columns.set(self._at.WHEEL, backend, self._at.WHEELS + start)
        self._columns.set(self._at.WHEEL_SIZE, backend, len(slots))

    def images(self) -> tuple[tuple[Image, ...], tuple[Image, ...]]:
        """What is to be copied in since the last call: before the commit's hold, and within it."""
        images = tuple(
            Image(self._at.WHEELS + start, slots)
            for start, slots in (self._lying[backend] for backend in sorted(self._fresh))
            if slots
        )
        moved = self._moved
        self._fresh.clear()
        self._left.clear()
        self._moved = False
        return ((), images) if moved else (images, ())


def unit_of(weights: Iterable[int]) -> int:
    """What all weights of a backend are multiples of; 1 when none has any."""
    return gcd(*weights) or 1


def slots_needed(algorithm: Algorithm, weights: Sequence[int]) -> int:
    """The longest wheel servers with these weights can come to need."""
    if algorithm in MAPPED:
        return sum(weights) // unit_of(weights)
    return SCALE * sum(weights) if algorithm in RINGS else 0


def check_wheels(tables: Tables, records: Mapping[int, ServerRecord], most: int) -> None:
    """Raises Refused when the wheels of these tables may come to need more slots than there are."""
    needed = {}
    for index, members in tables.members.items():
        algorithm = algorithm_of(tables.backends[index].balance)
        if algorithm in MAPPED or algorithm in RINGS:
            weights = [max(tables.servers[s].weight, records[s].uweight if s in records else 0) for s in members]
            needed[tables.backends[index].name] = slots_needed(algorithm, weights)
    if sum(needed.values()) > most:
        largest = max(needed, key=lambda name: needed[name])
        raise Refused(
            (
                f"backend '{largest}': its servers weigh too much together for balancing with a hash: there are {most} slots",
            ),
            (largest,),
        )


assert EWEIGHT_MAX == 1 << POINT_BITS, 'a point has a number for every sixteenth of the largest weight'
