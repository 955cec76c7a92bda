"""All links to the data planes: who may come in, and which of two links speaks for a data plane."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any

from controlplane.domain.access import Bound
from controlplane.domain.delivery import Courier
from controlplane.domain.division import Row, reported_grants
from controlplane.domain.planes import Plane
from controlplane.domain.refusals import StoreUnavailable
from controlplane.domain.sequencer import Sequencer
from controlplane.domain.version import NOTHING, Version
from controlplane.push.session import (
    BAD_FRAME,
    GOING_AWAY,
    REPLACED,
    SILENT,
    Counted,
    Link,
    Over,
    PushSettings,
    Session,
    decoded,
    forget,
)
from dataplane.wire.events import PROTO, SHARES, Hello, Inventory
from dataplane.wire.state import MAX_SERVERS, digest, empty

log = logging.getLogger('sluice.push')

NOT_YOURS = 4403
FULL = 4429
FAREWELL_S = 2.0
EMPTY = digest(empty())


class Hub:
    """All sessions. Changes are gathered into batches, one for all of them: equal parcels are encoded once."""

    def __init__(self, sequencer: Sequencer, settings: PushSettings) -> None:
        self.sequencer, self.settings = sequencer, settings
        self.courier = Courier(sequencer.log, grants=sequencer.division.grants)
        self.sessions: dict[str, Session] = {}
        self.counted = Counted()
        self._timer: asyncio.TimerHandle | None = None
        self._cut_at = -math.inf
        self._unsubscribe = sequencer.subscribe(self._changed)
        sequencer.division.on_due = self._divide_soon
        self._dividing: asyncio.Task[None] | None = None
        self._is_due = False
        self._undurable: set[str] = set()
        self._closing = False
        for plane in sequencer.convergence.planes.values():
            if plane.stops:  # its last lease may have been given just before this control plane began
                plane.lease_ends_ms = sequencer.clock.monotonic() + 2 * settings.lease_ms
        self._said = ''
        self._serving: set[asyncio.Task[Any]] = set()

    def _changed(self, *, urgent: bool) -> None:
        """Close the batch within `batch_s`; of an urgent change at once, but no more often than there is time to push."""
        loop, settings = asyncio.get_running_loop(), self.settings
        pace = min(settings.batch_s, settings.parcel_s * len(self.sessions))
        due = max(loop.time(), self._cut_at + pace) if urgent else loop.time() + settings.batch_s
        if self._timer is not None and self._timer.when() <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(due, self._cut)

    def _cut(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._cut_at = None, asyncio.get_running_loop().time()
        self.counted.batches += 1
        self.courier.cut()
        for session in self.sessions.values():
            session.wake()

    def _divide_soon(self) -> None:
        """Something was heard that may change who has which share: look at it once the loop has turned, for all that is heard."""
        self._is_due = self.sequencer.division.is_used and not self._closing
        if self._is_due and (self._dividing is None or self._dividing.done()):
            self._dividing = asyncio.get_running_loop().create_task(self._divide())

    async def _divide(self) -> None:
        while self._is_due:
            await asyncio.sleep(0)
            self._is_due = False
            try:
                await asyncio.shield(self.sequencer.divide())
            except StoreUnavailable as error:
                log.error('shares cannot be given anew: %s', error)
            if any(not session.is_ready for session in self.sessions.values()):
                self._cut()  # who joined is told what it has, even if that is nothing new to anybody

    def figures(self) -> dict[str, int]:
        """The counters, by name."""
        return {
            'batches': self.counted.batches,
            'parcels': self.counted.parcels,
            'frames': self.counted.frames,
            'acks': self.counted.acks,
            'acked_ms': self.counted.acked_ms,
            'encodings': self.courier.encoded,
        }

    async def serve(self, link: Link, bound: Bound | None = None) -> None:
        """Run one session from its hello to its end. `bound`: the only pod for which it may speak (None: any)."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            await self._serve(link, bound)
        finally:
            self._serving.discard(task)

    async def _serve(self, link: Link, bound: Bound | None) -> None:
        try:
            hello = await self._hello(link, bound)
            held_there = await self._inventory(link) if SHARES in hello.features else None
            await self._admit(hello)
        except Over as refused:
            await link.close(refused.code, refused.reason)
            return
        convergence = self.sequencer.convergence
        known = convergence.planes.get(hello.dp_id)
        rows, lapsed = held_there or (None, False)
        held = self.courier.arrived(hello, {} if known is None else known.quarantine, reported_grants(rows or ()))
        at = held.version if held.state is not None else NOTHING
        has_unknown = held.state is None and _holds_something(hello)
        previous = self.sessions.get(hello.dp_id)
        if previous is not None:
            previous.end(Over(REPLACED, 'a newer connection of the same data plane'))
        plane = convergence.connected(hello, at, self.sequencer.desired, self.sequencer.clock.monotonic(), held.wanted)
        plane.held_back = self.sequencer.holding_back and has_unknown
        plane.durable = plane.id not in self._undurable
        sequencer = self.sequencer
        sequencer.division.joined(plane, hello, rows, sequencer.desired, sequencer.log.head, lapsed=lapsed)
        session = self.sessions[plane.id] = Session(
            self.sequencer, self.courier, self.settings, self.counted, link, plane, held
        )
        session.confirmed = plane.held_back and not lapsed
        if self._timer is None:  # else it is woken when the open batch is closed, and takes the way of the others
            session.wake()
        log.info(
            'data plane %s connected at %s (%s)',
            plane.id,
            Version(hello.term, hello.seq),
            'known' if at != NOTHING else 'snapshot',
        )
        if plane.held_back:
            log.error(
                'data plane %s is held back: it has what this store knows nothing of, and would lose it; restore the store, '
                'or confirm with POST /v1/dataplanes:release (sluicectl release)', plane.id,
            )  # fmt: skip
        try:
            over = await session.run(previous)
        finally:
            if self.sessions.get(plane.id) is session:
                del self.sessions[plane.id]
                sequencer.division.parted(plane)
                now = self.sequencer.clock.monotonic()
                convergence.disconnected(plane.id, 2 * self.settings.lease_ms, now)
        log.info('data plane %s disconnected: %s', plane.id, over.reason)
        await link.close(over.code, over.reason)

    async def _hello(self, link: Link, bound: Bound | None) -> Hello:
        try:
            async with asyncio.timeout(self.settings.hello_s):
                frame = await link.receive()
        except TimeoutError:
            raise Over(SILENT, 'no hello') from None
        if frame is None:
            raise Over(GOING_AWAY, 'closed before its hello')
        message = decoded(frame)
        if not isinstance(message, Hello):
            raise Over(BAD_FRAME, f'the first frame must be a hello, not {message.TYPE}')
        if message.proto != PROTO:
            raise Over(BAD_FRAME, f'protocol {message.proto} is not spoken here ({PROTO} is)')
        contradiction = None if bound is None else bound.contradiction(message)
        if contradiction is not None:
            log.error('a data plane in pod %s was sent away: %s', bound and bound.pod, contradiction)
            raise Over(NOT_YOURS, contradiction)
        # what this control plane gave itself can be, however high it is
        if max(message.term, message.term_seen) > max(self.settings.max_term, self.sequencer.log.head.term):
            raise Over(BAD_FRAME, f'hello: term {max(message.term, message.term_seen)} cannot be')
        return message

    async def _inventory(self, link: Link) -> tuple[list[Row], bool]:
        """What a data plane says with its hello that it holds, and whether it has no lease for it."""
        rows: list[Row] = []
        try:
            async with asyncio.timeout(self.settings.hello_s):
                while True:
                    frame = await link.receive()
                    if frame is None:
                        raise Over(GOING_AWAY, 'closed before its inventory')
                    message = decoded(frame)
                    if not isinstance(message, Inventory):
                        raise Over(BAD_FRAME, f'after a hello an inventory must follow, not {message.TYPE}')
                    rows += message.servers
                    if len(rows) > 2 * MAX_SERVERS:
                        raise Over(BAD_FRAME, f'an inventory of more than {2 * MAX_SERVERS} servers')
                    if message.chunk + 1 >= message.chunks:
                        return rows, message.lapsed
        except TimeoutError:
            raise Over(SILENT, 'no inventory') from None

    async def _admit(self, hello: Hello) -> None:
        """Outrank what it has seen, and make durable that it is known, before anything is sent."""
        if self._closing:
            raise Over(GOING_AWAY, 'the control plane is going away')
        if self.sequencer.fenced is not None:
            raise Over(GOING_AWAY, 'another control plane has taken over')
        planes = self.sequencer.convergence.planes
        if hello.dp_id not in planes and len(planes) >= self.settings.max_planes:
            raise Over(FULL, f'{len(planes)} data planes are known already')
        try:
            await self._beware(hello)
            await asyncio.shield(
                self.sequencer.outrank(max(Version(hello.term, hello.seq), Version(hello.term_seen, 0)))
            )
            await self._remember(hello)
        except StoreUnavailable as error:
            # it must get its state all the same; that it is known will not survive a restart of the control plane
            log.error('data plane %s could not be made durable: %s', hello.dp_id, error)
            self._undurable.add(hello.dp_id)
        else:
            self._undurable.discard(hello.dp_id)

    async def _remember(self, hello: Hello) -> None:
        """Make durable that it is known, with what decides when it is known no more: its pod, and whether it stops."""
        plane, stops = self.sequencer.convergence.planes.get(hello.dp_id), hello.on_partition == 'stop'
        if plane is None or (plane.pod_uid, plane.stops) != (hello.pod_uid, stops):
            quarantine = {} if plane is None else plane.quarantine
            await asyncio.shield(
                self.sequencer.remember(Plane(hello.dp_id, quarantine, pod_uid=hello.pod_uid, stops=stops))
            )

    async def _beware(self, hello: Hello) -> None:
        """A store that began empty, and somebody who was told more than it ever said: it has been lost. Nothing is removed."""
        sequencer = self.sequencer
        if sequencer.began_empty and _holds_something(hello) and Version(hello.term, hello.seq) > sequencer.log.head:
            await asyncio.shield(sequencer.hold_back())

    async def expire(self) -> None:
        """Once a second, for ever: stop counting data planes whose traffic lease has ended, and see whether we are fenced."""
        while True:
            await asyncio.sleep(1.0)
            await self._check()
            for name in self.sequencer.convergence.expired(self.sequencer.clock.monotonic()):
                await forget(name, 'its traffic lease has ended', self.sequencer.dismiss)

    async def _check(self) -> None:
        """Once fenced, send the data planes away: who has taken over can be reached by the same address, perhaps."""
        try:
            if self.sequencer.fenced is None:
                await self.sequencer.check()
        except StoreUnavailable as error:
            if str(error) != self._said:
                log.error('the store cannot be written: %s', error)
            self._said = str(error)
        else:
            self._said = ''
            await self._make_durable()
            if self.sequencer.division.shares.is_dirty:  # it could not be written
                self._divide_soon()
        if self.sequencer.fenced is not None:
            for session in tuple(self.sessions.values()):
                session.end(Over(GOING_AWAY, 'another control plane has taken over'))

    async def _make_durable(self) -> None:
        """Who became known while the store could not be written is made durable now, and gets its share."""
        planes = self.sequencer.convergence.planes
        for name in tuple(self._undurable):
            self._undurable.discard(name)
            if name not in planes:
                continue
            try:
                await asyncio.shield(self.sequencer.remember(planes[name]))
            except StoreUnavailable:
                self._undurable.add(name)
                return
            planes[name].durable = True
            if name in self.sessions and not planes[name].held_back:
                self.sequencer.division.reachable(name)

    async def close(self) -> None:
        """Say goodbye to all, and take nobody any more."""
        self._closing = True
        self._unsubscribe()
        if self._timer is not None:
            self._timer.cancel()
        for session in tuple(self.sessions.values()):
            session.end(Over(GOING_AWAY, 'the control plane is going away'))
        if self._serving:
            await asyncio.wait(self._serving, timeout=FAREWELL_S)


def _holds_something(hello: Hello) -> bool:
    """Whether the data plane was ever pushed anything that it could lose."""
    return hello.seq > 0 and hello.state_hash != EMPTY
