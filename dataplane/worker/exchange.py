"""The second chapter of a request: sent to its server, answered, ended. The first is in seeker.py.

Whatever happens it ends in `_end`, after the server knows of it (response complete, or shutdown(2)): only then is the slot
given back. HAProxy's manual, 8.5, names the terminations; core/termination.py says what follows from each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.core.layout import NOBODY
from dataplane.core.model import KeepAlive
from dataplane.core.stream import Life
from dataplane.core.termination import (
    BAD_REQUEST,
    BAD_RESPONSE,
    BAD_RESPONSE_DATA,
    CLIENT_LEFT_CONNECT,
    CLIENT_LEFT_DATA,
    CLIENT_LEFT_HEADERS,
    CLIENT_LEFT_QUEUE,
    CLIENT_TIMEOUT_DATA,
    CONNECT_TIMEOUT,
    DONE,
    KILLED_CONNECT,
    KILLED_DATA,
    KILLED_HEADERS,
    KILLED_QUEUE,
    NO_RESOURCE,
    OUTCOMES,
    QUEUE_TIMEOUT,
    SERVER_CLOSED,
    SERVER_CLOSED_DATA,
    SERVER_TIMEOUT,
    SERVER_TIMEOUT_DATA,
    Termination,
)
from dataplane.worker.clock import now_ms
from dataplane.worker.ending import record
from dataplane.worker.framing import CHUNKED, LAST_CHUNK, UNTIL_CLOSE, BadBody, Body, CloseBody, body_of, chunk
from dataplane.worker.head import BadHead, RequestHead, ResponseHead, parse_response
from dataplane.worker.headers import request_bytes, response_bytes, wants_websocket
from dataplane.worker.pages import page, without_body
from dataplane.worker.seeker import Seeker, Stage

if TYPE_CHECKING:
    from dataplane.core.model import Frontend
    from dataplane.worker.context import Context
    from dataplane.worker.sides import ClientEnd

_IDEMPOTENT: Final = frozenset((b'GET', b'HEAD', b'OPTIONS', b'PUT', b'DELETE'))
_SWITCHING: Final = 101
_CLIENT_LEFT: Final = {
    Stage.ROUTED: CLIENT_LEFT_QUEUE, Stage.QUEUED: CLIENT_LEFT_QUEUE, Stage.CONNECTING: CLIENT_LEFT_CONNECT,
    Stage.TURN_AROUND: CLIENT_LEFT_CONNECT, Stage.HEADERS: CLIENT_LEFT_HEADERS, Stage.BODY: CLIENT_LEFT_DATA,
    Stage.TUNNEL: CLIENT_LEFT_DATA,
}  # fmt: skip
_KILLED: Final = {
    Stage.ROUTED: KILLED_QUEUE, Stage.QUEUED: KILLED_QUEUE, Stage.CONNECTING: KILLED_CONNECT,
    Stage.TURN_AROUND: KILLED_CONNECT, Stage.HEADERS: KILLED_HEADERS, Stage.BODY: KILLED_DATA,
    Stage.TUNNEL: KILLED_DATA,
}  # fmt: skip


class Exchange(Seeker):
    """One request and its response. Made by the client's connection, which hears `exchange_done` or is `cut`."""

    __slots__ = (
        '_body', '_buffer', '_chunked', '_early', '_early_size', '_keep', '_request_done', '_reusable', '_sent_at',
        '_server_ended', '_switch',
    )  # fmt: skip

    def __init__(
        self, context: Context, client: ClientEnd, index: int, frontend: Frontend, head: RequestHead, began: int,
        wall: float,
    ) -> None:  # fmt: skip
        super().__init__(context, client, index, frontend, head, began, wall)
        self._sent_at = 0
        self._reusable = self._chunked = self._server_ended = False
        self._request_done = not head.length
        self._early: list[bytes] = []
        self._early_size = 0
        self._buffer = b''
        self._body: Body | None = None
        self._switch = wants_websocket(head)
        self._keep = head.keep_alive and frontend.keep_alive is not KeepAlive.CLOSE

    # -- sent --------------------------------------------------------------------------------------------------------

    def _send(self) -> None:
        """The connection is there: send the head and what came of the body, in one write."""
        context, client, upstream, head = self._context, self._client, self._upstream, self.head
        assert upstream is not None
        backend = self._backend_of()
        self.stage = Stage.HEADERS
        upstream.uses += 1
        option = context.forwarded(self._frontend, backend)
        forwarded = b'' if option is None else option.line(head, client.address)
        close = self._closes_server()
        context.desk.sent(self)
        out = request_bytes(head, forwarded, close=close, switch=self._switch)
        if self._early:
            out = b''.join((out, *self._early))
            self._early.clear()
        upstream.write(out)
        self._sent_at = now_ms()
        if self._request_done:
            self._await_server(self._sent_at)
        else:
            client.hold_body(held=False)

    def _closes_server(self) -> bool:
        modes = (self._frontend.keep_alive, self._backend_of().keep_alive)
        return KeepAlive.SERVER_CLOSE in modes or KeepAlive.CLOSE in modes

    def _await_server(self, now: int) -> None:
        timeout = self._backend_of().timeouts.server
        if timeout is not None:
            self._context.wheel.arm(self._client.server_timer, now + timeout)

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
        if self.stage is Stage.HEADERS or self.stage is Stage.BODY:
            if self._upstream is not None and out:
                self._upstream.write(out)
            if done:
                self._await_server(now_ms())
        elif out:
            # Nothing was sent yet: the body waits here, bounded, and stays for another try.
            self._early.append(out)
            self._early_size += len(out)
            if not done and self._early_size >= self._context.bufsize:
                self._client.hold_body(held=True)

    def on_server_congested(self, *, congested: bool) -> None:
        """The server takes the body slower than the client sends it, or again fast enough."""
        if self.stage is Stage.OVER:
            return
        self._client.hold_body(held=congested)
        if congested or self._request_done:
            self._await_server(now_ms())
        elif self.stage is not Stage.TUNNEL:
            self._client.server_timer.disarm()

    # -- answered ----------------------------------------------------------------------------------------------------

    def on_server_data(self, data: bytes) -> None:
        """Bytes from the server: a head, a body, or a tunnel's."""
        if self.stage is Stage.BODY:
            self._relay(data)
        elif self.stage is Stage.HEADERS:
            self._read_head(self._buffer + data if self._buffer else data)
        elif self.stage is Stage.TUNNEL:
            self._to_client(data)

    def _read_head(self, data: bytes) -> None:
        limit = self._context.head_limit
        while self.stage is Stage.HEADERS:
            end = data.find(b'\r\n\r\n') + 4
            if end < 4:
                self._buffer = data
                if len(data) > limit:
                    self._fail(BAD_RESPONSE)
                return
            try:
                if end > limit:
                    raise BadHead('the response head is too large')
                head = parse_response(data[:end], self._context.max_fields)
            except BadHead:
                self._fail(BAD_RESPONSE)
                return
            data = data[end:]
            if head.status == _SWITCHING:
                self._open_tunnel(head, data)
            elif head.status < 200:
                self._inform(head)
            else:
                self._answer(head, data)

    def _inform(self, head: ResponseHead) -> None:
        """An interim response; HTTP/1.0 clients know none (RFC 9110, 15.2)."""
        if self.head.version == 1:
            self._to_client(response_bytes(head, b'', chunked=False))
        if self._request_done:
            self._await_server(now_ms())

    def _answer(self, head: ResponseHead, rest: bytes) -> None:
        """The final response's head: decide the framing towards the client, and send it with what came of the body."""
        request, story, now = self.head, self.story, now_ms()
        self._buffer = b''
        story.status = head.status
        story.response_ms = now - self._sent_at
        length = 0 if request.method == b'HEAD' or head.status in (204, 304) else head.length
        self._reusable = head.keep_alive and length != UNTIL_CLOSE and not self._closes_server()
        self._chunked = length == CHUNKED and request.version == 1
        self._keep = (
            self._keep and length != UNTIL_CLOSE and (self._chunked or length != CHUNKED)
            and self._may_keep_client()
        )  # fmt: skip
        out = response_bytes(head, self._connection_field(), chunked=self._chunked)
        self._body = body_of(length)
        self.stage = Stage.BODY
        if rest:
            self._relay(rest, out)
        elif length:
            self._to_client(out)
            self._await_server(now)
        else:
            self._finish(out)

    def _may_keep_client(self) -> bool:
        """Not while a soft stop is on, nor when bytes were sent for a protocol that was not switched to (RFC 9931)."""
        return not (
            self._context.stopping
            or self._backend_of().keep_alive is KeepAlive.CLOSE
            or (self._switch and self._client.has_more())
        )

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
        except BadBody:
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
        if self.stage is Stage.BODY and not self._client.is_congested():
            self._await_server(now_ms())

    def _to_client(self, data: bytes) -> None:
        self.story.sent += len(data)
        self._client.write(data)

    def client_congested(self, *, congested: bool) -> None:
        """The client reads slower than the server sends, or again fast enough."""
        if self._upstream is None or self.stage is Stage.OVER:
            return
        self._upstream.hold(held=congested)
        if congested:
            self._client.server_timer.disarm()
        elif self.stage is Stage.BODY:
            self._await_server(now_ms())

    def _finish(self, out: bytes) -> None:
        """The response is complete: the connection goes back to its pool, or ends, before the slot is given back."""
        upstream, self._upstream = self._upstream, None
        assert upstream is not None
        clean = not (self._body is not None and self._body.rest)
        if self._request_done and self._reusable and clean:
            private = self._backend_of().http_reuse == 'never'
            pool = self._context.pools.known(self.server)
            kept = pool is not None and pool.give(upstream, now_ms(), private=private)
            if private and kept:
                self._client.own = upstream
        else:
            upstream.shutdown()
        if out:
            self._to_client(out)
        self._end(DONE, keep=self._keep and self._request_done)

    # -- tunnel ------------------------------------------------------------------------------------------------------

    def _open_tunnel(self, head: ResponseHead, rest: bytes) -> None:
        """101: both sides speak another protocol from here on, if that is what was asked for."""
        if not self._switch or head.upgrade != b'websocket':
            self._fail(BAD_RESPONSE)
            return
        self.stage = Stage.TUNNEL
        self.story.status = head.status
        self.story.response_ms = now_ms() - self._sent_at
        self._keep = False
        self._to_client(response_bytes(head, b'Upgrade', chunked=False) + rest)
        self.touch_tunnel()
        early = self._client.take_more()
        if early:
            self.client_tunnel(early)

    def touch_tunnel(self) -> None:
        """Something moved: `timeout tunnel`, or without it the shorter of client and server, begins anew."""
        server, client = self._backend_of().timeouts, self._frontend.timeouts
        timeout = server.tunnel
        if timeout is None:
            limits = [limit for limit in (server.server, client.client) if limit is not None]
            timeout = min(limits, default=None)
        if timeout is not None:
            self._context.wheel.arm(self._client.server_timer, now_ms() + timeout)

    def client_tunnel(self, data: bytes) -> None:
        """Bytes of the other protocol from the client."""
        if self._upstream is not None:
            self._upstream.write(data)
            self.touch_tunnel()

    def client_eof(self) -> bool:
        """The client will send no more. False: that ends the exchange (`option abortonclose`), and it has ended."""
        if self.stage is Stage.TUNNEL:
            if self._server_ended or self._upstream is None:
                self._end_tunnel()
                return False
            self._upstream.write_eof()
            return True
        self._keep = self._keep and self._client.has_more()
        if not self._request_done:
            self._fail(CLIENT_LEFT_DATA)
            return False
        if self.stage is not Stage.BODY and (self._backend is None or self._backend.abortonclose):
            self._fail(_CLIENT_LEFT[self.stage])
            return False
        return True

    def _end_tunnel(self) -> None:
        self._release_upstream()
        self._end(DONE, keep=False)

    # -- ended -------------------------------------------------------------------------------------------------------

    def on_server_eof(self) -> bool:
        """The server sends no more: the end of a body that ends so, of a tunnel's one direction, or an early end."""
        if self.stage is Stage.TUNNEL:
            self._server_ended = True
            self._client.write_eof()
            return True
        if self.stage is Stage.BODY and isinstance(self._body, CloseBody):
            self._body.done = True
            self._finish(b'')
        elif self.stage is not Stage.OVER:
            self.on_server_lost()
        return False

    def on_server_lost(self) -> None:
        """The connection to the server is gone before the response was complete."""
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.shutdown()
        if self.stage is Stage.TUNNEL:
            self._end(DONE if self._server_ended else SERVER_CLOSED_DATA, keep=False)
        elif self.stage is Stage.BODY:
            self._fail(SERVER_CLOSED_DATA)
        elif self.stage is Stage.HEADERS:
            self._unanswered()

    def _unanswered(self) -> None:
        """The server closed without a whole head. On a reused connection it may never have seen the request: what is
        idempotent is asked again over a new one (RFC 9110, 9.2.2), else the client is left to do so (RFC 9112, 9.3.1).
        """
        if not self._reused or self._buffer:
            self._fail(SERVER_CLOSED)
        elif self.head.method in _IDEMPOTENT and not self.head.length and not self._switch:
            self._must_open = True
            self._client.server_timer.disarm()
            # Its connection is shut down, so nothing of it is at the server: it is as if nothing had been sent.
            self.life = Life.SLOT
            self._again(NOBODY)
        else:
            self._fail(SERVER_CLOSED, silent=self._client.requests > 1)

    def client_gone(self) -> None:
        """The client's connection is gone: its place is free from here on."""
        if self.stage is Stage.OVER:
            return
        self._fail(CLIENT_LEFT_DATA if not self._request_done else _CLIENT_LEFT[self.stage])

    def client_timeout(self) -> None:
        """The client did not send, or take, what it should within `timeout client`."""
        self._fail(CLIENT_TIMEOUT_DATA)

    def bad_body(self) -> None:
        """The request's body is malformed: nothing more of it may be forwarded."""
        self._fail(BAD_REQUEST)

    def server_timeout(self) -> None:
        """The timer of whatever is waited for on the server's side has fired."""
        stage = self.stage
        if stage is Stage.QUEUED:
            self._fail(QUEUE_TIMEOUT)
        elif stage is Stage.CONNECTING:
            self._release_upstream()
            self._retry(CONNECT_TIMEOUT)
        elif stage is Stage.TURN_AROUND:
            self._try_again()
        elif stage is Stage.HEADERS:
            self._fail(SERVER_TIMEOUT)
        elif stage is Stage.BODY or stage is Stage.TUNNEL:
            self._fail(SERVER_TIMEOUT_DATA)

    def on_shutdown(self) -> None:
        """The session's generation is over, or an administrator ends this one session."""
        if self.stage is not Stage.OVER:
            self._fail(_KILLED[self.stage])

    def _fail(self, end: Termination, *, silent: bool = False) -> None:
        """End otherwise than as it should: with an error page where nothing was answered yet and one is due."""
        story, client = self.story, self._client
        self._release_upstream()
        if self.stage is Stage.QUEUED:
            story.wait_ms = max(story.wait_ms, 0) + now_ms() - self._waiting_since
        status = OUTCOMES[end].status
        if story.status > 0:
            self._end(end, keep=False, cut=True)
            return
        if end in (CLIENT_LEFT_DATA, CLIENT_TIMEOUT_DATA):
            status = OUTCOMES[CLIENT_LEFT_HEADERS].status if end is CLIENT_LEFT_DATA else 408
        if end in (CONNECT_TIMEOUT, NO_RESOURCE) and client.requests > 1:
            silent = True
        story.status = status if status is not None else -1
        if status is None or silent or end.who == 'C':
            self._end(end, keep=False, cut=True)
            return
        keep = self._keep and self._request_done and not self._context.stopping
        answer = page(status, close=not keep)
        self._to_client(without_body(answer) if self.head.method == b'HEAD' else answer)
        self._end(end, keep=keep)

    def _end(self, end: Termination, *, keep: bool, cut: bool = False) -> None:
        """The one end. The connection to the server is settled by now, so the slot may be given back."""
        context, client, story = self._context, self._client, self.story
        self.stage = Stage.OVER
        client.server_timer.disarm()
        context.desk.leave(self)
        story.active = now_ms() - self.began
        record(context, self._frontend, f'{client.address}:{client.port}', story, end)
        if cut:
            client.cut()
        else:
            client.exchange_done(keep=keep)
