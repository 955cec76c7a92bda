"""The worker's side of the supervisor: packets in, answers out, the doorbell and the heartbeat.

    prepare number, fd -> prepared number [problem]     effects revision -> applied revision, counts
    discard number                                      listen key, frontend, fd; unlisten keys, question -> answer
    patterns sequence, what changed, fds -> patterns sequence; changes: what rules did, at any time
    sessions, errors: question -> rows, ..., answer     kill, activity, clear: question -> answer
    paged question, status, fd <- page question
    serve -> ready                                      end, leave, retire -> the end of this process; of the last, unless `stay` comes first

Packets are taken in their order; what takes long (unpacking tables, all sessions) is done in slices beside them, and nothing
that follows from a packet is answered before it is true. The end of file ends the worker at once.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
import time
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from dataplane.core.counters import C
from dataplane.core.tables import Tables
from dataplane.wire.framing import Channel, Message, unpack
from dataplane.worker.account import Lateness, activity, clear_row
from dataplane.worker.collector import Collector
from dataplane.worker.desk import Effects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataplane.board import Bells, Board
    from dataplane.worker.access_log import AccessLog
    from dataplane.worker.contents import Contents
    from dataplane.worker.desk import Desk
    from dataplane.worker.traffic import Traffic

BEAT: Final = 0.02
_DRAIN_PATIENCE: Final = 1.0
_LOOK_AGAIN: Final = 0.002
_ROWS: Final = 100


class Mailbox:
    """One per worker; owns the channel, the doorbell and the listening sockets. `run` returns when the worker may end."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        channel: Channel,
        board: Board,
        bells: Bells,
        worker: int,
        *,
        desk: Desk,
        traffic: Traffic,
        log: AccessLog,
        contents: Contents,
    ) -> None:
        self._loop = loop
        self._channel = channel
        self._board = board
        self._bells = bells
        self._worker = worker
        self._desk = desk
        self._traffic = traffic
        self._log = log
        self._contents = contents
        contents.send = self._send
        self._collector = Collector()
        self._lateness = Lateness(BEAT)
        self._listening: dict[str, tuple[socket.socket, str]] = {}
        self._preparing: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_retiring = False
        self._over = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent.set()
        self._beat_timer: asyncio.TimerHandle | None = None
        traffic.inquiries.send = self._send

    async def run(self) -> None:
        """Serve until told to leave, or until the supervisor is gone."""
        self._loop.add_reader(self._bells.fds[self._worker], self._rung)
        self._loop.add_reader(self._channel.fileno(), self._read)
        self._beat()
        self._read()
        await self._over.wait()

    def close(self) -> None:
        """End what is left and write out the log. The sockets of the listeners go with the process."""
        if self._beat_timer is not None:
            self._beat_timer.cancel()
        self._loop.remove_reader(self._bells.fds[self._worker])
        self._loop.remove_reader(self._channel.fileno())
        self._traffic.close()
        self._log.close()
        self._channel.close()

    # -- what wakes the worker ------------------------------------------------------------------------------------------

    def _rung(self) -> None:
        self._bells.clear(self._worker)
        self._desk.settle()

    def _beat(self) -> None:
        """Every 20 ms: the loop turns."""
        self._beat_timer = self._loop.call_later(BEAT, self._beat)
        self._desk.heartbeat(time.monotonic_ns() // 1_000_000)
        self._lateness.beat()
        open_now = self._board.cells[self._board.layout.process_counters(self._worker) + C.SCUR]
        self._collector.beat(is_idle=not open_now)

    def _read(self) -> None:
        try:
            while (packet := self._channel.receive()) is not None:
                if self._over.is_set():
                    _closed(list(packet.fds))  # who leaves takes nothing on any more
                    continue
                self._take(packet.message, packet.fds)
        except EOFError:
            # no supervisor, no data plane: leave the connections to the kernel
            self._over.set()

    def _send(self, message: Message) -> None:
        try:
            if not self._channel.send(message):
                self._sent.clear()
                self._loop.add_writer(self._channel.fileno(), self._flush)
        except OSError:
            # the supervisor is gone, or does not read: either way the end of file follows
            self._over.set()

    def _flush(self) -> None:
        try:
            done = self._channel.flush()
        except OSError:
            self._over.set()
            done = True
        if done:
            self._loop.remove_writer(self._channel.fileno())
            self._sent.set()

    # -- packets ----------------------------------------------------------------------------------------------------------

    def _take(self, message: Message, fds: tuple[int, ...]) -> None:
        match message['op']:
            case 'effects':
                revision = message['revision']
                self._desk.effects(revision, lambda effects: self._applied(revision, effects))
            case 'prepare':
                number = message['number']
                left = list(fds[1:])
                task = self._preparing[number] = self._begin(self._prepare(number, unpack(fds[0]), left))
                task.add_done_callback(lambda _: _closed(left))  # also of one that was discarded before it began
            case 'patterns':
                self._hear(message, fds)
            case 'discard':
                self._discard(message['number'])
            case 'listen':
                self._listen(message['key'], message['frontend'], fds[0])
            case 'unlisten':
                _ = self._begin(self._unlisten(message['keys'], message['question']))
            case 'sessions':
                _ = self._begin(self._sessions(message['question']))
            case 'kill':
                self._answer(message, found=self._traffic.kill(message['session']))
            case 'errors':
                _ = self._begin(self._faults(message['question']))
            case 'activity':
                found = activity(self._board, self._worker, self._traffic, self._lateness)
                self._answer(message, worker=self._worker, activity=found)
            case 'clear':
                _ = self._begin(self._clear(message))
            case 'paged':
                self._traffic.inquiries.told(message['question'], message['status'], fds)
            case 'serve':
                self._send({'op': 'ready'})
            case 'farewell':
                self._traffic.farewell()
            case 'retire':
                self._retire()
            case 'stay':
                self._is_retiring = False
                self._traffic.stay()
            case 'end':
                self._log.flush()  # first: what else there is to close may take longer than there is time for
                self._over.set()
            case 'leave':
                _ = self._begin(self._leave())
            case other:
                raise ValueError(f'unknown message {other!r} from the supervisor')

    def _hear(self, message: Message, fds: tuple[int, ...]) -> None:
        """Maps and ACLs changed: followed in this turn, unless whole sets come along."""
        if message['load'] != self._contents.load:
            self._desk.adopt_committed()
        if fds:
            _ = self._begin(self._contents.hear(message, fds))
        else:
            self._contents.follow(message, [])

    def _answer(self, message: Message, **fields: Any) -> None:
        self._send({'op': 'answer', 'question': message['question'], **fields})

    async def _sessions(self, question: int) -> None:
        """All requests under way, some per turn of the loop, and no faster than the supervisor takes them."""
        await self._rows(question, self._traffic.sessions(), _ROWS)
        self._send({'op': 'answer', 'question': question})

    async def _faults(self, question: int) -> None:
        """The last faulty messages, a buffer each: one per packet."""
        await self._rows(question, ({**row, 'worker': self._worker} for row in self._traffic.faults()), 1)
        self._send({'op': 'answer', 'question': question, 'total': self._traffic.fault_count()})

    async def _clear(self, message: Message) -> None:
        everything, server = bool(message['everything']), int(message['server'])
        await clear_row(self._board, self._worker, self._desk, everything=everything, server=server)
        self._answer(message)

    async def _rows(self, question: int, rows: Iterator[dict[str, Any]], at_once: int) -> None:
        while part := tuple(islice(rows, at_once)):
            self._send({'op': 'rows', 'question': question, 'rows': part})
            await asyncio.sleep(0)
            await self._sent.wait()

    def _applied(self, revision: int, effects: Effects) -> None:
        self._send(
            {
                'op': 'applied',
                'revision': revision,
                'requeued': effects.requeued,
                'refused': effects.refused,
                'killed': effects.killed,
            }
        )

    async def _prepare(self, number: int, parts: Iterator[object], fds: list[int]) -> None:
        """Unpack tables beside those in use, a part per turn of the loop. `fds`: those of their stick tables; what is left there is closed."""
        answer: Message = {'op': 'prepared', 'number': number}
        tables: object = None
        try:
            for part in parts:
                tables = part
                await asyncio.sleep(0)
            if not isinstance(tables, Tables) or tables.number != number:
                raise ValueError(f'tables {number} were announced, {tables!r:.80} came')
            for _ in self._contents.prepare(number, tables.snapshot):
                await asyncio.sleep(0)
            for _ in self._traffic.prepare(tables):
                await asyncio.sleep(0)
            taken = tuple(fds)
            fds.clear()
            self._traffic.shelf.prepare(number, tables.snapshot.stick_tables, taken)
            self._desk.prepare(tables)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the answer is that this worker cannot
            answer['problem'] = f'{type(problem).__name__}: {problem}'
        self._preparing.pop(number, None)
        self._send(answer)

    def _discard(self, number: int) -> None:
        preparing = self._preparing.pop(number, None)
        if preparing is not None:
            preparing.cancel()
        self._desk.discard(number)
        self._traffic.discard(number)
        self._traffic.shelf.discard(number)
        self._contents.discard(number)

    # -- listening ----------------------------------------------------------------------------------------------------------

    def _listen(self, key: str, frontend: str, fd: int) -> None:
        """Accept on a socket for a frontend; on one that is known already, for that frontend from now on."""
        known = self._listening.get(key)
        sock = socket.socket(fileno=fd)
        if known is None:
            self._listening[key] = sock, frontend
            self._accept_on(key)
        else:
            sock.close()
            self._listening[key] = known[0], frontend
            self._listen_anew()

    def _accept_on(self, key: str) -> None:
        self._desk.adopt_committed()
        sock, frontend = self._listening[key]
        index = self._desk.tables.frontend_of(frontend)
        if index is not None:
            self._traffic.listen(sock, index, key)

    def _listen_anew(self) -> None:
        self._traffic.stop_listening()
        for key in self._listening:
            self._accept_on(key)

    async def _unlisten(self, keys: list[str], question: int) -> None:
        """Accept what waits in these sockets, then no more."""
        mine = [key for key in keys if key in self._listening]
        await _drained([self._listening[key][0] for key in mine])
        gone = [self._listening.pop(key)[0] for key in mine if key in self._listening]
        self._listen_anew()
        for sock in gone:
            sock.close()
        self._send({'op': 'answer', 'question': question})

    def _retire(self) -> None:
        """Another configuration wants fewer workers. Who waits in this one's sockets is accepted by another, who has them already."""
        self._is_retiring = True
        gone = [sock for sock, _ in self._listening.values()]
        self._listening.clear()
        self._traffic.retire(self._retired)
        for sock in gone:
            sock.close()

    def _retired(self) -> None:
        """All is finished, which is told a turn of the loop later: was it called back meanwhile?"""
        if self._is_retiring:
            self._over.set()

    async def _leave(self) -> None:
        """The soft stop: what waits to be accepted is, what runs is finished, then this process ends."""
        await _drained([sock for sock, _ in self._listening.values()])
        self._traffic.soft_stop(self._over.set)

    def _begin(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A defect in a packet's work ends the worker loudly: a half-done one could hold the barrier up for good."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            sys.excepthook(type(error), error, error.__traceback__)
            os._exit(1)


def _closed(fds: list[int]) -> None:
    """Close descriptors that nobody has taken over."""
    while fds:
        os.close(fds.pop())


async def _drained(sockets: list[socket.socket]) -> None:
    """Return when nothing waits in these listening sockets, or after a second: over maxconn they would stay full."""
    poll = select.poll()
    for sock in sockets:
        poll.register(sock, select.POLLIN)
    until = time.monotonic() + _DRAIN_PATIENCE
    while poll.poll(0):
        if time.monotonic() > until:
            return
        await asyncio.sleep(_LOOK_AGAIN)
