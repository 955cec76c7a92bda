"""Workers come and go as `nbthread` says: the hands of `dataplane.supervisor.roster`, which decides.

    reload that wants more:   hire -> they start, join, learn -> commit -> resize -> they are told to serve
    reload that wants fewer:                                     commit -> resize -> they retire once those that stay serve

A worker that retires accepts no more, answers what it has, and is a member of the barrier until it has left: whatever is committed
meanwhile is true of its streams, too. `hard-stop-after` bounds that, as it bounds the soft stop of the whole.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol

from dataplane.board import Board
from dataplane.core.ledger import Refused
from dataplane.core.model import Global
from dataplane.supervisor.accepting import Accepting
from dataplane.supervisor.listeners import Listeners
from dataplane.supervisor.roster import Roster, State
from dataplane.supervisor.spawn import Worker
from dataplane.wire.framing import Message

PATIENCE: Final = 30.0
"""Seconds in which whoever is hired must have started."""
_LAST_WORDS: Final = 0.25
"""Seconds that workers have for writing their logs at a hard stop: a line waits for its batch for 10 ms, and who stands still does not."""
_ACCEPTING: Final = frozenset({State.OPENING, State.READY})


class Crew(Protocol):
    """The worker processes: `now` by number, `failures` in a row by number, `clearing`: numbers of the dead that own something yet."""

    log: Callable[[str, str], None]
    now: dict[int, Worker]
    failures: dict[int, int]
    clearing: dict[int, asyncio.Task[None]]
    is_parting: bool
    is_stopping: bool

    def spawn(self, number: int) -> None:
        """Start one, if there is to be one and is none."""

    def send(self, worker: int, message: Message, fds: Sequence[int] = ()) -> None:
        """Send to one."""

    def kill(self, number: int, why: str) -> None:
        """End one that does not do what it must."""


class Staff:
    """One per supervisor. `settings` are those that workers are started with; who changed a state calls `settle`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, crew: Crew, board: Board, listeners: Listeners, settings: Global
    ) -> None:
        self.settings = settings
        self.accepting = Accepting(listeners, crew.send)
        self._loop = loop
        self._crew = crew
        self._board = board
        self._listeners = listeners
        self._adopted = settings
        self._roster = Roster(settings.nbthread)
        self._changed = asyncio.Event()
        self.measure()

    def __repr__(self) -> str:
        return f'<Staff {self._roster!r} {self.accepting!r}>'

    # -- questions -----------------------------------------------------------------------------------------------------

    def is_wanted(self, number: int) -> bool:
        """Is there to be a worker of this number?"""
        return self._roster.is_wanted(number)

    def is_complete(self) -> bool:
        """Do all serve who are to?"""
        return self._roster.is_complete([n for n, worker in self._crew.now.items() if worker.state is State.READY])

    def listening(self) -> Collection[int]:
        """Who was told to accept."""
        return [number for number, worker in self._crew.now.items() if worker.state in _ACCEPTING]

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Return when that is so; it is asked whenever a worker has come, changed or gone."""
        while not is_true():
            self._changed.clear()
            await self._changed.wait()

    # -- how many ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all workers."""
        for number in range(self._roster.hired):
            self._crew.spawn(number)

    async def hire(self, settings: Global) -> None:
        """Have as many workers as these settings want; those that are more serve after `resize`. Raises Refused; then `dismiss`."""
        self.settings = settings
        self._roster.hire(settings.nbthread)
        self.measure()
        for number in range(self._roster.size, self._roster.hired):
            self._crew.failures.pop(number, None)
            self._crew.spawn(number)
        try:
            async with asyncio.timeout(PATIENCE):
                await self.until(lambda: self._crew.is_stopping or not self._missing())
        except TimeoutError:
            names = ', '.join(map(str, self._missing()))
            text = f"'nbthread' cannot be {settings.nbthread}: not started within {PATIENCE:g} s: worker {names}"
            raise Refused((text,)) from None

    def _missing(self) -> list[int]:
        """Who of the hired does not know everything yet. For those that are to serve already nobody waits: they may be in a pause."""
        return [number for number in self._roster.unready(self._states()) if number >= self._roster.size]

    def dismiss(self) -> None:
        """Whoever was hired is not needed after all."""
        self.settings = self._adopted
        self._roster.dismiss()
        self.settle()

    def resize(self, settings: Global) -> None:
        """Have as many workers serve as these settings, which are in force, want. Who is not needed finishes what it has."""
        self.settings = self._adopted = settings
        self._roster.resize(settings.nbthread)
        self.settle()

    def _states(self) -> dict[int, State]:
        return {number: worker.state for number, worker in self._crew.now.items()}

    def measure(self) -> None:
        """Say on the board how many rows are in use."""
        self._changed.set()
        cells, at = self._board.cells, self._board.layout
        cells[at.ROWS] = self._roster.rows((*self._crew.now, *self._crew.clearing))

    def settle(self) -> None:
        """Do what follows from who there is to be and what they do."""
        self.measure()
        if self._crew.is_stopping:
            return
        weak = {number for number, failures in self._crew.failures.items() if failures > 1}
        plan = self._roster.plan(self._states(), weak)
        for number in plan.end:
            self._end(self._crew.now[number])
        for number in plan.open:
            self._open(self._crew.now[number])
        self.accepting.adjust(plan.steer, plan.serving, plan.lend)
        for number in plan.retire:
            self._retire(self._crew.now[number])

    # -- end -----------------------------------------------------------------------------------------------------------

    async def end(self, over: asyncio.Event) -> None:
        """Have every worker write its log and end, without finishing anything. `over` is set when all have, or had the time."""
        self._crew.is_stopping = True
        for worker in tuple(self._crew.now.values()):
            if worker.state is State.STARTING:
                self._end(worker)
            else:
                worker.state = State.ENDING
                self._crew.send(worker.number, {'op': 'end'})
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await self.until(lambda: not self._crew.now)
        except TimeoutError:
            pass  # whoever is left is killed
        over.set()

    # -- what each is told -----------------------------------------------------------------------------------------------

    def _end(self, worker: Worker) -> None:
        worker.state = State.ENDING
        signal.pidfd_send_signal(worker.pidfd, signal.SIGKILL)

    def _open(self, worker: Worker) -> None:
        if worker.state is State.LEAVING:
            self._crew.send(worker.number, {'op': 'stay'})
        worker.state = State.OPENING
        if self._crew.is_parting:
            self._crew.send(worker.number, {'op': 'farewell'})
        self.accepting.listen(self._listeners.all, (worker.number,))
        self._crew.send(worker.number, {'op': 'serve'})

    def _retire(self, worker: Worker) -> None:
        worker.state = State.LEAVING
        self._crew.send(worker.number, {'op': 'retire'})
        self._crew.log(
            'notice', f'Worker {worker.number} ({worker.pid}) is not needed any more: it finishes what it has.'
        )
        limit = self.settings.hard_stop_after
        worker.due = 0.0 if limit is None else self._loop.time() + limit / 1000
        if worker.due:
            self._loop.call_at(worker.due, self._overdue, worker, worker.due)

    def _overdue(self, worker: Worker, due: float) -> None:
        """Unless it was called back meanwhile, or has another term by now."""
        if self._crew.now.get(worker.number) is worker and worker.state is State.LEAVING and worker.due == due:
            self._crew.kill(worker.number, 'it was to have left by now (hard-stop-after)')
