"""The servers: REST and the link on one port, over TLS or not; probes and metrics on another that needs no token.

Both speak HTTP by h11, in the tests as where they are installed, since it bounds a head (64 KiB). A head must be whole within
`HEAD_S` of its beginning, or of the connection's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from dataplane.wire.codec import MAX_FRAME

HEAD_S = 10.0
KEPT_S = 75
"""How long a connection may be idle. Clients give theirs up before (httpx after 5 s, Go after 90 s but it asks again): of two that
close at the same moment one loses a request.
"""


class Http(H11Protocol):
    """One connection. Requests find the client's verified certificate, if there is one, in `scope['state']`."""

    head_s = HEAD_S
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note who is there."""
        certificate = transport.get_extra_info('peercert')
        if certificate:
            self.app_state = {**self.app_state, 'certificate': certificate}
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take what has come; then see whether a head is half there."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and (self.conn.trailing_data[0] or self.cycle is None):
            self._await_head()
        else:
            self._end_waiting()

    def on_response_complete(self) -> None:
        """An answer is out: half of a next head may have come behind its request."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Over."""
        self._end_waiting()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """From here on it is the link's, which has its own times."""
        self._end_waiting()
        super().handle_websocket_upgrade(event)

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_s, self._too_slow)

    def _end_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        self.transport.close()


def _config(app: Any, context: ssl.SSLContext | None, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app, http=Http, log_config=None, access_log=False, lifespan='off', timeout_graceful_shutdown=5, server_header=False,
        timeout_keep_alive=KEPT_S,
        ssl_context_factory=None if context is None else lambda *_: context, **more,
    )  # fmt: skip


class Server(uvicorn.Server):
    """REST and the link. Calls `leaving` before it waits for streams and data planes to end."""

    def __init__(self, app: Any, context: ssl.SSLContext | None, leaving: Callable[[], Any]) -> None:
        super().__init__(
            _config(
                app, context, ws='websockets-sansio', ws_max_size=MAX_FRAME, ws_per_message_deflate=False,
                ws_ping_interval=10.0, ws_ping_timeout=20.0,
            )
        )  # fmt: skip
        self._leaving = leaving

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """A signal ends the serving, and no more: uvicorn would raise it again afterwards, and the process would die of it before
        its store is closed, with a status that Kubernetes calls an error.
        """
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop taking connections, end the rest."""
        await self._leaving()
        await super().shutdown(sockets)


class Probed(uvicorn.Server):
    """Probes and metrics. Leaves signals to the other server, and ends when it is told to."""

    def __init__(self, app: Any) -> None:
        super().__init__(_config(app, None, ws='none'))

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Not here."""
        yield
