"""A client's connection on which a PROXY header comes before everything else (`accept-proxy`, `tcp-request connection expect-proxy`).

    FRESH, waiting for the header -> the session's rules -> FRESH, as any other client's

What is no header, or none that can be relied on, ends the connection without an answer and with a line in the log, as in HAProxy. The
header must come within `timeout client`.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

from dataplane.wire.syslog import LEVELS
from dataplane.worker.arrival import Arrival
from dataplane.worker.client import Client
from dataplane.worker.ending import Story
from dataplane.worker.logbook import Failure, write_failure
from dataplane.worker.proxyheader import CLOSED, CODES, FAILED, LATE, TRUNCATED, BadHeader, read_header

if TYPE_CHECKING:
    from dataplane.core.model import Frontend
    from dataplane.worker.context import Context
    from dataplane.worker.sides import Owner

_ERR: Final = LEVELS.index('err')
_NOTHING_SAID: Final = (CLOSED, FAILED)


class Announced(Client):
    """`arrival` is the connection as its rules see it, and is None once its header was heard."""

    __slots__ = ()

    def __init__(
        self, context: Context, owner: Owner, index: int, frontend: Frontend, sock: socket.socket, arrival: Arrival
    ) -> None:  # fmt: skip
        super().__init__(context, owner, index, frontend, sock)
        self.arrival = arrival

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has taken the accepted socket over."""
        super().connection_made(transport)
        if self.arrival is not None:
            self._arm(self._frontend.timeouts.client)

    def data_received(self, data: bytes) -> None:
        """Bytes from the client: of its header, or what follows it."""
        arrival = self.arrival
        if arrival is None:
            super().data_received(data)
            return
        self._buffer += data
        try:
            header = read_header(self._buffer, self._context.bufsize)
        except BadHeader as bad:
            if bad.ends is not None:
                arrival.session, arrival.moved = bad.ends, True
            self._turn_away(str(bad))
            return
        if header is None:
            return
        rest, self._buffer = self._buffer[header.size :], b''
        arrival.announce(header)
        self.arrival = None
        self.place(arrival)
        if not self._owner.admits(self, arrival):
            return
        self._await_request()
        if rest:
            super().data_received(rest)

    def eof_received(self) -> bool:
        """The client will send no more."""
        if self.arrival is None:
            return super().eof_received()
        self._turn_away(TRUNCATED if self._buffer else CLOSED)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by whomever."""
        if self.arrival is not None:
            self._turn_away(CLOSED if exc is None else FAILED)
        else:
            super().connection_lost(exc)

    def cut(self) -> None:
        """End the connection at once."""
        self.arrival = None
        super().cut()

    def _expired(self) -> None:
        if self.arrival is None:
            super()._expired()
        else:
            self._turn_away(LATE)

    def _turn_away(self, why: str) -> None:
        """It said nothing that lets it in: log that, and end the connection."""
        arrival = self.arrival
        if arrival is not None and self._frontend.log_targets:
            if not (self._frontend.dontlognull and why in _NOTHING_SAID):
                self._log_why(arrival, why)
        self.cut()

    def _log_why(self, arrival: Arrival, why: str) -> None:
        log, frontend, bind = self._context.log, self._frontend, arrival.bind
        name = '' if bind is None else bind.name or bind.id
        source = f'{arrival.session.source}:{arrival.session.source_port}' if arrival.session.source else f'unix:{name}'
        line = f'{source} [{log.dates.http(self._wall)}] {frontend.name}/{name}: {why}'
        self.place(arrival)
        story = Story(self._index, self._wall)
        self.idle_ms = 0  # where there is no request HAProxy does not write -1
        failure = Failure(self._context, frontend, self, story, CODES[why], why)
        write_failure(failure, line, _ERR if frontend.log_separate_errors else -1)
