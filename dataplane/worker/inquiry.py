"""Pages that the supervisor makes: a worker asks for one over its channel, and passes on what it is told.

    page number, what was asked -> paged number, status, the whole answer in a memfd

The figures are the supervisor's, and so is the work of drawing them; a worker's part is a packet out and finished bytes in. Each
question is answered, if only with an error page, as long as there is a supervisor, and without one there is no worker.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from dataplane.wire.framing import Message

MOST: Final = 64
"""Questions of a worker that may be open: each holds a client's connection, and its answer will be held in memory."""


class Inquirer(Protocol):
    """Who asks."""

    def on_page(self, status: int, answer: bytes) -> None:
        """The whole answer, for a connection that stays open, b'' for the page of the status. Also when nobody waits any more."""


class Inquiries:
    """One per worker. `send` is the channel's, given once there is one."""

    __slots__ = ('_numbers', '_open', 'send')

    def __init__(self) -> None:
        self.send: Callable[[Message], None] | None = None
        self._open: dict[int, Inquirer] = {}
        self._numbers = 0

    def ask(self, who: Inquirer, question: Message) -> bool:
        """Ask the supervisor. False: too many ask already."""
        if self.send is None or len(self._open) >= MOST:
            return False
        self._numbers += 1
        self._open[self._numbers] = who
        self.send({**question, 'op': 'page', 'question': self._numbers})
        return True

    def told(self, number: int, status: int, fds: Sequence[int]) -> None:
        """The supervisor's answer; it has none of its own where no descriptor comes along. Takes that over."""
        answer = b''
        for fd in fds:
            try:
                answer = os.pread(fd, os.fstat(fd).st_size, 0)
            finally:
                os.close(fd)
        self._open.pop(number).on_page(status, answer)
