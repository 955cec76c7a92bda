"""One data plane's link: what it is sent, and what its answers mean."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from controlplane.domain.delivery import Courier, Held, Parcel, Recipient
from controlplane.domain.planes import Plane
from controlplane.domain.quarantine import extended
from controlplane.domain.refusals import Refusal, StoreUnavailable
from controlplane.domain.sequencer import Sequencer
from controlplane.domain.version import Version
from dataplane.wire import codec
from dataplane.wire.events import (
    GAP,
    HASH_MISMATCH,
    SHARES,
    Ack,
    Drained,
    Goodbye,
    Lease,
    Message,
    Nack,
    Renew,
    Status,
)

log = logging.getLogger('sluice.push')

BAD_FRAME = 4400
SILENT = 4408
REPLACED = 4409
GOING_AWAY = 1012
MAX_TERM = 2**48


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
    """Spans of the link. `lease_ms` is how long a data plane with `on_partition: stop` may go on after a lease; one that cannot be
    reached is forgotten after two. No lease is given unless the store was ours within the last `ours_ms`.

    `parcel_s`: how long one data plane's parcel and its answer may take of the loop, all told (0.2 ms measured). Urgent
    changes make batches that much apart per data plane, at most `batch_s`: a flood of them leaves time for the rest.
    `max_term`: a data plane that says it has seen a higher one is not believed.
    """

    batch_s: float = 0.05
    parcel_s: float = 0.0005
    hello_s: float = 10.0
    silence_s: float = 30.0
    answer_s: float = 45.0
    lease_ms: int = 15_000
    ours_ms: int = 3_000
    lease_every_s: float = 5.0
    retry_s: float = 1.0
    retry_max_s: float = 30.0
    max_planes: int = 4_096
    max_term: int = MAX_TERM

    @classmethod
    def with_lease(cls, lease_ms: int) -> PushSettings:
        """A lease of that length. The store is looked at every second; a look that a lease rests on must not be half of one old."""
        ours_ms = min(max(lease_ms // 5, 1_500), 2 * lease_ms // 5)
        return cls(lease_ms=lease_ms, lease_every_s=lease_ms / 3_000, ours_ms=ours_ms)


@dataclass(slots=True)
class Counted:
    """What was pushed since the start. `batches`: cuts that held something; the others are summed over the links.

    `acks`: parcels that were acknowledged, and `acked_ms` how long that took, each from its sending.
    """

    batches: int = 0
    parcels: int = 0
    frames: int = 0
    acks: int = 0
    acked_ms: int = 0


class Over(Exception):
    """The session ends; `code` and `reason` go into the close frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def decoded(frame: str | bytes) -> Message:
    """Read a data plane's frame. Over: it is none."""
    try:
        return codec.decode(frame, codec.FROM_DATAPLANE)
    except ValueError as error:
        raise Over(BAD_FRAME, str(error)[:120]) from None


async def forget(name: str, why: str, how: Callable[[str], Coroutine[Any, Any, None]]) -> None:
    """Stop counting a data plane."""
    try:
        await asyncio.shield(how(name))
        log.info('data plane %s no longer counts: %s', name, why)
    except Refusal as error:  # the store is full, or it came back just now
        log.error('data plane %s still counts: %s', name, error)


class Session:
    """One data plane's link. `held` is what it acknowledged, `outstanding` what it was sent since."""

    def __init__(
        self, sequencer: Sequencer, courier: Courier, settings: PushSettings, counted: Counted, link: Link, plane: Plane,
        held: Held,
    ) -> None:  # fmt: skip
        self._sequencer, self._courier, self._settings, self._counted = sequencer, courier, settings, counted
        self._link, self._plane = link, plane
        self.held = held
        self.outstanding: Parcel | None = None
        self._sent_ms = 0  # when that was
        self._knows = plane.hello is not None and SHARES in plane.hello.features
        # whether it has, of what it may use, no more than it was told here; before that it gets no lease
        self.confirmed = False
        self._asked: int | None = None
        self._since = courier.cuts
        self._wake = asyncio.Event()
        self._answered = asyncio.Event()
        self._failures = 0
        self._over: asyncio.Future[Over] = asyncio.get_running_loop().create_future()
        self._silent = asyncio.Event()  # nothing is taken from the link any more, or sent over it
        # of the loop's time: the last frame, and when what is owed began to be sent
        self._heard_s = self._began_s = 0.0
        self._owed: Version | None = None  # a parcel that is being sent or answered, or after which a lease is

    def wake(self) -> None:
        """Look whether there is something to send."""
        self._wake.set()

    def end(self, over: Over) -> None:
        """End the session from outside."""
        if not self._over.done():
            self._over.set_result(over)

    async def run(self, previous: Session | None) -> Over:
        """Read, send and lease until one of them, or `end`, says that it is over; not before `previous`, ended, is silent."""
        try:
            if previous is not None:
                await previous._silent.wait()  # noqa: SLF001 - another of ours
            return self._over.result() if self._over.done() else await self._run()
        finally:
            self._silent.set()

    async def _run(self) -> Over:
        tasks: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(work) for work in (self._read(), self._deliver(), self._lease(), self._watch())
        ]
        try:
            await asyncio.wait([*tasks, self._over], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        if self._over.done():
            over = self._over.result()
            if over.code == GOING_AWAY:
                await self._farewell(over.reason)
            return over
        for result in results:
            if isinstance(result, Over):
                return result
        failure = next(r for r in results if isinstance(r, Exception))
        log.error('data plane %s: session failed', self._plane.id, exc_info=failure)
        return Over(1011, 'internal error')

    async def _farewell(self, reason: str) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._link.send(codec.encode(Goodbye(reason=reason)))
        except (ConnectionError, TimeoutError) as error:
            log.info('data plane %s: no farewell: %s', self._plane.id, error)

    # from the data plane

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            frame = await self._link.receive()
            if frame is None:
                raise Over(GOING_AWAY, 'the link was closed')
            self._heard_s = loop.time()
            await self._take(decoded(frame))

    async def _watch(self) -> None:
        """End a link that is silent, or owes an answer. One timer for both, rather than one around every frame and one per parcel."""
        loop, settings = asyncio.get_running_loop(), self._settings
        self._heard_s = loop.time()
        while True:
            now, owed = loop.time(), self._owed
            silent = self._heard_s + settings.silence_s
            late = (now if owed is None else self._began_s) + settings.answer_s
            if silent <= now:
                raise Over(SILENT, f'silent for {settings.silence_s:g} s')
            if owed is not None and late <= now:
                raise Over(SILENT, f'no answer to {owed} for {settings.answer_s:g} s')
            await asyncio.sleep(min(silent, late) - now)

    async def _take(self, message: Message) -> None:
        if self._over.done():
            return  # a newer link speaks for this data plane now
        sequencer = self._sequencer
        convergence, now = sequencer.convergence, sequencer.clock.monotonic()
        if self._plane.id not in convergence.planes:
            raise Over(GOING_AWAY, 'no longer known; say hello again')
        if (
            isinstance(message, Ack | Nack | Drained | Status)
            and Version(message.term, message.seq) > sequencer.log.head
        ):
            raise Over(BAD_FRAME, f'{message.TYPE} of {message.term}.{message.seq}, which there is not yet')
        match message:
            case Ack():
                self._acked(message, now)
            case Nack():
                await self._nacked(message, now)
            case Drained():
                sequencer.division.stated(self._plane.id, message)
                convergence.stated(self._plane.id, message, sequencer.desired, now)
            case Status():
                sequencer.division.reported(self._plane.id, message)
                convergence.reported(self._plane.id, message, now)
            case Renew() if self._knows:
                self._asked = message.asked
                await self._renew()
            case Goodbye():
                await forget(self._plane.id, f'goodbye ({message.reason})', sequencer.forget)
                raise Over(1000, 'goodbye')
            case _:
                raise Over(BAD_FRAME, f'a {message.TYPE} is not expected here')

    def _acked(self, ack: Ack, now: int) -> None:
        parcel = self.outstanding
        if parcel is None or Version(ack.term, ack.seq) != parcel.held.version:
            return  # a redelivered ack: what it says is known
        if ack.state_hash == parcel.held.state_hash:
            self.held = parcel.held
            self._failures = 0
            self.confirmed = True
            self._plane.took_ms = now - self._sent_ms
            self._counted.acks += 1
            self._counted.acked_ms += self._plane.took_ms
            desired = self._sequencer.desired
            self._sequencer.convergence.acked(self._plane.id, ack, desired, now, parcel.changed, parcel.held.wanted)
            self._sequencer.division.acked(self._plane, parcel.held.version)
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
        sequencer, before, wanted = self._sequencer, self._plane.quarantine, parcel.held.wanted
        assert wanted is not None  # of a parcel it is known
        after = extended(before, nack.backends, wanted, had) if nack.backends else before
        self._failures = self._failures + 1 if after == before else 0
        sequencer.convergence.nacked(self._plane.id, nack, after, sequencer.desired, now)
        if after != before:
            await self._remember()
        self._answer()

    async def _remember(self) -> None:
        try:
            await asyncio.shield(self._sequencer.remember(self._plane))
        except StoreUnavailable as error:
            log.error('data plane %s: its quarantine could not be made durable: %s', self._plane.id, error)

    def _answer(self) -> None:
        self.outstanding = None
        self._answered.set()

    # to the data plane

    @property
    def is_ready(self) -> bool:
        """Whether the last cut was made with what this data plane said it holds: an older one may give it what others have now."""
        return self._courier.cuts > self._since or not self._sequencer.division.is_used

    async def _deliver(self) -> None:
        settings, loop = self._settings, asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._plane.held_back or not self.is_ready:
                continue
            to = Recipient(self._plane.id, self._plane.quarantine, self._knows)
            parcel = self._courier.parcel(self.held, to, self._sequencer.clock.wall())
            if parcel is None:
                self.confirmed = True
                await self._renew()
                continue
            self.outstanding, self._sent_ms = parcel, self._sequencer.clock.monotonic()
            self._owed, self._began_s = parcel.held.version, loop.time()
            self._answered.clear()
            cuts = self._courier.cuts
            self._counted.parcels += 1
            self._counted.frames += len(parcel.frames)
            for frame in parcel.frames:
                await self._send(frame)
            await self._answered.wait()
            await self._renew()
            self._owed = None
            if self._failures:
                await asyncio.sleep(min(settings.retry_s * 2 ** (self._failures - 1), settings.retry_max_s))
            if self.held is not parcel.held or self._courier.cuts > cuts:  # else it is where the last cut is
                self._wake.set()

    async def _lease(self) -> None:
        settings = self._settings
        while True:
            term = self._sequencer.log.head.term
            asked = 0 if self._knows else None
            await self._send(codec.encode(Lease(term=term, lease_ms=settings.lease_ms, asked=asked)))
            await asyncio.sleep(settings.lease_every_s)

    async def _renew(self) -> None:
        """Give the lease that was asked for, once it can be given; else it is asked for again."""
        sequencer, asked = self._sequencer, self._asked
        if asked is None or not self.confirmed or sequencer.fenced is not None:
            return
        if sequencer.clock.monotonic() - sequencer.ours_ms > self._settings.ours_ms:
            return  # another control plane may have waited for the end of our leases by now
        self._asked = None
        lease = Lease(term=sequencer.log.head.term, lease_ms=self._settings.lease_ms, asked=asked)
        await self._send(codec.encode(lease))

    async def _send(self, text: str) -> None:
        try:
            await self._link.send(text)
        except ConnectionError as error:
            raise Over(GOING_AWAY, f'the link was closed: {error}') from None
