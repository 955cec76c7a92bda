"""The stick tables of one worker: those of the tables in force, and those prepared beside them.

Their descriptors come with tables, in the order of the snapshot's definitions. One that is mapped here already is not mapped again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dataplane.core.stick.definition import Definition
from dataplane.stick import StickTable, identity_of

_LOG: Final = logging.getLogger('sluice.tables')


class Shelf:
    """One per worker, of `workers` in all. `tables` by name are those in force; never two mappings of one memory.

    `beat` is called now and then while a table is repaired.
    """

    def __init__(self, workers: int, worker: int, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._workers = workers
        self._worker = worker
        self._ready: dict[int, dict[str, StickTable]] = {}
        self.tables: dict[str, StickTable] = {}

    def prepare(self, number: int, definitions: Sequence[Definition], fds: Sequence[int]) -> None:
        """Map what the tables of that number bring. The descriptors are owned from here on. Raises OSError, ValueError."""
        if len(definitions) != len(fds):
            for fd in fds:
                os.close(fd)
            raise ValueError(f'{len(definitions)} stick tables were announced, {len(fds)} came')
        known = {table.identity: table for table in self.tables.values()}
        ready: dict[str, StickTable] = {}
        left = list(fds)
        try:
            for definition in definitions:
                ready[definition.name] = self._had(known, left[0], definition)
                del left[0]
        finally:
            for fd in left:
                os.close(fd)
        self._ready[number] = ready

    def _had(self, known: Mapping[tuple[int, int], StickTable], fd: int, definition: Definition) -> StickTable:
        """The table behind a descriptor, which is closed unless this raises."""
        table = known.get(identity_of(fd))
        if table is not None:
            os.close(fd)
            return table
        table = StickTable(fd, definition, self._workers, worker=self._worker)
        table.on_repair, table.beat = _LOG.warning, self._beat
        table.forget_descriptor()
        return table

    def discard(self, number: int) -> None:
        """Tables that will never be in force."""
        self._ready.pop(number, None)

    def adopt(self, number: int) -> None:
        """The tables of that number are in force. What only they lack goes when nobody tracks in it any more."""
        self.tables = self._ready.pop(number, self.tables)
        for older in [ready for ready in self._ready if ready < number]:
            del self._ready[older]
