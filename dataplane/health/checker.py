"""All checks of a data plane on one loop: when each is due, and what becomes of what they found.

Results are submitted as ordered changes, all of one turn of the loop together, so that many of the same moment are one revision.
What a person or the control plane decided meanwhile is in the ledger's record and is obeyed before a result counts.

First checks are spread: server number k of n begins after k/n of its interval. `spread-checks` moves later ones about.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from dataplane.core import weight
from dataplane.core.admin import Admin
from dataplane.core.changes import CellChange, SetAdmin, SetHealth, SetMaxconn, SetWeight
from dataplane.core.checks import Connect, Observe
from dataplane.core.ledger import Ledger, Refused, ServerRecord
from dataplane.core.model import AdminState, Backend
from dataplane.core.state import OpState
from dataplane.health.agent import AgentRun, Words
from dataplane.health.dialogue import Dialogue, Limits, Origin
from dataplane.health.errors import Streak
from dataplane.health.result import Result, health_line
from dataplane.health.run import Conversation, Run
from dataplane.health.watch import News, Watch
from dataplane.health.wording import CheckView, Shared, Wording
from dataplane.wire.unixhost import is_unix

if TYPE_CHECKING:
    from dataplane.rules.samples import Sample

LOOK_EVERY: Final = 0.05
"""Seconds between looks at what observed traffic did."""
_FORCED: Final = {
    AdminState.READY: 0, AdminState.DRAIN: int(Admin.FDRAIN), AdminState.MAINT: int(Admin.FMAINT),
}  # fmt: skip
_FORCES: Final = int(Admin.FDRAIN | Admin.FMAINT)
_NAMES: Final = {OpState.STOPPED: 'DOWN', OpState.STOPPING: 'NOLB'}


class Door(Protocol):
    """The supervisor's one door."""

    @property
    def ledger(self) -> Ledger:
        """What is true of every server."""

    async def submit(self, changes: Sequence[CellChange], *, source: str) -> object:
        """Make changes true. Raises Refused."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is said of a server in `X-Haproxy-Server-State`: its weight, its sessions and its queue, and its backend's."""

    weight: int
    total_weight: int
    sessions: int
    total_sessions: int
    queued: int


class Board(Protocol):
    """What is to be read of the board."""

    def load(self, record: ServerRecord) -> Load:
        """The figures of one server."""

    def observed(self, server: int) -> list[int]:
        """What workers saw of it: a cell each (`dataplane.health.errors`)."""


class Checker:
    """One per data plane. `follow` after each revision, `close` at the end; `told` hears the lines about a backend's servers."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        door: Door,
        board: Board,
        log: Callable[[str, str], None],
        told: Callable[[Backend, str, str], None],
        shared: Shared,
        *,
        rng: random.Random,
        workers: int,
    ) -> None:
        self._loop, self._door, self._board, self._log, self._rng = loop, door, board, log, rng
        self._told, self._shared = told, shared
        self._workers = workers
        self._watches: dict[tuple[int, bool], Watch] = {}
        self._timers: dict[Watch, asyncio.TimerHandle] = {}
        self._dialogues: dict[Watch, Dialogue] = {}
        self._streaks: dict[int, tuple[Observe, Streak]] = {}
        self._looking: asyncio.TimerHandle | None = None
        self._known: object = None
        self._ready: list[CellChange] = []
        self._flushing: asyncio.Handle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f'<Checker watches={len(self._watches)} under_way={len(self._dialogues)}>'

    @property
    def watches(self) -> Mapping[tuple[int, bool], Watch]:
        """Every check by the server's index, and whether it is the agent's."""
        return self._watches

    def close(self) -> None:
        """End everything."""
        for timer in self._timers.values():
            timer.cancel()
        for dialogue in self._dialogues.values():
            dialogue.cancel()
        for handle in (self._looking, self._flushing):
            if handle is not None:
                handle.cancel()
        for task in self._tasks:
            task.cancel()
        self._timers.clear()
        self._dialogues.clear()

    # -- who is checked ---------------------------------------------------------------------------------------------

    def follow(self) -> None:
        """A revision was applied: begin and end checks as its tables say."""
        ledger = self._door.ledger
        if ledger.tables is self._known:
            return
        self._known = ledger.tables
        backends = ledger.tables.backends
        wanted = dict(_wanted(r for r in ledger.records.values() if not backends[r.backend_index].disabled))
        for key in self._watches.keys() - wanted.keys():
            self._drop(key)
        new = []
        for key, record in wanted.items():
            watch = self._watches.get(key)
            if watch is not None and watch.key != (record.backend, record.name):
                self._drop(key)
                watch = None
            if watch is None:
                watch = self._watches[key] = Watch(record, agent=key[1])
                new.append(watch)
        most = ledger.tables.snapshot.globals.max_spread_checks
        for place, watch in enumerate(new):
            spread = watch.counter.interval()
            self._later(watch, (min(spread, most) if most else spread) * place / len(new))
        self._observe(ledger)

    def _drop(self, key: tuple[int, bool]) -> None:
        watch = self._watches.pop(key)
        if (timer := self._timers.pop(watch, None)) is not None:
            timer.cancel()
        if (dialogue := self._dialogues.pop(watch, None)) is not None:
            dialogue.cancel()

    def _later(self, watch: Watch, delay_ms: float) -> None:
        self._timers[watch] = self._loop.call_later(delay_ms / 1000, self._due, watch)

    def _record(self, watch: Watch) -> ServerRecord | None:
        """The server's record as it is now, None when it is gone."""
        record = self._door.ledger.records.get(watch.index)
        if record is None or (record.backend, record.name) != watch.key:
            return None
        watch.obey(record)
        return record

    # -- checking ---------------------------------------------------------------------------------------------------

    def _due(self, watch: Watch) -> None:
        """Its time has come: ask, or rest until the next time."""
        self._timers.pop(watch, None)
        record = self._record(watch)
        if record is None:
            return
        if watch.rests(record):
            self._again(watch)
            return
        backend = self._door.ledger.tables.backends[record.backend_index]
        host, port = _place(record, agent=watch.agent)
        conversation = self._conversation(watch, record, backend)
        watch.under_way = True
        dialogue = Dialogue(
            self._loop, conversation, host, port, _limits(watch, backend), partial(self._finished, watch, conversation),
            _origin(record, backend, agent=watch.agent),
        )  # fmt: skip
        self._dialogues[watch] = dialogue
        dialogue.start()

    def _conversation(self, watch: Watch, record: ServerRecord, backend: Backend) -> Conversation:
        if watch.agent:
            assert record.server.agent is not None
            send = record.health.agent_target.send
            return AgentRun(record.server.agent.send if send is None else send)
        settings = self._door.ledger.tables.snapshot.globals
        asks = any(getattr(step, 'state', False) for step in backend.probe.steps)
        state = self._state(watch, record, settings.node) if asks else ''
        running = record.opstate is not OpState.STOPPED
        wording = Wording(partial(self._view, record, backend), self._shared.patience)
        return Run(backend.probe, wording, state=state, running=running, bufsize=settings.bufsize)

    def _view(self, record: ServerRecord, backend: Backend) -> CheckView:
        """What expressions in the lines of a check see."""
        facts: dict[str, Sample] = {
            'be_id': backend.id, 'be_name': backend.name.encode(), 'srv_id': record.server.id, 'srv_name': record.name.encode(),
            '%b': backend.name.encode(), '%s': record.name.encode(), 'hostname': socket.gethostname().encode(),
            'pid': os.getpid(),
        }  # fmt: skip
        return CheckView(facts, self._shared, time.time_ns() // 1_000, self._rng.getrandbits)

    def _state(self, watch: Watch, record: ServerRecord, node: str) -> str:
        """`X-Haproxy-Server-State`."""
        load, counter = self._board.load(record), watch.counter
        n, m = counter.shown()
        name = _NAMES.get(record.opstate, 'UP')
        of = '' if counter.settled else f' {n}/{m}'
        host, port = record.server.host, str(record.server.port)
        if is_unix(host):
            host, port = 'unix', ''
        return (
            f'{name}{of}; address={host}; port={port}; name={record.backend}/{record.name}; node={node}; '
            f'weight={load.weight}/{load.total_weight}; scur={load.sessions}/{load.total_sessions}; qcur={load.queued}'
        )

    def _again(self, watch: Watch) -> None:
        """When the next one is due."""
        interval = watch.counter.interval()
        spread = interval * self._door.ledger.tables.snapshot.globals.spread_checks / 100
        self._later(watch, interval + self._rng.uniform(-spread, spread) if spread else interval)

    def _finished(self, watch: Watch, conversation: Conversation, result: Result) -> None:
        self._dialogues.pop(watch, None)
        watch.under_way = False
        record = self._record(watch)
        if record is None or self._watches.get((watch.index, watch.agent)) is not watch:
            return
        if not watch.rests(record):
            if isinstance(conversation, AgentRun) and conversation.words is not None:
                self._ready.extend(_wishes(record, conversation.words))
            self._concluded(watch, record, watch.found(result))
        self._again(watch)

    def _concluded(self, watch: Watch, record: ServerRecord, news: News) -> None:
        """Tell of a result, and bring its verdict to the door if it is another one."""
        backend = self._door.ledger.tables.backends[record.backend_index]
        logged = backend.probe.log_checks
        if news.told and logged:
            line = health_line(
                f'{record.backend}/{record.name}', watch.last, watch.counter.shown(), agent=watch.agent,
                backup=record.server.backup, up=watch.counter.up, weight=record.uweight,
            )  # fmt: skip
            self._told(backend, 'notice', line)
        side = watch.side(record)
        health = record.health
        if news.verdict is not None and health.found(news.verdict, agent=watch.agent) is not health:
            reason = '' if logged else watch.last.reason()
            self._ready.append(
                SetHealth(record.backend, record.name, news.verdict, side.serial, reason, agent=watch.agent)
            )
        if self._ready and self._flushing is None:
            self._flushing = self._loop.call_soon(self._flush)

    # -- the door ---------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        self._flushing = None
        ready, self._ready = self._ready, []
        task = self._loop.create_task(self._submit(ready))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _submit(self, changes: Sequence[CellChange]) -> None:
        """All together; where one is refused, because its server has just gone, the others all the same."""
        try:
            await self._door.submit(changes, source='check')
        except Refused as refused:
            if len(changes) == 1:
                self._log('info', f'What a check found is of no use any more: {refused}')
                return
            for change in changes:
                await self._submit([change])

    # -- observed traffic -------------------------------------------------------------------------------------------

    def _observe(self, ledger: Ledger) -> None:
        """Whose traffic is looked at: those with a check and `observe`."""
        before, self._streaks = self._streaks, {}
        for index, server in ledger.tables.servers.items():
            if server.observe is not None and (index, False) in self._watches:
                known = before.get(index)
                if known is None or known[0] is not server.observe:
                    known = server.observe, _from_now(self._board.observed(index), self._workers)
                self._streaks[index] = known
        if self._streaks and self._looking is None:
            self._looking = self._loop.call_later(LOOK_EVERY, self._look)

    def _look(self) -> None:
        self._looking = self._loop.call_later(LOOK_EVERY, self._look) if self._streaks else None
        for index, (observe, streak) in self._streaks.items():
            for _ in range(streak.look(self._board.observed(index), observe.limit)):
                self._misbehaved(self._watches[index, False], observe, streak)

    def _misbehaved(self, watch: Watch, observe: Observe, streak: Streak) -> None:
        record = self._record(watch)
        if record is None or watch.rests(record):
            return
        news = watch.misbehaved(observe.on_error, observe.limit, streak.last)
        if news is not None:
            self._concluded(watch, record, news)
        timer, fast = self._timers.get(watch), watch.counter.pace.fastinter
        if timer is not None and fast and timer.when() > self._loop.time() + fast / 1000:
            timer.cancel()
            self._later(watch, fast)


def _wanted(records: Iterable[ServerRecord]) -> Iterator[tuple[tuple[int, bool], ServerRecord]]:
    for record in records:
        if record.server.check is not None:
            yield (record.index, False), record
        if record.server.agent is not None:
            yield (record.index, True), record


def _place(record: ServerRecord, *, agent: bool) -> tuple[str, int]:
    """Where a check goes: as set at run time, else as the check says, else the server itself."""
    server = record.server
    declared = server.agent if agent else server.check
    target = record.health.agent_target if agent else record.health.check_target
    assert declared is not None
    return target.addr or declared.addr or server.host, target.port or declared.port or server.port


def _origin(record: ServerRecord, backend: Backend, *, agent: bool) -> Origin:
    """Where its connection comes from and what is said first; a connection that `http-check` or `tcp-check` asks for begins plainly."""
    server, first = record.server, next(iter(backend.probe.steps), None)
    implicit = isinstance(first, Connect) and first.implicit
    told = server.check.proxy if server.check is not None and implicit and not agent else None
    return Origin(server.source, told)


def _limits(watch: Watch, backend: Backend) -> Limits:
    """Without `timeout check` the interval limits the whole; with it the connection, and it the rest."""
    probe, inter = backend.probe, watch.counter.pace.inter
    if probe.timeout is None:
        return Limits(inter, None)
    return Limits(inter if probe.connect is None else min(inter, probe.connect), probe.timeout)


def _wishes(record: ServerRecord, words: Words) -> Iterator[CellChange]:
    """What an agent's words change: state, weight, limit."""
    backend, name = record.backend, record.name
    if words.admin is not None and record.admin & _FORCES != _FORCED[words.admin]:
        yield SetAdmin(backend, name, words.admin)
    if words.weight is not None:
        value, percent = words.weight
        if record.uweight != (weight.relative(record.iweight, value) if percent else value):
            yield SetWeight(backend, name, value, percent)
    if words.maxconn is not None and words.maxconn != record.maxconn:
        yield SetMaxconn(backend, name, words.maxconn)


def _from_now(cells: list[int], workers: int) -> Streak:
    """A streak that begins with what comes after now."""
    streak = Streak(workers)
    streak.look(cells, 1)
    streak.bad = 0
    return streak
