"""Repair: what the next owner does after a holder's death, and what the supervisor does about workers that stopped or died.

Two kinds of facts, two ways (design 2, rules 2 and 9). What is *derived* is rebuilt by whoever gets the lock next, from rows
and entries alone; which pumping was under way cannot be known, so everything is listed. What a dead worker *owned* is
cleared by the supervisor alone, and only once the pidfd says the process is gone: until then its sockets may be open, and
a slot freed early would let two requests into a server that takes one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, MutableSequence

from dataplane.core import heap, line, pump
from dataplane.core.cells import copy
from dataplane.core.index import Index, chain, forget
from dataplane.core.layout import ENTRY_STRIDE, Aside, Layout


def rebuild(cells: MutableSequence[int], at: Layout, beat: Callable[[], None] | None = None) -> None:
    """Everything derived, anew. `beat` is called between backends so that a long rebuild is not taken for a stopped worker."""
    high = _high_water(cells, at)
    cells[at.HIGH_WATER] = high
    for first, count in ((at.MAIL_HEAD, at.workers), (at.MAIL_TAIL, at.workers), (at.QUEUE_ROOT, at.queues)):
        _clear_run(cells, first, count)
    _clear_run(cells, at.QUEUE_LENGTH, at.queues)
    cells[at.FREE_ROOT] = 0
    backends = range(cells[at.BACKENDS])
    for backend in backends:
        if cells[at.FIRST_SERVER + backend]:
            _rebuild_backend(cells, at, backend)
            if beat:
                beat()
    sequence = _rebuild_entries(cells, at, high)
    cells[at.SEQUENCE] = max(cells[at.SEQUENCE], sequence)
    for backend in backends:
        pump.list_all(cells, at, backend)


def _rebuild_backend(cells: MutableSequence[int], at: Layout, backend: int) -> None:
    members, rows = chain(cells, at, backend), at.rows(cells)
    for server in members:
        total = 0
        for worker in range(rows):
            total += cells[at.served(worker, server)]
        cells[at.TOTAL + server] = total
        cells[at.MOVE_NEXT + server] = cells[at.GIVE_NEXT + server] = 0
    total = 0
    for worker in range(rows):
        total += cells[at.beconn(worker, backend)]
    cells[at.BETOTAL + backend] = total
    cells[at.BEWAITING + backend] = 0
    cells[at.MOVE_HEAD + backend] = cells[at.MOVE_TAIL + backend] = 0
    cells[at.GIVE_HEAD + backend] = cells[at.GIVE_TAIL + backend] = 0
    cells[at.RECHECK + backend] = cells[at.MOVE_SWEEP + backend] = cells[at.GIVE_SWEEP + backend] = 0
    forget(cells, at, backend)


def _high_water(cells: MutableSequence[int], at: Layout) -> int:
    """One more than the highest entry in use. The old mark bounds the scan; it is raised before an entry above it is filled."""
    high = cells[at.HIGH_WATER]
    while high and cells[at.E_STATE + (high - 1) * ENTRY_STRIDE] == line.FREE:
        high -= 1
    return high


def _rebuild_entries(cells: MutableSequence[int], at: Layout, high: int) -> int:
    """Queues, mail and the free list. Returns the highest sequence alive + 1."""
    sequence, posted = 0, []
    for entry in range(high):
        row = entry * ENTRY_STRIDE
        state = cells[at.E_STATE + row]
        cells[at.E_LINKED + row] = 0
        if state == line.FREE:
            cells[at.E_KEY + row] = cells[at.E_SEQ + row] = entry
            heap.insert(cells, at, at.FREE_ROOT, entry)
            continue
        sequence = max(sequence, cells[at.E_SEQ + row] + 1)
        if state == line.WAITING:
            if cells[at.ASIDE + cells[at.E_WORKER + row]] != Aside.YES:
                line.enqueue(cells, at, entry)
            continue
        posted.append((cells[at.E_KEY + row], cells[at.E_SEQ + row], entry))
        if state == line.GIVEN:
            cells[at.TOTAL + cells[at.E_SERVER + row]] += 1
    for _, _, entry in sorted(posted):
        line.post(cells, at, entry)
    return sequence


def take_back(cells: MutableSequence[int], at: Layout, entry: int, index: Index) -> None:
    """A slot given and not taken returns to its server; the entry waits again with its old key, and is moved if it must be."""
    row = entry * ENTRY_STRIDE
    server = cells[at.E_SERVER + row]
    line.unpost(cells, at, entry)
    cells[at.E_STATE + row] = line.WAITING
    if cells[at.ASIDE + cells[at.E_WORKER + row]] != Aside.YES:
        line.enqueue(cells, at, entry)
        pump.list_entry(cells, at, entry)
    index.give_back(cells, server)
    pump.list_server(cells, at, server)


def set_aside(cells: MutableSequence[int], at: Layout, worker: int, index: Index) -> None:
    """The worker's heartbeat is stale: what it was given goes back, and its waiters are passed over from now on."""
    cells[at.ASIDE + worker] = Aside.YES
    for entry in line.mail(cells, at, worker):
        if cells[at.E_STATE + entry * ENTRY_STRIDE] == line.GIVEN:
            take_back(cells, at, entry, index)


def back(cells: MutableSequence[int], at: Layout, worker: int, budget: int) -> None:
    """One slice of the worker's return: `budget` of its waiters are in the order again, with their old keys.

    Each is looked at as if it had just come. Those not yet put back are still in no order, as while the worker was aside;
    BACK_AT is the entry the next slice begins with. Looking at an entry that is not the worker's is a tenth of the work.
    """
    if cells[at.ASIDE + worker] == Aside.YES:
        cells[at.BACK_AT + worker] = 0
        cells[at.ASIDE + worker] = Aside.RETURNING
    looks = 10 * budget
    for entry in range(cells[at.BACK_AT + worker], cells[at.HIGH_WATER]):
        if not budget or not looks:
            cells[at.BACK_AT + worker] = entry
            return
        looks -= 1
        row = entry * ENTRY_STRIDE
        if (
            cells[at.E_STATE + row] == line.WAITING
            and cells[at.E_WORKER + row] == worker
            and not cells[at.E_LINKED + row]
        ):
            line.enqueue(cells, at, entry)
            pump.list_entry(cells, at, entry)
            budget -= 1
    cells[at.ASIDE + worker] = Aside.NO


def clear(cells: MutableSequence[int], at: Layout, worker: int, budget: int) -> bool:
    """One slice of clearing what a dead worker owned: its rows at once, its entries `budget` at a time. Returns whether done.

    The worker stays aside until the last slice, so nothing is given to it meanwhile; each slice ends with a rebuild, which
    lists every server, because any of them may have had its slots.
    """
    cells[at.ASIDE + worker] = Aside.YES
    for first, count in (
        (at.served(worker, 0), at.servers),
        (at.idle(worker, 0), at.servers),
        (at.beconn(worker, 0), at.backends),
    ):
        _clear_run(cells, first, count)
    left = budget
    for entry in range(cells[at.HIGH_WATER]):
        row = entry * ENTRY_STRIDE
        if cells[at.E_STATE + row] == line.FREE or cells[at.E_WORKER + row] != worker:
            continue
        if not left:
            break
        cells[at.E_STATE + row] = line.FREE
        left -= 1
    else:
        cells[at.ASIDE + worker] = Aside.NO
    rebuild(cells, at)
    return not cells[at.ASIDE + worker]


def _clear_run(cells: MutableSequence[int], first: int, count: int) -> None:
    copy(cells, first, array('q', bytes(8 * count)))
