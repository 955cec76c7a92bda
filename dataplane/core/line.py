"""The waiting line: entries of one pool, in the queues of servers and backends, all of it in cells.

An entry is FREE, WAITING, GIVEN (a slot of E_SERVER is reserved for it) or REFUSED. Whatever else an entry says is written
before the one store of its state that makes it count, so a death between any two stores leaves either the old or the new
truth. Queues, the free list and the workers' mail (entries GIVEN or REFUSED that their worker has not yet seen) are derived.

Entries of a worker that was set aside stay WAITING but the pump takes them out of their queue when they come to its head:
nobody gives to them and nobody waits behind them, at the cost of one step each and of no scan.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from dataplane.core import heap
from dataplane.core.counters import C
from dataplane.core.layout import ENTRY_STRIDE, NOBODY, Aside, EntryState, Layout
from dataplane.core.stream import Stream

FREE, WAITING, GIVEN, REFUSED = (int(state) for state in EntryState)


def take_free(cells: MutableSequence[int], at: Layout) -> int:
    """The lowest free entry, or NOBODY when the pool is used up. Lowest first keeps every scan of the pool short."""
    top = cells[at.FREE_ROOT]
    if top:
        heap.remove(cells, at, at.FREE_ROOT, top - 1)
        return top - 1
    entry = cells[at.HIGH_WATER]
    if entry == at.entries:
        return NOBODY
    cells[at.HIGH_WATER] = entry + 1
    return entry


def free(cells: MutableSequence[int], at: Layout, entry: int) -> None:
    """Give an entry that is in no queue and in no mail back to the pool."""
    row = entry * ENTRY_STRIDE
    cells[at.E_STATE + row] = FREE
    cells[at.E_KEY + row] = cells[at.E_SEQ + row] = entry
    heap.insert(cells, at, at.FREE_ROOT, entry)


def fill(cells: MutableSequence[int], at: Layout, entry: int, worker: int, stream: Stream, queue: int) -> None:
    """Write a new waiting entry; its state last."""
    row = entry * ENTRY_STRIDE
    cells[at.E_WORKER + row] = worker
    cells[at.E_BACKEND + row] = stream.backend
    cells[at.E_WISH + row] = stream.wish
    cells[at.E_KEY + row] = stream.key
    cells[at.E_SEQ + row] = stream.seq
    cells[at.E_QUEUE + row] = queue
    cells[at.E_SERVER + row] = NOBODY
    cells[at.E_STATE + row] = WAITING


def queue_of(cells: MutableSequence[int], at: Layout, entry: int) -> int:
    """The queue a WAITING entry belongs in, as the board is now: its own server's while it may use that, else its backend's.

    Whose own a hash value is, the balancer is asked (pump.move).
    """
    row = entry * ENTRY_STRIDE
    wish = cells[at.E_WISH + row]
    backend = cells[at.E_BACKEND + row]
    return wish if wish_counts(cells, at, wish, backend) else at.backend_queue(backend)


def owner(at: Layout, queue: int) -> int:
    """The server whose own queue this is, which is what a stream with that wish may have; NOBODY for a backend's."""
    if queue < 2 * at.servers:
        return queue >> 1
    return queue - at.forced if queue >= at.forced else NOBODY


def wish_usable(cells: MutableSequence[int], at: Layout, wish: int) -> bool:
    """May a stream be sent to the one server it wishes for? A persistent one also while that drains, a forced one whatever it does."""
    if wish >= at.forced:
        return cells[at.ROTA + wish - at.forced] >= 0
    return wish >= 0 and cells[at.ROTA + (wish >> 1)] > wish & 1


def wish_counts(cells: MutableSequence[int], at: Layout, wish: int, backend: int) -> bool:
    """The same for a stream of `backend`. Who waits elsewhere does not keep the number of a server that left: it may be another's by now."""
    return wish_usable(cells, at, wish) and cells[at.BACKEND + owner(at, wish)] == backend


def usable(cells: MutableSequence[int], at: Layout, wish: int, server: int) -> bool:
    """May a stream with this wish be sent to this server? The one predicate (Rota: 2 in rotation, 1 persistent, 0 forced only)."""
    rota = cells[at.ROTA + server]
    return rota == 2 or (rota == 1 and wish == 2 * server) or (rota >= 0 and wish == at.forced + server)


def queued(cells: Sequence[int] | memoryview[int], at: Layout, server: int) -> int:
    """How many wait in the own queues of a server."""
    own = at.QUEUE_LENGTH + 2 * server
    return cells[own] + cells[own + 1] + cells[at.QUEUE_LENGTH + at.forced + server]


def enqueue(cells: MutableSequence[int], at: Layout, entry: int) -> None:
    """Put a WAITING entry in the order of the queue that its row names."""
    row = entry * ENTRY_STRIDE
    queue, backend = cells[at.E_QUEUE + row], cells[at.E_BACKEND + row]
    heap.insert(cells, at, at.QUEUE_ROOT + queue, entry)
    cells[at.E_LINKED + row] = 1
    length = cells[at.QUEUE_LENGTH + queue] + 1
    cells[at.QUEUE_LENGTH + queue] = length
    cells[at.BEWAITING + backend] += 1
    server = owner(at, queue)
    if server >= 0:
        longest = at.server_counters(at.departed, server) + C.QMAX
    else:
        longest = at.backend_counters(at.departed, backend) + C.QMAX
    if length > cells[longest]:
        cells[longest] = length


def dequeue(cells: MutableSequence[int], at: Layout, entry: int) -> None:
    """Take a WAITING entry out of its queue, if it is in one (see the module's text)."""
    row = entry * ENTRY_STRIDE
    if not cells[at.E_LINKED + row]:
        return
    queue = cells[at.E_QUEUE + row]
    heap.remove(cells, at, at.QUEUE_ROOT + queue, entry)
    cells[at.E_LINKED + row] = 0
    cells[at.QUEUE_LENGTH + queue] -= 1
    cells[at.BEWAITING + cells[at.E_BACKEND + row]] -= 1


def head(cells: MutableSequence[int], at: Layout, queue: int) -> int:
    """The entry whose turn it is, or NOBODY. Its worker may be aside: the pump passes over those before it decides."""
    return cells[at.QUEUE_ROOT + queue] - 1


def pass_over(cells: MutableSequence[int], at: Layout, queue: int) -> bool:
    """Take the head out of the order if its worker is aside. Returns whether it was."""
    top = cells[at.QUEUE_ROOT + queue]
    if not top or cells[at.ASIDE + cells[at.E_WORKER + (top - 1) * ENTRY_STRIDE]] != Aside.YES:
        return False
    dequeue(cells, at, top - 1)
    return True


def post(cells: MutableSequence[int], at: Layout, entry: int) -> None:
    """Append a GIVEN or REFUSED entry to its worker's mail."""
    row = entry * ENTRY_STRIDE
    worker = cells[at.E_WORKER + row]
    last = cells[at.MAIL_TAIL + worker]
    cells[at.E_NEXT + row] = 0
    cells[at.E_PREV + row] = last
    if last:
        cells[at.E_NEXT + (last - 1) * ENTRY_STRIDE] = entry + 1
    else:
        cells[at.MAIL_HEAD + worker] = entry + 1
    cells[at.MAIL_TAIL + worker] = entry + 1


def unpost(cells: MutableSequence[int], at: Layout, entry: int) -> None:
    """Take an entry out of its worker's mail."""
    row = entry * ENTRY_STRIDE
    worker, following, previous = cells[at.E_WORKER + row], cells[at.E_NEXT + row], cells[at.E_PREV + row]
    if previous:
        cells[at.E_NEXT + (previous - 1) * ENTRY_STRIDE] = following
    else:
        cells[at.MAIL_HEAD + worker] = following
    if following:
        cells[at.E_PREV + (following - 1) * ENTRY_STRIDE] = previous
    else:
        cells[at.MAIL_TAIL + worker] = previous


def mail(cells: MutableSequence[int], at: Layout, worker: int) -> list[int]:
    """The entries in a worker's mail, oldest first."""
    found = []
    following = cells[at.MAIL_HEAD + worker]
    while following:
        found.append(following - 1)
        following = cells[at.E_NEXT + (following - 1) * ENTRY_STRIDE]
    return found
