"""What servers of other protocols than HTTP answer to the checks made for them (configuration manual 4.2: `option smtpchk`, `mysql-check`,
`pgsql-check`, `redis-check`, `ldap-check`, `spop-check`, `ssl-hello-chk`). Pure.

Each function is given all that was heard so far, and whether that was all. It returns None when more must come. What it may take from a
server is bounded by the buffer of the check. A half answer is waited for where HAProxy waits, and decided where HAProxy decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dataplane.core.checks import Reply
from dataplane.health.result import Status
from dataplane.health.spop import Faulty, read_hello

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Heard:
    """What an answer means for the check, which goes on when it passed."""

    status: Status = Status.L7OK
    info: str = ''
    code: int = 0


def understood(reply: Reply, data: bytes, *, ended: bool) -> Heard | None:
    """What an answer means; None when more must come. `ended`: nothing more will."""
    return _ANSWERS[reply](data, ended)


def _text(data: bytes) -> str:
    """As much of it as C takes for a string."""
    return data.partition(b'\0')[0].decode('utf-8', 'replace')


def _line(data: bytes) -> str:
    """Its first line."""
    return _text(re.split(rb'[\r\n]', data, maxsplit=1)[0])


# -- SMTP (RFC 5321, 4.2) -----------------------------------------------------------------------------------------------

_SMTP_CODE: Final = re.compile(rb'[0-9]{3}[ \r]')
_SMTP_WELCOME: Final = re.compile(rb'2[0-9]{2}[ \r]')
_SMTP_LINES: Final = re.compile(rb'(?:2[0-9]{2}-[^\r]*\r\n)*2[0-9]{2}[ \r]')
_SMTP_GOODBYE: Final = re.compile(rb'2[0-9]{2}[- \r]')
_SMTP_LEAST: Final = 4


def _smtp(data: bytes, *, well: bool) -> Heard:
    code = int(data[:3]) if data[:3].isdigit() and len(data) > 2 else 0
    return Heard(Status.L7OK if well else Status.L7STS, _line(data[4:].lstrip(b' ')), code)


def _smtp_code(data: bytes, ended: bool) -> Heard | None:
    """Is that SMTP at all?"""
    if len(data) < _SMTP_LEAST and not ended:
        return None
    return Heard() if _SMTP_CODE.match(data) else Heard(Status.L7RSP, _line(data))


def _smtp_welcome(data: bytes, _: bool) -> Heard:
    """The same line: does the server want us?"""
    return _smtp(data, well=_SMTP_WELCOME.match(data) is not None)


def _smtp_hello(data: bytes, ended: bool) -> Heard | None:
    """What is no welcome is decided when the server has ended: it may be the beginning of one."""
    well = _SMTP_LINES.match(data) is not None
    return _smtp(data, well=well) if well or ended else None


def _smtp_goodbye(data: bytes, ended: bool) -> Heard | None:
    if len(data) < _SMTP_LEAST and not ended:
        return None
    return _smtp(data, well=_SMTP_GOODBYE.match(data) is not None)


# -- MySQL (Protocol::Handshake, Protocol::OK_Packet, Protocol::ERR_Packet) ---------------------------------------------

_MYSQL_HEAD: Final = 4
_MYSQL_ERROR: Final = b'\xff'


def _mysql_greeting(data: bytes, ended: bool) -> Heard | None:
    return _mysql(data, ended, 0)


def _mysql_accepted(data: bytes, ended: bool) -> Heard | None:
    """The packet behind the greeting, which is still there."""
    return _mysql(data, ended, _MYSQL_HEAD + int.from_bytes(data[:3], 'little'))


def _mysql(data: bytes, ended: bool, at: int) -> Heard | None:
    """A packet: three bytes of length, its number, and what it says. The greeting has the server's version."""
    length = int.from_bytes(data[at : at + 3], 'little')
    body = at + _MYSQL_HEAD
    if len(data) < body + length or len(data) < body:
        return Heard(Status.L7RSP) if ended else None
    if data[body : body + 1] == _MYSQL_ERROR:
        code = int.from_bytes(data[body + 1 : body + 3], 'little')
        return Heard(Status.L7STS, _text(data[body + 3 :]), code)
    return Heard(info=_text(data[_MYSQL_HEAD + 1 :]))


# -- PostgreSQL (frontend/backend protocol 3.0: ErrorResponse, Authentication*) -----------------------------------------

_PG_ERROR: Final = b'E'
_PG_AUTHENTICATION: Final = re.compile(rb'R\0\0\0[\x00-\xff]\0\0\0[\x00\x02-\x07\x09\x0a]')
_PG_KIND, _PG_WHOLE = 5, 9


def _pgsql(data: bytes, ended: bool) -> Heard | None:
    if len(data) < _PG_KIND and not ended:
        return None
    if data.startswith(_PG_ERROR):
        return Heard(Status.L7RSP, _text(data[6:]))
    if len(data) < _PG_WHOLE and not ended:
        return None
    if _PG_AUTHENTICATION.match(data) is None:
        return Heard(Status.L7STS, 'PostgreSQL unknown error')
    return Heard(info='PostgreSQL server is ok')


# -- Redis --------------------------------------------------------------------------------------------------------------

_PONG: Final = b'+PONG\r\n'


def _redis(data: bytes, ended: bool) -> Heard | None:
    if _PONG in data:
        return Heard(info='Redis server is ok')
    return Heard(Status.L7STS, _line(data)) if ended else None


# -- LDAP (RFC 4511, 4.2.2; lengths as in BER, 5.1) ---------------------------------------------------------------------

_LDAP_LEAST: Final = 14
_LONG: Final = 0x80
_NOT_LDAP: Final = Heard(Status.L7RSP, 'Not LDAPv3 protocol')


def _ldap(data: bytes, ended: bool) -> Heard | None:
    """A message with a `bindResponse` to the first question. Of long lengths those of two and four bytes are known."""
    if len(data) < _LDAP_LEAST and not ended:
        return None
    if not data.startswith(b'\x30'):
        return _NOT_LDAP
    length, at = _length(data, 1)
    if length is None:
        return _NOT_LDAP
    if len(data) < at + length:
        return Heard(Status.L7RSP) if ended else None
    if data[at : at + 4] != b'\x02\x01\x01\x61':
        return _NOT_LDAP
    _, at = _length(data, at + 4)
    if data[at : at + 2] != b'\x0a\x01' or len(data) < at + 3:
        return _NOT_LDAP
    code = data[at + 2]
    if code:
        return Heard(Status.L7STS, 'See RFC: http://tools.ietf.org/html/rfc4511#section-4.1.9', code)
    return Heard(info='Success')


def _length(data: bytes, at: int) -> tuple[int | None, int]:
    """A length, None when it is of a size that is not known, and where what it measures begins."""
    first = data[at] if at < len(data) else 0
    if not first & _LONG:
        return first, at + 1
    size = first & ~_LONG
    begin = at + 1 + size
    return (int.from_bytes(data[at + 1 : begin], 'big') if size in (2, 4) else None), begin


# -- SPOP and TLS -------------------------------------------------------------------------------------------------------

_FRAME_HEAD: Final = 4


def _spop(data: bytes, ended: bool) -> Heard | None:
    length = int.from_bytes(data[:_FRAME_HEAD], 'big')
    if len(data) < max(_FRAME_HEAD, _FRAME_HEAD + length) and not ended:
        return None
    try:
        read_hello(data[_FRAME_HEAD : _FRAME_HEAD + length])
    except Faulty as problem:
        return Heard(Status.L7RSP, str(problem))
    return Heard(info='SPOA server is ok')


_RECORD: Final = 5
_ALERT, _HANDSHAKE = b'\x15', b'\x16'


def _tls(data: bytes, ended: bool) -> Heard | None:
    """Whatever it is: who answers by a handshake or an alert speaks TLS (RFC 5246, 6.2.1)."""
    if len(data) < _RECORD and not ended:
        return None
    return Heard(Status.L6OK if data[:1] in (_ALERT, _HANDSHAKE) else Status.L6RSP)


FAILURE: Final = {
    Reply.SMTP_HELLO: Status.L7STS,
    Reply.SMTP_GOODBYE: Status.L7STS,
    Reply.REDIS: Status.L7STS,
    Reply.TLS: Status.L6RSP,
}
"""What it is called when a server ends without a word, where it is not L7RSP."""
LATENESS: Final = {Reply.TLS: Status.L6TOUT}
"""What it is called when an answer does not come in time, where it is not L7TOUT."""
_ANSWERS: Final[dict[Reply, Callable[[bytes, bool], Heard | None]]] = {
    Reply.SMTP_CODE: _smtp_code,
    Reply.SMTP_WELCOME: _smtp_welcome,
    Reply.SMTP_HELLO: _smtp_hello,
    Reply.SMTP_GOODBYE: _smtp_goodbye,
    Reply.MYSQL_GREETING: _mysql_greeting,
    Reply.MYSQL_ACCEPTED: _mysql_accepted,
    Reply.PGSQL: _pgsql,
    Reply.REDIS: _redis,
    Reply.LDAP: _ldap,
    Reply.SPOP: _spop,
    Reply.TLS: _tls,
}
