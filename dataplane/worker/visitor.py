"""Between two chapters: a request for a statistics page or the exporter, which the supervisor answers (inquiry.py), nobody else.

Nothing is owned meanwhile: no slot, no place, no connection. A form's body is waited for, as far as it fits into one buffer
(`tune.bufsize`); one that does not is answered without being read to its end, and the connection closes after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.core.termination import LOCAL_ANSWER, RULE_FAILED, Termination
from dataplane.worker.clock import now_ms
from dataplane.worker.holding import Holding
from dataplane.worker.pages import closing
from dataplane.worker.routed import Stage

if TYPE_CHECKING:
    from dataplane.worker.verdicts import Verdict

_ASKING: Final = Stage.ASKING
_PATIENCE: Final = 10_000
"""Milliseconds that the supervisor may take."""
_UNAVAILABLE: Final = 503
_UNAUTHORIZED: Final = 401
_TOLD: Final = frozenset((
    b'accept-encoding', b'authorization', b'host', b'origin', b'referer', b'sec-fetch-site',
))  # fmt: skip
"""Fields that the supervisor is told; of those that come more than once the last."""


class Visitor(Holding):
    """A request that may be for one of them. Its ends are the exchange's."""

    __slots__ = ()

    def _ask_for(self, verdict: Verdict) -> None:
        """Ask for what a verdict says; for a form once its body is here, which its client may have to be told to send."""
        ruled, page = self._ruled, verdict.page
        assert ruled is not None
        assert page is not None
        self._context.desk.leave(self)  # where tables changed while it waited it may hold a place
        self.stage = _ASKING
        ruled.tarpit = verdict
        if self.head.method == b'POST' and not page.service:
            self._invite(ruled)
            self._gathered(0)
        else:
            self._inquire(b'')

    def _gathered(self, more: int) -> None:
        """So many more bytes of a body: of a form's, or one that a rule waits for."""
        if self.stage is not _ASKING:
            super()._gathered(more)
        elif self._early_size >= self._context.bufsize:
            self._inquire(None)
        elif self._request_done:
            self._inquire(self.early_body())

    def _inquire(self, body: bytes | None) -> None:
        ruled = self._ruled
        assert ruled is not None
        if ruled.tarpit is None or ruled.tarpit.page is None:
            return  # it was asked before, with what had come until then
        page, ruled.tarpit = ruled.tarpit.page, None
        self._waiting_since = self._context.clock.ms()
        self._context.wheel.arm(self._client.server_timer, now_ms() + _PATIENCE)
        question = {
            'service': page.service,
            'proxy': page.proxy,
            'backend': page.backend,
            'granted': page.granted,
            'method': ruled.method.decode('latin-1'),
            'target': ruled.uri.decode('latin-1'),
            'fields': {
                name.decode('latin-1'): value.decode('latin-1') for name, value in ruled.request if name in _TOLD
            },
            'body': None if body is None else body.decode('latin-1'),
            'address': self._client.address,
        }
        if not self._context.inquiries.ask(self, question):
            self._asking_expired()

    def _asking_expired(self) -> None:
        """The supervisor does not answer in time, or is not even asked: too many others are."""
        self._answer_page(_UNAVAILABLE, RULE_FAILED)

    def on_page(self, status: int, answer: bytes) -> None:
        """The supervisor's answer is here; the client may have gone meanwhile."""
        if self.stage is not _ASKING:
            return
        if not answer:
            self._answer_page(status, RULE_FAILED)
            return
        if status != _UNAUTHORIZED:
            self.story.response_ms = self._context.clock.ms() - self._waiting_since
        keep = self._may_keep_after()
        self._answer_own(status, answer if keep else closing(answer), LOCAL_ANSWER, keep=keep)

    # -- the last chapter --------------------------------------------------------------------------------------------

    def _may_keep_after(self) -> bool:
        """May the client's connection stay after an answer of the proxy's own?"""
        raise NotImplementedError

    def _answer_own(self, status: int, answer: bytes, end: Termination, *, keep: bool) -> None:
        """Send an answer of the proxy's own, and end."""
        raise NotImplementedError
