"""Between two chapters: what was sent to a server in vain is sent once more (manual: `retry-on`).

For that the request is kept while it fits into one buffer (`tune.bufsize`), and only where `retry-on` asks for more than failed
connections. Another try shares its counter with those; it is made at once, on a new connection, by the same rules as to which server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.core.counters import C
from dataplane.core.stream import Life
from dataplane.core.termination import BAD_RESPONSE, RetryOn
from dataplane.worker.framing import CHUNKED, BadBody, decoded
from dataplane.worker.head import BadHead
from dataplane.worker.seeker import Seeker

if TYPE_CHECKING:
    from dataplane.core.model import Frontend
    from dataplane.worker.context import Context
    from dataplane.worker.halves import ClientEnd
    from dataplane.worker.head import RequestHead


class Resender(Seeker):
    """A request that may be sent more than once."""

    __slots__ = ('_buffer', '_early', '_early_size', '_resend', '_resend_size')

    def __init__(
        self, context: Context, client: ClientEnd, index: int, frontend: Frontend, head: RequestHead, began: int,
        wall: float,
    ) -> None:  # fmt: skip
        super().__init__(context, client, index, frontend, head, began, wall)
        self._early: list[bytes] = []  # of the body, what waits for a connection
        self._early_size = 0
        # of the body, what was sent and would be needed for another try; None: nothing is kept
        self._resend: list[bytes] | None = None
        self._resend_size = 0
        self._buffer = b''  # of the response's head, what has come

    def early_body(self) -> bytes:
        """What came of the body before anything was sent, without its framing."""
        framed = b''.join(self._early)
        return decoded(framed) if self.head.length == CHUNKED and framed else framed

    def _keep_early(self) -> None:
        """The request is about to be sent: keep what there is of it, if another try might be made."""
        self._resend, self._resend_size = list(self._early), self._early_size
        self._drop_if_large()

    def _keep_sent(self, sent: list[bytes], piece: bytes) -> None:
        """Keep it for another try, as long as the whole request fits into one buffer."""
        sent.append(piece)
        self._resend_size += len(piece)
        self._drop_if_large()

    def _drop_if_large(self) -> None:
        if len(self.head.raw) + self._resend_size > self._context.bufsize:
            self._resend = None

    def _sent_again(self, why: str) -> bool:
        """Try once more what was sent in vain, if `retry-on` has `why`. Returns whether that was begun."""
        backend, story, context = self._backend_of(), self.story, self._context
        if self._resend is None or why not in backend.retry_on or story.retries >= self.retries:
            return False
        story.retries += 1
        context.figures.add(C.WRETR, context.figures.server(self.server), context.figures.backend(self.backend))
        self._release_upstream()
        self._client.server_timer.disarm()
        self._early, self._resend, self._buffer = self._resend, None, b''
        self._early_size = self._resend_size
        self.life = Life.SLOT  # its connection is shut down: it is as if nothing had been sent
        self._must_open = True
        if self._leaves(story.retries):
            self._go_elsewhere()
        else:
            self._waiting_since = self._context.clock.ms()
            self._connect()
        return True

    def _junk(self, data: bytes, bad: BadHead) -> None:
        """What the server has sent is no response."""
        self._note_fault(data, bad)
        if not self._sent_again(RetryOn.JUNK_RESPONSE):
            self._fail(BAD_RESPONSE)

    def _note_fault(self, data: bytes, bad: BadHead | BadBody) -> None:
        """Keep what is faulty for `show errors`."""
        faults, server = self._context.faults, self._server()
        faults.response(self._backend_of(), server, self._frontend, self._client, data, bad)
