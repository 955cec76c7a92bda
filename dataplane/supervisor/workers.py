"""The worker processes: started, welcomed, watched by pidfd, buried, and started again.

    STARTING -> JOINED -> READY -> (LEAVING) -> dead -> STARTING ...

What must hold:

1. A number is used again only after what its last process owned was cleared from the board, which begins at the pidfd: only
   then are its sockets surely closed. The successor's interpreter starts meanwhile; it is welcomed after the clearing.
2. The first death is followed by a start at once, further ones soon after by a growing pause.
3. Listening sockets outlive workers. While one is not back within `STEER_AFTER` new connections go to the living; when it
   is not even started again at once, one of the living also accepts what is queued for it.
4. A worker that leaves because it was told to is not started again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

from dataplane.board import Bells, Board
from dataplane.core.model import Global
from dataplane.core.tables import Tables
from dataplane.supervisor.bundle import bundle
from dataplane.supervisor.listeners import Listener, Listeners
from dataplane.supervisor.members import Barrier, Contents
from dataplane.supervisor.questions import Answers, Questions, unanswered
from dataplane.supervisor.spawn import how_it_ended, spawn
from dataplane.supervisor.workerpages import no_pages
from dataplane.wire.framing import Channel, Message

STEER_AFTER: Final = 0.2
_PAUSES: Final = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0)
_HEALTHY_AFTER: Final = 2.0


class State(StrEnum):
    """What a worker process is doing."""

    STARTING = 'starting'
    JOINED = 'joined'
    READY = 'ready'
    LEAVING = 'leaving'


@dataclass(eq=False, slots=True)
class Worker:
    """One process. `channel` is closed when its death is known."""

    number: int
    process: subprocess.Popen[bytes]
    pidfd: int
    channel: Channel
    started: float
    state: State = State.STARTING

    @property
    def pid(self) -> int:
        """Process id; also the thread id it takes the board's lock with."""
        return self.process.pid


class Workers:
    """All workers of a data plane. `log(level, text)` is told of starts and deaths; `clear(number)` clears the board.

    `asked(number, message)` answers when a worker asks for a page. `failed(name, error)` is told of a defect in the work for a worker: without it a number would never be used again, or
    the barrier never be passed.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, board: Board, bells: Bells, listeners: Listeners, settings: Global
    ) -> None:
        self.barrier: Barrier
        self.contents: Contents
        self.clear: Callable[[int], Coroutine[Any, Any, None]]
        self.rings: int
        self.descriptors: Callable[[Tables], tuple[int, ...]] = lambda tables: ()
        self.failed: Callable[[str, BaseException], None]
        self.asked: Callable[[int, Message], Coroutine[Any, Any, None]] = partial(no_pages, self.send)
        self.log: Callable[[str, str], None] = lambda level, text: None
        self.restarts = 0
        self._loop = loop
        self._board = board
        self._bells = bells
        self._listeners = listeners
        self._settings = settings
        self._now: dict[int, Worker] = {}
        self._failures: dict[int, int] = {}
        self._clearing: dict[int, asyncio.Task[None]] = {}
        self._lent: dict[int, int] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._questions = Questions(loop, self.send)
        self._parting = self._stopping = False
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f'<Workers {", ".join(f"{n}:{w.pid}:{w.state}" for n, w in sorted(self._now.items()))}>'

    # -- questions ------------------------------------------------------------------------------------------------------

    def alive(self) -> tuple[int, ...]:
        """Numbers of the workers whose process lives."""
        return tuple(sorted(self._now))

    def serving(self) -> tuple[int, ...]:
        """Numbers of the workers that accept connections."""
        return tuple(sorted(number for number, worker in self._now.items() if worker.state is State.READY))

    def watched(self) -> tuple[int, ...]:
        """Numbers of the workers whose heartbeat means something."""
        return tuple(sorted(n for n, worker in self._now.items() if worker.state is not State.STARTING))

    @property
    def pids(self) -> dict[int, int]:
        """Process ids by number."""
        return {number: worker.pid for number, worker in sorted(self._now.items())}

    def processes(self) -> list[tuple[int, int, int]]:
        """Number, process id and age in seconds of each worker process."""
        now = time.monotonic()
        return [(number, worker.pid, int(now - worker.started)) for number, worker in sorted(self._now.items())]

    async def wait_serving(self) -> None:
        """Return when every worker accepts connections."""
        while len(self.serving()) < self._settings.nbthread:
            self._changed.clear()
            await self._changed.wait()

    async def wait_gone(self) -> None:
        """Return when no worker process is left."""
        while self._now:
            self._changed.clear()
            await self._changed.wait()

    # -- start ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all workers."""
        for number in range(self._settings.nbthread):
            self._spawn(number)

    def _spawn(self, number: int) -> None:
        if self._stopping or number in self._now:
            return
        try:
            process, pidfd, channel = spawn(self._settings, self.rings)
        except OSError as error:
            self.log('alert', f'Worker {number} cannot be started: {error}; trying again.')
            self._loop.call_later(_PAUSES[-1], self._spawn, number)
            return
        worker = Worker(number, process, pidfd, channel, time.monotonic())
        self._now[number] = worker
        self._loop.add_reader(pidfd, self._died, worker)
        self._loop.add_reader(channel.fileno(), self._read, worker)

    # -- packets -------------------------------------------------------------------------------------------------------

    def send(self, worker: int, message: Message, fds: Sequence[int] = ()) -> None:
        """Send a packet; to one that is going it is lost, which its death will tell. One that does not read is killed."""
        to = self._now.get(worker)
        if to is None or to.channel.fileno() < 0:
            return
        try:
            if not to.channel.send(message, fds):
                self._loop.add_writer(to.channel.fileno(), self._flush, to)
        except BlockingIOError as error:
            self.kill(worker, str(error))
        except OSError:
            # the pidfd tells; there is nobody to send to
            return

    def _flush(self, worker: Worker) -> None:
        try:
            done = worker.channel.flush()
        except OSError:
            done = True
        if done:
            self._loop.remove_writer(worker.channel.fileno())

    def _read(self, worker: Worker) -> None:
        try:
            while (packet := worker.channel.receive()) is not None:
                for fd in packet.fds:
                    os.close(fd)
                self._take(worker, packet.message)
        except EOFError:
            self._loop.remove_reader(worker.channel.fileno())
        except (ValueError, KeyError) as error:
            self.kill(worker.number, f'sent what cannot be understood: {error!r}')

    def _take(self, worker: Worker, message: Message) -> None:
        if self.barrier.heard(worker.number, message) or self.contents.heard(worker.number, message):
            return
        match message['op']:
            case 'hello':
                _ = self._begin(self._welcome(worker), f'welcome of worker {worker.number}')
            case 'ready':
                worker.state = State.READY
                self._steer()
                self._changed.set()
            case 'page':
                _ = self._begin(self.asked(worker.number, message), 'a page')
            case 'rows' | 'answer':
                self._questions.heard(message)
            case other:
                raise ValueError(f'unknown message {other!r}')

    async def _welcome(self, worker: Worker) -> None:
        """The worker runs: once its number is clear it becomes a member, and gets its sockets when it knows what all know."""
        clearing = self._clearing.get(worker.number)
        if clearing is not None:
            await clearing
        await self.barrier.join(worker.number, lambda tables, revision: self._join(worker, tables, revision))
        await self.contents.settled(worker.number)
        if self._now.get(worker.number) is worker and worker.state is State.JOINED:
            if self._parting:
                self.send(worker.number, {'op': 'farewell'})
            self.listen(self._listeners.all, only=worker.number)
            self.send(worker.number, {'op': 'serve'})

    def _join(self, worker: Worker, tables: Tables, revision: int) -> bool:
        if self._now.get(worker.number) is not worker:
            return False
        at = self._board.layout
        message: Message = {
            'op': 'join',
            'worker': worker.number,
            'layout': at.maxima,
            'revision': revision,
        }
        fd = bundle(tables)
        try:
            self._board.cells[at.HEARTBEAT + worker.number] = time.monotonic_ns() // 1_000_000
            worker.state = State.JOINED
            more = self.descriptors(tables)
            self.send(worker.number, message, (self._board.fd, fd, *self._bells.fds, *more))
        finally:
            os.close(fd)
        self.contents.join(worker.number)
        return True

    def listen(self, listeners: Sequence[Listener], only: int | None = None) -> None:
        """Have all members (or one) accept on these listeners for the frontends that own them."""
        for number in self.watched() if only is None else (only,):
            for listener in listeners:
                message = {'op': 'listen', 'key': listener.key, 'frontend': listener.frontend}
                self.send(number, message, (listener.of(number).fileno(),))

    async def unlisten(self, listeners: Sequence[Listener]) -> None:
        """Have all members accept what waits in these listeners and then no more. Returns when they have."""
        for listener in listeners:
            listener.turn_away()
        keys = [listener.key for listener in listeners]
        keys += [_lent_key(listener, number) for listener in listeners for number in self._lent]
        answers = await self._questions.ask(self.watched(), {'op': 'unlisten', 'keys': keys})
        if answers.silent:
            self.log('warning', f'Listeners are closed: {unanswered(answers.silent)}')

    # -- questions to workers ----------------------------------------------------------------------------------------------

    async def sessions(self) -> Answers:
        """All sessions of all workers, for `show sess`, one row each."""
        return await self._questions.ask(self.watched(), {'op': 'sessions'})

    async def ask(self, what: str, **fields: Any) -> Answers:
        """Put another question to all of them: `errors`, `activity` or `clear`."""
        return await self._questions.ask(self.watched(), {'op': what, **fields})

    async def kill_session(self, session: str) -> tuple[bool, tuple[int, ...]]:
        """End one session. Returns whether a worker had it, and the workers that did not say."""
        answers = await self._questions.ask(self.watched(), {'op': 'kill', 'session': session})
        return any(answer['found'] for answer in answers.said), answers.silent

    # -- death --------------------------------------------------------------------------------------------------------

    def kill(self, number: int, why: str) -> None:
        """End a worker that does not do what it must; its death is dealt with when the pidfd tells."""
        worker = self._now.get(number)
        if worker is not None:
            self.log('alert', f'Worker {number} ({worker.pid}) is killed: {why}.')
            signal.pidfd_send_signal(worker.pidfd, signal.SIGKILL)

    async def replace(self, why: str) -> None:
        """End every worker with all its connections. Returns when others serve in their places."""
        before = set(self.pids.values())
        for number in self.alive():
            self.kill(number, why)
        while before & set(self.pids.values()) or len(self.serving()) < self._settings.nbthread:
            self._changed.clear()
            await self._changed.wait()

    def _died(self, worker: Worker) -> None:
        self._loop.remove_reader(worker.pidfd)
        self._loop.remove_reader(worker.channel.fileno())
        self._loop.remove_writer(worker.channel.fileno())
        os.close(worker.pidfd)
        worker.channel.close()
        code = worker.process.wait()
        was = worker.state
        del self._now[worker.number]
        self._lent = {of: to for of, to in self._lent.items() if to != worker.number}
        if not self._stopping:
            self.log('alert', f'Worker {worker.number} ({worker.pid}) {how_it_ended(code)}.')
        self.barrier.left(worker.number)
        self.contents.left(worker.number)
        self._questions.left(worker.number)
        if was is not State.STARTING:
            self._clearing[worker.number] = self._begin(
                self._clear(worker.number), f'clearing of worker {worker.number}'
            )
        self._changed.set()
        if not self._stopping:
            self._again(worker)

    async def _clear(self, number: int) -> None:
        await self.clear(number)
        self._clearing.pop(number, None)

    def _again(self, worker: Worker) -> None:
        """Start a successor, at once if this one had been well."""
        number = worker.number
        if time.monotonic() - worker.started >= _HEALTHY_AFTER:
            self._failures[number] = 0
        pause = _PAUSES[min(self._failures.get(number, 0), len(_PAUSES) - 1)]
        self._failures[number] = self._failures.get(number, 0) + 1
        self.restarts += 1
        self._loop.call_later(STEER_AFTER, self._steer)
        if pause:
            self._loop.call_later(pause, self._spawn, number)
        else:
            self._spawn(number)

    def _steer(self) -> None:
        """New connections go to those who serve; what is queued for one that is away for longer, another accepts."""
        if self._stopping:
            return
        serving = self.serving()
        self._listeners.steer(serving)
        for number in range(self._settings.nbthread):
            if number in serving and number in self._lent:
                keys = [_lent_key(listener, number) for listener in self._listeners.all]
                self.send(self._lent.pop(number), {'op': 'unlisten', 'keys': keys, 'question': 0})
            elif serving and number not in serving and number not in self._lent and self._failures.get(number, 0) > 1:
                self._lent[number] = serving[0]
                for listener in (one for one in self._listeners.all if not one.shared):
                    message = {'op': 'listen', 'key': _lent_key(listener, number), 'frontend': listener.frontend}
                    self.send(serving[0], message, (listener.of(number).fileno(),))

    # -- end -----------------------------------------------------------------------------------------------------------

    def farewell(self) -> None:
        """Have every worker, also those still to come, close each connection with its next answer; all else goes on."""
        self._parting = True
        for number in self.watched():
            self.send(number, {'op': 'farewell'})

    def soft_stop(self) -> None:
        """Have every worker finish what it has and leave; none is started any more."""
        self._stopping = True
        for worker in tuple(self._now.values()):
            if worker.state is State.STARTING:
                signal.pidfd_send_signal(worker.pidfd, signal.SIGKILL)
            else:
                worker.state = State.LEAVING
                self.send(worker.number, {'op': 'leave'})

    def hard_stop(self) -> None:
        """End every worker now."""
        self._stopping = True
        for worker in tuple(self._now.values()):
            signal.pidfd_send_signal(worker.pidfd, signal.SIGKILL)

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed(task.get_name(), error)


def _lent_key(listener: Listener, number: int) -> str:
    """What another worker knows the socket of worker `number` by."""
    return f'{listener.key} of worker {number}'
