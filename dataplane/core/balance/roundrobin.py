"""`balance roundrobin`: HAProxy's weighted round robin, in the same order, for equal and for unequal weights.

Time is counted in picks. A server of weight w among a total W is due every W / w picks; the remainder of that division is
carried along, so that over a cycle of W picks everybody gets its weight, give or take one pick. Per backend there are three sets:

    due      those that were picked in this cycle and are due again in it, by the pick they are due at
    fresh    those not picked yet in this cycle, heaviest first
    later    those that had all their picks of this cycle, heaviest first: the fresh ones of the next cycle

Each pick takes who is due now; else a fresh one; else who is due first. With neither the next cycle begins. A server that is
picked but full (or to be avoided) is put back as if it had been served, except when the cycle ended meanwhile: then it is
fresh. Equals go in the order they were put in; at first that is the order of the configuration. Where nobody has room
nothing moves: HAProxy, too, does not run its algorithm while a queue says that all are full.

That passing over is exact in backends of up to FEW servers. In larger ones a pick could pass a thousand full servers, so there
who is full is hidden until it has room, and keeps its turn instead of losing it.

Cells, all derived. Two tournaments: KEY of the fresh and later ones (the number of the cycle they are fresh in, the weight,
when they were put in), DUE_KEY of the due ones; a hidden server's key has the bit ABSENT. A server: FWRR_SET which of the two,
0: neither; FWRR_NPOS the pick it is due at; FWRR_LPOS the one before; FWRR_REST the remainder and the weight all this was
computed for. The backend: FWRR_POS the pick that is next; FWRR_LENGTH the cycle's length (0: never begun); FWRR_CYCLE its
number; CURSOR the number of the next put. Manual: `balance`, `weight`.
"""

from __future__ import annotations

from collections.abc import Callable, MutableSequence, Sequence
from typing import Final

from dataplane.core.balance import tree
from dataplane.core.balance.balancer import Balancer
from dataplane.core.balance.tournament import lowest
from dataplane.core.balance.tree import ABSENT, Shape
from dataplane.core.layout import NOBODY, Layout, Rota
from dataplane.core.limit import below_top
from dataplane.core.weight import EWEIGHT_MAX, SCALE

FEW: Final = 16
"""So many servers at most are passed over in one pick; 5 us each."""
NUMBERS: Final = 24
"""Bits of a put's number. After 2^24 puts a first cycle begins anew."""

# Private names are C integers when compiled (roundrobin.pxd): with a public one among them, a pick computes on Python's, 2,400
# instructions more per request.
_IN = int(Rota.IN)
_WHEEL, _DUE = 1, 2
_REST_BITS = 16
_NUMBERS = NUMBERS
_CYCLE = NUMBERS + 13
_CYCLE_ORDER = _CYCLE - NUMBERS
_NPOS = NUMBERS + 10
_NPOS_ORDER = _NPOS - NUMBERS
_NOWHERE = ABSENT
_HIDDEN = ABSENT
_FEW = FEW
_HEAVIEST, _SCALE = EWEIGHT_MAX, SCALE


class RoundRobin(Balancer):
    """State: CURSOR, the FWRR columns and two tournaments."""

    def choose(
        self,
        cells: MutableSequence[int],
        shape: Shape,
        avoid: int,
        room: Callable[[int], bool],
        draw: Callable[[], int],
    ) -> int:
        """Who is due; see Balancer."""
        del draw
        at, backend = shape.at, shape.backend
        server = _next(cells, shape)
        if server < 0 or not room(server):
            # with nobody left in this cycle somebody may be in the next one; before anything moves
            if not _anybody(cells, shape, room):
                return NOBODY
            server = NOBODY
        if not cells[at.FWRR_LENGTH + backend]:
            cells[at.FWRR_POS + backend] = cells[at.FWRR_LENGTH + backend] = cells[at.ROTATION_WEIGHT + backend]
        if server < 0 or server == avoid:
            server = _pick(cells, shape, avoid, room)
        else:
            _advance(cells, shape, server)
            _put(cells, shape, server)
        if cells[at.CURSOR + backend] >> _NUMBERS:
            self.forget(cells, at, backend, shape.members)
            cells[at.STALE + backend] = 1
        return server

    def look(self, cells: MutableSequence[int], shape: Shape, server: int) -> None:
        """It came, left, weighs something else, is full or is not; see Balancer."""
        at, backend = shape.at, shape.backend
        if cells[at.ROTA + server] != _IN:
            _set(cells, shape, server, 0, _NOWHERE)
            return
        weight, begun = cells[at.EWEIGHT + server], cells[at.FWRR_LENGTH + backend] > 0
        found = cells[at.FWRR_SET + server]
        mine = found >> 2 == backend and found & 3 > 0
        if not mine:
            cells[at.FWRR_REST + server] = weight << _REST_BITS
            if begun:
                _arrive(cells, shape, server, weight)
            else:
                _put_by_weight(cells, shape, server, cells[at.FWRR_CYCLE + backend])
        elif cells[at.FWRR_REST + server] >> _REST_BITS != weight:
            _reweigh(cells, shape, server, found & 3, weight)
        else:
            leaf = (at.DUE_KEY if found & 3 == _DUE else at.KEY) + server
            key = cells[leaf] & ~_HIDDEN
            if cells[leaf] != _shown(cells, shape, server, key):
                _set(cells, shape, server, found & 3, key)

    def join(self, cells: MutableSequence[int], shape: Shape, node: int) -> None:
        """The winners of a node; see Balancer."""
        at = shape.at
        tree.play(cells, shape, at.KEY, at.NODE, node)
        tree.play(cells, shape, at.DUE_KEY, at.DUE_NODE, node)

    def forget(self, cells: MutableSequence[int], at: Layout, backend: int, members: Sequence[int]) -> None:
        """The next pick begins the first cycle."""
        for column in (at.FWRR_LENGTH, at.FWRR_POS, at.FWRR_CYCLE, at.CURSOR):
            cells[column + backend] = 0
        for server in members:
            cells[at.FWRR_SET + server] = 0


def _next(cells: MutableSequence[int], shape: Shape) -> int:
    """Who is next in this cycle, or NOBODY."""
    at, backend = shape.at, shape.backend
    root = shape.root
    fresh = cells[at.NODE + root] if root >= 0 else ~root
    due = cells[at.DUE_NODE + root] if root >= 0 else ~root
    if cells[at.KEY + fresh] >> _CYCLE > cells[at.FWRR_CYCLE + backend]:  # absent is later than any cycle
        fresh = NOBODY
    key = cells[at.DUE_KEY + due]
    if key < _NOWHERE and (fresh < 0 or key >> _NPOS <= cells[at.FWRR_POS + backend]):
        return due
    return fresh


def _anybody(cells: MutableSequence[int], shape: Shape, room: Callable[[int], bool]) -> bool:
    """Has any server in rotation room?"""
    for member in shape.members:  # noqa: SIM110 - C types know no generators
        if cells[shape.at.ROTA + member] == _IN and room(member):
            return True
    return False


def _pick(cells: MutableSequence[int], shape: Shape, avoid: int, room: Callable[[int], bool]) -> int:
    """Take servers in their order until one has room - some server has - and put all back where they then belong."""
    at, backend = shape.at, shape.backend
    passed: list[int] = []
    avoided, ended = NOBODY, False
    while True:
        server = _next(cells, shape) if len(passed) < _FEW else _far(cells, shape, avoid, room)
        if server == NOBODY:
            if ended:
                server = avoided
                break
            ended = True
            cells[at.FWRR_CYCLE + backend] += 1
            cells[at.FWRR_LENGTH + backend] = cells[at.FWRR_POS + backend] = cells[at.ROTATION_WEIGHT + backend]
            continue
        _advance(cells, shape, server)
        if room(server):
            if server != avoid:
                break
            avoided = server
        _set(cells, shape, server, 0, _NOWHERE)
        passed.append(server)
    _put(cells, shape, server)
    for other in reversed(passed):
        if other == server:
            continue
        if ended:
            _put_by_weight(cells, shape, other, cells[at.FWRR_CYCLE + backend])
        else:
            _put(cells, shape, other)
    return server


def _far(cells: MutableSequence[int], shape: Shape, avoid: int, room: Callable[[int], bool]) -> int:
    """With so many passed over, only because limits are dynamic: whoever has room and would be next, by a scan."""
    due = lowest(cells, shape, avoid, room, shape.at.DUE_KEY)
    return due if due >= 0 else lowest(cells, shape, avoid, room, shape.at.KEY)


def _advance(cells: MutableSequence[int], shape: Shape, server: int) -> None:
    """A pick is over: when the server is due the next time, were it served now."""
    at, backend, weight = shape.at, shape.backend, cells[shape.at.EWEIGHT + server]
    position = cells[at.FWRR_POS + backend]
    if cells[at.FWRR_SET + server] & 3 == _DUE:
        now, carried = cells[at.FWRR_NPOS + server] or position, cells[at.FWRR_REST + server] & 0xFFFF
    else:
        now, carried = position, 0
    step, rest = divmod(cells[at.ROTATION_WEIGHT + backend], weight)
    rest += carried
    if rest >= weight:
        rest -= weight
        step += 1
    cells[at.FWRR_LPOS + server] = now
    cells[at.FWRR_NPOS + server] = now + step
    cells[at.FWRR_REST + server] = weight << _REST_BITS | rest
    cells[at.FWRR_POS + backend] = position + 1


def _arrive(cells: MutableSequence[int], shape: Shape, server: int, weight: int) -> None:
    """A server came into rotation: it is due after its share of what is left of the cycle."""
    at, backend = shape.at, shape.backend
    now = cells[at.FWRR_POS + backend]
    left = max(0, cells[at.ROTATION_WEIGHT + backend] + cells[at.FWRR_LENGTH + backend] - now)
    cells[at.FWRR_LPOS + server] = now
    cells[at.FWRR_NPOS + server] = now + left // weight
    _put(cells, shape, server)


def _reweigh(cells: MutableSequence[int], shape: Shape, server: int, found: int, weight: int) -> None:
    """It weighs something else now: a server that was picked in this cycle is due earlier or as before, never later."""
    at, backend = shape.at, shape.backend
    cells[at.FWRR_REST + server] = weight << _REST_BITS
    due = cells[at.FWRR_NPOS + server]
    if found == _WHEEL:
        cycle = cells[at.FWRR_CYCLE + backend]
        if (cells[at.KEY + server] & ~_HIDDEN) >> _CYCLE <= cycle:
            _put_by_weight(cells, shape, server, cycle)
            return
        due += cells[at.FWRR_LENGTH + backend]
    now, step = cells[at.FWRR_POS + backend], cells[at.ROTATION_WEIGHT + backend] // weight
    due = min(due, cells[at.FWRR_LPOS + server] + step)
    cells[at.FWRR_NPOS + server] = due if due >= now + 2 else now + step
    _put(cells, shape, server)


def _put(cells: MutableSequence[int], shape: Shape, server: int) -> None:
    """Into the set it belongs in by when it is due."""
    at, backend = shape.at, shape.backend
    length, due = cells[at.FWRR_LENGTH + backend], cells[at.FWRR_NPOS + server]
    if due >= 2 * length or due >= length + cells[at.ROTATION_WEIGHT + backend]:
        cells[at.FWRR_NPOS + server] = due - length
        _put_by_weight(cells, shape, server, cells[at.FWRR_CYCLE + backend] + 1)
        return
    # At the same pick the heavier goes first, to a sixteenth of a weight, as in HAProxy.
    weight, rest = cells[at.FWRR_REST + server] >> _REST_BITS, cells[at.FWRR_REST + server] & 0xFFFF
    order = due << _NPOS_ORDER | (_HEAVIEST + rest - weight) // _SCALE
    _set(cells, shape, server, _DUE, order << _NUMBERS | _count(cells, shape))


def _put_by_weight(cells: MutableSequence[int], shape: Shape, server: int, cycle: int) -> None:
    """Among those that are fresh in this cycle."""
    order = cycle << _CYCLE_ORDER | _HEAVIEST - (cells[shape.at.FWRR_REST + server] >> _REST_BITS)
    _set(cells, shape, server, _WHEEL, order << _NUMBERS | _count(cells, shape))


def _count(cells: MutableSequence[int], shape: Shape) -> int:
    place = shape.at.CURSOR + shape.backend
    number = cells[place]
    cells[place] = number + 1
    return number


def _set(cells: MutableSequence[int], shape: Shape, server: int, which: int, key: int) -> None:
    """Into one of the tournaments, with this key, and out of the other."""
    at = shape.at
    if shape.size > _FEW:
        key = _shown(cells, shape, server, key)
    fresh = key if which == _WHEEL else _NOWHERE
    due = _NOWHERE if which == _WHEEL else key
    if cells[at.KEY + server] != fresh:
        tree.put(cells, shape, at.KEY, at.NODE, server, fresh)
    if cells[at.DUE_KEY + server] != due:
        tree.put(cells, shape, at.DUE_KEY, at.DUE_NODE, server, due)
    mark = shape.backend << 2 | which
    if cells[at.FWRR_SET + server] != mark:
        cells[at.FWRR_SET + server] = mark


def _shown(cells: MutableSequence[int], shape: Shape, server: int, key: int) -> int:
    """The key, hidden where the server is full and one of many."""
    return key | _HIDDEN if shape.size > _FEW and not below_top(cells, shape.at, server) else key
