"""What can be made to go wrong with the fake API server's answers, and the conversations that go wrong in the middle.

A fault is for one verb (`get list watch create update patch apply delete`, '*': any) of one resource (None: any); it is used
`times` times (None: until `remove()`), the oldest first. Verbs of subresources are written `patch/status`, `create/token`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

from controlplane.kube.resources import Resource
from tests.kube.fakeselectors import Selector
from tests.kube.fakestore import Change, Json

Kind = Literal['status', 'reset', 'hang', 'hold', 'garbage', 'half', 'lose']


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came in. `verb` as in faults."""

    verb: str
    resource: Resource
    namespace: str
    name: str
    query: dict[str, str]
    user: str


@dataclass(slots=True, eq=False)
class Fault:
    """status: answered with `status` and nothing done; reset: the connection is cut; hang: never answered; hold: answered when
    `gate` is set (a slow list); garbage: 200 and no JSON; half: 200, half of the body, cut; lose: done, then cut without answer.
    """

    kind: Kind
    verb: str
    resource: Resource | None
    namespace: str | None = None
    name: str | None = None
    times: int | None = 1
    status: int = 500
    reason: str = ''
    retry_after: int | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    used: int = 0

    def remove(self) -> None:
        """No more of it; what it holds goes on."""
        self.times = self.used
        self.gate.set()

    def strikes(self, seen: Seen) -> bool:
        if (self.times is not None and self.used >= self.times) or self.verb not in {'*', seen.verb}:
            return False
        return (
            self.resource in {None, seen.resource}
            and self.namespace in {None, seen.namespace}
            and self.name in {None, seen.name}
        )


class FakeWatch:
    """An open watch, seen from the server. Events are sent in the order of what is called here and of the writes.

    `send` says anything; `end` ends it as a server does whose time is up; `cut` ends it within an event (`clean`: the
    connection is closed properly all the same); `abort` resets the connection; `freeze` keeps it open and says nothing more;
    `expire` says ERROR 410 and ends; `error` any other Status; `replay` sends the last events again; `swap` exchanges the
    next two events.
    """

    def __init__(self, seen: Seen, chosen: Selector, version: int, bookmarks: bool) -> None:
        self.seen = seen
        self.version = version
        self.bookmarks = bookmarks
        self.is_open = True
        self.sent: list[Json] = []
        self.frozen = False
        self._chosen = chosen
        self._swapping = False
        self._kept: Json | None = None
        self._orders: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    async def next_order(self) -> tuple[str, Any]:
        return await self._orders.get()

    def tell(self, change: Change) -> None:
        """A write, if it is one for this watch: what leaves the selection is DELETED, what enters it ADDED."""
        if self.seen.resource != change.resource or self.seen.namespace not in {
            '', change.last['metadata'].get('namespace', ''),
        }:  # fmt: skip
            return
        before = change.before is not None and self._chosen(change.before)
        after = change.after is not None and self._chosen(change.after)
        if before or after:
            kind = 'DELETED' if not after else 'MODIFIED' if before else 'ADDED'
            self.send({'type': kind, 'object': change.last})

    def send(self, event: Json) -> None:
        if self._swapping and self._kept is None:
            self._kept = event
            return
        self._orders.put_nowait(('event', event))
        if self._kept is not None:
            self._orders.put_nowait(('event', self._kept))
            self._kept, self._swapping = None, False

    def bookmark(self, version: int) -> None:
        """Only when the client has asked for them."""
        if self.bookmarks:
            meta = {'resourceVersion': str(version), 'creationTimestamp': None}
            kind, api_version = self.seen.resource.kind, self.seen.resource.api_version
            self.send({'type': 'BOOKMARK', 'object': {'kind': kind, 'apiVersion': api_version, 'metadata': meta}})

    def error(self, status: int, reason: str, message: str = 'injected') -> None:
        self.send({'type': 'ERROR', 'object': {
            'kind': 'Status', 'apiVersion': 'v1', 'metadata': {}, 'status': 'Failure', 'message': message, 'reason': reason,
            'code': status,
        }})  # fmt: skip
        self.end()

    def expire(self) -> None:
        self.error(410, 'Expired', f'too old resource version: {self.version}')

    def replay(self, count: int = 1) -> None:
        for event in self.sent[-count:]:
            self._orders.put_nowait(('event', event))

    def swap(self) -> None:
        self._swapping = True

    def end(self) -> None:
        self._orders.put_nowait(('end', None))

    def abort(self) -> None:
        self._orders.put_nowait(('abort', None))

    def cut(self, *, clean: bool = False) -> None:
        self._orders.put_nowait(('cut', clean))

    def freeze(self) -> None:
        self._orders.put_nowait(('freeze', None))
