"""Rules: when an expression is evaluated, and what can be fetched then (configuration manual 7.3).

Each fetch says what it takes its value from (`Use`); each place where rules stand is a `Phase`. A fetch is available in a
phase when what it uses exists there: the request's fields do while the request is at hand, what was kept of it (method,
uri, captures) until the log line is written, and so on.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Phase(Enum):
    """Where a rule stands; the value is how HAProxy's messages call the place.

    A `listen` section's rules count as a backend's: what either half knows can be asked for.
    """

    CONNECTION = 'tcp-request connection rule'
    SESSION = 'tcp-request session rule'
    CONTENT = 'frontend tcp-request content rule'
    REQUEST = 'frontend http-request header rule'
    BACKEND_CONTENT = 'backend tcp-request content rule'
    BACKEND_REQUEST = 'backend http-request header rule'
    SERVER = 'server configuration (source statement)'
    RESPONSE_CONTENT = 'backend tcp-response content rule'
    RESPONSE = 'backend http-response header rule'
    LOG = 'logs'
    CHECK = 'tcp-check rule'
    CONFIG = 'configuration file'
    CLI = 'CLI parser'


class Use(Enum):
    """What a fetch takes its value from; the value is how HAProxy's messages call it."""

    CONSTANT = 'constant'
    INTERNAL = 'internal state'
    LISTENER = 'listener'
    FRONTEND = 'frontend'
    CLIENT = 'client address'
    CLIENT_SSL = 'client-side connection'
    REQUEST_DATA = 'request buffer'
    REQUEST = 'HTTP request headers'
    REQUEST_KEPT = 'HTTP request'
    REQUEST_BODY = 'HTTP request body'
    TRANSACTION = 'transaction'
    BACKEND = 'backend'
    SERVER = 'server'
    SERVER_CONNECTION = 'server address'
    RESPONSE_DATA = 'response buffer'
    RESPONSE = 'HTTP response headers'
    RESPONSE_KEPT = 'HTTP response'
    RESPONSE_BODY = 'HTTP response body'
    FINISHED = 'transaction statistics'


_ALL: Final = frozenset(Phase)
_TRAFFIC: Final = _ALL - {Phase.CHECK, Phase.CONFIG, Phase.CLI}
_STREAM: Final = _TRAFFIC - {Phase.CONNECTION, Phase.SESSION}
_FRONT: Final = frozenset((Phase.CONTENT, Phase.REQUEST))
_REQUEST: Final = _FRONT | {Phase.BACKEND_CONTENT, Phase.BACKEND_REQUEST, Phase.SERVER}
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
    Use.BACKEND: (_STREAM - _FRONT) | {Phase.CHECK},
    Use.SERVER: _RESPONSE | {Phase.SERVER, Phase.LOG, Phase.CHECK},
    Use.SERVER_CONNECTION: _RESPONSE | {Phase.LOG, Phase.CHECK},
    Use.RESPONSE_DATA: _RESPONSE | {Phase.CHECK},
    Use.RESPONSE: _RESPONSE,
    Use.RESPONSE_KEPT: _RESPONSE | {Phase.LOG},
    Use.RESPONSE_BODY: _RESPONSE,
    Use.FINISHED: frozenset((Phase.LOG,)),
}
"""In which phases what a fetch uses is at hand."""
