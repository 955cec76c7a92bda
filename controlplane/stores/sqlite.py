"""A store in one SQLite file: write-ahead log, synchronous=FULL, so that what was answered survives a power cut.

One thread of its own does all the work, so the event loop never waits for the disk. Every transaction first looks
whether the term is still ours: a second control plane on the same file fences the first.

Each statement gives up the interpreter's lock and takes it again, which may last a switch interval while the event loop has work
(`executemany`: each row; 60 verbs took 300 ms). So a commit is one statement per table, whatever it holds: rows travel as
one JSON array, which SQLite takes apart by itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from controlplane.domain.desired import Key
from controlplane.domain.refusals import Fenced, StoreUnavailable
from controlplane.domain.store import KEPT_ENTRIES, KEPT_OPERATIONS, Loaded, StoredObject, Transaction
from controlplane.domain.version import Version
from controlplane.stores.rows import Rows, Trimmed, cells, encoded
from dataplane.wire.state import canonical

T = TypeVar('T')
LAYOUT = 1
KEPT_BYTES = 64 * 1024 * 1024  # of operations, and again of entries: changes of thousands of servers are megabytes each
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (one INTEGER PRIMARY KEY CHECK (one = 1), layout INTEGER NOT NULL, term INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
    kind TEXT NOT NULL, backend TEXT NOT NULL, name TEXT NOT NULL,
    spec TEXT NOT NULL, labels TEXT NOT NULL, term INTEGER NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (kind, backend, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS planes (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS operations (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    term INTEGER NOT NULL, seq INTEGER NOT NULL, ts INTEGER NOT NULL, actor TEXT NOT NULL, verb TEXT NOT NULL, changes TEXT NOT NULL);
INSERT OR IGNORE INTO meta VALUES (1, 1, 0);
"""


class SqliteStore:
    """`path` is the file; it is made when it is not there. `busy_ms`: how long to wait for another process's transaction."""

    def __init__(self, path: str, *, busy_ms: int = 2_000) -> None:
        self._path, self._busy_ms = path, busy_ms
        # None: closed
        self._thread: ThreadPoolExecutor | None = ThreadPoolExecutor(max_workers=1, thread_name_prefix='sqlite')
        self._database: sqlite3.Connection | None = None
        self._term = 0
        self._inode = 0
        self._is_counted = True  # what the two tables below know is what the file has
        self._operations = Trimmed('operations', KEPT_OPERATIONS, KEPT_BYTES)
        self._entries = Trimmed('events', KEPT_ENTRIES, KEPT_BYTES)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._thread is None:
            raise StoreUnavailable(f'{self._path}: the store is closed')
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._safely, work)

    def _safely(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (sqlite3.Error, OSError, json.JSONDecodeError) as error:
            if self._database is not None and self._database.in_transaction:
                self._database.rollback()
                self._is_counted = False
            raise StoreUnavailable(f'{self._path}: {error}') from error

    async def open(self) -> Loaded:
        """Raise the term and read everything. StoreUnavailable: the file cannot be used, or is of another layout."""
        return await self._run(self._open)

    def _open(self) -> Loaded:
        database = sqlite3.connect(self._path, timeout=self._busy_ms / 1000, isolation_level=None)
        self._database = database
        self._inode = os.stat(self._path).st_ino
        database.execute('PRAGMA journal_mode = WAL')
        database.execute('PRAGMA synchronous = FULL')
        database.executescript(_TABLES)
        (layout,) = database.execute('SELECT layout FROM meta').fetchone()
        if layout != LAYOUT:
            raise StoreUnavailable(f'{self._path}: layout {layout} is not known to this version (it writes {LAYOUT})')
        database.execute('BEGIN IMMEDIATE')
        database.execute('UPDATE meta SET term = term + 1')
        (self._term,) = database.execute('SELECT term FROM meta').fetchone()
        self._count(database)
        database.execute('COMMIT')
        return self._read(database)

    def _count(self, database: sqlite3.Connection) -> None:
        self._operations.load(database, 'record')
        self._entries.load(database, 'changes')

    def _read(self, database: sqlite3.Connection) -> Loaded:
        rows = database.execute('SELECT kind, name, backend, spec, labels, term, seq FROM objects')
        objects = tuple(
            StoredObject(Key(kind, name, backend), json.loads(spec), json.loads(labels), Version(term, seq))
            for kind, name, backend, spec, labels, term, seq in rows
        )
        planes = {name: json.loads(record) for name, record in database.execute('SELECT id, record FROM planes')}
        operations = database.execute('SELECT record FROM operations ORDER BY number')
        (marks,) = database.execute("SELECT count(*) FROM marks WHERE name = 'holding back'").fetchone()
        records = tuple(json.loads(record) for (record,) in operations)
        return Loaded(self._term, objects, planes, records, bool(marks))

    async def raise_term(self, at_least: int) -> int:
        """Begin a new term, durably."""

        def work(database: sqlite3.Connection) -> int:
            term = max(at_least, self._term + 1)
            database.execute('UPDATE meta SET term = ?', (term,))
            return term

        self._term = await self._run(lambda: self._transaction(work))
        return self._term

    async def commit(self, *transactions: Transaction) -> None:
        """Make durable, all or nothing, with one flush of the disk."""
        rows = encoded(transactions)  # here, where no other thread wants the interpreter's lock for it

        def work(database: sqlite3.Connection) -> None:
            self._write(database, rows)

        await self._run(lambda: self._transaction(work))

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._database is None:
            raise StoreUnavailable(f'{self._path}: the store is not open')
        if os.stat(self._path).st_ino != self._inode:  # SQLite would go on writing into the one that nobody finds again
            raise StoreUnavailable(f'{self._path}: the file was replaced while it was in use')
        self._database.execute('BEGIN IMMEDIATE')
        (term,) = self._database.execute('SELECT term FROM meta').fetchone()
        if term != self._term:
            self._database.execute('ROLLBACK')
            raise Fenced(f'{self._path}: another control plane has taken over with term {term}')
        if not self._is_counted:
            self._count(self._database)
            self._is_counted = True
        result = work(self._database)
        self._database.execute('COMMIT')
        return result

    def _write(self, database: sqlite3.Connection, rows: Rows) -> None:
        if rows.holding_back is not None:
            verb = 'INSERT OR IGNORE INTO marks VALUES (?)' if rows.holding_back else 'DELETE FROM marks WHERE name = ?'
            database.execute(verb, ('holding back',))
        for key in rows.gone:
            database.execute('DELETE FROM objects WHERE kind = ? AND backend = ? AND name = ?', key)
        if rows.objects:
            database.execute(f'INSERT OR REPLACE INTO objects {cells(7)}', (canonical(rows.objects),))
        for name, record in rows.planes.items():
            if record is None:
                database.execute('DELETE FROM planes WHERE id = ?', (name,))
            else:
                database.execute('INSERT OR REPLACE INTO planes VALUES (?, ?)', (name, record))
        self._operations.insert(database, rows.operations)
        self._entries.insert(database, rows.entries)

    async def close(self) -> None:
        """Close the file, after what was asked for before, and end the thread. Closing twice is harmless."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(thread, self._safely, self._close)
        finally:
            thread.shutdown(wait=False)

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
