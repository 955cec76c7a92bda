"""The lease for traffic: for how long this data plane may rely on what the control plane pushed, and what becomes of it then.

The control plane gives it (`wire.events.Lease`), counted from the moment this data plane asked, on its own clock: however long
question or answer lay somewhere, no lease is longer than it was meant. When it ends without another (`on-partition`):

- `keep`: traffic goes on. Slots that were said to come will not, so nobody waits for them any more.
- `stop`: no request is sent to a pushed server from then on; half a lease later the sessions of servers whose limit is
  shared are ended, since the control plane gives their slots to others when it has waited for two leases.

Two cells of the board say it to the workers besides, so that a data plane that was suspended sends nothing when it goes on,
and one whose supervisor alone stands still ends by itself. Without `control-plane` there is no lease, and nothing of this happens.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import MutableSequence
from typing import Final

from dataplane.core.changes import SetLease, ShutdownSessions
from dataplane.core.layout import Layout
from dataplane.core.model import OnPartition
from dataplane.core.reach import Reach
from dataplane.supervisor.lastgood import StateDir
from dataplane.supervisor.publish import Publisher
from dataplane.wire.events import Lease, Renew

SOURCE: Final = 'traffic lease'
_LONG_AGO: Final = 1
_SHARE_OF_LEASE: Final = 3  # it is asked for so many times within its length
_log = logging.getLogger(__name__)


class TrafficLease:
    """One per data plane with a control plane. `run` for as long as it lives; all times are monotonic ms."""

    def __init__(
        self, publisher: Publisher, cells: MutableSequence[int], layout: Layout, policy: OnPartition, disk: StateDir
    ) -> None:
        self.policy = policy
        self._publisher, self._cells, self._at, self._disk = publisher, cells, layout, disk
        has_left = disk.has_left()
        stops = policy is OnPartition.STOP
        self.reach = self._wanted = Reach.ENDED if stops else Reach.LEFT if has_left else Reach.ALONE
        self._ends = self._length = self._ask_at = 0
        self._last: int | None = None  # when sessions are to be ended; None: they are, or there are none
        self._asks = False
        self._moved = asyncio.Event()
        if stops:
            cells[layout.LEASE_ENDS] = _LONG_AGO

    @property
    def is_lapsed(self) -> bool:
        """Whether no share is used, nor will be before a lease that is still to come."""
        return {self.reach, self._wanted} <= {Reach.ENDED, Reach.LEFT}

    def left_ms(self) -> int:
        """How much is left of it; 0: it is over, or there was none yet."""
        return max(0, self._ends - _now())

    # -- the link ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A new connection: whether the control plane can be asked is not known yet."""
        self._asks = False

    def received(self, lease: Lease) -> None:
        """A lease was read. With `asked` 0 it only says that one may be asked for."""
        self._asks = lease.asked is not None
        self._length = lease.lease_ms
        asked = _now() if lease.asked is None else lease.asked
        ends = asked + lease.lease_ms
        if not asked or ends <= max(self._ends, _now()):
            return
        self._ends = ends
        if self.policy is OnPartition.STOP:
            # the workers' own ends first: they must never act on an old one beside a new lease
            self._last = ends + lease.lease_ms // 2
            self._cells[self._at.LEASE_LAST] = self._last + lease.lease_ms // 4
            self._cells[self._at.LEASE_ENDS] = ends
        self._wanted = Reach.HEARD
        self._moved.set()

    def question(self) -> Renew | None:
        """What is to be asked now, if anything; asked `_SHARE_OF_LEASE` times in a lease's length."""
        now = _now()
        if not self._asks or now < self._ask_at:
            return None
        self._ask_at = now + self._length // _SHARE_OF_LEASE
        return Renew(asked=now)

    # -- its end ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Make true what follows from the lease, whenever it begins or ends, until cancelled."""
        while True:
            self._look()
            if self._wanted is not self.reach:
                await self._rely(self._wanted)
            elif self._is_last():
                await self._end_sessions()
            else:
                await self._rest()

    def _look(self) -> None:
        if self._ends and _now() >= self._ends and self._wanted is Reach.HEARD:
            self._wanted = Reach.ENDED if self.policy is OnPartition.STOP else Reach.ALONE

    def _is_last(self) -> bool:
        return self._last is not None and _now() >= self._last

    async def _rest(self) -> None:
        """Until something begins or ends."""
        times = [at for at in (self._ends if self._wanted is Reach.HEARD else None, self._last) if at]
        timeout = max(0.001, (min(times) - _now()) / 1000) if times else None
        try:
            async with asyncio.timeout(timeout):
                await self._moved.wait()
        except TimeoutError:
            return
        self._moved.clear()

    async def _rely(self, reach: Reach) -> None:
        await self._publisher.submit([SetLease(reach)], source=SOURCE)
        if reach is Reach.HEARD:
            _log.info('the control plane has given a lease for traffic')
            if self.reach is Reach.LEFT or self.policy is OnPartition.STOP:
                await asyncio.to_thread(self._disk.set_left, left=False)
        elif reach is Reach.ENDED:
            _log.error(
                'the lease for traffic has ended: no more requests are sent to pushed servers (on-partition stop)'
            )
        else:
            _log.warning('the control plane has not been heard for the length of a lease; going on (on-partition keep)')
        self.reach = reach

    async def _end_sessions(self) -> None:
        """What is in flight on servers whose limit is shared ends now: others will be given its slots."""
        shared = [record for record in self._publisher.ledger.records.values() if record.server.share is not None]
        wall = time.time_ns() // 1_000_000
        changes = [ShutdownSessions(r.backend, r.name, max(r.generation + 1, wall)) for r in shared]
        if self._is_last() and changes:
            applied = await self._publisher.submit(changes, source=SOURCE)
            _log.error('the lease for traffic is long over: %d sessions of shared servers were ended', applied.killed)
        if self._is_last():
            self._last = None
            self._cells[self._at.LEASE_LAST] = 0


def _now() -> int:
    return time.monotonic_ns() // 1_000_000
