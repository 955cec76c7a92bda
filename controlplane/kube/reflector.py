"""List, then watch, for ever: keeps what is held of one kind in one namespace (or in all) as the API server has it.

R1  The version watched from is the list's, then each event's and bookmark's; it is opaque, and never compared.
R2  After 410, an ERROR event or a version from the future: list again, and tell the differences.
R3  After any other end of a stream: watch on from the last version, at once after a good end, else after a pause.
R4  No end that comes at once, no answer and no silence makes it ask without a pause.
R5  What is held stays as it was while nothing is heard; that nothing is heard is reported.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from controlplane.kube.clock import Clock, Timer
from controlplane.kube.errors import ApiError, Json, KubeError, Unreachable, from_status
from controlplane.kube.holdings import Holdings, Listing
from controlplane.kube.resources import Resource
from controlplane.kube.retry import Empty, InStream, Retry, Silent, Trouble

T = TypeVar('T')

START: Final = 'start'
PERIODIC: Final = 'periodic'
_AT_A_TIME: Final = 20
_log = logging.getLogger(__name__)


class Server(Protocol):
    """What is needed of `controlplane.kube.client.Api`."""

    async def list_page(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        limit: int = ...,
        continue_: str | None = ...,
        label_selector: str = ...,
        field_selector: str = ...,
    ) -> Json:
        """One page of a list."""

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        timeout_s: float,
        label_selector: str = ...,
        field_selector: str = ...,
        opened: Callable[[], None] | None = ...,
    ) -> AsyncGenerator[Json, None]:
        """Raw events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds. Watches end after `watch_s` (drawn from that range); `silence_s` without a word is the end of one that has
    sent bookmarks, `grace_s` over its own time of one that has not. `relist_s`, `resync_s`: 0 is never.
    """

    watch_s: tuple[float, float] = (300.0, 600.0)
    grace_s: float = 30.0
    silence_s: float = 75.0
    empty_s: float = 1.0
    relist_s: float = 3600.0
    resync_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is listed and watched. `page`: objects per page; a hundred slices of a hundred endpoints are 3 MB to decode,
    which holds the event loop for 20 ms.
    """

    resource: Resource
    label_selector: str = ''
    field_selector: str = ''
    page: int = 100


@dataclass(slots=True)
class Tally:
    """Counters, over all namespaces of one informer. Times in seconds since 1970."""

    relists: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    watches: int = 0
    last_event: float | None = None


class Reflector(Generic[T]):
    """One namespace ('' for all). `run` until cancelled; everything else may be called while it runs."""

    def __init__(
        self,
        server: Server,
        asked: Asked,
        namespace: str,
        holdings: Holdings[T],
        tally: Tally,
        clock: Clock,
        draws: random.Random,
        timing: Timing,
    ) -> None:
        self._server = server
        self._asked = asked
        self._namespace = namespace
        self._holdings = holdings
        self._tally = tally
        self._clock = clock
        self._draws = draws
        self._timing = timing
        self._retry = Retry(draws)
        self._version = ''
        self._listed_at = float('-inf')
        self._reason = START  # why the next step is a list; '': it is a watch
        self._wish = ''  # the same, when somebody asked for it
        self._wished = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self.synced = asyncio.Event()
        self.trouble: Trouble | None = None

    @property
    def name(self) -> str:
        """For logs."""
        return f'{self._asked.resource.label} in {self._namespace or "all namespaces"}'

    async def run(self) -> None:
        """Keep up until cancelled."""
        while True:
            try:
                if reason := self._reason or self._wish:
                    await self._list(reason)
                await self._watch()
            except KubeError as error:
                await self._rest(error)

    async def relist(self, reason: str) -> None:
        """Return when a list that was begun after this call has been taken over."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._wish = reason
        self._wished.set()
        try:
            await done
        finally:
            if done in self._waiting:
                self._waiting.remove(done)

    async def _rest(self, error: KubeError) -> None:
        step = self._retry.after(error, self._clock.now(), self._listed_at)
        self._reason = self._reason or step.relist
        self._tally.failures[step.ill] += 1
        if self.trouble is None or self.trouble.ill is not step.ill:
            _log.warning('%s: %s (%s); trying again in %.1f s', self.name, error, step.ill, step.pause_s)
            self.trouble = Trouble(step.ill, str(error), self._clock.wall())
        await self._clock.sleep(step.pause_s)

    def _well(self) -> None:
        if self.trouble is not None:
            _log.info('%s: heard again, after %s', self.name, self.trouble.ill)
            self.trouble = None

    async def _list(self, reason: str) -> None:
        """Read all pages, then take them over."""
        self._tally.relists[reason] += 1
        self._reason, self._wish = reason, ''
        self._wished.clear()
        served, self._waiting = self._waiting, []
        try:
            try:
                listing, version = await self._pages(self._asked.page)
            except ApiError as error:
                if not error.is_gone:
                    raise
                # the list was slower than the server's memory of it: everything at once, as client-go does
                listing, version = await self._pages(0)
        except BaseException:
            self._waiting = [one for one in served if not one.done()] + self._waiting
            raise
        self._version = version
        self._listed_at = self._clock.now()
        self._reason = ''
        self._well()
        self._holdings.adopt(listing)
        self.synced.set()
        for waiter in served:
            if not waiter.done():
                waiter.set_result(None)

    async def _pages(self, limit: int) -> tuple[Listing[T], str]:
        listing: Listing[T] = Listing(self._namespace)
        token: str | None = None
        while True:
            page = await self._server.list_page(
                self._asked.resource,
                self._namespace or None,
                limit=limit,
                continue_=token,
                label_selector=self._asked.label_selector,
                field_selector=self._asked.field_selector,
            )
            meta, items = _dict(page.get('metadata')), page.get('items')
            version, token = meta.get('resourceVersion'), meta.get('continue')
            if not isinstance(version, str) or not version or not isinstance(items, list | None):
                raise Unreachable(f'what came for a list of {self.name} is none')
            for first in range(0, len(items or ()), _AT_A_TIME):
                self._holdings.read(listing, (items or [])[first : first + _AT_A_TIME])
                await asyncio.sleep(0)  # others have their turn: 20 slices of 100 endpoints are 10 ms
            if not token:
                return listing, version

    async def _watch(self) -> None:
        """One watch, until it ends, fails, or a list is due or asked for."""
        if self._wish:
            return
        due_s = self._timing.relist_s and self._listed_at + self._timing.relist_s - self._clock.now()
        if due_s < 0:
            self._reason = PERIODIC
            return
        reading = asyncio.ensure_future(self._read())
        wished = asyncio.ensure_future(self._wished.wait())
        try:
            await asyncio.wait((reading, wished), return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
        finally:
            for task in (reading, wished):
                task.cancel()
            await asyncio.gather(reading, wished, return_exceptions=True)

    async def _read(self) -> None:
        """Take over events until the stream ends. KubeError: it did not end well."""
        server_s = self._draws.uniform(*self._timing.watch_s)
        patience_s = server_s + self._timing.grace_s
        began, said = self._clock.now(), 0
        self._tally.watches += 1
        timers: list[Timer] = []
        stream = self._server.watch(
            self._asked.resource,
            self._namespace or None,
            resource_version=self._version,
            timeout_s=server_s,
            label_selector=self._asked.label_selector,
            field_selector=self._asked.field_selector,
            # one that ends at once, again and again, is not well
            opened=lambda: timers.append(self._clock.later(self._timing.empty_s, self._well)),
        )
        try:
            async with aclosing(stream):
                while (event := await self._next(stream, patience_s)) is not None:
                    if self._take(event):
                        patience_s = min(patience_s, self._timing.silence_s)
                    else:
                        said += 1
        finally:
            for timer in timers:
                timer.cancel()
        if said:
            self._retry.heard()
        elif self._clock.now() - began < self._timing.empty_s:
            raise Empty(f'a watch of {self.name} ended at once and told of nothing')

    async def _next(self, stream: AsyncGenerator[Json, None], patience_s: float) -> Json | None:
        try:
            async with self._clock.timeout(patience_s):
                return await anext(stream, None)
        except TimeoutError as error:
            raise Silent(f'nothing was heard of {self.name} for {patience_s:.0f} s') from error

    def _take(self, event: dict[str, Any]) -> bool:
        """Returns whether it was a bookmark."""
        kind, document = event['type'], event['object']
        self._tally.events[kind if kind in _KINDS else 'unknown'] += 1
        self._tally.last_event = self._clock.wall()
        match kind:
            case 'ADDED' | 'MODIFIED':
                self._holdings.upsert(document)
            case 'DELETED':
                self._holdings.delete(document)
            case 'ERROR':
                raise InStream(from_status(document))
        self._well()
        if version := _dict(document.get('metadata')).get('resourceVersion'):
            self._version = str(version)
        return bool(kind == 'BOOKMARK')


_KINDS: Final = frozenset({'ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'})


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
