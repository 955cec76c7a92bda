"""Where every fact of the board lives: a table of int64 cells, laid out as columns.

A column is one contiguous run with a cell per server (or backend, worker, ...), so that a commit of a thousand servers is
a few slice copies. The layout is made once for the maximum a data plane may grow to; untouched pages of the sparse
mapping cost nothing. Attributes written in capitals are the first cell of their column: `cells[layout.LIMIT + s]`.

Who writes what is the first rule of the board. Each column says it in one of four words:

- commit: the supervisor, inside the hold that commits a revision; nobody else.
- own: the worker whose row it is, alone. `SERVED` inside holds; `IDLE`, `HEARTBEAT` and the
  counters without the lock (one aligned 8-byte store each).
- entry: the truth of the waiting line; `STATE` is always the store that makes the rest count.
- derived: whoever holds the lock; can be rebuilt from the others and is rebuilt after a holder's death.

A reference from one cell to a server or an entry (`FIRST_SERVER`, `NEXT_SERVER`, list heads, heap links, ...) holds its
index + 1, so that 0, what a fresh mapping is filled with, means none. In the pump lists' `*_NEXT` columns 0 means not
listed, 1 the last one listed, index + 2 who comes next.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from dataplane.core.counters import COUNTERS


class Rota(IntEnum):
    """May a server be sent traffic? One cell answers for admin state, operational state, weight and backup election.

    OUT: only streams that are forced on it (`force-persist`, `option persist`). GONE: it is in no table any more, or its backend
    is disabled, or the control plane's word about it is too old: nobody.
    """

    GONE = -1
    OUT = 0
    PERSISTENT = 1
    IN = 2


class EntryState(IntEnum):
    """State of an entry of the waiting line."""

    FREE = 0
    WAITING = 1
    GIVEN = 2
    REFUSED = 3


class Aside(IntEnum):
    """A worker's mark: set by the supervisor when it stands still, taken away in slices by the worker when it goes on."""

    NO = 0
    YES = 1
    RETURNING = 2


class Algorithm(IntEnum):
    """Balancing algorithm of a backend, as it stands in its cell."""

    ROUNDROBIN = 0
    LEASTCONN = 1
    RANDOM = 2
    FIRST = 3
    STATIC_RR = 4
    MAP = 5
    RING = 6
    BOUNDED = 7
    STICKY = 8


class Rate(IntEnum):
    """What of the whole data plane may be limited per second; the place of its limit in RATE_LIMITS.

    There is nothing that the last two could limit: they are kept since they can be set and are shown.
    """

    CONNECTIONS = 0
    SESSIONS = 1
    SSL_SESSIONS = 2
    HTTP_COMPRESSION = 3


UNLIMITED: Final = -1
NOBODY: Final = -1
ANY: Final = -1
LAYOUT_VERSION: Final = 6

_SERVER_COLUMNS: Final = (
    # commit
    'BACKEND', 'NEXT_SERVER', 'SERVER_ID', 'ROTA', 'ADMIN', 'OPSTATE', 'UWEIGHT', 'EWEIGHT', 'LIMIT', 'MINLIMIT',
    'MAXQUEUE', 'BACKUP', 'GENERATION', 'CHANGED_AT', 'CUMULATIVE',
    # derived
    'TOTAL', 'MOVE_NEXT', 'GIVE_NEXT', 'KEY', 'NODE', 'DUE_KEY', 'DUE_NODE', 'FWRR_NPOS', 'FWRR_LPOS', 'FWRR_REST',
    'FWRR_SET',
)  # fmt: skip
_BACKEND_COLUMNS: Final = (
    # commit
    'FIRST_SERVER', 'ALGORITHM', 'DRAWS', 'FULLCONN', 'IN_ROTATION', 'DYNAMIC_LIMITS', 'ROTATION_WEIGHT', 'ROTATION_MAXW',
    'ACTIVE_UP', 'BACKUP_UP', 'WHEEL', 'WHEEL_SIZE', 'BALANCE_FACTOR', 'AFFINITY', 'ELECTED',
    # derived
    'BETOTAL', 'BEWAITING', 'MOVE_HEAD', 'MOVE_TAIL', 'MOVE_SWEEP', 'MOVE_END', 'GIVE_HEAD', 'GIVE_TAIL', 'GIVE_SWEEP',
    'GIVE_END', 'RECHECK',
    'STALE', 'KIND', 'CURSOR', 'FWRR_POS', 'FWRR_CYCLE', 'FWRR_LENGTH',
)  # fmt: skip
_ENTRY_CELLS: Final = (
    # entry
    'E_STATE', 'E_WORKER', 'E_BACKEND', 'E_WISH', 'E_KEY', 'E_SEQ', 'E_QUEUE', 'E_SERVER',
    # derived
    'E_CHILD', 'E_NEXT', 'E_PREV', 'E_RANK', 'E_LINKED',
)  # fmt: skip
ENTRY_STRIDE: Final = len(_ENTRY_CELLS)


class Layout:
    """Addresses of all cells for given maxima. `size` is the number of cells.

    There are `workers` rows, of which those below `rows` are in use; the counters have one more, `departed`, that keeps what
    dead workers counted and the maxima, and is written inside holds and by the supervisor.
    """

    def __init__(
        self,
        *,
        workers: int,
        servers: int,
        backends: int,
        frontends: int,
        entries: int,
        wheels: int = 0,
        listeners: int = 0,
    ) -> None:
        self.workers, self.servers, self.backends = workers, servers, backends
        self.frontends, self.entries, self.departed = frontends, entries, workers
        self.listeners = listeners
        self._next = 0
        # board: commit
        self.VERSION = self._take(1)
        self.REVISION = self._take(1)
        self.TABLES = self._take(1)
        self.GLOBAL_MAXCONN = self._take(1)
        self.BACKENDS = self._take(1)  # no backend from this index on was ever in use
        # board: whoever holds the lock, one store each that only grows: right at any instant
        self.SEQUENCE = self._take(1)
        self.HIGH_WATER = self._take(1)
        # board: derived
        self.FREE_ROOT = self._take(1)
        # board: supervisor alone, without the lock, in ms: from LEASE_ENDS on (0: never) no worker sends a request to a pushed
        # server; a worker that is alive after LEASE_LAST (0: never) ends itself, since the supervisor ought to have acted
        self.LEASE_ENDS, self.LEASE_LAST = self._take(1), self._take(1)
        self.RATE_LIMITS = self._take(6)  # commit, the first ones: by Rate; 0: not limited
        self.ROWS = self._take(1)  # supervisor alone, without the lock: see `rows`
        # worker: ASIDE set by the supervisor, cleared by the worker; HEARTBEAT (ms), BACK_AT own; MAIL_* derived
        self.ASIDE = self._take(workers)
        self.HEARTBEAT = self._take(workers)
        self.BACK_AT = self._take(workers)
        self.MAIL_HEAD = self._take(workers)
        self.MAIL_TAIL = self._take(workers)
        for names, count in ((_SERVER_COLUMNS, servers), (_BACKEND_COLUMNS, backends)):
            for name in names:
                setattr(self, name, self._take(count))
        self.FEMAXCONN = self._take(frontends)
        # queues, derived: own ones of a server 2*s for persistent, 2*s+1 for hashed, forced+s for forced streams; 2*servers+b backend's
        self.forced = 2 * servers + backends
        self.queues = self.forced + servers
        self.QUEUE_ROOT = self._take(self.queues)
        self.QUEUE_LENGTH = self._take(self.queues)
        # worker x server and worker x backend, own
        self.SERVED = self._take(workers * servers)
        self.IDLE = self._take(workers * servers)
        self.BECONN = self._take(workers * backends)
        self._take_counters()
        # entries, one row of ENTRY_STRIDE cells each; the attribute is the cell of entry 0
        first = self._take(entries * ENTRY_STRIDE)
        for offset, name in enumerate(_ENTRY_CELLS):
            setattr(self, name, first + offset)
        # slots of all wheels (core/wheels.py); WHEEL of a backend says where its own begin. Written by the supervisor alone,
        # where no WHEEL points yet: then a commit needs to change no more than two cells
        self.wheels = wheels
        self.WHEELS = self._take(wheels)
        self.size = self._next

    # columns made by setattr, for readers and mypy
    BACKEND: int
    NEXT_SERVER: int
    SERVER_ID: int
    ROTA: int
    ADMIN: int
    OPSTATE: int
    UWEIGHT: int
    EWEIGHT: int
    LIMIT: int
    MINLIMIT: int
    MAXQUEUE: int
    BACKUP: int
    GENERATION: int
    CHANGED_AT: int
    CUMULATIVE: int
    TOTAL: int
    MOVE_NEXT: int
    GIVE_NEXT: int
    KEY: int
    NODE: int
    DUE_KEY: int
    DUE_NODE: int
    FWRR_NPOS: int
    FWRR_LPOS: int
    FWRR_REST: int
    FWRR_SET: int
    FIRST_SERVER: int
    ALGORITHM: int
    DRAWS: int
    FULLCONN: int
    IN_ROTATION: int
    DYNAMIC_LIMITS: int
    ROTATION_WEIGHT: int
    ROTATION_MAXW: int
    ACTIVE_UP: int
    BACKUP_UP: int
    WHEEL: int
    WHEEL_SIZE: int
    BALANCE_FACTOR: int
    AFFINITY: int
    ELECTED: int
    BETOTAL: int
    BEWAITING: int
    RECHECK: int
    MOVE_HEAD: int
    MOVE_TAIL: int
    MOVE_SWEEP: int
    MOVE_END: int
    GIVE_HEAD: int
    GIVE_TAIL: int
    GIVE_SWEEP: int
    GIVE_END: int
    STALE: int
    KIND: int
    CURSOR: int
    FWRR_POS: int
    FWRR_CYCLE: int
    FWRR_LENGTH: int
    E_STATE: int
    E_WORKER: int
    E_BACKEND: int
    E_WISH: int
    E_KEY: int
    E_SEQ: int
    E_QUEUE: int
    E_SERVER: int
    E_CHILD: int
    E_NEXT: int
    E_PREV: int
    E_RANK: int
    E_LINKED: int

    @property
    def maxima(self) -> dict[str, int]:
        """What it was made with: `Layout(**maxima)` is the same one, in another process."""
        return {
            'workers': self.workers, 'servers': self.servers, 'backends': self.backends, 'frontends': self.frontends,
            'entries': self.entries, 'wheels': self.wheels, 'listeners': self.listeners,
        }  # fmt: skip

    def _take_counters(self) -> None:
        """One block of COUNTERS cells per (worker or departed) x (frontend, backend, server, listener with `socket-stats`), own."""
        blocks = (self.workers + 1) * COUNTERS
        self._frontend_counters = self._take(blocks * self.frontends)
        self._backend_counters = self._take(blocks * self.backends)
        self._server_counters = self._take(blocks * self.servers)
        self._listener_counters = self._take(blocks * self.listeners)
        self._process_counters = self._take(blocks)

    def _take(self, cells: int) -> int:
        start = self._next
        self._next += cells
        return start

    def rows(self, cells: Sequence[int] | memoryview) -> int:
        """How many numbers of workers are in use: nobody of a number from there on lives, and its rows are 0, but for `departed`.

        The cell says 0 on a board of which every row is in use. It is raised before a worker of a new number is started, and lowered
        once the last one's rows were cleared, so that whoever sums up to it, at whatever moment, has everything.
        """
        return cells[self.ROWS] or self.workers

    def served(self, worker: int, server: int) -> int:
        """Cell: slots of `server` that `worker` holds."""
        return self.SERVED + worker * self.servers + server

    def idle(self, worker: int, server: int) -> int:
        """Cell: idle upstream connections of `worker` to `server`."""
        return self.IDLE + worker * self.servers + server

    def beconn(self, worker: int, backend: int) -> int:
        """Cell: streams of `worker` that selected `backend`, queued or served."""
        return self.BECONN + worker * self.backends + backend

    def backend_queue(self, backend: int) -> int:
        """Number of a backend's queue."""
        return 2 * self.servers + backend

    def forced_queue(self, server: int) -> int:
        """Number of a server's queue of streams that are forced on it; their wish, too."""
        return self.forced + server

    def frontend_counters(self, row: int, frontend: int) -> int:
        """First cell of the counter block of a frontend in a worker's (or the departed) row."""
        return self._frontend_counters + (row * self.frontends + frontend) * COUNTERS

    def backend_counters(self, row: int, backend: int) -> int:
        """First cell of the counter block of a backend."""
        return self._backend_counters + (row * self.backends + backend) * COUNTERS

    def server_counters(self, row: int, server: int) -> int:
        """First cell of the counter block of a server."""
        return self._server_counters + (row * self.servers + server) * COUNTERS

    def listener_counters(self, row: int, listener: int) -> int:
        """First cell of the counter block of a listening address."""
        return self._listener_counters + (row * self.listeners + listener) * COUNTERS

    def process_counters(self, row: int) -> int:
        """First cell of the counter block of the whole process."""
        return self._process_counters + row * COUNTERS
