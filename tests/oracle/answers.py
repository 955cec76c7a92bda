"""Generated answers of servers, right and wrong ones, and what a client must hear of them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from tests.oracle.faults import RESPONSE_FAULTS
from tests.oracle.meaning import Heard, comparable
from tests.oracle.wire import Fields

EXTRA: Final = b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
_STATUSES: Final = (
    200,
    200,
    200,
    200,
    201,
    202,
    203,
    204,
    206,
    226,
    299,
    300,
    301,
    304,
    307,
    400,
    404,
    410,
    418,
    499,
    500,
    503,
    599,
)
_REASONS: Final = (b' OK', b' Whatever it is', b' ', b'', b' \xe9t\xe9', b' 200 OK')
_NAMES: Final = (
    b'Server', b'Date', b'Set-Cookie', b'Set-Cookie', b'set-cookie', b'ETag', b'X-One', b'x-tWO', b'Via', b'Location',
    b'Content-Type', b'Content-Encoding', b'Vary', b'WWW-Authenticate', b'Cache-Control',
)  # fmt: skip
_VALUES: Final = (b'1', b'', b'a b', b'x=y; Path=/', b'"etag"', b'caf\xe9', b'a,b', b'chunked', b'v' * 900, b'a\tb')
_SPACES: Final = (b' ', b' ', b' ', b'', b'  ', b'\t')
_INTERIM: Final = (
    b'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nLink: </b>\r\n\r\n', b'HTTP/1.1 100 Continue\r\n\r\n',
    b'HTTP/1.1 102 Processing\r\n\r\n', b'HTTP/1.1 199 Other\r\nX-A: 1\r\nConnection: X-A\r\n\r\n',
)  # fmt: skip
_TOLD: Final[tuple[tuple[tuple[int, Fields], ...], ...]] = (
    ((103, ((b'link', b'</a>; rel=preload'), (b'link', b'</b>'))),), (), ((102, ()),), ((199, ()),),
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a server sends; `closes`: and then closes its connection."""

    raw: bytes
    closes: bool = False
    traits: frozenset[str] = frozenset()


NONE: Final = Answer(b'')


class _Draft:
    def __init__(self, rng: random.Random, method: bytes, version: int) -> None:
        self.rng = rng
        self.method = method
        self.to_1_0 = version == 0
        self.status = rng.choice(_STATUSES)
        self.version = 1 if rng.random() > 0.1 else 0
        self.lines: list[tuple[bytes, tuple[bytes, bytes] | None]] = []
        self.body = self.tail = b''
        self.closes = self.ends = False
        self.traits: set[str] = set()

    def add(self, name: bytes, value: bytes, *, arrives: bool = True) -> None:
        spaces = self.rng.choice(_SPACES), self.rng.choice(_SPACES[2:])
        if name.lower() == b'transfer-encoding':
            spaces = spaces[0].replace(b'\t', b' '), b' '  # a tab there may be refused: it has served to smuggle
        self.lines.append((name + b':' + spaces[0] + value + spaces[1], (name, value) if arrives else None))


def answer(rng: random.Random, method: bytes, version: int, *, faulty: bool) -> tuple[Answer, Heard, bool]:
    """An answer to a request, what its client must hear, and whether that client's connection surely ends with it."""
    if faulty:
        name = rng.choice(sorted(RESPONSE_FAULTS))
        if version == 0 and RESPONSE_FAULTS[name].in_body:
            name = 'answer-short'  # to who knows no chunks every end is the end (RFC 9112, 8)
        return wrong(name, method)
    draft = _Draft(rng, method, version)
    for _ in range(rng.randint(0, 5)):
        draft.add(rng.choice(_NAMES), rng.choice(_VALUES))
    if rng.random() < 0.1:
        draft.add(b'X-Hop', b'1', arrives=False)
        draft.add(b'Connection', b'X-Hop', arrives=False)
        draft.traits.add('answer-nominates')
    if rng.random() < 0.1:
        draft.add(
            *rng.choice(((b'Keep-Alive', b'timeout=5'), (b'Proxy-Authenticate', b'x'), (b'Upgrade', b'h2c'))),
            arrives=False,
        )
        draft.traits.add('answer-hop-by-hop')
    _framing(draft)
    _persistence(draft)
    rng.shuffle(draft.lines)
    interim, told = _interim(draft)
    start = b'HTTP/1.%d %d%b' % (draft.version, draft.status, rng.choice(_REASONS))
    if any(not line.isascii() for line, _ in draft.lines) or b'\xe9' in start:
        draft.traits.add('answer-not-ascii')
    raw = interim + b'\r\n'.join((start, *(line for line, _ in draft.lines), b'', b'')) + draft.tail
    if not draft.closes and rng.random() < 0.04:
        raw += EXTRA
        draft.traits.add('extra-behind')
    fields = comparable(tuple(field for _, field in draft.lines if field is not None), frozenset())
    heard = Heard(draft.status, fields, draft.body, before=told)
    return Answer(raw, draft.closes, frozenset(draft.traits)), heard, draft.ends


def _framing(draft: _Draft) -> None:
    rng = draft.rng
    if draft.method == b'HEAD' or draft.status in (204, 304):
        _bodiless(draft)
        return
    draft.body = rng.randbytes(rng.choice((0, 1, 2, 10, 300, 300, 5_000, 40_000)))
    framing = rng.choices(('length', 'chunked', 'close'), (6, 5, 1))[0]
    if framing == 'chunked' and draft.version == 0:
        framing = 'length'
    if framing == 'length':
        zeros = b'00' if rng.random() < 0.1 else b''
        draft.add(rng.choice((b'Content-Length', b'content-length')), b'%b%d' % (zeros, len(draft.body)), arrives=False)
        draft.tail = draft.body
    elif framing == 'chunked':
        draft.add(
            rng.choice((b'Transfer-Encoding', b'TRANSFER-ENCODING')),
            rng.choice((b'chunked', b'Chunked')),
            arrives=False,
        )
        draft.tail = chunks(draft.body, rng, draft.traits)
        if draft.to_1_0:
            draft.traits.add('unsized-to-1.0')
        draft.ends = draft.to_1_0  # who knows no chunks is told the end by the connection's
    else:
        draft.tail, draft.closes, draft.ends = draft.body, True, True
        draft.traits.add('until-close')
        if draft.to_1_0:
            draft.traits.add('unsized-to-1.0')


def _bodiless(draft: _Draft) -> None:
    """HEAD, 204 and 304 have no body, whatever their fields say (RFC 9112, 6.3, rule 1)."""
    draft.traits.add('bodiless')
    framing = draft.rng.choice(('none', 'length', 'chunked'))
    if framing == 'chunked' and draft.version == 0:
        framing = 'none'
    if framing == 'length':
        draft.add(b'Content-Length', b'500', arrives=draft.status != 204)
        draft.traits.add('bodiless-length')
    elif framing == 'chunked':
        draft.add(b'Transfer-Encoding', b'chunked', arrives=False)
        draft.traits.add('bodiless-chunked')


def _persistence(draft: _Draft) -> None:
    rng = draft.rng
    if draft.version == 0 and rng.random() < 0.5:
        draft.add(b'Connection', b'keep-alive', arrives=False)
    elif draft.version == 0 or rng.random() < 0.05:
        draft.closes = True
        if draft.version == 1 or rng.random() < 0.5:
            draft.add(b'Connection', rng.choice((b'close', b'Close')), arrives=False)
        draft.traits.add('server-closes')


def _interim(draft: _Draft) -> tuple[bytes, tuple[tuple[int, Fields], ...]]:
    if draft.rng.random() > 0.08:
        return b'', ()
    draft.traits.add('interim')
    chosen = [draft.rng.randrange(len(_INTERIM)) for _ in range(draft.rng.randint(1, 3))]
    told = tuple(one for number in chosen for one in _TOLD[number])
    return b''.join(_INTERIM[number] for number in chosen), () if draft.to_1_0 else told


def wrong(name: str, method: bytes) -> tuple[Answer, Heard, bool]:
    """The same for an answer with the fault `name`."""
    fault = RESPONSE_FAULTS[name]
    raw = b'\r\n'.join((fault.start, *fault.lines, b'', b'')) + (b'' if method == b'HEAD' else fault.tail)
    if fault.status:
        heard = Heard(fault.status, own=True)
    elif method == b'HEAD':
        lengths = [line.partition(b': ')[2] for line in fault.lines if line.startswith(b'Content-Length')]
        heard = Heard(200, tuple((b'content-length', value) for value in lengths))
    else:
        heard = Heard(200, (), b'abcd', whole=False)
    # An answer to HEAD ends with its head: a fault behind it is none, and the server may stay.
    closes = bool(fault.status) or method != b'HEAD'
    return Answer(raw, closes, frozenset((name,))), heard, not heard.own and closes


def chunks(body: bytes, rng: random.Random, traits: set[str]) -> bytes:
    """`body` in the chunked coding, often written as oddly as is allowed (RFC 9112, 7.1)."""
    plain = rng.random() < 0.5
    out: list[bytes] = []
    at = 0
    while at < len(body):
        size = rng.randint(1, len(body) - at)
        digits = b'%x' % size
        if not plain:
            traits.add('odd-chunks')
            digits = rng.choice((b'%x', b'%X', b'000%x')) % size
            digits += rng.choice((b'', b';a', b';a=b', b' ;a="b;c"', b'\t; x = y', b';', b';a=\xe9'))
        out.append(b'%b\r\n%b\r\n' % (digits, body[at : at + size]))
        at += size
    if plain:
        return b''.join(out) + b'0\r\n\r\n'
    trailers = rng.choice((b'', b'X-T: 1\r\n', b'X-T:\r\nHost: evil\r\nContent-Length: 5\r\n'))
    if trailers:
        traits.add('trailers')
    return b''.join(out) + rng.choice((b'0', b'0', b'000', b'0;last')) + b'\r\n' + trailers + b'\r\n'
