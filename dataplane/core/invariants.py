"""What must hold on every board, and a checker that names what is broken.

The numbers are those of the project's list in docs/invariants.md; the first fifteen restate what a queueing proxy must
never get wrong, the rest what this board adds. Checked here, from the cells alone, between two holds:

- I1  No server is given a slot above its limit. (A limit lowered later may leave more in use; then nothing is given.)
- I2  Totals are the sums of their parts: a server's slots in use, a backend's streams, every queue's length.
- I3  A stream owns at most one slot and at most one entry, never both; every entry belongs to one stream.
- I5  A backend with nobody in rotation has nobody waiting in its queue, once its pump is at rest.
- I7  Nobody waits while a server it may use has room, once the pump is at rest.
- I8  Queues are in order: class, then arrival plus offset, then sequence.
- I9  Nobody waits for a server that left, once the pump is at rest.
- I12 The mail of a worker holds exactly its entries that were given or refused.
- I15 Free entries are in the free list and in no queue.
- I24 An index that says it is whole says what a scan would say.

The others are about what happens over time (I4, I6, I10, I11, I13, I14) or inside a hold (I1 at the store that gives, I8
towards a newcomer); tests/exhaustive checks them at every step.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence

from dataplane.core import heap, line, pump
from dataplane.core.balance.leastconn import NUMBERS
from dataplane.core.balance.roundrobin import FEW
from dataplane.core.balance.tree import ABSENT
from dataplane.core.layout import ENTRY_STRIDE, Algorithm, Aside, Layout, Rota
from dataplane.core.limit import limit
from dataplane.core.stream import Life, Stream
from dataplane.core.weight import EWEIGHT_MAX


class Broken(AssertionError):
    """An invariant does not hold; `number` is its name in the list."""

    def __init__(self, number: str, text: str) -> None:
        super().__init__(f'{number}: {text}')
        self.number = number


def check(cells: MutableSequence[int], at: Layout) -> None:
    """Everything that follows from the cells. The caller holds the lock, and nobody died in the last hold."""
    waiting = check_entries(cells, at)
    for backend in range(at.backends):
        if cells[at.FIRST_SERVER + backend]:
            check_backend(cells, at, backend, waiting)


def check_backend(cells: MutableSequence[int], at: Layout, backend: int, waiting: dict[int, list[int]]) -> None:
    """Totals of a backend and its servers, and the pump's promise when it is at rest."""
    streams = sum(cells[at.beconn(worker, backend)] for worker in range(at.workers))
    if streams != cells[at.BETOTAL + backend]:
        raise Broken('I2', f'backend {backend} has {streams} streams, its total says {cells[at.BETOTAL + backend]}')
    queues = [at.backend_queue(backend)]
    members = chain(cells, at, backend)
    for server in members:
        used = used_slots(cells, at, server)
        if used != cells[at.TOTAL + server]:
            raise Broken('I2', f'server {server} has {used} slots in use, its total says {cells[at.TOTAL + server]}')
        queues += [2 * server, 2 * server + 1, at.forced_queue(server)]
    linked = sum(cells[at.QUEUE_LENGTH + queue] for queue in queues)
    if linked != cells[at.BEWAITING + backend]:
        raise Broken('I2', f'backend {backend} has {linked} waiting, its total says {cells[at.BEWAITING + backend]}')
    if not pump.pumping(cells, at, backend):
        check_rest(cells, at, backend, members, waiting)
    if not cells[at.STALE + backend]:
        check_index(cells, at, backend, members)


def check_rest(
    cells: MutableSequence[int], at: Layout, backend: int, members: list[int], waiting: dict[int, list[int]]
) -> None:
    """With the pump at rest nobody waits for room and nobody waits for a server that left."""
    shared = waiting.get(at.backend_queue(backend), [])
    if shared and not any(cells[at.ROTA + server] == Rota.IN for server in members):
        raise Broken('I5', f'entries {shared} wait for backend {backend}, which has nobody in rotation')
    for server in members:
        own = [
            entry for queue in (2 * server, 2 * server + 1, at.forced_queue(server)) for entry in waiting.get(queue, [])
        ]
        for entry in own:
            if not line.wish_usable(cells, at, cells[at.E_QUEUE + entry * ENTRY_STRIDE]):
                raise Broken('I9', f'entry {entry} waits for server {server}, which left')
        most = limit(cells, at, server, cells[at.BETOTAL + backend])
        may = own + (shared if cells[at.ROTA + server] == Rota.IN else [])
        if may and (most < 0 or cells[at.TOTAL + server] < most):
            raise Broken('I7', f'entries {may} wait while server {server} has room')


_WHEELED = frozenset((Algorithm.STATIC_RR, Algorithm.MAP, Algorithm.RING, Algorithm.BOUNDED, Algorithm.STICKY))
"""Whose keys say no more than who has room, and for how long: who is next stands on their wheel."""


def check_index(cells: MutableSequence[int], at: Layout, backend: int, members: list[int]) -> None:
    """Who has room as far as its own limit says is in the trees with the key it ought to have, nobody else is, and the root knows."""
    algorithm = cells[at.ALGORITHM + backend]
    keys = {server: cells[at.KEY + server] for server in members}
    best = {
        server: _key_due(cells, at, algorithm, server)
        for server in members
        if cells[at.ROTA + server] == Rota.IN and not 0 <= cells[at.LIMIT + server] <= cells[at.TOTAL + server]
    }
    if algorithm == Algorithm.RANDOM:
        root = _root(cells, at.NODE, members)
        total = keys[members[0]] if root is None else root
        if keys != {server: best.get(server, 0) for server in members} or total != sum(best.values()):
            raise Broken(
                'I24', f'backend {backend} has weights {best} to draw from, its index says {keys}, {total} in all'
            )
        return
    if algorithm == Algorithm.ROUNDROBIN:
        due = {server: cells[at.DUE_KEY + server] for server in members}
        _check_winner(cells, at.DUE_NODE, backend, due)
        many = len(members) > FEW
        shown = [server for server in members if cells[at.ROTA + server] == Rota.IN and (server in best or not many)]
        if sorted([s for s in due if due[s] < ABSENT] + [s for s in keys if keys[s] < ABSENT]) != sorted(shown):
            raise Broken('I24', f'servers {shown} of backend {backend} may be picked, its index says {keys} and {due}')
    elif {s: _load(algorithm, key) for s, key in keys.items() if key < ABSENT} != best:
        raise Broken('I24', f'backend {backend} has loads {best}, its index says {keys}')
    _check_winner(cells, at.NODE, backend, keys)
    if algorithm == Algorithm.BOUNDED:
        used = sum(cells[at.TOTAL + server] for server in members)
        if cells[at.FWRR_CYCLE + backend] != used:
            raise Broken(
                'I24', f'backend {backend} has {used} slots in use, its index says {cells[at.FWRR_CYCLE + backend]}'
            )


def _check_winner(cells: MutableSequence[int], column: int, backend: int, keys: dict[int, int]) -> None:
    root = _root(cells, column, list(keys))
    if root is not None and (root not in keys or keys[root] != min(keys.values())):
        raise Broken('I24', f'server {root} is at the root of the index of backend {backend}, with keys {keys}')


def _root(cells: MutableSequence[int], column: int, members: list[int]) -> int | None:
    """What stands at the root of a tree; the only server of a backend has none."""
    return cells[column + members[1]] if len(members) > 1 else None


def _key_due(cells: MutableSequence[int], at: Layout, algorithm: int, server: int) -> int:
    """An own reading of what each algorithm goes by; round robin's order is not checked here."""
    if algorithm == Algorithm.FIRST:
        return cells[at.SERVER_ID + server]
    if algorithm == Algorithm.RANDOM:
        return cells[at.EWEIGHT + server]
    if algorithm in _WHEELED:
        return 0
    served = cells[at.TOTAL + server]
    return (served + 1) * EWEIGHT_MAX // cells[at.EWEIGHT + server] if served else 0


def _load(algorithm: int, key: int) -> int:
    return key >> NUMBERS if algorithm == Algorithm.LEASTCONN else 0 if algorithm in _WHEELED else key


def check_entries(cells: MutableSequence[int], at: Layout) -> dict[int, list[int]]:
    """Every entry is where its state says. Returns the entries in order by queue, workers set aside left out."""
    free, posted, linked = set[int](), set[int](), set[int]()
    for entry in range(cells[at.HIGH_WATER]):
        state = cells[at.E_STATE + entry * ENTRY_STRIDE]
        (free if state == line.FREE else linked if state == line.WAITING else posted).add(entry)
    if any(cells[at.E_STATE + entry * ENTRY_STRIDE] for entry in range(cells[at.HIGH_WATER], at.entries)[:64]):
        raise Broken('I15', f'an entry above the high-water mark {cells[at.HIGH_WATER]} is in use')
    if free != set(_walk(cells, at, at.FREE_ROOT)):
        raise Broken('I15', f'free entries {sorted(free)} are not those of the free list')
    mail = [entry for worker in range(at.workers) for entry in line.mail(cells, at, worker)]
    if posted != set(mail) or len(mail) != len(posted):
        raise Broken('I12', f'given or refused entries {sorted(posted)}, but the mail holds {sorted(mail)}')
    waiting: dict[int, list[int]] = {}
    found = set()
    for queue in {cells[at.E_QUEUE + entry * ENTRY_STRIDE] for entry in linked}:
        entries = _walk(cells, at, at.QUEUE_ROOT + queue)
        if len(entries) != cells[at.QUEUE_LENGTH + queue]:
            raise Broken('I2', f'queue {queue} holds {entries}, its length says {cells[at.QUEUE_LENGTH + queue]}')
        found.update(entries)
        waiting[queue] = [e for e in entries if cells[at.ASIDE + cells[at.E_WORKER + e * ENTRY_STRIDE]] != Aside.YES]
    missing = {e for e in linked - found if not cells[at.ASIDE + cells[at.E_WORKER + e * ENTRY_STRIDE]]}
    if found - linked or missing:
        raise Broken(
            'I8', f'entries {sorted(missing)} wait in no queue, {sorted(found - linked)} are queued but do not wait'
        )
    return waiting


def check_worker(cells: MutableSequence[int], at: Layout, worker: int, streams: Iterable[Stream]) -> None:
    """What a living worker holds is what its rows and entries say (I3)."""
    held: dict[int, int] = {}
    entries: set[int] = set()
    for stream in streams:
        if stream.life in (Life.SLOT, Life.RUNNING):
            held[stream.server] = held.get(stream.server, 0) + 1
        elif stream.life is Life.WAITING:
            row = stream.entry * ENTRY_STRIDE
            if stream.entry in entries or not cells[at.E_STATE + row] or cells[at.E_WORKER + row] != worker:
                raise Broken('I3', f'{stream!r} of worker {worker} waits without an entry of its own')
            entries.add(stream.entry)
    for server in range(at.servers):
        if cells[at.served(worker, server)] != held.get(server, 0):
            said = cells[at.served(worker, server)]
            raise Broken(
                'I3', f'worker {worker} holds {held.get(server, 0)} slots of server {server}, its row says {said}'
            )


def used_slots(cells: MutableSequence[int], at: Layout, server: int) -> int:
    """Slots in use by the truth: every worker's row, and the entries given the server and not yet taken."""
    given = sum(
        cells[at.E_STATE + entry * ENTRY_STRIDE] == line.GIVEN and cells[at.E_SERVER + entry * ENTRY_STRIDE] == server
        for entry in range(cells[at.HIGH_WATER])
    )
    return given + sum(cells[at.served(worker, server)] for worker in range(at.workers))


def chain(cells: MutableSequence[int], at: Layout, backend: int) -> list[int]:
    """The servers of a backend, in configuration order."""
    members = []
    following = cells[at.FIRST_SERVER + backend]
    while following:
        members.append(following - 1)
        following = cells[at.NEXT_SERVER + following - 1]
    return members


def _walk(cells: MutableSequence[int], at: Layout, root: int) -> list[int]:
    """The entries of a heap; that each comes after its parent is checked on the way."""
    found, todo = [], [cells[root]] if cells[root] else []
    while todo:
        entry = todo.pop() - 1
        found.append(entry)
        child = cells[at.E_CHILD + entry * ENTRY_STRIDE]
        while child:
            if heap.before(cells, at, child - 1, entry):
                raise Broken('I8', f'entry {child - 1} is queued behind entry {entry}, which comes after it')
            todo.append(child)
            child = cells[at.E_NEXT + (child - 1) * ENTRY_STRIDE]
    return sorted(found, key=lambda e: (cells[at.E_KEY + e * ENTRY_STRIDE], cells[at.E_SEQ + e * ENTRY_STRIDE]))
