"""Rules: when an expression is evaluated, and what can be fetched then (configuration manual 7.3).

Each fetch says what it takes its value from (`Use`); each place where rules stand is a `Phase`. A fetch is available in a
phase when what it uses exists there: the request's fields do while the request is at hand, what was kept of it (method,
uri, captures) until the log line is written, and so on.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Phase(Enum):
    """Where a rule stands; the value is how HAProxy's messages call the place."""

    CONNECTION = 'tcp-request connection rule'
    SESSION = 'tcp-request session rule'
    CONTENT = 'tcp-request content rule'
    REQUEST = 'http-request header rule'
    SERVER = 'server configuration (source statement)'
    RESPONSE_CONTENT = 'tcp-response content rule'
    RESPONSE = 'http-response header rule'
    LOG = 'logs'
    CHECK = 'tcp-check rule'


class Use(Enum):
    """What a fetch takes its value from; the value is how HAProxy's messages call it."""

    CONSTANT = 'constant values'
    INTERNAL = 'internal state'
    LISTENER = 'listener configuration'
    FRONTEND = 'frontend configuration'
    CLIENT = 'client connection information'
    CLIENT_SSL = 'client address or SSL client information'
    REQUEST_DATA = 'request buffer contents'
    REQUEST = 'HTTP request headers'
    REQUEST_KEPT = 'information from HTTP request headers which persist'
    REQUEST_BODY = 'HTTP request message body'
    TRANSACTION = 'transaction state'
    BACKEND = 'backend configuration'
    SERVER = 'server state'
    SERVER_CONNECTION = 'server connection information'
    RESPONSE_DATA = 'response buffer contents'
    RESPONSE = 'HTTP response headers'
    RESPONSE_KEPT = 'information from HTTP response headers which persist'
    RESPONSE_BODY = 'HTTP response message body'
    FINISHED = 'information from the end of the transaction'


_ALL: Final = frozenset(Phase)
_TRAFFIC: Final = _ALL - {Phase.CHECK}
_STREAM: Final = _TRAFFIC - {Phase.CONNECTION, Phase.SESSION}
_REQUEST: Final = frozenset((Phase.CONTENT, Phase.REQUEST, Phase.SERVER))
_RESPONSE: Final = frozenset((Phase.RESPONSE_CONTENT, Phase.RESPONSE))

AVAILABLE: Final[dict[Use, frozenset[Phase]]] = {
    Use.CONSTANT: _ALL,
    Use.INTERNAL: _ALL,
    Use.LISTENER: _TRAFFIC,
    Use.FRONTEND: _TRAFFIC,
    Use.CLIENT: _TRAFFIC,
    Use.CLIENT_SSL: _TRAFFIC - {Phase.CONNECTION},
    Use.REQUEST_DATA: _REQUEST,
    Use.REQUEST: _REQUEST,
    Use.REQUEST_KEPT: _STREAM,
    Use.REQUEST_BODY: _REQUEST,
    Use.TRANSACTION: _STREAM,
    Use.BACKEND: _STREAM | {Phase.CHECK},
    Use.SERVER: _RESPONSE | {Phase.SERVER, Phase.LOG, Phase.CHECK},
    Use.SERVER_CONNECTION: _RESPONSE | {Phase.LOG, Phase.CHECK},
    Use.RESPONSE_DATA: _RESPONSE | {Phase.CHECK},
    Use.RESPONSE: _RESPONSE,
    Use.RESPONSE_KEPT: _RESPONSE | {Phase.LOG},
    Use.RESPONSE_BODY: _RESPONSE,
    Use.FINISHED: frozenset((Phase.LOG,)),
}
"""In which phases what a fetch uses is at hand."""
