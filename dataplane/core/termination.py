"""How a stream ends, in HAProxy's two letters: who ended it, and what it was doing then. One table says what follows.

    who                                          phase
    -  nobody: it ended as it should             -  none: it was complete
    C  the client closed or failed               R  waiting for the request
    c  the client let a timeout pass             Q  waiting in a queue
    S  the server closed, refused or failed      C  connecting to the server
    s  the server let a timeout pass             H  waiting for the response's head
    P  the proxy refused, for what was said      D  sending the body
    R  a resource of the proxy was used up       L  sending what was left after the server had finished
    I  the proxy's own fault                     T  held in a tarpit
    L  the proxy answered by itself
    D  the server was marked down
    U  a backup's session, a server is back
    K  killed by an administrator

A row of OUTCOMES is the whole consequence: the status to answer with if nothing was answered yet (None: no answer, the
connection is cut), the counter that counts it, and what `retry-on` calls it. A request refused for what it says (PR)
answers with the status its parser names; the row has the one for a plain syntax error. Manual, 8.5.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from dataplane.core.counters import C


class Who(StrEnum):
    """First letter: who ended the stream."""

    NOBODY = '-'
    CLIENT = 'C'
    CLIENT_TIMEOUT = 'c'
    SERVER = 'S'
    SERVER_TIMEOUT = 's'
    PROXY = 'P'
    RESOURCE = 'R'
    INTERNAL = 'I'
    LOCAL = 'L'
    DOWN = 'D'
    UP = 'U'
    KILLED = 'K'


class Phase(StrEnum):
    """Second letter: what the stream was doing."""

    COMPLETE = '-'
    REQUEST = 'R'
    QUEUE = 'Q'
    CONNECT = 'C'
    HEADERS = 'H'
    DATA = 'D'
    LAST = 'L'
    TARPIT = 'T'


class RetryOn(StrEnum):
    """The manual's names for failures that another try may mend (`retry-on`); a status is another one, as its digits."""

    CONN_FAILURE = 'conn-failure'
    EMPTY_RESPONSE = 'empty-response'
    JUNK_RESPONSE = 'junk-response'
    RESPONSE_TIMEOUT = 'response-timeout'


class Termination(NamedTuple):
    """Who ended a stream, and when. `str()` is the log's two letters."""

    who: Who
    phase: Phase

    def __str__(self) -> str:
        return f'{self.who}{self.phase}'


class Outcome(NamedTuple):
    """What a termination means: status to answer (None: cut), counter, and the name `retry-on` has for it (None: final)."""

    status: int | None
    counter: C | None = None
    retry_on: RetryOn | None = None


DONE: Final = Termination(Who.NOBODY, Phase.COMPLETE)
NO_SERVER: Final = Termination(Who.SERVER, Phase.CONNECT)
"""Nobody usable: the same letters as a refused connection, but never a second try, since there is nobody to try."""
QUEUE_FULL: Final = Termination(Who.SERVER, Phase.QUEUE)
QUEUE_TIMEOUT: Final = Termination(Who.SERVER_TIMEOUT, Phase.QUEUE)
CLIENT_LEFT_QUEUE: Final = Termination(Who.CLIENT, Phase.QUEUE)
CLIENT_LEFT_CONNECT: Final = Termination(Who.CLIENT, Phase.CONNECT)
CLIENT_LEFT_HEADERS: Final = Termination(Who.CLIENT, Phase.HEADERS)
CLIENT_LEFT_DATA: Final = Termination(Who.CLIENT, Phase.DATA)
CLIENT_LEFT_REQUEST: Final = Termination(Who.CLIENT, Phase.REQUEST)
CLIENT_TIMEOUT_DATA: Final = Termination(Who.CLIENT_TIMEOUT, Phase.DATA)
REQUEST_TIMEOUT: Final = Termination(Who.CLIENT_TIMEOUT, Phase.REQUEST)
CONNECT_REFUSED: Final = Termination(Who.SERVER, Phase.CONNECT)
CONNECT_TIMEOUT: Final = Termination(Who.SERVER_TIMEOUT, Phase.CONNECT)
SERVER_CLOSED: Final = Termination(Who.SERVER, Phase.HEADERS)
SERVER_CLOSED_DATA: Final = Termination(Who.SERVER, Phase.DATA)
SERVER_TIMEOUT: Final = Termination(Who.SERVER_TIMEOUT, Phase.HEADERS)
SERVER_TIMEOUT_DATA: Final = Termination(Who.SERVER_TIMEOUT, Phase.DATA)
BAD_REQUEST: Final = Termination(Who.PROXY, Phase.REQUEST)
BAD_RESPONSE: Final = Termination(Who.PROXY, Phase.HEADERS)
BAD_RESPONSE_DATA: Final = Termination(Who.PROXY, Phase.DATA)
NO_RESOURCE: Final = Termination(Who.RESOURCE, Phase.CONNECT)
REJECTED: Final = Termination(Who.PROXY, Phase.REQUEST)
RESPONSE_REJECTED: Final = Termination(Who.PROXY, Phase.HEADERS)
TARPITTED: Final = Termination(Who.PROXY, Phase.TARPIT)
RULE_FAILED: Final = Termination(Who.INTERNAL, Phase.REQUEST)
RESPONSE_RULE_FAILED: Final = Termination(Who.INTERNAL, Phase.HEADERS)
LOCAL_ANSWER: Final = Termination(Who.LOCAL, Phase.REQUEST)
LOCAL_REDIRECT: Final = Termination(Who.LOCAL, Phase.CONNECT)
"""In place of a server that sends its clients elsewhere (`redir`)."""
LOCAL_RESPONSE: Final = Termination(Who.LOCAL, Phase.HEADERS)
KILLED_QUEUE: Final = Termination(Who.KILLED, Phase.QUEUE)
KILLED_CONNECT: Final = Termination(Who.KILLED, Phase.CONNECT)
KILLED_HEADERS: Final = Termination(Who.KILLED, Phase.HEADERS)
KILLED_DATA: Final = Termination(Who.KILLED, Phase.DATA)

_REQUEST: Final[dict[tuple[Who, Phase], Outcome]] = {
    (Who.CLIENT, Phase.REQUEST): Outcome(400, C.EREQ),
    (Who.CLIENT_TIMEOUT, Phase.REQUEST): Outcome(408, C.EREQ),
    (Who.PROXY, Phase.REQUEST): Outcome(400, C.EREQ),
    (Who.PROXY, Phase.TARPIT): Outcome(500, C.DREQ),
    (Who.LOCAL, Phase.REQUEST): Outcome(None, C.INTERCEPTED),
    (Who.RESOURCE, Phase.REQUEST): Outcome(503, C.EREQ),
    (Who.INTERNAL, Phase.REQUEST): Outcome(500, C.EINT),
    (Who.KILLED, Phase.REQUEST): Outcome(None),
}
_CONNECT: Final[dict[tuple[Who, Phase], Outcome]] = {
    (Who.CLIENT, Phase.QUEUE): Outcome(None),
    (Who.SERVER, Phase.QUEUE): Outcome(503, C.ECON),
    (Who.SERVER_TIMEOUT, Phase.QUEUE): Outcome(503, C.ECON),
    (Who.KILLED, Phase.QUEUE): Outcome(500),
    (Who.CLIENT, Phase.CONNECT): Outcome(None),
    (Who.SERVER, Phase.CONNECT): Outcome(503, C.ECON, RetryOn.CONN_FAILURE),
    (Who.SERVER_TIMEOUT, Phase.CONNECT): Outcome(503, C.ECON, RetryOn.CONN_FAILURE),
    (Who.RESOURCE, Phase.CONNECT): Outcome(503, C.ECON),
    (Who.INTERNAL, Phase.CONNECT): Outcome(500, C.EINT),
    (Who.LOCAL, Phase.CONNECT): Outcome(None),
    (Who.DOWN, Phase.CONNECT): Outcome(500),
    (Who.UP, Phase.CONNECT): Outcome(500),
    (Who.KILLED, Phase.CONNECT): Outcome(500),
}
_HEADERS: Final[dict[tuple[Who, Phase], Outcome]] = {
    (Who.CLIENT, Phase.HEADERS): Outcome(400, C.CLI_ABRT),
    (Who.CLIENT_TIMEOUT, Phase.HEADERS): Outcome(408, C.CLI_ABRT),
    (Who.SERVER, Phase.HEADERS): Outcome(502, C.ERESP, RetryOn.EMPTY_RESPONSE),
    (Who.SERVER_TIMEOUT, Phase.HEADERS): Outcome(504, C.ERESP, RetryOn.RESPONSE_TIMEOUT),
    (Who.PROXY, Phase.HEADERS): Outcome(502, C.ERESP, RetryOn.JUNK_RESPONSE),
    (Who.INTERNAL, Phase.HEADERS): Outcome(500, C.EINT),
    (Who.LOCAL, Phase.HEADERS): Outcome(None, C.INTERCEPTED),
    (Who.DOWN, Phase.HEADERS): Outcome(502),
    (Who.UP, Phase.HEADERS): Outcome(502),
    (Who.KILLED, Phase.HEADERS): Outcome(502),
}
# The head of the response has gone out, so there is no status left to choose. A request body may be cut before that:
# c in DATA then answers what its HEADERS row does.
_DATA: Final[dict[tuple[Who, Phase], Outcome]] = {
    (Who.CLIENT, Phase.DATA): Outcome(None, C.CLI_ABRT),
    (Who.CLIENT_TIMEOUT, Phase.DATA): Outcome(None, C.CLI_ABRT),
    (Who.SERVER, Phase.DATA): Outcome(None, C.SRV_ABRT),
    (Who.SERVER_TIMEOUT, Phase.DATA): Outcome(None, C.SRV_ABRT),
    (Who.PROXY, Phase.DATA): Outcome(None, C.ERESP),
    (Who.INTERNAL, Phase.DATA): Outcome(None, C.EINT),
    (Who.DOWN, Phase.DATA): Outcome(None),
    (Who.UP, Phase.DATA): Outcome(None),
    (Who.KILLED, Phase.DATA): Outcome(None),
    (Who.CLIENT, Phase.LAST): Outcome(None, C.CLI_ABRT),
    (Who.CLIENT_TIMEOUT, Phase.LAST): Outcome(None, C.CLI_ABRT),
    (Who.KILLED, Phase.LAST): Outcome(None),
}
OUTCOMES: Final[dict[tuple[Who, Phase], Outcome]] = {
    DONE: Outcome(None),
    **_REQUEST,
    **_CONNECT,
    **_HEADERS,
    **_DATA,
}
