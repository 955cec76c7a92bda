"""Standing for leader: a Lease read and written as `lease` says, with a time limit on every question.

`gain` waits until this control plane leads, `keep` renews until it does so no more, `holds` tells at any instant, from the
clock alone. Whoever acts as leader asks `holds` right before what it does, for a process may stand still at any line.

The clock goes on while the machine is suspended. One that is stopped together with the whole virtual machine does not; then
the old leader believes itself for up to `renew_ms` more, and is refused by the data planes, which obey the higher term.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from controlplane.domain.refusals import Fenced, StoreUnavailable
from controlplane.kube.client import Api, ApiError, Unreachable
from controlplane.kube.lease import MAX_TERM, RELEASED_MS, Attempt, Elector, Record
from controlplane.kube.resources import LEASES

log = logging.getLogger('sluice.lease')

ADDRESS: Final = 'sluice.dev/address'
_CALL_MS: Final = 5_000
_FAREWELL_MS: Final = 2_000


class Trace(Protocol):
    """What remembers, besides the Lease, that somebody has led."""

    async def begin(self) -> int | None:
        """The highest term that is remembered; None: nobody has ever led, and only this call is told so."""
        ...


def boot_ms() -> int:
    """Milliseconds of the clock that also counts while the machine is suspended."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class LeaseObject:
    """The Lease `name` as the API server has it. `address` is where this control plane is reached, for who reads the Lease."""

    def __init__(self, api: Api, namespace: str, name: str, address: str, lease_ms: int) -> None:
        self._api, self._namespace, self._name = api, namespace, name
        self._address, self._seconds = address, max(1, -(-lease_ms // 1_000))
        self._document: dict[str, Any] = {}

    async def read(self, limit_s: float) -> Record | None:
        """None: there is none. Unreachable, ApiError: not known."""
        try:
            return self._taken(await self._api.get(LEASES, self._namespace, self._name, timeout_s=limit_s))
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    async def write(self, attempt: Attempt, limit_s: float) -> Record:
        """ApiError 409 or 404: the Lease is not as it was when this was decided. Others, Unreachable: not known."""
        if attempt.over is None:
            document: dict[str, Any] = {'metadata': {'name': self._name}, 'spec': {}}
        else:
            document = {**self._document, 'metadata': dict(self._document['metadata'])}
            document['metadata']['resourceVersion'] = attempt.over.version
        before = dict(document.get('spec') or {})
        document['spec'] = {**before, **self._spec(attempt, before)}
        if attempt.holder:
            document['metadata']['annotations'] = {
                **(document['metadata'].get('annotations') or {}),
                ADDRESS: self._address,
            }
        if attempt.over is None:
            return self._taken(await self._api.create(LEASES, self._namespace, document, timeout_s=limit_s))
        return self._taken(await self._api.replace(LEASES, self._namespace, self._name, document, timeout_s=limit_s))

    def _spec(self, attempt: Attempt, before: dict[str, Any]) -> dict[str, Any]:
        if attempt.over is None and not attempt.holder:
            return {'leaseTransitions': attempt.term, 'leaseDurationSeconds': self._seconds}
        now = datetime.now(UTC).isoformat(timespec='microseconds').replace('+00:00', 'Z')
        is_renewal = before.get('holderIdentity') == attempt.holder and before.get('leaseTransitions') == attempt.term
        return {
            'holderIdentity': attempt.holder,
            'leaseTransitions': attempt.term,
            'leaseDurationSeconds': self._seconds if attempt.holder else RELEASED_MS // 1_000,
            'renewTime': now,
            'acquireTime': before.get('acquireTime', now) if is_renewal else now,
        }

    def _taken(self, document: dict[str, Any]) -> Record:
        self._document = document
        metadata, spec = document['metadata'], document.get('spec') or {}
        return Record(
            uid=metadata.get('uid', ''),
            version=metadata['resourceVersion'],
            holder=spec.get('holderIdentity') or '',
            term=spec.get('leaseTransitions') or 0,
            renewed=spec.get('renewTime') or '',
            duration_ms=1_000 * (spec.get('leaseDurationSeconds') or self._seconds),
            address=(metadata.get('annotations') or {}).get(ADDRESS, ''),
        )


class Election:
    """One control plane standing for leader, until it is closed. `now_ms` is a monotonic clock in milliseconds."""

    def __init__(self, elector: Elector, lease: LeaseObject, trace: Trace, now_ms: Callable[[], int] = boot_ms) -> None:
        self._elector, self._lease, self._trace, self._now = elector, lease, trace, now_ms
        self._asking = asyncio.Lock()
        self._said = ''
        self.looked: Callable[[], None] = lambda: None  # called whenever the Lease was looked at by one who waits

    @property
    def identity(self) -> str:
        """The name under which this one stands."""
        return self._elector.identity

    def holds(self) -> bool:
        """Whether this one leads now."""
        return self._elector.is_leading(self._now())

    def term(self) -> int:
        """The term in which it leads; 0: it does not lead."""
        return self._elector.term(self._now())

    def resign(self) -> None:
        """Lead no more, from this moment; the Lease is let go of by `release`."""
        self._elector.resign()

    def leader(self) -> Record | None:
        """The Lease as last read; None: it was not there."""
        return self._elector.record

    async def gain(self) -> int:
        """Wait until this one leads; returns the term. Does not end for anything that goes wrong."""
        while True:
            async with self._asking:
                await self._ask(acquire=True)
            self.looked()
            if term := self.term():
                log.info('leading with term %d as %s', term, self.identity)
                return term
            # the jitter keeps those who wait from asking in step; what has been let go of is not waited for long
            await asyncio.sleep(self._elector.times.retry_ms / 1_000 * random.uniform(0.5, 1.1))

    async def keep(self) -> str:
        """Renew until this one leads no more; returns why."""
        retry_ms = self._elector.times.retry_ms
        while self.holds():
            left_ms = self._elector.until_ms - self._now()
            await asyncio.sleep(max(0, min(retry_ms, left_ms)) / 1_000)
            async with self._asking:
                await self._ask(acquire=False)
        self._elector.resign()
        reason = self._why()
        log.warning('leading no more: %s', reason)
        return reason

    async def successor(self) -> str:
        """Why this one does not lead, looked up if that can be done soon."""
        async with self._asking:
            if not self.holds():
                self._elector.refused()
                await self._ask(acquire=False)
        return self._why()

    def _why(self) -> str:
        record = self._elector.record
        if record is not None and record.holder and record.holder != self.identity:
            return f'another control plane has taken over with term {record.term}'
        return f'the lease could not be renewed in time{f" ({self._said})" if self._said else ""}'

    async def raise_to(self, at_least: int) -> int:
        """Begin a new term, `at_least` or the next. Fenced: not leading. StoreUnavailable: not now."""
        async with self._asking:
            if self._elector.must_read:
                await self._ask(acquire=False)
            now = self._now()
            if not self._elector.is_leading(now):
                raise Fenced(self._why())
            attempt = self._elector.raised(at_least, now)
            if attempt is None:
                raise StoreUnavailable('the Lease cannot be read')
            if attempt.term > MAX_TERM:
                raise StoreUnavailable(f'a Lease cannot have term {attempt.term}')
            try:
                await self._write(attempt)
            except (ApiError, Unreachable) as error:
                raise StoreUnavailable(f'the Lease cannot be written: {error}') from error
        if not self.holds():
            raise Fenced(self._why())
        if self.term() != attempt.term:
            raise StoreUnavailable('the Lease was changed meanwhile')
        return attempt.term

    async def release(self) -> None:
        """Lead no more, and let others lead at once if the API server can be told so within two seconds."""
        self._elector.resign()
        try:
            async with asyncio.timeout(_FAREWELL_MS / 1_000), self._asking:
                if self._elector.must_read:
                    self._elector.read(await self._lease.read(_FAREWELL_MS / 1_000), self._now())
                attempt = self._elector.release(self._now())
                if attempt is not None:
                    await self._write(attempt)
        except (ApiError, Unreachable, TimeoutError) as error:
            log.warning('the lease could not be let go of: %s; it will run out', str(error) or 'no answer in time')

    async def _ask(self, *, acquire: bool) -> None:
        """One round: read if that has to be, then write what may be written. What goes wrong is said, once."""
        try:
            if self._elector.must_read or not self.holds():
                await self._read()
            now = self._now()
            attempt = self._elector.attempt(now) if acquire or self._elector.is_leading(now) else None
            if attempt is not None:
                await self._write(attempt)
        except (ApiError, Unreachable) as error:
            if str(error) != self._said:
                log.warning('lease: %s', error)
            self._said = str(error)
        else:
            self._said = ''

    def _limit_s(self) -> float:
        """No call outlasts the reign: whoever leads must know by its end."""
        left_ms = self._elector.until_ms - self._now()
        return (min(_CALL_MS, left_ms) if left_ms > 0 else _CALL_MS) / 1_000

    async def _read(self) -> None:
        record = await self._lease.read(self._limit_s())
        now = self._now()
        self._elector.read(record, now)
        if record is None:
            term = await self._trace.begin()
            if term is None:
                self._elector.fresh(now)
            else:
                self._elector.beyond(term)

    async def _write(self, attempt: Attempt) -> None:
        try:
            record = await self._lease.write(attempt, self._limit_s())
        except ApiError as error:
            if error.status in {404, 409}:
                self._elector.refused()
                return
            self._elector.unanswered()
            raise
        except BaseException:  # not sent, sent or done: nobody knows, also when the wait for it was cancelled
            self._elector.unanswered()
            raise
        self._elector.accepted(attempt, record, self._now())
