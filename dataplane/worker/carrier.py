"""The second chapter of a request: sent to its server over a connection, and answered from it.

The first is in seeker.py, the last in exchange.py. Bodies are relayed as they come, re-framed, and with back-pressure both
ways: who takes less than is sent to it makes this process stop reading the other side.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from dataplane.core.model import KeepAlive
from dataplane.core.retry import keeps_request
from dataplane.core.termination import BAD_RESPONSE, BAD_RESPONSE_DATA, DONE, NO_SERVER, Termination
from dataplane.worker.clock import now_ms
from dataplane.worker.ending import record_early
from dataplane.worker.framing import CHUNKED, LAST_CHUNK, UNTIL_CLOSE, BadBody, Body, body_of, chunk
from dataplane.worker.head import BadHead, RequestHead, ResponseHead, end_of_head, parse_response
from dataplane.worker.headers import binds, request_bytes, response_bytes, wants_websocket, with_name
from dataplane.worker.persistence import Persistence
from dataplane.worker.resender import Resender
from dataplane.worker.routed import Stage

if TYPE_CHECKING:
    from dataplane.core.model import Frontend
    from dataplane.worker.context import Context
    from dataplane.worker.halves import ClientEnd

_SWITCHING: Final = 101
_MOST_INTERIM: Final = 1_000
_AUTHENTICATES: Final = (401, 407)
# named per request: see core/plane.py
_HEADERS: Final = Stage.HEADERS
_BODY: Final = Stage.BODY
_KEEP_ALIVE: Final = KeepAlive.KEEP_ALIVE
_CLOSE: Final = KeepAlive.CLOSE


class Carrier(Resender):
    """A request and its response between two connections. Its ends (`_fail`, `_end`) are the exchange's."""

    __slots__ = (
        '_body', '_chunked',
        '_client_ended', '_interim', '_keep', '_request_done', '_reusable', '_sent_at',
        '_server_ended', '_switch', 'silence',
    )  # fmt: skip

    def __init__(
        self, context: Context, client: ClientEnd, index: int, frontend: Frontend, head: RequestHead, began: int,
        wall: float,
    ) -> None:  # fmt: skip
        super().__init__(context, client, index, frontend, head, began, wall)
        self._sent_at = self._interim = 0
        self.silence: int | None = None
        self._reusable = self._chunked = self._server_ended = self._client_ended = False
        self._request_done = not head.length
        self._body: Body | None = None
        self._switch = wants_websocket(head)
        self._keep = head.keep_alive and frontend.keep_alive is not _CLOSE

    # -- sent --------------------------------------------------------------------------------------------------------

    def _send(self) -> None:
        """The connection is there: send the head and what came of the body, in one write."""
        context, client, upstream, head = self._context, self._client, self._upstream, self.head
        assert upstream is not None
        backend = self._backend_of()
        if backend.pushed and 0 < context.cells[context.lease] <= now_ms():
            # asked here and not only of the board: a process that was suspended meanwhile goes on just here
            self._fail(NO_SERVER)
            return
        self.stage = _HEADERS
        upstream.uses += 1
        option = context.forwarded(self._frontend, backend)
        forwarded = b'' if option is None else option.line(head, self._source())
        original = context.original_to(self._frontend, backend)
        if original is not None:
            forwarded = b'\r\n'.join(filter(None, (forwarded, original.line(head, self._destination()))))
        if self._ruled is not None:
            self._switch = wants_websocket(head)  # rules may have changed the method
            self._ruled.server_ends = upstream.ends()
            forwarded = b'\r\n'.join(filter(None, (forwarded, self._ruled.added_lines())))
        close = self._closes_server()
        context.desk.sent(self)
        edits = None if self._jar is None else self._jar.strip(head)
        if backend.send_name_header:
            forwarded, edits = with_name(head, backend.send_name_header, self.story.server_name, forwarded, edits)
        out = request_bytes(head, forwarded, edits, close=close, switch=self._switch)
        if backend.adjust_case:
            out = context.casing.of(out)
        if keeps_request(backend.retry_on) and not self.sends_once:
            self._keep_early()
        if self._early:
            out = b''.join((out, *self._early))
            self._early.clear()
            self._early_size = 0
        upstream.write(out)
        self._sent_at = context.clock.ms()
        if self._request_done:
            self._await_server()
        else:
            client.hold_body(held=upstream.congested)

    def _closes_server(self) -> bool:
        return self._frontend.keep_alive is not _KEEP_ALIVE or self._backend_of().keep_alive is not _KEEP_ALIVE

    def _await_server(self) -> None:
        """`timeout server` limits the server's silence from here on, unless it is not read as the client takes too little;
        while it takes too little itself, that is limited instead.
        """
        if (self._upstream is not None and self._upstream.congested) or self._client.is_congested():
            return
        timeout = self.timeouts.server
        if timeout is not None:
            self._context.wheel.arm(self._client.server_timer, now_ms() + timeout)

    def client_body(self, payload: bytes, *, done: bool) -> None:
        """More of the request's body; `done`: it is complete."""
        self._request_done = done
        self.story.received += len(payload)
        if self.head.length == CHUNKED:
            out = chunk(payload) if payload else b''
            if done:
                out += LAST_CHUNK
        else:
            out = payload
        if self.stage is _HEADERS or self.stage is _BODY:
            if self._upstream is not None and out:
                self._upstream.write(out)
                if self._resend is not None:
                    self._keep_sent(self._resend, out)
            if done or self.stage is _BODY:
                self._await_server()
        elif self.stage is Stage.HELD:
            if self._upstream is not None and out:
                self._upstream.write(out)
        elif out:
            # Nothing was sent yet: the body waits here, bounded, and stays for another try.
            self._early.append(out)
            self._early_size += len(out)
            if not done and self._early_size >= self._context.bufsize:
                self._client.hold_body(held=True)
            if self.stage is Stage.GATHERING or self.stage is Stage.ASKING:
                self._gathered(len(payload))

    def on_server_congested(self, *, congested: bool) -> None:
        """The server takes the body slower than the client sends it, or again fast enough."""
        if self.stage is Stage.OVER:
            return
        self._client.hold_body(held=congested)
        if self.stage is Stage.HELD:
            return  # its time is that of the rule
        if congested:
            self._limit_stall()
        elif self.stage is Stage.TUNNEL:
            self._touch_tunnel()
        elif self._request_done if self.stage is _HEADERS else not self._client.is_congested():
            self._await_server()
        else:
            self._client.server_timer.disarm()

    def _limit_stall(self) -> None:
        """The server takes too little: each time in which it takes nothing is limited."""
        timeout = self.silence if self.stage is Stage.TUNNEL else self.timeouts.server
        if timeout is None:
            self._client.server_timer.disarm()
        else:
            self._context.wheel.arm(self._client.server_timer, now_ms() + timeout)

    # -- answered ----------------------------------------------------------------------------------------------------

    def on_server_data(self, data: bytes) -> None:
        """Bytes from the server: a head, a body, or a tunnel's."""
        if self.stage is _BODY:
            self._relay(data)
        elif self.stage is _HEADERS:
            self._read_head(self._buffer + data if self._buffer else data)
        elif self.stage is Stage.TUNNEL:
            self._to_client(data)
            self._touch_tunnel()
        elif self.stage is Stage.HELD:
            self._hear_held(data)

    def _read_head(self, data: bytes) -> None:
        limit = self._context.head_limit
        while self.stage is _HEADERS:
            end = end_of_head(data, 0)
            if end < 0:
                self._buffer = data
                if len(data) > limit:
                    self._junk(data, BadHead('the response head is too large'))
                return
            try:
                if end > limit:
                    raise BadHead('the response head is too large')
                head = parse_response(data[:end], self._context.max_fields)
            except BadHead as bad:
                self._junk(data, bad)
                return
            data = data[end:]
            if head.status == _SWITCHING:
                self._open_tunnel(head, data)
            elif head.status < 200 and self._interim < _MOST_INTERIM:
                self._inform(head)
            elif head.status < 200:
                self._fail(BAD_RESPONSE)
            else:
                self._answer(head, data)

    def _inform(self, head: ResponseHead) -> None:
        """An interim response; HTTP/1.0 clients know none (RFC 9110, 15.2)."""
        self._interim += 1
        if self.head.version == 1:
            self._to_client(self._written(response_bytes(head, b'', chunked=False)))
        if self._request_done:
            self._await_server()

    def _answer(self, head: ResponseHead, rest: bytes) -> None:
        """The final response's head: decide the framing towards the client, and send it with what came of the body.

        One that comes before the request is complete may be over before it as well: its client is told that it closes.
        """
        story, now = self.story, self._context.clock.ms()
        if self._resend is not None and self._sent_again(str(head.status)):
            return
        self._buffer = rest
        self._resend = None
        story.status = head.status
        story.response_ms = now - self._sent_at
        if self._pool is not None and self._pool.observer is not None:
            self._pool.observer.answered(head.status)
        if head.status in _AUTHENTICATES and self._upstream is not None and binds(head):
            self._upstream.private = True
        if self._context.rulebook is None or self._passes_response(head):
            self._deliver(head)

    def _length_of(self, head: ResponseHead) -> int:
        """The length of an answer's body, or how it is framed."""
        return 0 if self.head.method == b'HEAD' or head.status in (204, 304) else head.length

    def _deliver(self, head: ResponseHead) -> None:
        """Send the answer on, rules having had their say: its head, and what there is of its body."""
        request, length = self.head, self._length_of(head)
        rest, self._buffer = self._buffer, b''
        self._reusable = head.keep_alive and length != UNTIL_CLOSE and not self._closes_server()
        self._chunked = length == CHUNKED and request.version == 1
        self._keep = (
            self._keep and self._request_done and length != UNTIL_CLOSE and (self._chunked or length != CHUNKED)
            and self._may_keep_client()
        )  # fmt: skip
        added = b'' if self._jar is None else self._set_cookie(head)
        if self._context.rulebook is not None:
            added = self._passed(head, added)
        out = response_bytes(head, self._connection_field(), added, chunked=self._chunked)
        if self._frontend.adjust_case:
            out = self._written(out)
        self._body = body_of(length)
        self.stage = _BODY
        if self._frontend.logasap:
            self.story.active = self._context.clock.ms() - self.began
            record_early(self._context, self._frontend, self._client, self.story, len(out))
        if rest:
            self._relay(rest, out)
        elif length:
            self._to_client(out)
            self._await_server()
        else:
            self._finish(out)

    def _set_cookie(self, head: ResponseHead) -> bytes:
        ticket, jar = self.story.cookie, self._jar
        assert ticket is not None
        assert jar is not None
        if self.persistence is Persistence.IGNORED:
            return b''
        return jar.answer(head, ticket, self.head.method, self.server, int(time.time()))

    def _may_keep_client(self) -> bool:
        """Not while a soft stop is on, nor when bytes were sent for a protocol that was not switched to (RFC 9931)."""
        return not (self._context.stopping or (self._switch and self._client.has_more()))

    def _connection_field(self) -> bytes:
        if not self._keep:
            return b'close'
        return b'keep-alive' if self.head.version == 0 else b''

    def _relay(self, data: bytes, out: bytes = b'') -> None:
        """Part of the response's body; `out` is its head when that has not gone yet."""
        body = self._body
        assert body is not None
        try:
            payload = body.feed(data)
        except BadBody as bad:
            self._note_fault(data, bad)
            if out:
                self._to_client(out)
            self._fail(BAD_RESPONSE_DATA)
            return
        if payload:
            out += chunk(payload) if self._chunked else payload
        if body.done:
            self._finish(out + LAST_CHUNK if self._chunked else out)
            return
        if out:
            self._to_client(out)
        if self.stage is _BODY:
            self._await_server()
            if body.more and self._upstream is not None:
                self._upstream.pace(paced=True)
                self._context.loop.call_soon(self._go_on, body)

    def _go_on(self, body: Body) -> None:
        """A turn later: look at what else has come of the response's body."""
        if self._body is body and self.stage is _BODY and self._upstream is not None:
            self._upstream.pace(paced=False)
            self._relay(b'')

    def _to_client(self, data: bytes) -> None:
        self.story.sent += len(data)
        self._client.write(data)
        if self._upstream is not None and self._client.is_congested():
            self._upstream.hold(held=True)  # it may have been connected since the client was told of as congested
        if not self._request_done:
            self._client.renew()

    def client_congested(self, *, congested: bool) -> None:
        """The client reads slower than the server sends, or again fast enough."""
        if self._upstream is None or self.stage is Stage.OVER:
            return
        self._upstream.hold(held=congested)
        if self.stage not in (_HEADERS, _BODY) or self._upstream.congested:
            return
        if congested:
            self._client.server_timer.disarm()
        elif self.stage is _BODY or self._request_done:
            self._await_server()

    def _finish(self, out: bytes) -> None:
        """The response is complete: the connection goes back to its pool, or ends, before the slot is given back."""
        upstream, self._upstream = self._upstream, None
        assert upstream is not None
        clean = not (self._body is not None and self._body.rest)
        if self._request_done and self._reusable and clean:
            self._give_back(upstream)
        else:
            upstream.shutdown()
        if out:
            self._to_client(out)
        self._end(DONE, keep=self._keep)

    # -- tunnel (tunnel.py) ------------------------------------------------------------------------------------------

    def _open_tunnel(self, head: ResponseHead, rest: bytes) -> None:
        """101: the server switches protocols."""
        raise NotImplementedError

    def _touch_tunnel(self) -> None:
        """Something moved."""
        raise NotImplementedError

    # -- rules that wait (holding.py) --------------------------------------------------------------------------------

    def _gathered(self, more: int) -> None:
        """So many more bytes of the request's body are here, for which a rule waits."""
        raise NotImplementedError

    def _hear_held(self, data: bytes) -> None:
        """More of an answer is here that a rule keeps waiting."""
        raise NotImplementedError

    # -- the last chapter --------------------------------------------------------------------------------------------

    def _end(self, end: Termination, *, keep: bool, cut: bool = False) -> None:
        """The one end."""
        raise NotImplementedError
