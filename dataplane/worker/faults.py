"""The last faulty messages: one request per frontend and one response per backend, kept for `show errors`.

Kept are what had come of the message, no more than a buffer, and where its form is wrong; the next one of the same proxy takes
its place. Only who asks pays for the form that people read: that is the supervisor's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from dataplane.worker.framing import BadBody
from dataplane.worker.scan import TOKEN

if TYPE_CHECKING:
    from dataplane.core.model import Backend, Frontend, Server
    from dataplane.core.tables import Tables

_REQUEST_LINE: Final = tuple(
    re.compile(part) for part in (TOKEN + rb'++', rb' ', rb'[!"$-~]++', rb' ', rb'HTTP/1\.[01]', rb'\r\n')
)
_STATUS_LINE: Final = tuple(
    re.compile(part)
    for part in (rb'HTTP/1\.[01]', rb' ', rb'[1-5][0-9][0-9]', rb'(?: [\t\x20-\x7e\x80-\xff]*+)?', rb'\r\n')
)
_FIELD: Final = tuple(re.compile(part) for part in (TOKEN + rb'++', rb':', rb'[\t\x20-\x7e\x80-\xff]*+', rb'\r\n'))
_NOBODY: Final = '<NONE>'


class Peer(Protocol):
    """A client, as far as it is named."""

    address: str
    port: int


class Fault(NamedTuple):
    """One faulty message: a `request` or a `response`. `proxy` is who refused it, `other` the proxy on its other side; `server` (name, id) of a response."""

    side: str
    number: int
    when: float
    proxy: tuple[str, int]
    other: tuple[str, int]
    server: tuple[str, int]
    source: str
    data: bytes
    position: int
    reason: str


class Faults:
    """All of one worker. `limit`: how many bytes of a message are kept, which is a buffer."""

    def __init__(self) -> None:
        self.limit = 0
        self.total = 0
        self._requests: dict[str, Fault] = {}
        self._responses: dict[str, Fault] = {}

    def adopt(self, tables: Tables, limit: int) -> None:
        """Tables came into force: what was kept for proxies that are no more is forgotten."""
        self.limit = limit
        for known, kept in (
            ({frontend.name for frontend in tables.frontends.values()}, self._requests),
            ({backend.name for backend in tables.backends.values()}, self._responses),
        ):
            for name in kept.keys() - known:
                del kept[name]

    def request(self, frontend: Frontend, client: Peer, data: bytes, bad: Exception) -> None:
        """A client sent something that is no request, or something wrong after the head of one (BadBody)."""
        at = 0 if isinstance(bad, BadBody) else position(data, _REQUEST_LINE)
        self._requests[frontend.name] = self._fault(
            'request', (frontend.name, frontend.id), (_NOBODY, -1), (_NOBODY, -1), client, data, at, bad
        )

    def response(
        self, backend: Backend, server: Server | None, frontend: Frontend, client: Peer, data: bytes, bad: Exception
    ) -> None:
        """A server sent something that is no response to this client, or something wrong after the head of one."""
        at = 0 if isinstance(bad, BadBody) else position(data, _STATUS_LINE)
        whose = (_NOBODY, -1) if server is None else (server.name, server.id)
        self._responses[backend.name] = self._fault(
            'response', (backend.name, backend.id), (frontend.name, frontend.id), whose, client, data, at, bad
        )

    def _fault(
        self, side: str, proxy: tuple[str, int], other: tuple[str, int], server: tuple[str, int], client: Peer,
        data: bytes, at: int, bad: Exception,
    ) -> Fault:  # fmt: skip
        number = self.total
        self.total += 1
        source = f'{client.address}:{client.port}'
        return Fault(side, number, time.time(), proxy, other, server, source, data[: self.limit], at, str(bad))

    def rows(self) -> Iterator[dict[str, Any]]:
        """What is kept, one row each, for `show errors`."""
        for fault in (*self._requests.values(), *self._responses.values()):
            yield {**fault._asdict(), 'data': fault.data.decode('latin-1'), 'limit': self.limit}


def position(raw: bytes, start: tuple[re.Pattern[bytes], ...]) -> int:
    """Where a head's form is wrong: the first byte that cannot stand there; 0 when only its meaning is wrong."""
    at = 0
    parts = start
    while True:
        for part in parts:
            match = part.match(raw, at)
            if match is None:
                return at
            at = match.end()
        if at >= len(raw) or raw.startswith(b'\r\n', at):
            return 0
        parts = _FIELD
