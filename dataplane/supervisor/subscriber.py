"""The data plane's end of the link to the control plane: connects, obeys what the follower says may be obeyed, reports.

Losing the link changes nothing for traffic; it is tried again for ever, with backoff and jitter. One task reads frames (so
that heartbeats are seen while a change is being applied), one obeys them in their order, one reports. A change under way when
the link is lost is finished first: a hello never says less than what is in force.

Before a version is acknowledged its state is on the disk, so that a data plane that restarts alone does not send traffic
where it had promised to send none. A disk that does not take it is reported and does not hold traffic or the ack back.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import aiohttp

from dataplane.core.changes import AdoptPush
from dataplane.core.ledger import Refused
from dataplane.core.outbound import ControlPlane
from dataplane.supervisor.drained import Drains, Holdings
from dataplane.supervisor.follower import Adopt, Answer, Follower, Leave, Renumber, Step
from dataplane.supervisor.inventory import Overhang, inventory
from dataplane.supervisor.lastgood import LastGood, StateDir, to_bytes
from dataplane.supervisor.lease import TrafficLease
from dataplane.supervisor.local import settings
from dataplane.supervisor.publish import Publisher
from dataplane.supervisor.translate import translate
from dataplane.supervisor.trust import explained, is_in_the_clear, read
from dataplane.supervisor.turning import TurningResolver
from dataplane.supervisor.whom import Whom
from dataplane.wire.codec import FROM_CONTROLPLANE, MAX_FRAME, decode, encode
from dataplane.wire.events import INVALID, SHARES, Ack, Drained, Goodbye, Hello, Lease, Message, Nack, Status
from dataplane.wire.state import State

SOURCE: Final = 'control plane'
_FRAMES_WAITING: Final = 64
_ROWS_PER_STATUS: Final = 4_000
_ENDS: Final = frozenset({aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED})
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds. `first` and `longest`: bounds of the pause before the next attempt, of which up to half is taken off at random."""

    heartbeat: float = 10.0
    first: float = 0.1
    longest: float = 3.0
    status: float = 2.0
    soon: float = 0.2  # when less is in flight above a share
    drained: float = 0.05
    connect: float = 5.0


class Subscriber:
    """One link. `run` for as long as the data plane lives, then `close`.

    `about` introduces this data plane (identity, pod, workers); its version fields are filled in at each connection.
    `known`: what is already in force, read from the disk and published before the first worker started. `status` gives a
    server's state in the words of `show stat`.
    """

    def __init__(
        self,
        publisher: Publisher,
        holdings: Holdings,
        status: Callable[[int], str],
        settings: ControlPlane,
        disk: StateDir,
        about: Hello,
        lease: TrafficLease,
        overhang: Overhang,
        known: LastGood | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._publisher = publisher
        self._holdings = holdings
        self._status = status
        self._settings = settings
        self._disk = disk
        self._about = replace(about, features=(*about.features, SHARES), on_partition=lease.policy.value)
        self._lease = lease
        self._overhang = overhang
        self._status_due = 0.0
        self._timing = timing or Timing()
        self._follower = Follower(disk.load_term(), known)
        self._drains = Drains(publisher.ledger, holdings)
        self._drains.adopted(self._follower.state, {})
        self._pushed: tuple[State, AdoptPush] | None = None
        self._obeying: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._link: aiohttp.ClientWebSocketResponse | None = None
        self._heard = False
        self._whom = Whom(settings.url)
        self._attempts = 0
        self._ending: tuple[int | None, str] = None, ''

    @property
    def version(self) -> tuple[int, int]:
        """(term, seq) in force; (0, 0): nothing was ever pushed."""
        return self._follower.version

    @property
    def is_connected(self) -> bool:
        """Whether the control plane has sent something on the present connection."""
        return self._link is not None and self._heard

    async def run(self) -> None:
        """Keep the link up until `close`. Does not end for anything that happens on it."""
        pause = self._timing.first
        said = ''
        if is_in_the_clear(self._settings):
            _log.warning('control plane %s: its token travels in the clear; wss:// would hide it', self._settings.url)
        while not self._closing.is_set():
            try:
                await self._connection()
                reason = 'closed by the control plane'
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                reason = explained(error, self._settings)
            if self._closing.is_set():
                return
            if self._heard:
                pause, said = self._timing.first, ''
            if self._whom.ended(*self._ending, heard=self._heard):
                _log.info('control plane %s: another one leads and is dialled', self._settings.url)
                continue
            if reason != said:
                _log.warning('control plane %s: %s; trying again', self._settings.url, reason)
                said = reason
            await self._rest(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, self._timing.longest)

    async def close(self, reason: str = 'stopping') -> None:
        """Say goodbye (this data plane carries no traffic from now on) and end the link. `run` returns soon after."""
        self._closing.set()
        await asyncio.to_thread(self._disk.set_left, left=True)
        link = self._link
        if link is None or link.closed:
            return
        try:
            async with asyncio.timeout(1):
                await link.send_str(encode(Goodbye(reason=reason)))
                await link.close()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            _log.info('control plane %s: goodbye was not delivered: %r', self._settings.url, error)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    async def _connection(self) -> None:
        """One connection, from dialling to its end."""
        self._heard, self._ending = False, (None, '')
        address, name = self._whom.next()
        credentials = await asyncio.to_thread(read, self._settings)
        timeout = aiohttp.ClientTimeout(total=None, connect=self._timing.connect, sock_connect=self._timing.connect)
        connector = aiohttp.TCPConnector(resolver=TurningResolver(self._attempts))
        self._attempts += 1
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            async with asyncio.timeout(self._timing.connect):
                link = await session.ws_connect(
                    address,
                    server_hostname=name,
                    headers=credentials.headers,
                    ssl=credentials.trust,
                    heartbeat=self._timing.heartbeat,
                    compress=0,
                    max_msg_size=MAX_FRAME,
                )
            self._link = link
            try:
                await self._converse(link)
            finally:
                self._link = None
                await link.close()

    async def _converse(self, link: aiohttp.ClientWebSocketResponse) -> None:
        if self._obeying is not None:
            # only for its end: what went wrong in it ended the connection it came on
            await asyncio.wait([self._obeying])
        self._follower.begin()
        self._drains.hello()
        self._lease.begin()
        held = inventory(self._follower.state, self._publisher.ledger, self._holdings, lapsed=self._lease.is_lapsed)
        for message in (self._hello(), *held):
            await link.send_str(encode(message))
        frames: asyncio.Queue[Message] = asyncio.Queue(_FRAMES_WAITING)
        await _first_of(self._read(link, frames), self._obey(link, frames), self._report(link))

    def _hello(self) -> Hello:
        at = self._follower
        workers = self._publisher.ledger.tables.snapshot.globals.nbthread  # as a reload may have changed it
        return replace(
            self._about, workers=workers, term=at.term, seq=at.seq, state_hash=at.state_hash, term_seen=at.term_seen
        )

    async def _read(self, link: aiohttp.ClientWebSocketResponse, frames: asyncio.Queue[Message]) -> None:
        """Take frames off the link until it ends or one cannot be understood."""
        while (frame := await link.receive()).type not in _ENDS:
            if frame.type not in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                raise ConnectionError(f'{frame.type.name.lower()}: {frame.data}')
            try:
                message = decode(frame.data, FROM_CONTROLPLANE)
            except ValueError as error:
                await link.send_str(encode(self._unintelligible(str(error))))
                raise
            if not self._heard:
                self._heard = True
                _log.info('control plane %s: connected', self._settings.url)
            await frames.put(message)
        self._ending = link.close_code, str(frame.extra or '')
        if link.close_code not in {None, aiohttp.WSCloseCode.OK}:
            raise ConnectionError(f'closed with code {link.close_code}')

    def _unintelligible(self, detail: str) -> Nack:
        """For a frame that says nothing: which version it was about is not known, so it is about the next one."""
        term, seq = self._follower.version
        return Nack(term=term, seq=seq + 1, code=INVALID, detail=detail[:4_096], applied_term=term, applied_seq=seq)

    async def _obey(self, link: aiohttp.ClientWebSocketResponse, frames: asyncio.Queue[Message]) -> None:
        """Obey frames in their order. What has begun is finished even if the link is lost meanwhile."""
        while True:
            message = await frames.get()
            if isinstance(message, Goodbye):
                _log.info('control plane %s: says goodbye: %s', self._settings.url, message.reason)
                return
            before = self._follower.term_seen
            step = self._follower.receive(message)
            if self._follower.term_seen != before:
                await asyncio.to_thread(self._disk.save_term, self._follower.term_seen)
            if isinstance(message, Lease) and not isinstance(step, Leave):
                self._lease.received(message)
            self._obeying = asyncio.create_task(self._take(link, step))
            await asyncio.shield(self._obeying)
            if isinstance(step, Leave):
                raise ConnectionError(step.reason)
            if isinstance(step, Answer) and step.leaves:
                raise ConnectionError('a frame was refused')

    async def _take(self, link: aiohttp.ClientWebSocketResponse, step: Step) -> None:
        """Do one step and answer it."""
        match step:
            case Adopt():
                answer: Message = await self._adopt(step)
            case Renumber():
                self._follower.adopted(step)
                await self._keep()
                answer = self._follower.ack()
            case Answer():
                answer = step.message
            case _:
                return
        if isinstance(answer, Nack):
            _log.error('control plane: %d.%d refused, %s: %s', answer.term, answer.seq, answer.code, answer.detail)
        if link.closed:
            return  # the next hello says where this data plane is
        try:
            await link.send_str(encode(answer))
        except (aiohttp.ClientError, OSError) as error:
            _log.debug('control plane: %s was not delivered: %s', answer.TYPE, error)

    async def _adopt(self, step: Adopt) -> Ack | Nack:
        before, removed = self._follower.state, self._drains.before(step.state)
        try:
            push = translate(step.state, self._pushed)
            applied = await self._publisher.submit([push], source=SOURCE)
        except Refused as refusal:
            return self._follower.refused(step, refusal.problems, refusal.backends)
        except ValueError as error:
            return self._follower.refused(step, (str(error),), ())
        self._pushed = step.state, push
        self._follower.adopted(step)
        self._drains.adopted(step.state, removed)
        if step.whole:
            self._drains.hello()
        if self._overhang.look(before, step.state):
            self._status_due = 0.0
        await self._keep()
        return replace(
            self._follower.ack(),
            pause_us=applied.pause_us,
            wait_us=applied.wait_us,
            requeued=applied.requeued,
            refused=applied.refused,
            killed=applied.killed,
            workers=applied.workers,
            missing=applied.missing,
        )

    async def _keep(self) -> None:
        at = self._follower
        content = to_bytes(LastGood(at.term, at.seq, at.state), at.state_hash)
        await asyncio.to_thread(self._disk.save, content)

    async def _report(self, link: aiohttp.ClientWebSocketResponse) -> None:
        """Say what has drained as soon as it has, and how things stand from time to time."""
        loop = asyncio.get_running_loop()
        said = self._status_due = 0.0
        while True:
            at = self._follower
            if (question := self._lease.question()) is not None:
                await link.send_str(encode(question))
            if self._drains.is_waiting() and not self._is_adopting() and (rows := self._drains.news()):
                await link.send_str(encode(Drained(term=at.term, seq=at.seq, servers=rows)))
            if self._overhang.has_fallen():
                self._status_due = min(self._status_due, said + self._timing.soon)
            if loop.time() >= self._status_due:
                said = loop.time()
                self._status_due = said + self._timing.status
                for status in self._statuses():
                    await link.send_str(encode(status))
            await asyncio.sleep(self._timing.drained)

    def _is_adopting(self) -> bool:
        """Whether a change is between its commit and its ack: which version a statement would be about is not clear then."""
        return self._obeying is not None and not self._obeying.done()

    def _statuses(self) -> Iterator[Status]:
        """How every pushed server stands, in as many frames as it takes (at least one).

        Each is taken when it is asked for: shares are counted by what is in flight at the version that it names.
        """
        at = self._follower
        keys = [(backend, server) for backend, spec in at.state['backends'].items() for server in spec['servers']]
        parts = [keys[first : first + _ROWS_PER_STATUS] for first in range(0, len(keys), _ROWS_PER_STATUS)] or [[]]
        for number, part in enumerate(parts):
            rows, local = [], []
            for backend, server in part:
                index = self._publisher.ledger.tables.server_of(backend, server)
                if index is None:
                    continue
                rows.append((backend, server, *self._holdings.load(index), self._status(index)))
                pushed = at.state['backends'][backend]['servers'][server]
                local += [(backend, server, *one) for one in settings(self._publisher.ledger.records[index], pushed)]
            self._drains.busy((backend, server) for backend, server, flight, queued, _ in rows if flight or queued)
            yield Status(
                term=at.term,
                seq=at.seq,
                servers=tuple(rows),
                chunk=number,
                chunks=len(parts),
                local=tuple(local) or None,
                queues=None if number else tuple(self._queues()) or None,
            )

    def _queues(self) -> Iterator[tuple[str, int]]:
        tables = self._publisher.ledger.tables
        for backend in self._follower.state['backends']:
            index = tables.backend_of(backend)
            if index is not None and (waiting := self._holdings.waiting(index)):
                yield backend, waiting


async def _first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Run side by side until one ends; end the others; raise what went wrong."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result
