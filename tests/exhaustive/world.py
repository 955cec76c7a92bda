"""Small worlds around the real core: what is fixed in one exploration, and one state of it.

A state is the board's cells (the real ones, laid out by the real layout), the streams every worker holds, and what the
surroundings did: who is dead, stopped, rung. Only `dataplane.core` decides; nothing here repeats its rules.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dataplane.core import line, pump
from dataplane.core.commit import Commit, Image
from dataplane.core.layout import ANY, ENTRY_STRIDE, UNLIMITED, Algorithm, Aside, Layout, Rota
from dataplane.core.plane import Plane
from dataplane.core.stream import Life, Stream, hashed
from tests.exhaustive.wheel import EWEIGHT, SLOTS, wheel

DEAD, CLEARED, UP = range(3)
GIVEN = line.GIVEN


class Wish(NamedTuple):
    """One stream of a world: its worker, the one server it wants, whether also while that drains, or whatever it does (forced),
    whether urgent, its hash value.
    """

    worker: int
    own: int | None = None
    persistent: bool = False
    urgent: bool = False
    value: int | None = None
    forced: bool = False

    def make(self, at: Layout) -> Stream:
        """The stream as the core gets it."""
        wish = ANY if self.own is None else 2 * self.own + (not self.persistent)
        if self.value is not None:
            wish = hashed(self.value)
        if self.own is not None and self.forced:
            wish = at.forced_queue(self.own)
        return Stream(0, wish, -1 if self.urgent else 0)


@dataclass(frozen=True)
class World:
    """The layout, what may happen and how often. `changes`: (kind, server, value); `maxqueue` 0: not limited; `hires`: of the workers,
    the last ones, which come and go.
    """

    workers: int
    limits: tuple[int, ...]
    streams: tuple[Wish, ...]
    changes: tuple[tuple[str, int, int], ...] = ()
    kills: int = 0
    cancels: int = 0
    spurious: int = 0
    stops: int = 0
    budget: int = 1
    pool: int = 0
    slice: int = 100
    algorithm: Algorithm = Algorithm.FIRST
    minlimits: tuple[int, ...] = ()
    fullconn: int = 1
    maxqueue: int = 0
    backups: tuple[int, ...] = ()
    factor: int = 0
    affinity: int = 0
    hires: int = 0
    at: Layout = field(init=False, compare=False)
    streams_of: list[list[int]] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        pool = self.pool or len(self.streams)
        layout = Layout(
            workers=self.workers, servers=len(self.limits), backends=1, frontends=1, entries=pool, wheels=SLOTS
        )
        object.__setattr__(self, 'at', layout)
        of = [[i for i, wish in enumerate(self.streams) if wish.worker == v] for v in range(self.workers)]
        object.__setattr__(self, 'streams_of', [*of, []])

    def board(self) -> Recorded:
        """The cells as a ledger would have committed them: every server ready, or a backup that is not elected."""
        at, cells = self.at, Recorded([0] * self.at.size)
        count = len(self.limits)
        cells[at.ROWS] = self.workers - self.hires
        cells[at.FIRST_SERVER] = cells[at.STALE] = cells[at.BACKENDS] = 1
        cells[at.ALGORITHM] = self.algorithm
        cells[at.FULLCONN] = self.fullconn
        for server in range(count):
            cells[at.NEXT_SERVER + server] = server + 2 if server + 1 < count else 0
            cells[at.SERVER_ID + server] = server + 1
            cells[at.LIMIT + server] = self.limits[server]
            cells[at.MINLIMIT + server] = self.minlimits[server] if self.minlimits else self.limits[server]
            cells[at.UWEIGHT + server] = 1
            cells[at.EWEIGHT + server] = EWEIGHT
            cells[at.MAXQUEUE + server] = self.maxqueue
            cells[at.ROTA + server] = Rota.PERSISTENT if server in self.backups else Rota.IN
        cells[at.DYNAMIC_LIMITS] = int(bool(self.minlimits) and self.minlimits != self.limits)
        cells[at.IN_ROTATION] = rotating = count - len(self.backups)
        cells[at.BALANCE_FACTOR], cells[at.AFFINITY], cells[at.ELECTED] = self.factor, self.affinity, 1
        for image in wheel(
            at,
            self.algorithm,
            [server not in self.backups for server in range(count)],
            cells[at.EWEIGHT : at.EWEIGHT + count],
        ):
            for place, value in enumerate(image.values):
                cells[image.start + place] = value
        cells[at.DRAWS], cells[at.ROTATION_MAXW], cells[at.ROTATION_WEIGHT] = 2, EWEIGHT, EWEIGHT * rotating
        return cells


class Recorded(list[int]):
    """Cells that note each store while `log` is a list, so that a death can keep any prefix of a hold's stores."""

    log: list[tuple[int, int]] | None = None

    def __setitem__(self, where: Any, value: Any) -> None:
        """Store, and note it unless it changes nothing (a prefix with it is then the prefix without it)."""
        if self.log is not None and not isinstance(where, slice) and self[where] != value:
            self.log.append((where, value))
        list.__setitem__(self, where, value)


class State:
    """One state of a world."""

    __slots__ = (
        'acked',
        'alive',
        'bell',
        'cells',
        'change',
        'left',
        'lost',
        'stopped',
        'streams',
        'tables',
        'torn',
        'w',
    )

    def __init__(self, world: World) -> None:
        self.w = world
        self.cells = world.board()
        self.streams = [wish.make(world.at) for wish in world.streams]
        self.lost: list[int | None] = [None] * len(world.streams)
        self.alive, self.stopped = [UP] * (world.workers - world.hires) + [CLEARED] * world.hires, [0] * world.workers
        self.bell, self.acked = [0] * world.workers, [0] * world.workers
        self.tables = [0] * world.workers
        self.change, self.torn = 0, False
        self.left = [world.kills, world.cancels, world.spurious, world.stops]

    def clone(self, worker: int = -1) -> State:
        """A copy; the streams of `worker` may be changed in it, the others are shared."""
        n = object.__new__(State)
        n.w, n.change, n.torn = self.w, self.change, self.torn
        n.cells, n.lost, n.streams = Recorded(self.cells), self.lost[:], self.streams[:]
        for i in self.w.streams_of[worker]:
            n.streams[i] = copy(self.streams[i])
        n.alive, n.stopped, n.tables = self.alive[:], self.stopped[:], self.tables[:]
        n.bell, n.acked, n.left = self.bell[:], self.acked[:], self.left[:]
        return n

    def key(self) -> bytes:
        """Equal for states that behave alike.

        What a stream left behind does not matter, nor which of the pool's entries somebody has, nor how large a sequence
        is, only which is larger; of the derived cells only the pump's lists and the balancer's cursor matter.
        """
        at, cells = self.w.at, self.cells
        revision, tables = cells[at.REVISION], cells[at.TABLES]
        out = cells[at.SERVED : at.SERVED + at.workers * at.servers] + cells[at.BECONN : at.BECONN + at.workers]
        out += cells[at.ASIDE : at.ASIDE + at.workers]
        out += [cells[at.BACK_AT + v] if cells[at.ASIDE + v] == Aside.RETURNING else 0 for v in range(at.workers)]
        out.append(cells[at.ROWS])
        out += self.alive + self.stopped + self.bell + self.left
        out += [acked == revision for acked in self.acked] + [mine == tables for mine in self.tables]
        out += (self.change, self.torn)
        entries = [row for row in range(0, at.entries * ENTRY_STRIDE, ENTRY_STRIDE) if cells[at.E_STATE + row]]
        seqs = {stream.seq for stream in self.streams if stream.life in (Life.SLOT, Life.RUNNING)}
        seqs.update([cells[at.E_SEQ + row] for row in entries])
        rank = {seq: n for n, seq in enumerate(sorted(seqs))}
        for row in sorted(entries, key=lambda row: cells[at.E_SEQ + row]):
            out += cells[at.E_STATE + row : at.E_KEY + row]
            out += (cells[at.E_KEY + row] >> 48, rank[cells[at.E_SEQ + row]], cells[at.E_QUEUE + row])
            out.append(cells[at.E_SERVER + row] if cells[at.E_STATE + row] == GIVEN else -1)
            out.append(0 if self.torn else cells[at.E_LINKED + row])
        for stream, lost in zip(self.streams, self.lost, strict=True):
            out.append(stream.life)
            if stream.life is Life.WAITING:
                out += (rank[cells[at.E_SEQ + stream.entry * ENTRY_STRIDE]], stream.wish, stream.tables == tables)
            elif stream.life is not Life.ENDED and stream.life is not Life.NEW:
                current = stream.generation == cells[at.GENERATION + stream.server]
                out += (rank[stream.seq], stream.server, stream.wish, current)
            if lost is not None:
                out.append(100 + lost)
        if not self.torn:
            out += self.listed()
            for worker in range(at.workers):
                out.append(88)
                out += [rank[cells[at.E_SEQ + entry * ENTRY_STRIDE]] for entry in line.mail(cells, at, worker)]
        return bytes([v & 255 for v in out])

    def listed(self) -> list[int]:
        """The pump's lists in order, its sweeps, and the balancer's cursor."""
        at, cells, out = self.w.at, self.cells, []
        for head, column in ((at.MOVE_HEAD, at.MOVE_NEXT), (at.GIVE_HEAD, at.GIVE_NEXT)):
            server = cells[head] - 1
            while server >= 0:
                out.append(server)
                server = cells[column + server] - 2
            out.append(99)
        out += [
            cells[column] for column in (at.MOVE_SWEEP, at.MOVE_END, at.GIVE_SWEEP, at.GIVE_END, at.RECHECK, at.STALE)
        ]
        # of the order among equals, which only history knows, the ranks matter
        if self.w.algorithm is Algorithm.LEASTCONN and not cells[at.STALE]:
            out += sorted(range(at.servers), key=lambda server: cells[at.KEY + server])
        if cells[at.WHEEL_SIZE] and not cells[at.STALE]:
            out += sorted(range(at.servers), key=lambda server: cells[at.KEY + server])
            out.append(cells[at.FWRR_POS] % cells[at.WHEEL_SIZE])
        return out

    def of(self, worker: int) -> Iterator[tuple[int, Stream]]:
        """The streams of a worker, with their numbers."""
        for i in self.w.streams_of[worker]:
            yield i, self.streams[i]

    def waiting(self, worker: int) -> dict[int, Stream]:
        """What a worker knows of its own entries."""
        return {stream.entry: stream for _, stream in self.of(worker) if stream.life is Life.WAITING}

    def pumping(self) -> bool:
        """Is something left to pump? With a torn board nobody knows before the rebuild, which lists everything."""
        return not self.torn and pump.pumping(self.cells, self.w.at, 0)

    def die(self, worker: int) -> None:
        """SIGKILL. Slots stay taken and sockets open until the supervisor clears the rows."""
        self.left[0] -= 1
        self.alive[worker], self.bell[worker], self.stopped[worker] = DEAD, 0, 0
        for i, stream in self.of(worker):
            if stream.life in (Life.SLOT, Life.RUNNING):
                self.lost[i] = stream.server
            if stream.life is not Life.NEW:
                stream.life, stream.entry, stream.counted = Life.ENDED, -1, False

    def change_now(self) -> Commit:
        """The next change of the world, as a ledger would make it into images."""
        at, cells = self.w.at, self.cells
        kind, server, value = self.w.changes[self.change]
        self.change += 1
        if kind == 'tables':
            return Commit(self.change, self.change, (), (), (0,))
        if kind == 'limit':
            images = self.limited(server, value)
        elif kind == 'share':
            images = [*self.limited(server, value), *self.rotated(server, Rota.IN if value else Rota.OUT)]
        elif kind == 'weigh':
            images = self.weighed(server, value)
            value = 0
        elif kind == 'shutdown':
            images = [Image(at.GENERATION + server, array('q', [cells[at.GENERATION + server] + 1]))]
        else:
            images = self.rotated(server, _ROTAS[kind])
        listed = (server, *self.w.backups)
        return Commit(
            self.change,
            cells[at.TABLES],
            tuple(images),
            listed if value != SWEEP else (),
            (0,) if value == SWEEP else (),
        )

    def limited(self, server: int, limit: int) -> list[Image]:
        """The cells of another limit of a server."""
        at = self.w.at
        return [Image(column + server, array('q', [limit])) for column in (at.LIMIT, at.MINLIMIT)]

    def rotated(self, server: int, rota: Rota) -> list[Image]:
        """The cells of another place of a server in the rotation, backups elected."""
        at, cells = self.w.at, self.cells
        rotas = cells[at.ROTA : at.ROTA + at.servers]
        rotas[server] = rota
        active = sum(r == Rota.IN for s, r in enumerate(rotas) if s not in self.w.backups)
        for backup in self.w.backups[:1]:
            rotas[backup] = Rota.PERSISTENT if active else Rota.IN
        serving = [r == Rota.IN for r in rotas]
        return [
            *wheel(self.w.at, self.w.algorithm, serving, cells[at.EWEIGHT : at.EWEIGHT + at.servers]),
            Image(at.ROTA, array('q', rotas)),
            Image(at.IN_ROTATION, array('q', [sum(r == Rota.IN for r in rotas)])),
            Image(at.ROTATION_WEIGHT, array('q', [EWEIGHT * sum(r == Rota.IN for r in rotas)])),
        ]

    def weighed(self, server: int, weight: int) -> list[Image]:
        """The cells of another weight of a server, in units, all in rotation."""
        at, cells = self.w.at, self.cells
        weights = cells[at.EWEIGHT : at.EWEIGHT + at.servers]
        weights[server] = EWEIGHT * weight
        return [
            *wheel(self.w.at, self.w.algorithm, [cells[at.ROTA + s] == Rota.IN for s in range(at.servers)], weights),
            Image(at.EWEIGHT, array('q', weights)),
            Image(at.ROTATION_WEIGHT, array('q', [sum(weights)])),
        ]


_ROTAS = {'remove': Rota.GONE, 'disable': Rota.OUT, 'drain': Rota.PERSISTENT, 'enable': Rota.IN}
SWEEP = 77
"""As the value of a change: it is committed as one that touches so many servers that all of the backend are swept."""


def copy(stream: Stream) -> Stream:
    """An independent stream with the same holdings."""
    n = Stream(stream.backend, stream.wish, stream.klass)
    n.life, n.entry, n.server, n.key, n.seq = stream.life, stream.entry, stream.server, stream.key, stream.seq
    n.generation, n.counted, n.avoid, n.tables = stream.generation, stream.counted, stream.avoid, stream.tables
    return n


def planes(world: World, kind: Callable[..., Plane] = Plane) -> list[Plane]:
    """One plane per worker and, last (index -1), the supervisor's."""
    cells = world.board()
    return [kind(cells, world.at, worker, lambda: 0) for worker in [*range(world.workers), -1]]


A, B, C = Wish(0), Wish(1), Wish(2)
KA, KB = Wish(0, 0, True), Wish(1, 0, True)
HA, HB = Wish(0, 0), Wish(1, 0)
FA, FB = Wish(0, 0, forced=True), Wish(1, 0, forced=True)
V0, V1 = Wish(0, value=0), Wish(1, value=1)
W0, W1, V5, W5 = Wish(0, value=1), Wish(1, value=0), Wish(0, value=5), Wish(1, value=5)
GONE = ('remove', 0, 0)
OFF, KILL, ON = ('disable', 0, 0), ('shutdown', 0, 0), ('enable', 0, 0)
DRAINED, OFF1, ON1, TWO, ONE = ('drain', 0, 0), ('disable', 1, 0), ('enable', 1, 0), ('limit', 0, 2), ('limit', 0, 1)
NONE_HERE, SOME_HERE = ('share', 0, 0), ('share', 0, 1)
ALL_OFF, ALL_ON, HEAVY = ('disable', 0, SWEEP), ('enable', 0, SWEEP), ('weigh', 0, 2)

WORLDS: dict[str, World] = {
    'plain': World(2, (1,), (A, A, B), cancels=1, spurious=1),
    'order': World(3, (2,), (A, A, B, B, C)),
    'three': World(3, (1, 1), (A, B, C, KB), cancels=1),
    'urgent': World(2, (1,), (A, B, Wish(1, urgent=True), Wish(0, urgent=True)), cancels=1),
    'disable': World(2, (1, 1), (A, KB, B), (OFF,), cancels=1),
    'flip': World(2, (1,), (A, B, B), (OFF, KILL, ON)),
    'limit': World(2, (1,), (A, A, B), (TWO, ONE), cancels=1),
    'zero': World(2, (1,), (A, B, B), (('limit', 0, 0), ('limit', 0, UNLIMITED)), cancels=1),
    # slots of a limit over all data planes: none here (out of rotation), some are due (a limit of 0), some
    'share': World(2, (1, 1), (A, KB, B), (NONE_HERE, SOME_HERE)),
    'share-due': World(2, (1,), (A, B, B), (NONE_HERE, ('limit', 0, 0), SOME_HERE), cancels=1),
    'share-kill': World(2, (1,), (A, KB), (NONE_HERE, SOME_HERE), kills=1),
    'drain': World(2, (1, 1), (A, KB, HA, B), (DRAINED,)),
    'farm': World(2, (1, 1), (A, KB, B), (OFF, OFF1, ON)),
    'pump': World(2, (1, 1), (KA, KB, KA, B), (OFF,)),
    'pump-up': World(2, (1,), (A, B, B, A), (('limit', 0, UNLIMITED),)),
    'moved': World(1, (1, 1), (A, A, KA, A), (OFF,)),  # one that is moved is older than one that was there before it
    'pool': World(2, (1,), (A, B, B), (OFF,), cancels=1, pool=1),
    'kill': World(2, (1,), (A, B, B), kills=1),
    'kill-two': World(2, (1, 1), (A, KA, B, B), kills=1),
    'kills': World(3, (1,), (A, B, C, C), kills=2),
    'kill-max': World(2, (1,), (A, B, B), (TWO, ONE), kills=1),
    'kill-off': World(2, (1, 1), (KA, KB, KB), (OFF,), kills=1),
    'kill-end': World(3, (1, 1), (A, B, C), (KILL,), kills=1),
    'kill-dry': World(2, (1, 1), (A, KB, HB), (DRAINED, ON), kills=1),
    'storm': World(2, (1,), (A, B, B), (OFF, KILL, ON), kills=1),
    'stop': World(2, (1,), (A, B, A), cancels=1, stops=1),
    'stops': World(2, (1, 1), (A, KB, B, A), stops=2),
    'stop-off': World(2, (1, 1), (KA, KB, B), (OFF,), stops=1),
    'stop-on': World(2, (1,), (A, B), (OFF, ON), stops=1),
    'stop-die': World(2, (1,), (A, B, A), (OFF,), kills=1, stops=1),
    # beyond the shared model: sweeps, hashed and persistent waiters side by side, backups, dynamic limits, full queues
    'sweep': World(2, (1, 1), (KA, HB, B), (ALL_OFF, ALL_ON), slice=1),
    'sweep-kill': World(2, (1, 1), (KA, HB, B), (ALL_OFF,), kills=1),
    'hash': World(2, (1, 1), (HA, KB, HB), (DRAINED, OFF)),
    'backup': World(2, (1, 1), (A, B, B, KA), (OFF, ON), backups=(1,)),
    'backup-kill': World(2, (1, 1), (A, B, B), (OFF,), kills=1, backups=(1,)),
    'dynamic': World(2, (2,), (A, B, B, A), minlimits=(1,), fullconn=3, cancels=1),
    'queue-full': World(2, (1, 1), (KA, KB, KB, HA), maxqueue=1, cancels=1),
    'return': World(2, (1,), (A, B, B, B), stops=1, cancels=1),
    'return-slice': World(1, (1,), (A, A, A), stops=1),  # two waiters of a worker that goes on
    'return-own': World(2, (1, 1), (KA, KB, KB, HB), stops=1),
    'return-die': World(2, (1,), (A, B, B), kills=1, stops=1),
    'tables': World(2, (1,), (A, B, B), (('tables', 0, 0), OFF), slice=1),
    'tables-kill': World(2, (1,), (A, B), (('tables', 0, 0),), kills=1),
    'long': World(1, (1,), (A,) * 6, cancels=2),  # a heap whose entries have brothers
    'sweep-one': World(2, (1, 1), (A, B, B), (('disable', 1, SWEEP),), slice=1),
    'least-kill': World(2, (1, 2), (A, B, B), kills=1, slice=1, algorithm=Algorithm.LEASTCONN),
    # tied by a hash value: to a slot of a map, to the nearest point of a ring, to the elected one; servers leave and come back
    # and weigh more while streams wait for them, and those without a key go round the same wheel
    'map-off': World(1, (1, 1), (V0, V0, V0), (OFF, ON), algorithm=Algorithm.MAP),
    'map': World(2, (1, 1), (V0, V1, W1, B), (OFF, ON), algorithm=Algorithm.MAP),
    'map-both': World(2, (1, 1), (V0, W1, V1), (OFF, OFF1, ON), cancels=1, algorithm=Algorithm.MAP),
    'map-weigh': World(2, (1, 1), (V0, V1, W1, W0), (HEAVY, OFF), algorithm=Algorithm.MAP),
    'map-kill': World(2, (1, 1), (V0, W1, V1), (OFF,), kills=1, algorithm=Algorithm.MAP),
    'map-stop': World(2, (1, 1), (V0, W1, V1), (OFF,), stops=1, algorithm=Algorithm.MAP),
    'map-drain': World(2, (1, 1), (V0, KB, W1, A), (DRAINED, ON), algorithm=Algorithm.MAP),
    'map-full': World(2, (1, 1), (V0, W1, W1, V0), (OFF,), maxqueue=1, algorithm=Algorithm.MAP),
    'map-sweep': World(2, (1, 1), (V0, W1, B), (ALL_OFF, ALL_ON), slice=1, algorithm=Algorithm.MAP),
    'ring': World(2, (1, 1), (V0, V1, W1, B), (OFF, ON), algorithm=Algorithm.RING),
    'ring-weigh': World(2, (1, 1), (V5, V1, W5), (HEAVY, OFF, ON), algorithm=Algorithm.RING),
    'ring-kill': World(2, (1, 1), (V0, W1, B), (OFF,), kills=1, algorithm=Algorithm.RING),
    'ring-room': World(2, (1, 1), (V0, V1, W1, W0), (OFF,), affinity=1, algorithm=Algorithm.RING),
    'ring-queue': World(2, (1, 1), (V0, W1, W1, V0), (OFF,), maxqueue=1, affinity=2, algorithm=Algorithm.RING),
    'ring-bound': World(2, (2, 2), (V0, W1, V0, W1), (OFF,), factor=125, slice=1, algorithm=Algorithm.BOUNDED),
    'bound-kill': World(2, (1, 2), (V0, W1, B), kills=1, factor=125, slice=1, algorithm=Algorithm.BOUNDED),
    'sticky': World(2, (1, 1), (V0, V1, W1), (OFF, ON), algorithm=Algorithm.STICKY),
    # forced on a server that is in maintenance or down: they wait there, and leave when it is removed
    'forced': World(2, (1, 1), (FA, FB, KB, A), (OFF, ON)),
    'forced-gone': World(2, (1, 1), (FA, FB, B), (OFF, GONE)),
    'forced-kill': World(2, (1,), (FA, FB, B), (OFF,), kills=1),
    'forced-stop': World(2, (1, 1), (FA, FB, HB), (OFF,), stops=1),
    'forced-full': World(2, (1, 1), (FA, FB, FB, KA), (OFF,), maxqueue=1, cancels=1),
    'random': World(2, (1, 1), (A, B, B), (OFF, ON), algorithm=Algorithm.RANDOM),
    'least': World(2, (1, 2), (A, B, B, A), (OFF,), cancels=1, algorithm=Algorithm.LEASTCONN),
    # a second worker comes and goes as a reload wants it to, its row in use only then
    'hire': World(2, (1,), (A, B, B), kills=1, hires=1),
    'hire-off': World(2, (1, 1), (A, KB, B), (OFF, ON), hires=1),
}
