"""Rules that wait: for a body, or for time to pass (`wait-for-body`, `pause`). A list of rules stops, and goes on from there.

A request that waits has asked for no server yet; an answer that waits keeps its server's slot. What is kept meanwhile is bounded:
a request's body as without rules (client.py), an answer's by `tune.bufsize`, above which its server is not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.core.termination import (
    CLIENT_LEFT_REQUEST,
    REQUEST_TIMEOUT,
    SERVER_TIMEOUT_DATA,
    Phase,
    Termination,
    Who,
)
from dataplane.worker.clock import now_ms
from dataplane.worker.framing import BadBody, CloseBody, body_of
from dataplane.worker.routed import Stage
from dataplane.worker.tunnel import Tunneller
from dataplane.worker.verdicts import Then

if TYPE_CHECKING:
    from dataplane.worker.rulebook import ProxyRules
    from dataplane.worker.transaction import Transaction
    from dataplane.worker.verdicts import Verdict

_SWITCHING: Final = 101
_GATEWAY_TIMEOUT: Final = 504
_CONTINUE: Final = b'HTTP/1.1 100 Continue\r\n\r\n'


class Holding(Tunneller):
    """A request or an answer that rules may keep waiting. Its end is the exchange's."""

    __slots__ = ()

    def _start_wait(self, verdict: Verdict, stage: Stage) -> None:
        self.stage = stage
        self._client.server_timer.disarm()
        if verdict.time is not None:
            self._context.wheel.arm(self._client.server_timer, now_ms() + verdict.time)

    def _waiting(self) -> tuple[Transaction, Verdict]:
        """What rules saw, and what they wait for."""
        ruled = self._ruled
        assert ruled is not None
        assert ruled.waits is not None
        return ruled, ruled.waits

    # -- a request ---------------------------------------------------------------------------------------------------

    def _waits(self, verdict: Verdict, rules: ProxyRules) -> bool:
        """Does the request wait, as a rule of these says? Not for a body that is here."""
        ruled = self._ruled
        assert ruled is not None
        if verdict.then is Then.BODY:
            self._invite(ruled)
            ruled.here = len(self.early_body())
            if self._has_body(ruled, verdict.least):
                return False
        ruled.waits, ruled.pending = verdict, rules
        ruled.revision = self._context.desk.tables.number
        self._start_wait(verdict, Stage.GATHERING)
        return True

    def _invite(self, ruled: Transaction) -> None:
        """Who asks before it sends a body (RFC 9110, 10.1.1) is told to go on, since a server will be asked later only."""
        expects = any(name == b'expect' and value.lower() == b'100-continue' for name, value in ruled.request)
        if expects and self.head.version and self.head.length:
            self.inform(_CONTINUE)
            ruled.delete(lambda name: name == b'expect')
            ruled.settle_request()

    def _has_body(self, ruled: Transaction, least: int) -> bool:
        """Is as much of the body here as is waited for, or as much as a buffer holds beside the head?"""
        room = self._context.head_limit - len(self.head.raw)
        if self._request_done or self._early_size >= room:
            return True
        return 0 < least <= ruled.here

    def _gathered(self, more: int) -> None:
        """So many more bytes of the request's body are here."""
        ruled, verdict = self._waiting()
        ruled.here += more
        if verdict.then is Then.BODY and self._has_body(ruled, verdict.least):
            self._resume()

    def _resume(self) -> None:
        """The wait is over: the rules behind it, and then all the rest."""
        ruled, _ = self._waiting()
        rules = ruled.pending
        assert rules is not None
        self._client.server_timer.disarm()
        self.stage = Stage.ROUTED
        if not self._passes(rules, ruled.place):
            return
        if self._backend is not None:
            self._passed_backend(rules)
            ruled.chosen()
            if ruled.revision == self._context.desk.tables.number:
                self._act(self._admit())
                return
        self._ask()

    def _gathering_expired(self) -> None:
        """The time for that is over: who has sent too little is answered 408, and a pause has an end."""
        _, verdict = self._waiting()
        if verdict.then is Then.PAUSE:
            self._resume()
        else:
            self._late_body()

    def _late_body(self) -> None:
        """The client has sent too little: answered as one whose head is late."""
        self.story.request_ms = -1
        self._fail(REQUEST_TIMEOUT)

    def _left_gathering(self) -> None:
        """The client leaves while a rule waits: as one that leaves while it is heard."""
        self.story.request_ms = self.story.status = -1
        self._end(CLIENT_LEFT_REQUEST, keep=False, cut=True)

    # -- an answer ---------------------------------------------------------------------------------------------------

    def _answer_waits(self, verdict: Verdict) -> bool:
        """Does the answer wait, as a rule says? Not for a body that is here."""
        ruled = self._ruled
        assert ruled is not None
        if verdict.then is Then.BODY and self._has_answer(ruled, verdict.least):
            return False
        ruled.waits = verdict
        self._start_wait(verdict, Stage.HELD)
        return True

    def _decoded(self, ruled: Transaction) -> tuple[bytes, bool]:
        """What is here of the answer's body without its framing, and whether it is all."""
        head = ruled.response_head
        if head is None or head.status == _SWITCHING:
            return b'', True
        body = body_of(self._length_of(head))
        try:
            pieces = [body.feed(self._buffer[: self._context.bufsize])]
            while body.more:
                pieces.append(body.feed(b''))
            return b''.join(pieces), body.done
        except BadBody:
            return b'', True  # it ends as a malformed one when it is relayed

    def answer_body(self) -> bytes:
        """What came of the answer's body before anything of it was relayed."""
        return b'' if self._ruled is None else self._decoded(self._ruled)[0]

    def _has_answer(self, ruled: Transaction, least: int) -> bool:
        if len(self._buffer) >= self._context.head_limit:
            return True
        payload, done = self._decoded(ruled)
        return done or 0 < least <= len(payload)

    def _hear_held(self, data: bytes) -> None:
        """More of an answer is here that a rule keeps waiting."""
        ruled, verdict = self._waiting()
        self._buffer += data
        if verdict.then is Then.BODY and self._has_answer(ruled, verdict.least):
            self._answer_goes_on()
        elif self._upstream is not None and len(self._buffer) >= self._context.bufsize:
            self._upstream.hold(held=True)

    def _answer_goes_on(self) -> None:
        """The wait is over: the rules behind it, and then the answer is sent on."""
        ruled, _ = self._waiting()
        head = ruled.response_head
        assert head is not None
        self._client.server_timer.disarm()
        self.stage = Stage.HEADERS
        if self._upstream is not None:
            self._upstream.hold(held=self._client.is_congested())
        if not self._judged(ruled, ruled.stopped, ruled.place):
            return
        if head.status == _SWITCHING:
            self._tunnel(head)
        else:
            self._deliver(head)

    def _held_ended(self) -> None:
        """The server sends no more while its answer waits: it does not wait any longer."""
        while self.stage is Stage.HELD:  # each time one rule further
            ruled, _ = self._waiting()
            if ruled.response_head is not None:
                ruled.response_head.keep_alive = False
            self._answer_goes_on()
        if self.stage is Stage.BODY and isinstance(self._body, CloseBody):
            self._body.done = True
            self._finish(b'')
        elif self.stage is not Stage.OVER:
            self.on_server_lost()

    def _held_killed(self, who: Who) -> None:
        """Its session is killed while its answer waits: the rules behind it see what is here, and the client has that and no more.

        Of an answer that ends with its connection it has nothing, as from HAProxy: it would take what is here for all of it.
        """
        head = self._waiting()[0].response_head
        if head is not None and head.status != _SWITCHING and isinstance(body_of(self._length_of(head)), CloseBody):
            self._fail(Termination(who, Phase.DATA))
            return
        while self.stage is Stage.HELD:  # each time one rule further
            self._answer_goes_on()
        if self.stage is not Stage.OVER:
            self._fail(Termination(who, Phase.DATA))

    def _held_expired(self) -> None:
        """The time for that is over: whose body is late is answered for with 504, and a pause has an end."""
        _, verdict = self._waiting()
        if verdict.then is Then.PAUSE:
            self._answer_goes_on()
            return
        self._release_upstream()
        self._buffer = b''
        self.story.response_ms = -1
        self._answer_page(_GATEWAY_TIMEOUT, SERVER_TIMEOUT_DATA)

    # -- the last chapter --------------------------------------------------------------------------------------------

    def inform(self, answer: bytes) -> None:
        """Send the client an interim answer of the proxy's own."""
        self._to_client(answer)

    def _answer_page(self, status: int, end: Termination, field: tuple[bytes, bytes] | None = None) -> None:
        """Answer with the page of a status, and end."""
        raise NotImplementedError
