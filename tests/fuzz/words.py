"""Words that mean something to a target, which a search by single bytes would take long to find."""

from __future__ import annotations

from collections.abc import Iterator

from dataplane.cli.commands import COMMANDS
from dataplane.config.keywords import ACTIONS, BIND, GLOBAL, PROXY, SERVER
from dataplane.rules.converters import CONVERTERS
from dataplane.rules.fetches import FETCHES
from dataplane.rules.model import Match
from dataplane.wire.codec import FROM_CONTROLPLANE, FROM_DATAPLANE
from dataplane.worker.known import REQUEST_FIELDS, RESPONSE_FIELDS

_HTTP = (
    b'\r\n', b'\r\n\r\n', b' HTTP/1.1\r\n', b' HTTP/1.0\r\n', b'HTTP/1.1 200 OK\r\n', b'HTTP/1.1 101 S\r\n', b'HTTP/1.1 204 N\r\n',
    b'chunked', b'close', b'keep-alive', b'websocket', b'100-continue', b'GET /', b'POST ', b'HEAD ', b'OPTIONS *', b'http://a/',
    b'0\r\n\r\n', b'\xfec', b'\xfes', b'\xfeC', b'\xfeS', b'\xfeE', b'\xfeL', b'\xfet', b'\xfeT', b'x_y',
)  # fmt: skip
_RULES = (
    '%[', ']', ' if ', ' unless ', '{ ', ' }', ' || ', '!', '-m ', '-i ', '-f ', '-M ', 'req.hdr(x)', 'res.hdr(x)', 'txn.a', ',', '(', ')',
    'lf-string', 'content-type', 'code 302', 'location ', 'prefix ', 'scheme ', '%{+Q}o', '%{+X}', '\\1', '"', "'", '\n====\n',
)  # fmt: skip


def words_of(target: str) -> list[bytes]:
    """The words for a target."""
    return sorted({word for word in _of(target) if word})


def _of(target: str) -> Iterator[bytes]:
    if target in ('requests', 'responses', 'traffic', 'bodies'):
        yield from _HTTP
        for name in (*REQUEST_FIELDS, *RESPONSE_FIELDS):
            yield name + b': '
    if target in ('configuration', 'rules', 'patterns'):
        yield from (word.encode() for word in (*_RULES, *(match.value for match in Match)))
    if target == 'configuration':
        yield from (
            b'\n' + word.encode() + b' '
            for word in (*PROXY, *GLOBAL, 'frontend f', 'backend b', 'listen l', 'global', 'defaults')
        )
        yield from (word.encode() + b' ' for word in (*SERVER, *BIND))
        yield from (b'.if ', b'.else', b'.endif', b'defined(', b'streq(', b'${X}', b'"${X[*]}"')
    if target in ('configuration', 'rules'):
        yield from (word.encode() for word in ACTIONS)
    if target == 'rules':
        yield from (word.encode() for word in (*FETCHES, *CONVERTERS))
    if target == 'commands':
        yield from (' '.join(entry.words).encode() for entry in COMMANDS)
        yield from (b' <<', b' <<x\n', b';', b'\\', b'b/s', b'\nx\n')
    if target == 'frames':
        for kind in (*FROM_DATAPLANE.values(), *FROM_CONTROLPLANE.values()):
            yield f'"type":"{kind.TYPE}",'.encode()
            yield from (f'"{name}":'.encode() for name in getattr(kind, '__dataclass_fields__', ()))
        yield from (b'{', b'}', b'[', b']', b'null', b'true', b'1', b'""')
