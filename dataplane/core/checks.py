"""What is to be checked and how, as the configuration says it: plain data for the checker and for workers (`observe`).

Times are ms. HAProxy's words: a *check* is the health check of a server, an *agent* is the program beside it that is asked
for its weight and state. Manual 5.2 (`check`, `inter`, `rise`, `agent-check`, `observe`, `track`, ...), 4.2 (`option httpchk`,
`http-check`, `option tcp-check`, `tcp-check`, `option smtpchk` and others that know a protocol). Runtime state is never here: see `dataplane.core.health`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dataplane.core.outbound import ProxyProtocol
from dataplane.rules.actions import SetVar, UnsetVar
from dataplane.rules.model import Format


class InitState(StrEnum):
    """`init-state`: what a server with a check is taken for before its first one. NONE: up, one failure from down."""

    NONE = 'none'
    FULLY_UP = 'fully-up'
    UP = 'up'
    DOWN = 'down'
    FULLY_DOWN = 'fully-down'


class ProbeKind(StrEnum):
    """How servers of a backend are asked: a connection, an HTTP request (`option httpchk`), a script (`option tcp-check`), in the words
    of another protocol (`option smtpchk`, `option mysql-check`, ...).
    """

    CONNECT = 'connect'
    HTTP = 'http'
    TCP = 'tcp'
    PROTOCOL = 'protocol'


class Layer(StrEnum):
    """`observe`: which events of the traffic count as signs of a server's health."""

    LAYER4 = 'layer4'
    LAYER7 = 'layer7'


class OnError(StrEnum):
    """`on-error`: what `error-limit` bad events in a row do."""

    FASTINTER = 'fastinter'
    FAIL_CHECK = 'fail-check'
    SUDDEN_DEATH = 'sudden-death'
    MARK_DOWN = 'mark-down'


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often, and how many results in a row change a server's state. `fastinter`, `downinter` 0: as `inter`."""

    inter: int = 2_000
    fastinter: int = 0
    downinter: int = 0
    rise: int = 2
    fall: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCheck:
    """`check` of a server line. `addr` '' and `port` 0: the server's own. `proxy`: what a check's connection begins with."""

    pace: Pace = Pace()
    addr: str = ''
    port: int = 0
    init_state: InitState = InitState.NONE
    proxy: ProxyProtocol | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCheck:
    """`agent-check` of a server line: one result is enough either way. `send`: what is said to it first."""

    pace: Pace = Pace(rise=1, fall=1)
    addr: str = ''
    port: int = 0
    send: bytes = b''


@dataclass(frozen=True, slots=True, kw_only=True)
class Observe:
    """`observe` with `error-limit` and `on-error`."""

    layer: Layer
    limit: int = 10
    on_error: OnError = OnError.FAIL_CHECK


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """Open a connection: to `addr` or `port` where set, else to where the check goes. `implicit`: no line asked for it.

    `linger`: it is closed as a client closes one, not by a reset.
    """

    addr: str = ''
    port: int = 0
    comment: str = ''
    implicit: bool = False
    linger: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send these bytes, or what a format comes to; `hexadecimal`: as the bytes whose digits that is."""

    data: bytes | Format
    comment: str = ''
    hexadecimal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Send an HTTP request; `state`: say the server's state in `X-Haproxy-Server-State` (`http-check send-state`)."""

    method: str = 'OPTIONS'
    uri: str | Format = '/'
    version: str = 'HTTP/1.0'
    headers: tuple[tuple[str, str | Format], ...] = ()
    body: str | Format = ''
    state: bool = False
    comment: str = ''


class Match(StrEnum):
    """What an `expect` compares."""

    STATUS = 'status'
    RSTATUS = 'rstatus'
    STRING = 'string'
    RSTRING = 'rstring'
    BINARY = 'binary'
    RBINARY = 'rbinary'
    HDR = 'hdr'
    FHDR = 'fhdr'


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A string as `-m METHOD` compares it: `str`, `beg`, `end`, `sub`, `reg`."""

    text: str
    method: str = 'str'


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """Wait for an answer and look at it.

    `pattern`: the bytes, or the expression, that are looked for. `codes`: ranges of statuses. `name`, `value`: of a header.
    The three statuses are names of check results ('' for the usual one). `min_recv` -1: not set.
    """

    match: Match
    pattern: bytes = b''
    codes: tuple[tuple[int, int], ...] = ()
    name: Text | None = None
    value: Text | None = None
    negated: bool = False
    min_recv: int = -1
    ok_status: str = ''
    error_status: str = ''
    tout_status: str = ''
    comment: str = ''


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """`comment` on a line of its own: said of the steps behind it that have none."""

    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign:
    """Give a variable a value, or take it away; nothing is said or heard."""

    action: SetVar | UnsetVar


SPOP_FRAME: Final = 16_380
"""Bytes of a frame that is offered to an agent: a buffer of the usual size without the frame's length."""


class Reply(StrEnum):
    """An answer that is not looked at by patterns: `dataplane.health.protocols` understands it."""

    SMTP_CODE = 'smtp-code'
    SMTP_WELCOME = 'smtp-welcome'
    SMTP_HELLO = 'smtp-hello'
    SMTP_GOODBYE = 'smtp-goodbye'
    MYSQL_GREETING = 'mysql-greeting'
    MYSQL_ACCEPTED = 'mysql-accepted'
    PGSQL = 'pgsql'
    REDIS = 'redis'
    LDAP = 'ldap'
    SPOP = 'spop'
    TLS = 'tls'


@dataclass(frozen=True, slots=True, kw_only=True)
class Understand:
    """Wait for an answer of a protocol, and decide by what it says."""

    reply: Reply


Step = Connect | Send | Request | Expect | Understand | Comment | Assign


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What the checks of a backend's servers do. `timeout`: `timeout check`; `connect`: `timeout connect`; None: not set."""

    kind: ProbeKind = ProbeKind.CONNECT
    steps: tuple[Step, ...] = (Connect(implicit=True),)
    disable_on_404: bool = False
    timeout: int | None = None
    connect: int | None = None
    log_checks: bool = False
