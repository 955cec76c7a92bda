"""The supervisor's stick tables: made and kept from one configuration to the next, swept of what has expired, cleared of the dead.

A table outlasts a reload when its definition is the same: then workers go on with the entries as they are. Servers are known in them by
name or address (`core.stick.serverkey`), so it does not matter which numbers they have by then. Otherwise it begins empty, as all do
with a new process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dataplane.core.compose import Refused
from dataplane.stick import Busy, StickTable

if TYPE_CHECKING:
    from dataplane.core.model import Snapshot
    from dataplane.core.tables import Tables

PATIENCE: Final = 0.05
"""Seconds to wait for a shard whose holder may stand still; the loop stands still meanwhile."""
_EVERY: Final = 0.2
_AGAIN: Final = 0.02


class Shelf:
    """One per supervisor, for `workers` workers. `tables` by name, in the order of the file, are those in force.

    `log` is told of repairs, `stuck(thread, of what)` of who held a lock for too long.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, workers: int, log: Callable[[str, str], None]) -> None:
        self.tables: dict[str, StickTable] = {}
        self.stuck: Callable[[int, str], None] = _nobody
        self._loop = loop
        self._workers = workers
        self._log = log
        self._proposed: dict[str, StickTable] = {}
        self._number = -1
        self._timer: asyncio.TimerHandle | None = None

    # -- configurations ----------------------------------------------------------------------------------------------

    def descriptors(self, tables: Tables) -> tuple[int, ...]:
        """Those of the stick tables that these tables have, which are made where there are none yet. Raises Refused."""
        self._drop(self._proposed, self.tables)
        self._proposed, self._number = {}, -1
        try:
            self._proposed, self._number = self._of(tables.snapshot), tables.number
        except OSError as error:
            raise Refused((f'stick tables cannot be made: {error}',)) from error
        return tuple(table.fd for table in self._proposed.values())

    def current(self, _: Tables) -> tuple[int, ...]:
        """The descriptors of those in force, for a worker that joins."""
        return tuple(table.fd for table in self.tables.values())

    def adopt(self, _: Tables, tables: Tables) -> None:
        """These tables are in force from now on."""
        made = self._proposed if tables.number == self._number else self._of(tables.snapshot)
        before, self.tables, self._proposed, self._number = self.tables, made, {}, -1
        self._drop(before, self.tables)
        if made and self._timer is None:
            self._timer = self._loop.call_later(_EVERY, self._sweep)

    def _of(self, snapshot: Snapshot) -> dict[str, StickTable]:
        found: dict[str, StickTable] = {}
        try:
            for definition in snapshot.stick_tables:
                table = self.tables.get(definition.name)
                if table is None or table.definition != definition:
                    table = StickTable.create(definition, self._workers, patience=PATIENCE)
                    table.on_repair = self._repaired
                found[definition.name] = table
        except BaseException:
            self._drop(found, self.tables)
            raise
        return found

    @staticmethod
    def _drop(tables: dict[str, StickTable], kept: dict[str, StickTable]) -> None:
        for name, table in tables.items():
            if kept.get(name) is not table:
                table.close()

    def _repaired(self, text: str) -> None:
        self._log('warning', text)

    def close(self) -> None:
        """Sweep no more and close what is here; workers keep theirs."""
        if self._timer is not None:
            self._timer.cancel()
        self._drop(self._proposed, self.tables)
        self._drop(self.tables, {})
        self.tables, self._proposed = {}, {}

    # -- upkeep ------------------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Take out what has expired, some of each table at a time; at once again where there was more."""
        more = False
        for table in self.tables.values():
            try:
                more = table.expire() or more
            except Busy:
                self._held(table)
        self._timer = self._loop.call_later(_AGAIN if more else _EVERY, self._sweep) if self.tables else None

    def _held(self, table: StickTable) -> None:
        for holder in table.holders():
            self.stuck(holder, f'table {table.definition.name}')

    def holders(self) -> tuple[int, ...]:
        """Thread ids of who holds a lock of a table at this moment."""
        return tuple(holder for table in self.tables.values() for holder in table.holders())

    async def forget(self, worker: int) -> None:
        """A worker is dead: nothing is tracked by it any more. Returns when that is so."""
        for table in tuple(self.tables.values()):
            while not await self._forgotten(table, worker):  # noqa: ASYNC110 - another process lets go, who tells nobody
                await asyncio.sleep(_AGAIN)

    async def _forgotten(self, table: StickTable, worker: int) -> bool:
        """From the beginning when a lock cannot be had: what was looked at is not looked at for long again."""
        try:
            for _ in table.forget(worker):
                await asyncio.sleep(0)
                if self.tables.get(table.definition.name) is not table:
                    break  # another configuration has none of it
        except Busy:
            self._held(table)
            return False
        return True


def _nobody(tid: int, what: str) -> None:
    """Nobody looks after stuck holders yet."""
