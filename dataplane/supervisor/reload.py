"""Reload: the files are read again and become one structural change; listeners and workers follow. Whatever is wrong, nothing changes.

    read, in a process of its own -> compare what cannot change -> hire workers, open sockets for them -> open new binds
         -> the door (prepare, commit, effects)
         -> accept on new binds -> give up binds that are gone: accept what waits in them, then close -> workers serve, or retire

No connection is lost: sockets whose bind line stays are not touched, and the workers are the same processes. With another `nbthread`:

- Who is hired joins before the commit and prepares like everybody, so that the revision is in force on all workers there will be,
  but accepts nothing: until the commit everything can be taken back, and is.
- Who is not needed retires after the commit (`dataplane.supervisor.staff`); its sockets stay, and others accept what comes to them.

A soft stop ends reloads first (`end`): sockets opened while others are given up would be closed with connections in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from dataplane.cli.session import Complaint
from dataplane.config import Loaded
from dataplane.core.changes import AdoptFile
from dataplane.core.ledger import Refused
from dataplane.core.model import Snapshot
from dataplane.rules.model import Reference
from dataplane.supervisor.bundle import ENTRIES
from dataplane.supervisor.listeners import CannotListen, Listener, Listeners
from dataplane.supervisor.publish import Publisher
from dataplane.supervisor.reading import read_beside
from dataplane.supervisor.sources import NO_LISTENER, Sources, Unusable, listens
from dataplane.supervisor.workers import Workers

Say = Callable[[str, str], None]
_STOPPING: Final = 'This data plane is stopping.'


class Reload:
    """One per supervisor. `adopted(snapshot)` is called when a new file came into force; `changed()`: did maps change at run time?"""

    def __init__(
        self,
        sources: Sources,
        loaded: Loaded,
        *,
        publisher: Publisher,
        workers: Workers,
        listeners: Listeners,
        log: Say,
        changed: Callable[[], bool],
        adopted: Callable[[Snapshot], None],
    ) -> None:
        self.snapshot = loaded.snapshot
        self.environment: Mapping[str, str] = loaded.environment
        self.done = 0
        self.failed = 0
        self._sources = sources
        self._publisher = publisher
        self._workers = workers
        self._listeners = listeners
        self._say = log
        self._hear: Say = _nobody
        self._changed = changed
        self._loads = loaded.snapshot.load
        self._adopted = adopted
        self._one_at_a_time = asyncio.Lock()
        self._changing = asyncio.Lock()
        self._has_ended = False

    async def __call__(self, hear: Say | None = None) -> bool:
        """Reload once. Returns whether the new configuration is in force; why not was logged, and told to `hear`, too."""
        async with self._one_at_a_time:
            self._hear = _nobody if hear is None else hear
            try:
                await self._reload()
            except (Unusable, CannotListen, Refused) as problem:
                texts = problem.problems if not isinstance(problem, CannotListen) else str(problem).splitlines()
                for text in texts:
                    self._log('alert', text)
                self._log('alert', 'Reload refused: the running configuration is kept.')
                self.failed += 1
                return False
            self.done += 1
            self._log('notice', f'Reloaded: revision {self._publisher.revision} is in force on all workers.')
            return True

    def _log(self, level: str, text: str) -> None:
        self._say(level, text)
        self._hear(level, text)

    async def end(self) -> None:
        """Reload no more. Returns when what had begun to change is changed; who still reads will be refused."""
        self._has_ended = True
        async with self._changing:
            return

    async def _reload(self) -> None:
        loaded = await read_beside(self._sources)
        for warning in loaded.warnings:
            self._log('warning', str(warning))
        new = await self._numbered(loaded.snapshot)
        problems = unchangeable(self.snapshot, new)
        if problems:
            raise Unusable(problems)
        self._ask_whether_to_go_on()
        staff = self._workers.staff
        try:
            # not in the turn to change: who wants to stop need not wait for processes that start
            await staff.hire(new.globals)
            async with self._changing:
                self._ask_whether_to_go_on()
                await self._change(new)
                self.environment = loaded.environment
        except Exception:
            staff.dismiss()
            raise

    def _ask_whether_to_go_on(self) -> None:
        if self._has_ended:
            raise Unusable((_STOPPING,))

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """The turn to change listeners. Raises Complaint when this data plane is stopping."""
        async with self._changing:
            if self._has_ended:
                raise Complaint(_STOPPING)
            yield

    async def _numbered(self, new: Snapshot) -> Snapshot:
        """The snapshot as a reading of its own. Where it says of maps, ACLs and variables what still holds it is the same reading."""
        old = self.snapshot
        if (
            new.variables == old.variables
            and await _say_the_same(new.references, old.references)
            and not self._changed()
        ):
            return replace(new, load=old.load, references=old.references)
        self._loads += 1
        return replace(new, load=self._loads)

    async def _change(self, new: Snapshot) -> None:
        closed, stopped = self._listeners.closed.copy(), self._listeners.stopped.copy()
        self._listeners.closed -= stopped
        opened, before = list[Listener](), self._listeners.workers
        try:
            self._listeners.widen(new.globals.nbthread)
            opened = self._listeners.open_missing(new.frontends)
            await self._publisher.submit([AdoptFile(new)], source='reload')
        except Exception:
            self._listeners.closed |= closed & stopped
            for listener in opened:
                self._listeners.close(listener)
            if self._listeners.workers > before:
                self._listeners.narrow(before)
            raise
        self._listeners.stopped -= stopped
        self._listeners.closed &= {frontend.name for frontend in new.frontends}
        self.snapshot = new
        self._adopted(new)
        await self._follow(opened)
        self._workers.staff.resize(new.globals)

    async def _follow(self, opened: list[Listener]) -> None:
        """The workers accept where the new configuration says, and no longer where it does not."""
        moved = self._listeners.claim(self.snapshot.frontends)
        self._workers.listen([*opened, *(listener for listener in moved if listener not in opened)])
        unwanted = self._listeners.unwanted(self.snapshot.frontends)
        if not unwanted:
            return
        await self._workers.unlisten(unwanted)
        for listener in unwanted:
            if listener.holds_backlog():
                self._log('warning', f'Connections that waited on {listener.bind.address} were closed with it.')
            self._listeners.close(listener)


async def _say_the_same(some: Sequence[Reference], others: Sequence[Reference]) -> bool:
    """Are these the same maps and ACLs? Looks at some entries per turn of the loop."""
    if [replace(one, entries=()) for one in some] != [replace(one, entries=()) for one in others]:
        return False
    for one, other in zip(some, others, strict=True):
        if len(one.entries) != len(other.entries):
            return False
        for at in range(0, len(one.entries), ENTRIES):
            if one.entries[at : at + ENTRIES] != other.entries[at : at + ENTRIES]:
                return False
            await asyncio.sleep(0)
    return True


def _nobody(level: str, text: str) -> None:
    """Nobody waits for what is said but the log."""


def unchangeable(old: Snapshot, new: Snapshot) -> list[str]:
    """What a running data plane cannot change, by name; for these it must be started anew."""
    was, now = old.globals, new.globals
    problems = []
    if listens(old) and not listens(new):
        problems.append(NO_LISTENER)
    if now.state_dir != was.state_dir:
        problems.append(f"'state-dir' cannot be changed from {was.state_dir} to {now.state_dir} by a reload")
    if now.control_plane != was.control_plane:
        problems.append("'control-plane' cannot be changed by a reload")
    if now.on_partition != was.on_partition:
        problems.append(f"'on-partition' cannot be changed from {was.on_partition} to {now.on_partition} by a reload")
    if now.stats_sockets != was.stats_sockets:
        problems.append("'stats socket' lines cannot be changed by a reload")
    if _addresses(new) != _addresses(old):
        problems.append('listeners of the statistics page cannot be changed by a reload')
    return problems


def _addresses(snapshot: Snapshot) -> list[object]:
    return [
        replace(
            listener,
            where='',
            page=None,
            metrics_path=None,
            binds=tuple(replace(bind, where='') for bind in listener.binds),
        )
        for listener in snapshot.stats_listeners
    ]
