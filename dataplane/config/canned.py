"""config: checks that speak a protocol of their own (configuration manual 4.2): `option smtpchk`, `mysql-check`, `pgsql-check`,
`redis-check`, `ldap-check`, `spop-check`, `ssl-hello-chk`.

What each says is here; what the answers mean is `dataplane.health.protocols`'. Servers of SMTP, MySQL and PostgreSQL would count a reset
as a client's fault: those connections are closed without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.config.probing import not_negated
from dataplane.config.problems import Rejected, shown
from dataplane.core.checks import SPOP_FRAME, Connect, Reply, Send, Understand

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line

_PLAIN: Final = Connect(implicit=True)
_LINGERING: Final = Connect(linger=True)
"""This one counts as a step where an answer is missed, in HAProxy, too."""


def _words(line: Line, most: int) -> tuple[str, ...]:
    """What follows the option, '' for what does not stand there."""
    not_negated(line)
    if len(line.words) > 2 + most:
        msg = f"'option {line.word(1)}' cannot handle unexpected argument '{shown(line.words[2 + most])}'."
        raise Rejected(msg)
    return tuple(line.word(2 + at) for at in range(most))


def _bytes(text: str) -> bytes:
    return text.encode('utf-8', 'surrogateescape')


def parse_smtpchk(line: Line, proxy: ProxyDraft) -> None:
    """`option smtpchk [HELO|EHLO DOMAIN]`: what else stands there is passed over, as HAProxy does."""
    verb, domain = _words(line, 2)
    greeting = f'{verb} {domain}' if verb in ('HELO', 'EHLO') and domain else 'HELO localhost'
    proxy.probe.ask(
        _LINGERING,
        Understand(reply=Reply.SMTP_CODE),
        Understand(reply=Reply.SMTP_WELCOME),
        Send(data=_bytes(greeting) + b'\r\n'),
        Understand(reply=Reply.SMTP_HELLO),
        Send(data=b'QUIT\r\n'),
        Understand(reply=Reply.SMTP_GOODBYE),
    )


_QUIT: Final = b'\x01\0\0\0\x01'
"""MySQL's COM_QUIT: a packet of one byte, the first of a new exchange."""


def parse_mysql_check(line: Line, proxy: ProxyDraft) -> None:
    """`option mysql-check [user NAME [pre-41|post-41]]`: with a user it logs in, without a password, and leaves."""
    what, user, version = _words(line, 3)
    if not what:
        proxy.probe.ask(_LINGERING, Understand(reply=Reply.MYSQL_GREETING))
        return
    if what != 'user':
        msg = f"'option mysql-check' only supports optional values: 'user' (got '{shown(what)}')."
        raise Rejected(msg)
    if not user:
        msg = "'option mysql-check user' expects <username> as argument."
        raise Rejected(msg)
    if version not in ('', 'pre-41', 'post-41'):
        msg = f"keyword 'user' only supports 'post-41' and 'pre-41' (got '{shown(version)}')."
        raise Rejected(msg)
    if version == 'pre-41':
        # capabilities (long passwords of 4.0), the largest packet, the user; no password
        body = b'\x00\x80' + b'\0\0\x01' + _bytes(user) + b'\0\0'
    else:
        # capabilities (protocol of 4.1, secure connection), the largest packet, utf8, 23 reserved bytes, the user; no password
        body = b'\x00\x82\0\0' + b'\x00\x80\0\x01' + b'\x21' + bytes(23) + _bytes(user) + b'\0\0'
    proxy.probe.ask(
        _LINGERING,
        Send(data=len(body).to_bytes(3, 'little') + b'\x01' + body + _QUIT),
        Understand(reply=Reply.MYSQL_GREETING),
        Understand(reply=Reply.MYSQL_ACCEPTED),
    )


def parse_pgsql_check(line: Line, proxy: ProxyDraft) -> None:
    """`option pgsql-check user NAME`: a StartupMessage of version 3.0; whatever login it asks for is well."""
    what, user = _words(line, 2)
    if not what or not user:
        msg = "'option pgsql-check' expects 'user <username>' as argument."
        raise Rejected(msg)
    if what != 'user':
        msg = "'option pgsql-check' only supports optional values: 'user'."
        raise Rejected(msg)
    body = b'\0\x03\0\0' + b'user\0' + _bytes(user) + b'\0\0'
    start = (4 + len(body)).to_bytes(4, 'big') + body
    proxy.probe.ask(_LINGERING, Send(data=start), Understand(reply=Reply.PGSQL))


def parse_redis_check(line: Line, proxy: ProxyDraft) -> None:
    """`option redis-check`."""
    _words(line, 0)
    proxy.probe.ask(_PLAIN, Send(data=b'*1\r\n$4\r\nPING\r\n'), Understand(reply=Reply.REDIS))


def parse_ldap_check(line: Line, proxy: ProxyDraft) -> None:
    """`option ldap-check`: an anonymous bind, version 3 (RFC 4511, 4.2)."""
    _words(line, 0)
    proxy.probe.ask(
        _PLAIN,
        Send(data=bytes.fromhex('30 0c 020101 60 07 020103 0400 8000')),
        Understand(reply=Reply.LDAP),
    )


# -- SPOP (SPOE.txt of HAProxy's documentation, 3.1, 3.2.4) --------------------------------------------------------------

_STRING, _UINT32, _TRUE = b'\x08', b'\x03', b'\x11'


def _varint(value: int) -> bytes:
    """A number: one byte below 240, else its lowest four bits there, and seven in each that follows."""
    if value < 240:
        return bytes((value,))
    said, value = [0xF0 | value & 0x0F], (value - 240) >> 4
    while value >= 128:
        said.append(0x80 | value & 0x7F)
        value = (value - 128) >> 7
    return bytes((*said, value))


def _counted(text: bytes) -> bytes:
    return _varint(len(text)) + text


def parse_spop_check(line: Line, proxy: ProxyDraft) -> None:
    """`option spop-check`: a HAPROXY-HELLO that says that it is a check."""
    _words(line, 0)
    hello = (
        b'\x01' + b'\0\0\0\x01' + b'\0\0'  # its type, that it is whole, of no stream
        + _counted(b'supported-versions') + _STRING + _counted(b'2.0')
        + _counted(b'max-frame-size') + _UINT32 + _varint(SPOP_FRAME)
        + _counted(b'capabilities') + _STRING + _counted(b'')
        + _counted(b'healthcheck') + _TRUE
    )  # fmt: skip
    proxy.probe.ask(_PLAIN, Send(data=len(hello).to_bytes(4, 'big') + hello), Understand(reply=Reply.SPOP))


# -- TLS (RFC 6101, 5.6.1.2) ---------------------------------------------------------------------------------------------

_CIPHERS: Final = (*range(0x01, 0x1C), *range(0x2F, 0x3B))
"""Of SSL 3 and TLS 1.0: RSA and Diffie-Hellman with RC4, DES, 3DES and AES. A server that wants none of them answers by an alert."""
_RANDOM: Final = b'\0\0\0\0' + b'a check whether this is TLS.'
"""32 bytes, the first four a clock that need not be right. No key comes of them."""


def parse_ssl_hello_chk(line: Line, proxy: ProxyDraft) -> None:
    """`option ssl-hello-chk`: a hello of SSL 3, which every server of TLS knows enough of to answer."""
    _words(line, 0)
    ciphers = b''.join(cipher.to_bytes(2, 'big') for cipher in _CIPHERS)
    body = b'\x03\x00' + _RANDOM + b'\0' + len(ciphers).to_bytes(2, 'big') + ciphers + b'\x01\0'
    message = b'\x01' + len(body).to_bytes(3, 'big') + body
    record = b'\x16\x03\x00' + len(message).to_bytes(2, 'big') + message
    proxy.probe.ask(_PLAIN, Send(data=record), Understand(reply=Reply.TLS))


CANNED: Final[dict[str, Callable[[Line, ProxyDraft], None]]] = {
    'smtpchk': parse_smtpchk,
    'mysql-check': parse_mysql_check,
    'pgsql-check': parse_pgsql_check,
    'redis-check': parse_redis_check,
    'ldap-check': parse_ldap_check,
    'spop-check': parse_spop_check,
    'ssl-hello-chk': parse_ssl_hello_chk,
}
"""Options of checks that speak a protocol, by their names."""
