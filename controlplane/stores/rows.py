"""What is written into a database's tables: rows as text, and how many of them are kept."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.domain.store import Transaction
from dataplane.wire.state import canonical

SLACK = 64  # rows beyond what is kept, so that there is something to delete only now and then


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of some transactions, in columns' order. `gone`: objects that are removed; a plane without record, too."""

    objects: list[list[Any]]
    gone: list[tuple[str, str, str]]
    planes: Mapping[str, str | None]
    operations: list[list[Any]]
    entries: list[list[Any]]
    holding_back: bool | None


def encoded(transactions: Sequence[Transaction]) -> Rows:
    """The rows that make these transactions durable, when all are written together: of an object only the last one."""
    last = {row.key: row for transaction in transactions for row in transaction.objects}
    planes = {name: record for transaction in transactions for name, record in transaction.planes.items()}
    operations = [t.operation for t in transactions if t.operation is not None]
    holds = [t.holding_back for t in transactions if t.holding_back is not None]
    entries = [t.entry for t in transactions if t.entry is not None]
    return Rows(
        objects=[
            [key.kind, key.backend, key.name, canonical(row.spec), canonical(row.labels), *row.version]
            for key, row in last.items()
            if row.spec is not None
        ],
        gone=[(key.kind, key.backend, key.name) for key, row in last.items() if row.spec is None],
        planes={name: None if record is None else canonical(record) for name, record in planes.items()},
        operations=[[operation['id'], canonical(operation)] for operation in operations],
        entries=[[*e.version, e.ts, e.actor, e.verb, canonical(e.changes)] for e in entries],
        holding_back=holds[-1] if holds else None,
    )


def cells(count: int) -> str:
    """The SELECT that makes rows of `count` columns of one parameter, a JSON array of arrays."""
    columns = ', '.join(f"json_extract(value, '$[{number}]')" for number in range(count))
    return f'SELECT {columns} FROM json_each(?)'  # noqa: S608 - numbers of our own


class Trimmed:
    """A table whose first column counts up: the newest `most` rows are kept, and of these the newest that `most_bytes` hold.

    The last column is what is long. The newest row is kept however long it is.
    """

    def __init__(self, table: str, most: int, most_bytes: int) -> None:
        self._table, self._most, self._most_bytes = table, most, most_bytes
        self._rows: deque[tuple[int, int]] = deque()  # number, size
        self._bytes = 0
        self._newest = 0

    def load(self, database: sqlite3.Connection, column: str) -> None:
        """Look what is there, and let go of what is too much."""
        found = database.execute(f'SELECT number, length({column}) FROM {self._table} ORDER BY number')  # noqa: S608 - our own names
        self._rows = deque(found.fetchall())
        self._bytes = sum(size for _, size in self._rows)
        self._newest = self._rows[-1][0] if self._rows else 0
        self._trim(database, slack=0)

    def insert(self, database: sqlite3.Connection, rows: Sequence[list[Any]]) -> None:
        """Add rows (without their number), in their order. Should this be rolled back, `load` has to follow."""
        if not rows:
            return
        numbered = [[self._newest + number, *row] for number, row in enumerate(rows, 1)]
        values = cells(len(numbered[0]))
        database.execute(f'INSERT INTO {self._table} {values}', (canonical(numbered),))
        for row in numbered:
            self._newest = row[0]
            self._rows.append((row[0], len(row[-1])))
            self._bytes += len(row[-1])
        self._trim(database, slack=SLACK)

    def _trim(self, database: sqlite3.Connection, slack: int) -> None:
        if len(self._rows) <= self._most + slack and self._bytes <= self._most_bytes:
            return
        last = 0
        while len(self._rows) > self._most or (self._bytes > self._most_bytes and len(self._rows) > 1):
            last, size = self._rows.popleft()
            self._bytes -= size
        database.execute(f'DELETE FROM {self._table} WHERE number <= ?', (last,))  # noqa: S608 - our own names
