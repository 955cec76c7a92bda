"""One running data plane: its parts put together, started in order, and ended in order.

Part of the composition root (`supervisor.main`): everything is built here once and handed to whoever needs it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import time
from collections.abc import Callable, Coroutine
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dataplane.board import Bells, Board
from dataplane.config import Loaded
from dataplane.core.changes import AdoptFile, SetLease
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger, Refused
from dataplane.core.model import Global, StatsSocket
from dataplane.core.plane import SUPERVISOR, Plane
from dataplane.core.reach import Reach
from dataplane.health.checker import Checker
from dataplane.supervisor.aids import Surroundings
from dataplane.supervisor.checkfigures import BoardView
from dataplane.supervisor.clisocket import CannotListen, CliServer
from dataplane.supervisor.contents import shared
from dataplane.supervisor.departed import begin
from dataplane.supervisor.dimensions import layout
from dataplane.supervisor.drained import Holdings
from dataplane.supervisor.figures import Identity, Supervision
from dataplane.supervisor.frontdoors import FrontDoors
from dataplane.supervisor.health import Condition
from dataplane.supervisor.holds import Holds
from dataplane.supervisor.inventory import Overhang
from dataplane.supervisor.lastgood import LastGood, StateDir, bootstrap
from dataplane.supervisor.lease import TrafficLease
from dataplane.supervisor.listeners import Listeners
from dataplane.supervisor.logs import Log
from dataplane.supervisor.mapverbs import MapVerbs
from dataplane.supervisor.mastercli import MasterVerbs
from dataplane.supervisor.naming.desk import Names
from dataplane.supervisor.opening import House, Opened, monotonic_ms, open_doors, prepare
from dataplane.supervisor.outages import Outages
from dataplane.supervisor.process import EARLY, Forwarder, notify
from dataplane.supervisor.publish import Publisher
from dataplane.supervisor.reload import Reload
from dataplane.supervisor.restoring import restoring
from dataplane.supervisor.rings import RingDoors, Rings
from dataplane.supervisor.shelf import Shelf
from dataplane.supervisor.slowstart import Slowstart
from dataplane.supervisor.sources import Sources, startup_lines
from dataplane.supervisor.spawn import Process
from dataplane.supervisor.statelog import StateLog
from dataplane.supervisor.translate import translate
from dataplane.supervisor.upkeep import Upkeep
from dataplane.supervisor.watchdog import Watchdog
from dataplane.supervisor.workers import Workers

if TYPE_CHECKING:
    from dataplane.supervisor.subscriber import Subscriber

_RELEASE_DATE: Final = '2026/11/23'
_GOODBYE: Final = 2.0


class CannotStart(Exception):
    """The data plane could not be started; the text says why, a line for each reason."""


class Stop(StrEnum):
    """How far the end has come."""

    RUNNING = 'running'
    GRACE = 'grace'
    SOFT = 'soft'
    HARD = 'hard'


class DataPlane:
    """`start`, then wait for `stopped`, then `close`, whatever happened in between. `first` gives workers that wait for work already."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sources: Sources,
        loaded: Loaded,
        listeners: Listeners,
        *,
        software: str,
        quiet: bool,
        master: StatsSocket | None = None,
        first: Callable[[], Process | None] = lambda: None,
    ) -> None:
        self._loop = loop
        self._snapshot, settings = loaded.snapshot, loaded.snapshot.globals
        self._began = monotonic_ms()
        self._log, rings = Log(settings, quiet=quiet), Rings(time.time)
        self._log.told, self._log.kept = rings.events.add, rings.put
        self._ring_doors, self._forwarder = RingDoors(loop, rings), Forwarder(self._log)
        at = layout()
        self._board, self._bells = Board.create(at), Bells.create(at.workers)
        rng = random.Random()
        self._holds = Holds(
            self._board, self._bells, Plane(self._board.cells, at, SUPERVISOR, lambda: rng.getrandbits(32))
        )
        self._ledger, self._listeners = Ledger(at), listeners
        self._workers = Workers(loop, self._board, self._bells, listeners, settings)
        self._publisher = Publisher(loop, self._ledger, self._holds, self._workers)
        self._contents = shared(loop, self._workers, self._publisher, self._log, self._failed)
        self._shelf = shelf = Shelf(loop, at.workers, self._log)
        self._publisher.adopting += partial(begin, self._board.cells, at), shelf.adopt, self._ring_doors.adopt
        self._publisher.descriptors, self._workers.descriptors = shelf.descriptors, shelf.current
        self._upkeep = Upkeep(loop, self._board, self._bells, self._holds, self._ledger)
        self._slowstart = Slowstart(loop, self._publisher)
        self._workers.barrier, self._workers.clear, self._workers.first = self._publisher, self._upkeep.clear, first
        self._upkeep.cleared = shelf.forget
        self._workers.log, self._workers.failed, self._workers.rings = self._log, self._failed, self._ring_doors.fd
        self._watchdog = Watchdog(
            loop, self._board, self._holds, self._workers, lambda: self.settings.isolation_timeout
        )
        self._watchdog.holders, shelf.stuck = shelf.holders, self._watchdog.stuck
        self._outages = Outages(self._ledger, self._board.cells, at, monotonic_ms)
        self._checker = self._check(at, rng)
        self._reload = Reload(
            sources, loaded, publisher=self._publisher, workers=self._workers, listeners=listeners, log=self._log,
            changed=lambda: bool(self._contents.book.touched()),
            adopted=lambda new: self._log.adopt(new.globals, new.backends),
        )  # fmt: skip
        self._doors = FrontDoors(
            listeners, self._workers, self._reload.changing, lambda: self._ledger.tables, self._log
        )
        self._around = Surroundings(rings, startup_lines(loaded), self._reload, len(loaded.warnings))
        self._software, self._master, self._disk = software, master, StateDir(settings.state_dir)
        self._opened: Opened | None = None
        self._subscriber: Subscriber | None = None
        self._lease: TrafficLease | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stop = Stop.RUNNING
        self._over = asyncio.Event()
        self.ended_by = 0  # the signal that ended it at once

    @property
    def settings(self) -> Global:
        """The `global` section in force."""
        return self._reload.snapshot.globals

    def _check(self, at: Layout, rng: random.Random) -> Checker:
        """The checks of all servers; they follow every revision, as do their names, and who tells and counts what became of servers."""
        board = BoardView(self._board.cells, at)
        log = self._log
        checker = Checker(self._loop, self._publisher, board, log, log.of, self._contents, rng=rng, workers=at.workers)
        states = StateLog(self._ledger, self._board.cells, at, log.of)
        names = self._names = Names(self._loop, self._publisher, monotonic_ms, log)
        self._publisher.watchers += states, self._outages, lambda *_: checker.follow(), lambda *_: names.follow()
        return checker

    # -- start ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Return when every worker accepts connections and all doors are open. Raises CannotStart."""
        self._log.start(self._loop)
        logging.getLogger('dataplane').addHandler(self._forwarder)
        logging.getLogger('dataplane').setLevel(logging.INFO)
        self._begin(self._publisher.run(), 'publisher')
        self._begin(self._names.run(), 'names of servers')
        known = await self._first_revisions()
        for part in (self._upkeep, self._slowstart, self._watchdog, self._workers):
            part.start()
        self._take_signals()
        await self._serving()
        if self._over.is_set():
            return
        await self._open_doors()
        self._subscribe(known)
        notify('READY=1')

    async def _first_revisions(self) -> LastGood | None:
        """What is true from the first worker's first byte on: the file, and the newest of what was pushed that can be used."""
        try:
            restored = await restoring(self._snapshot, self._log)
            await self._publisher.submit([AdoptFile(self._snapshot), *restored], source='start')
        except Refused as refused:
            raise CannotStart('\n'.join(refused.problems)) from refused
        if self.settings.control_plane is None:
            return None
        self._lease = TrafficLease(
            self._publisher, self._board.cells, self._board.layout, self.settings.on_partition, self._disk
        )
        await self._publisher.submit([SetLease(self._lease.reach)], source='start')
        found = [self._disk.load(), await asyncio.to_thread(bootstrap, self.settings.bootstrap_file)]
        usable = [known for known in found if known is not None]
        for known in sorted(usable, key=lambda known: (known.term, known.seq), reverse=True):
            try:
                await self._publisher.submit([translate(known.state)], source='last known good')
            except (Refused, ValueError) as problem:
                self._log('err', f'What the control plane pushed, {known.term}.{known.seq}, is not used: {problem}')
            else:
                return known
        return None

    async def _serving(self) -> None:
        """Wait for the workers, or for a signal that says otherwise."""
        waits = [asyncio.ensure_future(self._workers.wait_serving()), asyncio.ensure_future(self._over.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _open_doors(self) -> None:
        """Statistics and the runtime protocol, now that there is something to show."""
        house = House(
            board=self._board,
            ledger=self._ledger,
            publisher=self._publisher,
            workers=self._workers,
            holds=self._holds,
            checker=self._checker,
            outages=self._outages,
            doors=self._doors,
            around=self._around,
            settings=lambda: self.settings,
            supervision=self._supervision,
            condition=self._condition,
        )
        identity = Identity(
            version=self._software,
            release_date=_RELEASE_DATE,
            started_ms=self._began,
            started_at=int(time.time()),
            boot_ms=monotonic_ms() - self._began,
            warnings=self._around.warnings,
        )
        self._opened = opened = prepare(house, identity)
        opened.verbs.stick_tables = lambda: self._shelf.tables
        opened.verbs.stick_servers = lambda: tuple(self._ledger.tables.servers.values())
        opened.verbs.maps, opened.verbs.names = MapVerbs(self._contents).methods, self._names
        try:
            await open_doors(opened, house, self._snapshot.stats_listeners)
            if self._master is not None:
                opened.master = self._master_cli(opened)
                await opened.master.start((self._master,))
        except CannotListen as problem:
            raise CannotStart(str(problem)) from problem

    def _master_cli(self, opened: Opened) -> CliServer:
        uptime = opened.figures.uptime_s
        master = MasterVerbs(
            opened.verbs, self._workers, self._reload, self._reloading, version=self._software, uptime=uptime
        )
        return CliServer(master, settings=lambda: self.settings, uptime=uptime, place=master.place)

    def _supervision(self) -> Supervision:
        return Supervision(
            revision=self._publisher.revision, pause_us=self._publisher.pause_us, pause_max_us=self._publisher.pause_max_us,
            workers=len(self._workers.serving()), restarts=self._workers.restarts, stopping=self._stop is not Stop.RUNNING,
            dropped_logs=self._log.dropped, lease_in_force=None if self._lease is None else self._lease.reach is Reach.HEARD,
            lease_ms=0 if self._lease is None else self._lease.left_ms(),
        )  # fmt: skip

    def _condition(self) -> Condition:
        pushed = None
        if self._snapshot.globals.control_plane is not None:
            pushed = self._subscriber is not None and self._subscriber.version != (0, 0)
        return Condition(len(self._workers.serving()), self._stop is not Stop.RUNNING, pushed)

    def _subscribe(self, known: LastGood | None) -> None:
        """Dial the control plane, if there is one."""
        settings = self.settings
        if settings.control_plane is None or self._lease is None or self._opened is None:
            return
        # imported before there was a loop, if there is a control plane
        from dataplane.supervisor.subscriber import Subscriber
        from dataplane.supervisor.whom import hello

        about = hello(settings, self._disk.identity(settings.node), os.environ, self._software)
        cells, at = self._board.cells, self._board.layout
        self._subscriber = Subscriber(
            self._publisher, Holdings(cells, at), self._opened.figures.status, settings.control_plane, self._disk, about,
            self._lease, Overhang(cells, at, self._ledger), known,
        )  # fmt: skip
        self._begin(self._lease.run(), 'traffic lease')
        self._begin(self._subscriber.run(), 'control plane link')

    # -- signals ----------------------------------------------------------------------------------------------------

    def _take_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._end_by, number)
        self._loop.add_signal_handler(signal.SIGUSR1, self.soft_stop)
        for number in (signal.SIGUSR2, signal.SIGHUP):
            self._loop.add_signal_handler(number, self.reload)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, EARLY)

    def _end_by(self, number: int) -> None:
        self.ended_by = self.ended_by or number
        self.hard_stop()

    def reload(self) -> None:
        """Read the files again; nothing happens while stopping."""
        if self._stop is Stop.RUNNING:
            self._begin(self._reloading(), 'reload')

    async def _reloading(self, hear: Callable[[str, str], None] | None = None) -> bool:
        notify(f'RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1_000}')
        succeeded = await self._reload(hear)
        notify('READY=1')
        return succeeded

    def soft_stop(self) -> None:
        """Not ready from now on; after `grace` accept no more, finish what runs, then end; at once after `hard-stop-after`."""
        if self._stop is not Stop.RUNNING:
            return
        notify('STOPPING=1')
        if not self.settings.grace:
            self._soft_stop_now()
            return
        self._stop = Stop.GRACE
        self._log('notice', f'Soft stop in {self.settings.grace} ms: until then connections are accepted as before.')
        self._workers.farewell()
        self._loop.call_later(self.settings.grace / 1000, self._soft_stop_now)

    def _soft_stop_now(self) -> None:
        if self._stop not in {Stop.RUNNING, Stop.GRACE}:
            return
        self._stop = Stop.SOFT
        self._log('notice', 'Soft stop: no more connections are accepted, what runs is finished.')
        if self.settings.hard_stop_after is not None:
            self._loop.call_later(self.settings.hard_stop_after / 1000, self.hard_stop)
        self._begin(self._finish(), 'soft stop')

    async def _finish(self) -> None:
        await self._reload.end()
        await self._workers.unlisten(self._listeners.all)
        self._listeners.close_all()
        self._workers.soft_stop()
        await self._workers.wait_gone()
        self._over.set()

    def hard_stop(self) -> None:
        """End now, but for what the workers have yet to log; at once when it is said again."""
        if self._stop is not Stop.HARD:
            self._stop = Stop.HARD
            self._log('notice', 'Stopping.')
            notify('STOPPING=1')
            self._begin(self._workers.staff.end(self._over), 'hard stop')
        else:
            self._over.set()

    # -- end --------------------------------------------------------------------------------------------------------

    async def stopped(self) -> None:
        """Return when this data plane has been told to stop, and has."""
        await self._over.wait()

    async def close(self) -> None:
        """Say goodbye, end the workers and close everything."""
        self._workers.hard_stop()
        await self._workers.wait_gone()
        if self._subscriber is not None:
            try:
                async with asyncio.timeout(_GOODBYE):
                    await self._subscriber.close()
            except TimeoutError:
                self._log('warning', 'The control plane did not take the goodbye in time.')
        if self._opened is not None:
            await self._opened.close()
        self._contents.close()
        await self._ring_doors.close()
        for part in (self._names, self._checker, self._watchdog, self._upkeep, self._shelf, self._slowstart):
            part.close()
        self._listeners.close_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        logging.getLogger('dataplane').removeHandler(self._forwarder)
        self._log.close()

    def _begin(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """A task that fails is a defect: without the door or the link this data plane would only seem to work."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(task.get_name(), error)

    def _failed(self, name: str, error: BaseException) -> None:
        self._log('alert', f'Internal error in {name}: {error!r}. Stopping.')
        self._loop.call_exception_handler({'message': f'task {name} failed', 'exception': error})
        self.hard_stop()
