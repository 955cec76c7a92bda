"""The link to the data planes: one session per WebSocket, dialled by the data plane (docs: the protocol).

What must hold:

1. One parcel is outstanding per data plane; while it is, later changes merge into the next one. So a slow data plane
   costs one parcel and one old state of memory, never a queue, and what it gets next is always the net difference.
2. What a data plane holds is only what it acknowledged with the right hash; anything doubtful is cured by a snapshot.
3. Of two links with one dp_id the newer wins; the older is closed before the newer is answered.
4. A link that is silent for `silence_s`, or owes an answer for `answer_s`, is closed: a half-open one looks like that.

Known limit: an urgent change waits for the outstanding parcel's answer, up to 30 s when that one needs preparing. To
overtake it would break the order that G2 promises.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from controlplane.domain.delivery import Courier, Held, Parcel
from controlplane.domain.planes import Plane
from controlplane.domain.quarantine import extended
from controlplane.domain.refusals import Refusal, StoreUnavailable
from controlplane.domain.sequencer import Sequencer
from controlplane.domain.version import NOTHING, Version
from dataplane.wire import codec
from dataplane.wire.events import (
    GAP,
    HASH_MISMATCH,
    PROTO,
    Ack,
    Drained,
    Goodbye,
    Hello,
    Lease,
    Message,
    Nack,
    Status,
)

log = logging.getLogger('sluice.push')

BAD_FRAME = 4400
SILENT = 4408
REPLACED = 4409
FULL = 4429
GOING_AWAY = 1012
MAX_TERM = 2**48
FAREWELL_S = 2.0


class Link(Protocol):
    """One WebSocket, already accepted."""

    async def receive(self) -> str | bytes | None:
        """Return the next frame, or None once the link is closed."""
        ...

    async def send(self, text: str) -> None:
        """Send one frame; waits while the peer does not read. ConnectionError: the link is closed."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close it; closing a closed link is harmless."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSettings:
    """Spans of the link. `lease_ms` is how long a data plane with `on_partition: stop` may go on after a lease."""

    batch_s: float = 0.05
    hello_s: float = 10.0
    silence_s: float = 30.0
    answer_s: float = 45.0
    lease_ms: int = 15_000
    lease_every_s: float = 5.0
    retry_s: float = 1.0
    retry_max_s: float = 30.0
    max_planes: int = 4_096


class _Over(Exception):
    """The session ends; `code` and `reason` go into the close frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Hub:
    """All sessions."""

    def __init__(self, sequencer: Sequencer, settings: PushSettings) -> None:
        self.sequencer, self.settings = sequencer, settings
        self.courier = Courier(sequencer.log)
        self.sessions: dict[str, Session] = {}
        self._unsubscribe = sequencer.subscribe(self._changed)
        self._closing = False
        self._serving: set[asyncio.Task[Any]] = set()

    def _changed(self, *, urgent: bool) -> None:
        for session in self.sessions.values():
            session.wake(0.0 if urgent else self.settings.batch_s)

    async def serve(self, link: Link) -> None:
        """Run one session from its hello to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            await self._serve(link)
        finally:
            self._serving.discard(task)

    async def _serve(self, link: Link) -> None:
        try:
            hello = await self._hello(link)
            await self._admit(hello)
        except _Over as refused:
            await link.close(refused.code, refused.reason)
            return
        convergence = self.sequencer.convergence
        known = convergence.planes.get(hello.dp_id)
        held = self.courier.arrived(hello, {} if known is None else known.quarantine)
        at = held.version if held.state is not None else NOTHING
        previous = self.sessions.get(hello.dp_id)
        if previous is not None:
            previous.end(_Over(REPLACED, 'a newer connection of the same data plane'))
        plane = convergence.connected(hello, at, self.sequencer.clock.monotonic())
        session = self.sessions[plane.id] = Session(self, link, plane, held)
        log.info(
            'data plane %s connected at %s (%s)',
            plane.id,
            Version(hello.term, hello.seq),
            'known' if at != NOTHING else 'snapshot',
        )
        try:
            over = await session.run()
        finally:
            if self.sessions.get(plane.id) is session:
                del self.sessions[plane.id]
                now = self.sequencer.clock.monotonic()
                convergence.disconnected(plane.id, 2 * self.settings.lease_ms, now)
        log.info('data plane %s disconnected: %s', plane.id, over.reason)
        await link.close(over.code, over.reason)

    async def _hello(self, link: Link) -> Hello:
        try:
            async with asyncio.timeout(self.settings.hello_s):
                frame = await link.receive()
        except TimeoutError:
            raise _Over(SILENT, 'no hello') from None
        if frame is None:
            raise _Over(GOING_AWAY, 'closed before its hello')
        message = _decoded(frame)
        if not isinstance(message, Hello):
            raise _Over(BAD_FRAME, f'the first frame must be a hello, not {message.TYPE}')
        if message.proto != PROTO:
            raise _Over(BAD_FRAME, f'protocol {message.proto} is not spoken here ({PROTO} is)')
        # what this control plane gave itself can be, however high it is
        if max(message.term, message.term_seen) > max(MAX_TERM, self.sequencer.log.head.term):
            raise _Over(BAD_FRAME, f'hello: term {max(message.term, message.term_seen)} cannot be')
        return message

    async def _admit(self, hello: Hello) -> None:
        """Outrank what it has seen, and make durable that it is known, before anything is sent."""
        if self._closing:
            raise _Over(GOING_AWAY, 'the control plane is going away')
        planes = self.sequencer.convergence.planes
        if hello.dp_id not in planes and len(planes) >= self.settings.max_planes:
            raise _Over(FULL, f'{len(planes)} data planes are known already')
        try:
            await asyncio.shield(
                self.sequencer.outrank(max(Version(hello.term, hello.seq), Version(hello.term_seen, 0)))
            )
            if hello.dp_id not in planes:
                await asyncio.shield(self.sequencer.remember(Plane(hello.dp_id)))
        except StoreUnavailable as error:
            # it must get its state all the same; that it is known will not survive a restart of the control plane
            log.error('data plane %s could not be made durable: %s', hello.dp_id, error)

    async def expire(self) -> None:
        """Once a second, for ever: stop counting data planes whose traffic lease has ended."""
        while True:
            await asyncio.sleep(1.0)
            for name in self.sequencer.convergence.expired(self.sequencer.clock.monotonic()):
                await self.forget(name, 'its traffic lease has ended', self.sequencer.dismiss)

    async def forget(self, name: str, why: str, how: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        """Stop counting a data plane."""
        try:
            await asyncio.shield(how(name))
            log.info('data plane %s no longer counts: %s', name, why)
        except Refusal as error:  # the store is full, or it came back just now
            log.error('data plane %s still counts: %s', name, error)

    async def close(self) -> None:
        """Say goodbye to all, and take nobody any more."""
        self._closing = True
        self._unsubscribe()
        for session in tuple(self.sessions.values()):
            session.end(_Over(GOING_AWAY, 'the control plane is going away'))
        if self._serving:
            await asyncio.wait(self._serving, timeout=FAREWELL_S)


def _decoded(frame: str | bytes) -> Message:
    try:
        return codec.decode(frame, codec.FROM_DATAPLANE)
    except ValueError as error:
        raise _Over(BAD_FRAME, str(error)[:120]) from None


class Session:
    """One data plane's link. `held` is what it acknowledged, `outstanding` what it was sent since."""

    def __init__(self, hub: Hub, link: Link, plane: Plane, held: Held) -> None:
        self._hub, self._link, self._plane = hub, link, plane
        self.held = held
        self.outstanding: Parcel | None = None
        self._wake = asyncio.Event()
        self._wake.set()
        self._answered = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0
        self._over: asyncio.Future[_Over] = asyncio.get_running_loop().create_future()

    def wake(self, delay: float) -> None:
        """Look whether there is something to send, `delay` seconds from now at the latest."""
        if delay <= 0:
            self._wake.set()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._wake.set()

    def end(self, over: _Over) -> None:
        """End the session from outside."""
        if not self._over.done():
            self._over.set_result(over)

    async def run(self) -> _Over:
        """Read, send and lease until one of them, or `end`, says that it is over."""
        tasks: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(work) for work in (self._read(), self._deliver(), self._lease())
        ]
        try:
            await asyncio.wait([*tasks, self._over], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._timer is not None:
                self._timer.cancel()
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        if self._over.done():
            over = self._over.result()
            if over.code == GOING_AWAY:
                await self._farewell(over.reason)
            return over
        for result in results:
            if isinstance(result, _Over):
                return result
        failure = next(r for r in results if isinstance(r, Exception))
        log.error('data plane %s: session failed', self._plane.id, exc_info=failure)
        return _Over(1011, 'internal error')

    async def _farewell(self, reason: str) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._link.send(codec.encode(Goodbye(reason=reason)))
        except (ConnectionError, TimeoutError) as error:
            log.info('data plane %s: no farewell: %s', self._plane.id, error)

    # from the data plane

    async def _read(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._hub.settings.silence_s):
                    frame = await self._link.receive()
            except TimeoutError:
                raise _Over(SILENT, f'silent for {self._hub.settings.silence_s:g} s') from None
            if frame is None:
                raise _Over(GOING_AWAY, 'the link was closed')
            await self._take(_decoded(frame))

    async def _take(self, message: Message) -> None:
        if self._over.done():
            return  # a newer link speaks for this data plane now
        sequencer = self._hub.sequencer
        convergence, now = sequencer.convergence, sequencer.clock.monotonic()
        if self._plane.id not in convergence.planes:
            raise _Over(GOING_AWAY, 'no longer known; say hello again')
        if (
            isinstance(message, Ack | Nack | Drained | Status)
            and Version(message.term, message.seq) > sequencer.log.head
        ):
            raise _Over(BAD_FRAME, f'{message.TYPE} of {message.term}.{message.seq}, which there is not yet')
        match message:
            case Ack():
                self._acked(message, now)
            case Nack():
                await self._nacked(message, now)
            case Drained():
                convergence.stated(self._plane.id, message, sequencer.desired, now)
            case Status():
                convergence.reported(self._plane.id, message, now)
            case Goodbye():
                await self._hub.forget(self._plane.id, f'goodbye ({message.reason})', sequencer.forget)
                raise _Over(1000, 'goodbye')
            case _:
                raise _Over(BAD_FRAME, f'a {message.TYPE} is not expected here')

    def _acked(self, ack: Ack, now: int) -> None:
        parcel = self.outstanding
        if parcel is None or Version(ack.term, ack.seq) != parcel.held.version:
            return  # a redelivered ack: what it says is known
        if ack.state_hash == parcel.held.state_hash:
            self.held = parcel.held
            self._failures = 0
            self._hub.sequencer.convergence.acked(self._plane.id, ack, self._hub.sequencer.desired, now)
        else:
            log.error('data plane %s: ack of %s with another hash', self._plane.id, parcel.held.version)
            self.held = Held.nothing()
            self._failures += 1
        self._answer()

    async def _nacked(self, nack: Nack, now: int) -> None:
        parcel = self.outstanding
        if parcel is None or Version(nack.term, nack.seq) != parcel.held.version:
            return
        log.warning('data plane %s refused %s: %s %s', self._plane.id, parcel.held.version, nack.code, nack.detail)
        if nack.code in {GAP, HASH_MISMATCH} or Version(nack.applied_term, nack.applied_seq) != self.held.version:
            had, self.held = None, Held.nothing()
        else:
            had = self.held.state
        before = self._plane.quarantine
        if nack.backends:
            self._plane.quarantine = extended(before, nack.backends, parcel.wanted, had)
        if self._plane.quarantine == before:
            self._failures += 1
        else:
            self._failures = 0
            await self._remember()
        sequencer = self._hub.sequencer
        sequencer.convergence.nacked(self._plane.id, nack, sequencer.desired, now)
        self._answer()

    async def _remember(self) -> None:
        try:
            await asyncio.shield(self._hub.sequencer.remember(self._plane))
        except StoreUnavailable as error:
            log.error('data plane %s: its quarantine could not be made durable: %s', self._plane.id, error)

    def _answer(self) -> None:
        self.outstanding = None
        self._answered.set()

    # to the data plane

    async def _deliver(self) -> None:
        settings = self._hub.settings
        while True:
            await self._wake.wait()
            self._wake.clear()
            parcel = self._hub.courier.parcel(self.held, self._plane.quarantine, self._hub.sequencer.clock.wall())
            if parcel is None:
                continue
            self.outstanding = parcel
            self._answered.clear()
            try:
                async with asyncio.timeout(settings.answer_s):
                    for frame in parcel.frames:
                        await self._send(frame)
                    await self._answered.wait()
            except TimeoutError:
                raise _Over(SILENT, f'no answer to {parcel.held.version} for {settings.answer_s:g} s') from None
            if self._failures:
                await asyncio.sleep(min(settings.retry_s * 2 ** (self._failures - 1), settings.retry_max_s))
            self._wake.set()

    async def _lease(self) -> None:
        settings = self._hub.settings
        while True:
            term = self._hub.sequencer.log.head.term
            await self._send(codec.encode(Lease(term=term, lease_ms=settings.lease_ms)))
            await asyncio.sleep(settings.lease_every_s)

    async def _send(self, text: str) -> None:
        try:
            await self._link.send(text)
        except ConnectionError as error:
            raise _Over(GOING_AWAY, f'the link was closed: {error}') from None
