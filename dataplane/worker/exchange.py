"""The last chapter of a request: how it ends, and the whole of it: an Exchange is what a client's connection makes.

Whatever happens it ends in `_end`, after the server knows of it (response complete, or shutdown(2)): only then is the slot
given back. HAProxy's manual, 8.5, names the terminations; core/termination.py says what follows from each.
"""

from __future__ import annotations

from typing import Final

from dataplane.core.layout import NOBODY
from dataplane.core.state import OpState
from dataplane.core.stream import Life
from dataplane.core.termination import (
    BAD_REQUEST,
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
    LOCAL_REDIRECT,
    NO_RESOURCE,
    OUTCOMES,
    QUEUE_TIMEOUT,
    SERVER_CLOSED,
    SERVER_CLOSED_DATA,
    SERVER_TIMEOUT,
    SERVER_TIMEOUT_DATA,
    TARPITTED,
    Phase,
    RetryOn,
    Termination,
    Who,
)
from dataplane.worker.clock import now_ms
from dataplane.worker.cookies import Ticket
from dataplane.worker.ending import record
from dataplane.worker.framing import CloseBody
from dataplane.worker.judging import judge_answer
from dataplane.worker.pages import closing, kept_open, leaves_open, own_page, page, with_field, without_body
from dataplane.worker.routed import Stage
from dataplane.worker.tracking import count_ended
from dataplane.worker.verdicts import Then, Verdict
from dataplane.worker.visitor import Visitor

_OVER: Final = Stage.OVER  # named per request: see core/plane.py
_IDEMPOTENT: Final = frozenset((b'GET', b'HEAD', b'OPTIONS', b'PUT', b'DELETE'))
_TIMED_OUT: Final = 408
_FOUND: Final = b'HTTP/1.1 302 Found\r\nCache-Control: no-cache\r\n'
_ANSWERED_SOON: Final = (Stage.ASKING, Stage.BODY)
_CLIENT_LEFT: Final = {
    Stage.ASKING: CLIENT_LEFT_HEADERS, Stage.HELD: CLIENT_LEFT_DATA, Stage.TARPIT: TARPITTED,
    Stage.ROUTED: CLIENT_LEFT_QUEUE, Stage.QUEUED: CLIENT_LEFT_QUEUE, Stage.CONNECTING: CLIENT_LEFT_CONNECT,
    Stage.TURN_AROUND: CLIENT_LEFT_CONNECT, Stage.HEADERS: CLIENT_LEFT_HEADERS, Stage.BODY: CLIENT_LEFT_DATA,
    Stage.TUNNEL: CLIENT_LEFT_DATA,
}  # fmt: skip
_KILLED: Final = {
    Stage.GATHERING: KILLED_QUEUE,
    Stage.ASKING: KILLED_HEADERS, Stage.TARPIT: TARPITTED,
    Stage.ROUTED: KILLED_QUEUE, Stage.QUEUED: KILLED_QUEUE, Stage.CONNECTING: KILLED_CONNECT,
    Stage.TURN_AROUND: KILLED_CONNECT, Stage.HEADERS: KILLED_HEADERS, Stage.BODY: KILLED_DATA,
    Stage.TUNNEL: KILLED_DATA,
}  # fmt: skip


class Exchange(Visitor):
    """One request and its response. Made by the client's connection, which hears `exchange_done` or is `cut`."""

    __slots__ = ()

    # -- the client --------------------------------------------------------------------------------------------------

    def client_eof(self) -> bool:
        """The client will send no more. False: that ends the exchange (`option abortonclose`), and it has ended."""
        if self.stage is Stage.TUNNEL:
            if self._upstream is None:
                self._end(DONE, keep=False)
                return False
            self._client_ended = True
            if self._server_ended:
                self._upstream.close()
            else:
                self._upstream.write_eof()
            self._half_close_tunnel(self.timeouts.server_fin)
            return True
        self._keep = self._keep and self._client.has_more()
        if self.stage is Stage.GATHERING:
            self._left_gathering()
            return False
        if not self._request_done:
            self._fail(CLIENT_LEFT_DATA)
            return False
        if self.stage not in _ANSWERED_SOON and (self._backend is None or self._backend.abortonclose):
            self._fail(_CLIENT_LEFT[self.stage])
            return False
        self._client_ended = True
        return True

    def outlives_eof(self) -> bool:
        """May it go on when the client sends no more, as far as can be told while the client is not read?"""
        return self.stage in (Stage.ASKING, Stage.BODY, Stage.TUNNEL) or (
            self._backend is not None and not self._backend.abortonclose
        )

    def client_gone(self) -> None:
        """The client's connection is gone: its place is free from here on."""
        if self.stage is _OVER:
            return
        if self.stage is Stage.GATHERING:
            self._left_gathering()
            return
        self._fail(CLIENT_LEFT_DATA if not self._request_done else _CLIENT_LEFT[self.stage])

    def client_timeout(self) -> None:
        """The client did not send, or take, what it should within `timeout client`."""
        if self.stage is Stage.GATHERING:
            self._late_body()
        else:
            self._fail(CLIENT_TIMEOUT_DATA)

    def bad_body(self) -> None:
        """The request's body is malformed: nothing more of it may be forwarded."""
        self._fail(BAD_REQUEST)

    # -- the server --------------------------------------------------------------------------------------------------

    def on_server_eof(self) -> bool:
        """The server sends no more: the end of a body that ends so, of a tunnel's one direction, or an early end."""
        if self.stage is Stage.TUNNEL:
            self._server_ended = True
            if self._client_ended and self._upstream is not None:
                # It may still read what the client sent last; `on_server_lost` follows.
                self._upstream.close()
                return True
            self._client.write_eof()
            self._half_close_tunnel(self._frontend.timeouts.client_fin)
            return True
        if self.stage is Stage.HELD:
            self._held_ended()
        elif self.stage is Stage.BODY and isinstance(self._body, CloseBody):
            self._body.done = True
            self._finish(b'')
        elif self.stage is not _OVER:
            self.on_server_lost()
        return False

    def on_server_lost(self) -> None:
        """The connection to the server is gone before the response was complete."""
        if self.stage is Stage.HELD:
            self._held_ended()
            return
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.shutdown()
        if self.stage is Stage.TUNNEL:
            self._end(DONE if self._server_ended or self._client_ended else SERVER_CLOSED_DATA, keep=False)
        elif self.stage is Stage.BODY:
            self._fail(SERVER_CLOSED_DATA)
        elif self.stage is Stage.HEADERS:
            self._unanswered()

    def _unanswered(self) -> None:
        """The server closed without a whole head. On a reused connection it may never have seen the request: what is
        idempotent is asked again over a new one (RFC 9110, 9.2.2), else the client is left to do so (RFC 9112, 9.3.1).
        """
        if self._sent_again(RetryOn.EMPTY_RESPONSE):
            return
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

    def server_timeout(self) -> None:
        """The timer of whatever is waited for on the server's side has fired."""
        stage = self.stage
        if stage is Stage.GATHERING:
            self._gathering_expired()
        elif stage is Stage.HELD:
            self._held_expired()
        elif stage >= Stage.HEADERS and self._upstream is not None and self._upstream.has_taken():
            self._limit_stall()
        elif stage is Stage.TUNNEL and self._client_judges():
            self._touch_tunnel()
        elif stage is Stage.ASKING:
            self._asking_expired()
        elif stage is Stage.QUEUED:
            self._fail(QUEUE_TIMEOUT)
        elif stage is Stage.TARPIT:
            assert self._ruled is not None
            assert self._ruled.tarpit is not None
            self._answer_by(self._ruled.tarpit)
        elif stage is Stage.CONNECTING:
            self._release_upstream()
            self._retry(CONNECT_TIMEOUT)
        elif stage is Stage.TURN_AROUND:
            self._try_again()
        elif stage is Stage.HEADERS:
            if not self._sent_again(RetryOn.RESPONSE_TIMEOUT):
                self._fail(SERVER_TIMEOUT)
        elif stage is Stage.BODY or stage is Stage.TUNNEL:
            # in a tunnel whose server has ended it is the client who is silent
            self._fail(CLIENT_TIMEOUT_DATA if self._server_ended else SERVER_TIMEOUT_DATA)

    def _client_judges(self) -> bool:
        """A tunnel whose client takes too little: the limit on that decides, on the client's own timer."""
        return self._client.is_congested() and not (self._upstream is not None and self._upstream.congested)

    def on_shutdown(self) -> None:
        """The session's generation is over, or an administrator ends this one session."""
        if self.stage is Stage.HELD:
            self._held_killed(self._ended_by())
        elif self.stage is not _OVER:
            end = _KILLED[self.stage]
            self._fail(Termination(self._ended_by(), end.phase) if end.phase is not Phase.QUEUE else end)

    def _ended_by(self) -> Who:
        """Who ended the session: its server that went down, a server that came back, or else an administrator."""
        server, cells, at = self._server(), self._context.cells, self._context.layout
        if server is None:
            return Who.KILLED
        if server.shutdown_when_down and cells[at.OPSTATE + self.server] == OpState.STOPPED:
            return Who.DOWN
        backs_up = server.backup and cells[at.ACTIVE_UP + self.backend]
        if backs_up and any(other.shutdown_backups_when_up for other in self._backend_of().servers):
            return Who.UP
        return Who.KILLED

    # -- the end -----------------------------------------------------------------------------------------------------

    def _fail(self, end: Termination, *, silent: bool = False) -> None:
        """End otherwise than as it should: with an error page where nothing was answered yet and one is due."""
        story, client = self.story, self._client
        if self._pool is not None and self._pool.observer is not None:
            self._pool.observer.failed(end)
        self._release_upstream()
        if self.stage is Stage.QUEUED or self.stage is Stage.TARPIT:
            self._note_wait()
        status = OUTCOMES[end].status
        if story.status > 0:
            self._end(end, keep=False, cut=True)
            return
        if end is CLIENT_TIMEOUT_DATA:
            status = _TIMED_OUT
        if end in (CONNECT_TIMEOUT, NO_RESOURCE) and client.requests > 1:
            silent = True
        story.status = status if status is not None else -1
        if status is None or end.who is Who.CLIENT:
            self._end(end, keep=False, cut=True)
            return
        if silent:
            # Not cut: answers to earlier requests may still be on their way.
            self._end(end, keep=False)
            return
        self._answer_page(status, end)

    def _may_keep_after(self) -> bool:
        """May the client's connection stay after an answer of the proxy's own?"""
        return self._keep and self._request_done and not self._context.stopping

    def _answer_page(self, status: int, end: Termination, field: tuple[bytes, bytes] | None = None) -> None:
        """Answer with the page of a status, and end."""
        keep = self._may_keep_after()
        made = self._own_reply(status)
        own = own_page(status, self._backend, self._frontend)
        if made is not None:
            answer = made if keep else closing(made)
        elif own is None:
            keep = keep and leaves_open(status)
            answer = page(status, close=not keep)
        else:
            keep = keep and own.keeping is not None
            answer = own.keeping if keep and own.keeping is not None else own.closing
        if field is not None:
            answer = with_field(answer, *field)
        self._answer_own(status, answer, end, keep=keep)

    def _own_reply(self, status: int) -> bytes | None:
        """What `http-error` makes of the request for this status, if no page of a proxy that is asked before says otherwise."""
        book, ruled = self._context.rulebook, self._ruled
        if book is None or ruled is None:
            return None
        front = book.frontends.get(self.story.frontend)
        back = None if self._backend is None else book.backends.get(self.story.backend)
        for proxy, rules in ((self._backend, back), (self._frontend, front)):
            if rules is not None and status in rules.replies:
                return rules.replies[status](ruled).answer
            if own_page(status, proxy) is not None:
                return None
        return None

    def _answer_own(self, status: int, answer: bytes, end: Termination, *, keep: bool) -> None:
        """Send an answer of the proxy's own, and end."""
        if self._ruled is not None:
            status, answer = judge_answer(self._ruled, status, answer, self._rules())
        self.story.status = status
        if keep and self.head.version == 0 and not answer.startswith(b'HTTP/1.0'):
            answer = kept_open(answer)
        if answer:
            answer = self._written(answer)
        self._to_client(without_body(answer) if self.story.method == b'HEAD' else answer)
        self._end(end, keep=keep)

    def _send_away(self, prefix: str) -> None:
        """Its server's clients are sent elsewhere (`redir`): to the same path behind `prefix`."""
        target = self.head.origin if prefix == '/' else prefix.encode() + self.head.origin
        answer = b'%bContent-Length: 0\r\nLocation: %b\r\nConnection: close\r\n\r\n' % (_FOUND, target)
        self._answer_own(302, answer, LOCAL_REDIRECT, keep=False)

    # -- rules -------------------------------------------------------------------------------------------------------

    def _obey(self, verdict: Verdict) -> None:
        """Do as a rule says: the exchange ends here, or, in a tarpit, after a while."""
        if self._backend is None:
            self._note_cookie()
        if verdict.then is Then.WAIT:
            self._context.desk.leave(self)  # where tables changed while it waited it may hold a place
            self.stage = Stage.TARPIT
            self._waiting_since = self._context.clock.ms()
            self.story.request_ms = -1
            assert self._ruled is not None
            self._ruled.tarpit = verdict
            self._context.wheel.arm(self._client.server_timer, now_ms() + (self.timeouts.tarpit or 0))
        elif verdict.page is not None:
            self._ask_for(verdict)
        elif verdict.answer is not None:
            self._answer_by(verdict)
        else:
            self._release_upstream()
            self.story.counter, self.story.status = verdict.counter, -1
            if not self.story.reached:
                self.story.request_ms = -1
            if verdict.then is Then.DROP:
                self._client.vanish()
            self._end(verdict.end, keep=False, cut=verdict.then is Then.DROP)

    def _note_cookie(self) -> None:
        """The log's flags speak of the cookie of a `listen` also where its frontend's rules end the request before it is read."""
        tables = self._context.desk.tables
        index = tables.backend_of(self._frontend.name)
        own = None if index is None else tables.backends.get(index)
        if own is not None and own.id == self._frontend.id and own.cookie is not None:
            self.story.cookie = Ticket()

    def _answer_by(self, verdict: Verdict) -> None:
        """Answer what a rule says."""
        ruled = self._ruled
        assert ruled is not None
        assert verdict.answer is not None
        self._release_upstream()
        self._buffer = b''
        if self.stage is Stage.TARPIT:
            self._note_wait()
        if verdict.end is BAD_REQUEST:
            self._keep, self.story.request_ms = False, -1  # as of what was no request
        self.story.counter = verdict.counter
        made = verdict.answer(ruled)
        answer = made.answer
        if answer is None:
            self._answer_page(made.status, verdict.end, verdict.field)
            return
        keep = self._may_keep_after() and made.stays
        if not keep:
            answer = closing(answer) if made.closing is None else made.closing
        self._answer_own(made.status, answer, verdict.end, keep=keep)

    def _end(self, end: Termination, *, keep: bool, cut: bool = False) -> None:
        """The one end. The connection to the server is settled by now, so the slot may be given back."""
        context, client, story = self._context, self._client, self.story
        self.stage = _OVER
        client.server_timer.disarm()
        context.desk.leave(self)
        story.active = context.clock.ms() - self.began
        record(context, self._frontend, client, story, end)
        if self._ruled is not None and context.tables:
            count_ended(self._ruled, end, story.received, story.sent)
        if self._ruled is not None and context.allowance.limited:
            context.allowance.give_back(self._ruled.variables.values())
        self._ruled = story.ruled = None  # it knows this exchange: without a cycle both are gone at once
        if cut:
            client.cut()
        else:
            client.exchange_done(keep=keep)
