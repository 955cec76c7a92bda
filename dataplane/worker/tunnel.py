"""Where a request becomes a tunnel: its server switches protocols, and both sides send each other what they like (RFC 9110, 7.8).

The chapter before it is in carrier.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.core.termination import BAD_RESPONSE
from dataplane.worker.carrier import Carrier
from dataplane.worker.clock import now_ms
from dataplane.worker.headers import response_bytes
from dataplane.worker.routed import Stage

if TYPE_CHECKING:
    from dataplane.worker.head import ResponseHead


class Tunneller(Carrier):
    """A request that may become a tunnel."""

    __slots__ = ()

    def _open_tunnel(self, head: ResponseHead, rest: bytes) -> None:
        """101: both sides speak another protocol from here on, if that is what was asked for."""
        if not self._switch or head.upgrade != b'websocket':
            self._fail(BAD_RESPONSE)
            return
        self.story.status = head.status
        self.story.response_ms = self._context.clock.ms() - self._sent_at
        self._buffer = rest
        if self._context.rulebook is None or self._passes_response(head):
            self._tunnel(head)

    def _tunnel(self, head: ResponseHead) -> None:
        """From here on both sides speak the other protocol."""
        rest, self._buffer = self._buffer, b''
        if self._context.rulebook is not None:
            self._passed(head, b'')
        self.stage = Stage.TUNNEL
        self._keep = False
        self.silence = self._tunnel_timeout()
        self._to_client(self._written(response_bytes(head, b'Upgrade', chunked=False)) + rest)
        self._touch_tunnel()
        early = self._client.take_more()
        if early:
            self.client_tunnel(early)
        if self._client_ended and self._upstream is not None:
            self._upstream.write_eof()
            self._half_close_tunnel(self.timeouts.server_fin)

    def _tunnel_timeout(self) -> int | None:
        """`timeout tunnel`, or without it the shorter of client and server."""
        server = self.timeouts
        if server.tunnel is not None:
            return server.tunnel
        return min((limit for limit in (server.server, self._client.patience) if limit is not None), default=None)

    def _touch_tunnel(self) -> None:
        """Something moved: the time of silence begins anew."""
        if self.silence is not None and not (self._upstream is not None and self._upstream.congested):
            self._context.wheel.arm(self._client.server_timer, now_ms() + self.silence)

    def _half_close_tunnel(self, timeout: int | None) -> None:
        """One direction has ended: `timeout client-fin` or `server-fin`, where set, limits the silence of the side that has not."""
        if timeout is not None:
            self.silence = timeout
        self._touch_tunnel()

    def client_tunnel(self, data: bytes) -> None:
        """Bytes of the other protocol from the client."""
        if self._upstream is not None:
            self._upstream.write(data)
            self._touch_tunnel()
