"""`clear counters`: everybody who counts begins anew, each in what it writes itself.

Workers clear their own rows when asked; then the departed row is cleared inside holds, some blocks each, and what the supervisor
itself counts (failed checks, times that servers and backends went down). Nothing is set to zero that somebody else writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol

from dataplane.core.clearing import blocks, clear, clear_process
from dataplane.core.layout import NOBODY
from dataplane.supervisor.questions import Answers

if TYPE_CHECKING:
    from collections.abc import MutableSequence

    from dataplane.core.layout import Layout
    from dataplane.core.ledger import Ledger
    from dataplane.supervisor.checkfigures import CheckFigures
    from dataplane.supervisor.holds import Holds
    from dataplane.supervisor.outages import Outages

_AT_ONCE: Final = 100


class Askable(Protocol):
    """The worker processes."""

    async def ask(self, what: str, **fields: Any) -> Answers:
        """Put a question to all of them."""


class Clearing:
    """One per data plane."""

    def __init__(
        self,
        cells: MutableSequence[int],
        layout: Layout,
        ledger: Ledger,
        *,
        holds: Holds,
        workers: Askable,
        checks: CheckFigures,
        outages: Outages,
    ) -> None:
        self._cells, self._at, self._ledger = cells, layout, ledger
        self._holds, self._workers, self._checks, self._outages = holds, workers, checks, outages

    async def all(self, *, everything: bool) -> tuple[int, ...]:
        """Clear the maxima, or `everything` that was counted. Returns the workers that did not say that they have."""
        found = await self._workers.ask('clear', everything=everything, server=NOBODY)
        row, wanted = self._at.departed, iter(list(blocks(self._at, self._at.departed, self._ledger.tables)))
        clear_process(self._cells, self._at, row)
        while part := tuple(islice(wanted, _AT_ONCE)):
            await self._clear(part, everything=everything)
            await asyncio.sleep(0)
        if everything:
            self._checks.clear(self._ledger.records)
            self._outages.clear()
        return found.silent

    async def server(self, index: int) -> tuple[int, ...]:
        """Clear what was counted of one server. Returns the workers that did not say that they have."""
        before = self._ledger.records[index]
        found = await self._workers.ask('clear', everything=True, server=index)
        now = self._ledger.records.get(index)
        if now is None or (now.backend, now.name) != (before.backend, before.name):
            return found.silent  # it went meanwhile, and its counters with it
        await self._clear((self._at.server_counters(self._at.departed, index),), everything=True)
        self._checks.clear((index,))
        return found.silent

    async def _clear(self, wanted: Iterable[int], *, everything: bool) -> None:
        """Maxima of what is shared are written inside holds, so they are cleared inside one, too."""

        def act(_plane: object) -> None:
            for block in wanted:
                clear(self._cells, block, everything=everything)

        await self._holds.hold(act)
