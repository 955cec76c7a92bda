"""The worker processes: started, welcomed, watched by pidfd, buried, and started again.

    STARTING -> JOINED -> STANDBY -> OPENING -> READY -> (LEAVING) -> dead -> STARTING ...

What must hold, beside what `dataplane.supervisor.roster` says of how many there are:

1. A number is used again only after what its last process owned was cleared from the board, which begins at the pidfd: only
   then are its sockets surely closed. The successor's interpreter starts meanwhile; it is welcomed after the clearing.
2. The first death is followed by a start at once, further ones soon after by a growing pause.
3. Listening sockets outlive workers. While one is not back within `STEER_AFTER` new connections go to the living; when it
   is not even started again at once, one of the living also accepts what is queued for it.
4. A worker that leaves because it was told to is not started again, unless it is needed after all.
5. The board's rows in use are those of all numbers that are to run, and of whoever else runs or was not cleared yet.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

from dataplane.board import Bells, Board
from dataplane.core.model import Global
from dataplane.core.tables import Tables
from dataplane.supervisor.bundle import bundle
from dataplane.supervisor.listeners import Listener, Listeners
from dataplane.supervisor.members import Barrier, Contents
from dataplane.supervisor.questions import Answers, Questions, unanswered
from dataplane.supervisor.roster import State
from dataplane.supervisor.spawn import Process, Worker, how_it_ended, spawn
from dataplane.supervisor.staff import Staff
from dataplane.supervisor.workerpages import no_pages
from dataplane.wire.framing import Message

STEER_AFTER: Final = 0.2
_PAUSES: Final = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0)
_HEALTHY_AFTER: Final = 2.0


class Workers:
    """All workers of a data plane. `log(level, text)` is told of starts and deaths; `clear(number)` clears the board.

    `asked(number, message)` answers when a worker asks for a page. `failed(name, error)` is told of a defect in the work for a worker: without it a number would never be used again, or
    the barrier never be passed. `rings` leads to the rings of log lines, `first` gives processes that wait for work already. `staff` says how many there are to be.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, board: Board, bells: Bells, listeners: Listeners, settings: Global
    ) -> None:
        self.barrier: Barrier
        self.contents: Contents
        self.clear: Callable[[int], Coroutine[Any, Any, None]]
        self.rings: int
        self.first: Callable[[], Process | None] = lambda: None
        self.descriptors: Callable[[Tables], tuple[int, ...]] = lambda tables: ()
        self.failed: Callable[[str, BaseException], None]
        self.asked: Callable[[int, Message], Coroutine[Any, Any, None]] = partial(no_pages, self.send)
        self.log: Callable[[str, str], None] = lambda level, text: None
        self.restarts = 0
        self.now: dict[int, Worker] = {}
        self.failures: dict[int, int] = {}
        self.clearing: dict[int, asyncio.Task[None]] = {}
        self.is_parting = self.is_stopping = False
        self.staff = Staff(loop, self, board, listeners, settings)
        self._loop = loop
        self._board = board
        self._bells = bells
        self._tasks: set[asyncio.Task[Any]] = set()
        self._questions = Questions(loop, self.send)

    def __repr__(self) -> str:
        return f'<Workers {", ".join(f"{n}:{w.pid}:{w.state}" for n, w in sorted(self.now.items()))}>'

    # -- questions ------------------------------------------------------------------------------------------------------

    def alive(self) -> tuple[int, ...]:
        """Numbers of the workers whose process lives."""
        return tuple(sorted(self.now))

    def serving(self) -> tuple[int, ...]:
        """Numbers of the workers that accept connections."""
        return tuple(sorted(number for number, worker in self.now.items() if worker.state is State.READY))

    def watched(self) -> tuple[int, ...]:
        """Numbers of the workers whose heartbeat means something."""
        return tuple(sorted(n for n, worker in self.now.items() if worker.state is not State.STARTING))

    @property
    def pids(self) -> dict[int, int]:
        """Process ids by number."""
        return {number: worker.pid for number, worker in sorted(self.now.items())}

    def processes(self, *, leaving: bool = False) -> list[tuple[int, int, int]]:
        """Number, process id and age in seconds of each worker process: of those that leave, or of all others."""
        now = time.monotonic()
        return [
            (number, worker.pid, int(now - worker.started))
            for number, worker in sorted(self.now.items())
            if (worker.state is State.LEAVING) == leaving
        ]

    async def wait_serving(self) -> None:
        """Return when every worker accepts connections."""
        await self.staff.until(self.staff.is_complete)

    async def wait_gone(self) -> None:
        """Return when no worker process is left."""
        await self.staff.until(lambda: not self.now)

    # -- start ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all workers."""
        self.staff.start()

    def spawn(self, number: int) -> None:
        """Start a worker, if there is to be one of this number and is none."""
        if self.is_stopping or number in self.now or not self.staff.is_wanted(number):
            return
        try:
            process = self.first() or spawn(self.staff.settings)
        except OSError as error:
            self.log('alert', f'Worker {number} cannot be started: {error}; trying again.')
            self._loop.call_later(_PAUSES[-1], self.spawn, number)
            return
        worker = Worker(number, process, time.monotonic())
        self.now[number] = worker
        self._loop.add_reader(worker.pidfd, self._died, worker)
        self._loop.add_reader(worker.channel.fileno(), self._read, worker)

    # -- packets -------------------------------------------------------------------------------------------------------

    def send(self, worker: int, message: Message, fds: Sequence[int] = ()) -> None:
        """Send a packet; to one that is going it is lost, which its death will tell. One that does not read is killed."""
        to = self.now.get(worker)
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
                if worker.state is State.OPENING:  # else it was told meanwhile that it need not
                    worker.state = State.READY
                    self.staff.settle()
            case 'page':
                _ = self._begin(self.asked(worker.number, message), 'a page')
            case 'rows' | 'answer':
                self._questions.heard(message)
            case other:
                raise ValueError(f'unknown message {other!r}')

    async def _welcome(self, worker: Worker) -> None:
        """The worker runs: once its number is clear it becomes a member; when it knows what all know it is on standby."""
        clearing = self.clearing.get(worker.number)
        if clearing is not None:
            await clearing
        await self.barrier.join(worker.number, lambda tables, revision: self._join(worker, tables, revision))
        await self.contents.settled(worker.number)
        if self.now.get(worker.number) is worker and worker.state is State.JOINED:
            worker.state = State.STANDBY
            self.staff.settle()

    def _join(self, worker: Worker, tables: Tables, revision: int) -> bool:
        if self.now.get(worker.number) is not worker or worker.state is not State.STARTING:
            return False
        at = self._board.layout
        message: Message = {
            'op': 'join',
            'worker': worker.number,
            'layout': at.maxima,
            'revision': revision,
        }
        try:
            fd = bundle(tables)
        except OSError as error:  # no descriptor is left for it: the next one may have more luck
            self.kill(worker.number, f'it cannot be sent what it needs: {error}')
            return False
        try:
            self._board.cells[at.HEARTBEAT + worker.number] = time.monotonic_ns() // 1_000_000
            worker.state = State.JOINED
            more = self.descriptors(tables)
            self.send(worker.number, message, (self._board.fd, fd, self.rings, *self._bells.fds, *more))
        finally:
            os.close(fd)
        self.contents.join(worker.number)
        return True

    def listen(self, listeners: Sequence[Listener]) -> None:
        """Have all who accept do so on these listeners, too, for the frontends that own them."""
        self.staff.accepting.listen(listeners, self.staff.listening())

    async def unlisten(self, listeners: Sequence[Listener]) -> None:
        """Have all members accept what waits in these listeners and then no more. Returns when they have."""
        for listener in listeners:
            listener.turn_away()
        keys = self.staff.accepting.keys(listeners)
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
        worker = self.now.get(number)
        if worker is not None:
            self.log('alert', f'Worker {number} ({worker.pid}) is killed: {why}.')
            signal.pidfd_send_signal(worker.pidfd, signal.SIGKILL)

    async def replace(self, why: str) -> None:
        """End every worker with all its connections. Returns when others serve in their places."""
        before = set(self.pids.values())
        for number in self.alive():
            self.kill(number, why)
        await self.staff.until(lambda: not before & set(self.pids.values()) and self.staff.is_complete())

    def _died(self, worker: Worker) -> None:
        self._loop.remove_reader(worker.pidfd)
        self._loop.remove_reader(worker.channel.fileno())
        self._loop.remove_writer(worker.channel.fileno())
        os.close(worker.pidfd)
        worker.channel.close()
        code = worker.process.wait()
        del self.now[worker.number]
        self.staff.accepting.left(worker.number)
        self._tell_of(worker, code)
        self.barrier.left(worker.number)
        self.contents.left(worker.number)
        self._questions.left(worker.number)
        if worker.state is not State.STARTING:
            self.clearing[worker.number] = self._begin(
                self._clear(worker.number), f'clearing of worker {worker.number}'
            )
        self.staff.measure()
        if self.is_stopping:
            return
        if self.staff.is_wanted(worker.number):
            self._again(worker)
        else:
            self.staff.settle()

    def _tell_of(self, worker: Worker, code: int) -> None:
        """Who was told to end, and did, is no reason for an alarm."""
        if self.is_stopping or worker.state is State.ENDING:
            return
        has_left = worker.state is State.LEAVING and not code
        what = 'has left' if has_left else how_it_ended(code)
        self.log('notice' if has_left else 'alert', f'Worker {worker.number} ({worker.pid}) {what}.')

    async def _clear(self, number: int) -> None:
        await self.clear(number)
        self.clearing.pop(number, None)
        self.staff.measure()

    def _again(self, worker: Worker) -> None:
        """Start a successor, at once if this one had been well."""
        number = worker.number
        if time.monotonic() - worker.started >= _HEALTHY_AFTER:
            self.failures[number] = 0
        pause = _PAUSES[min(self.failures.get(number, 0), len(_PAUSES) - 1)]
        self.failures[number] = self.failures.get(number, 0) + 1
        self.restarts += 1
        self._loop.call_later(STEER_AFTER, self.staff.settle)
        if pause:
            self._loop.call_later(pause, self.spawn, number)
        else:
            self.spawn(number)

    # -- end -----------------------------------------------------------------------------------------------------------

    def farewell(self) -> None:
        """Have every worker, also those still to come, close each connection with its next answer; all else goes on."""
        self.is_parting = True
        for number in self.watched():
            self.send(number, {'op': 'farewell'})

    def soft_stop(self) -> None:
        """Have every worker finish what it has and leave; none is started any more."""
        self.is_stopping = True
        for worker in tuple(self.now.values()):
            if worker.state is State.STARTING:
                signal.pidfd_send_signal(worker.pidfd, signal.SIGKILL)
            else:
                worker.state = State.LEAVING
                self.send(worker.number, {'op': 'leave'})
        self.staff.settle()

    def hard_stop(self) -> None:
        """End every worker now."""
        self.is_stopping = True
        for worker in tuple(self.now.values()):
            signal.pidfd_send_signal(worker.pidfd, signal.SIGKILL)
        self.staff.settle()

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed(task.get_name(), error)
