"""Generated exchanges: a request as bytes, the answer its server gives as bytes, and what either must mean at its other end.

What must arrive is put together beside the bytes, field by field, so that nothing is parsed to know it. `traits` names
every peculiarity of an exchange. Everything follows from one `random.Random`; `exchanges(seed, number)` is case `number` of
`seed`, whatever was generated before it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from tests.oracle import answers
from tests.oracle.answers import Answer
from tests.oracle.faults import REQUEST_FAULTS
from tests.oracle.meaning import Asked, Heard, comparable
from tests.oracle.wire import Fields

_REFUSED: Final = 400
SMUGGLED: Final = b'GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n'
_METHODS: Final = (b'GET', b'GET', b'GET', b'HEAD', b'POST', b'POST', b'PUT', b'PATCH', b'DELETE', b'OPTIONS')
_RARE: Final = (b'PROPFIND', b'REPORT', b'M-SEARCH', b'get', b'FOO', b'X!#$')
_TARGETS: Final = (
    b'/', b'/index.html', b'/a/b?c=d', b'/%7Euser/x%2Fy', b'/;p?q=%20&r', b'//double//', b'/a/../b/./c', b'/?', b'/?a?b',
    b'/a%', b'/%zz', b'/-._~!$&\'()*+,;=:@', b'/"<>\\^`{|}', b'/[x]', b'/' + b'deep/' * 60, b'/?' + b'q=1&' * 400,
)  # fmt: skip
_HOSTS: Final = (
    b'a.example',
    b'A.Example',
    b'a.example:8080',
    b'127.0.0.1',
    b'[::1]:80',
    b'a.example:',
    b'xn--bcher-kva.example',
)
SINGLE: Final = (b'content-type', b'user-agent', b'authorization', b'range')
NAMES: Final = (
    b'Accept', b'accept-encoding', b'COOKIE', b'If-None-Match', b'X-One', b'x-tWO', b'Range', b'Authorization', b'Via',
    b'X-Forwarded-For', b'Forwarded', b'Cache-Control', b"!#$%&'*+-.^`|~", b'Content-Type', b'Content-Encoding', b'X',
)  # fmt: skip
VALUES: Final = (
    b'1', b'', b'a b', b'text/html, */*;q=0.1', b'"etag"', b'x=y; z', b'W/"1"', b'a\tb', b'caf\xe9', b'\xff\xfe', b',,',
    b'close', b'chunked', b':', b'"a, b"', b'v' * 900,
)  # fmt: skip
SPACES: Final = (b' ', b' ', b' ', b'', b'  ', b'\t', b' \t ')


@dataclass(frozen=True)
class Exchange:
    """One request, and the server's answer to it. `asked` None: the server must see nothing whole of it. `ends`: this
    is the last exchange on its connection, whatever the client has sent behind it.
    """

    raw: bytes
    method: bytes
    asked: Asked | None
    answer: Answer
    heard: Heard
    ends: bool
    traits: frozenset[str]


class Draft:
    """A request under construction: `lines` as they are sent, each with the field that must arrive, or None."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.method = rng.choice(_METHODS)
        self.version = 1
        self.sent = self.target = rng.choice(_TARGETS)
        self.host = rng.choice(_HOSTS)
        self.lines: list[tuple[bytes, tuple[bytes, bytes] | None]] = []
        self.body = self.tail = b''
        self.before = b''
        self.keeps = True
        self.forwarded = True
        self.traits: set[str] = set()

    def add(self, name: bytes, value: bytes, *, arrives: bool = True) -> None:
        """A field, with white space as it may be written."""
        spaces = self.rng.choice(SPACES), self.rng.choice(SPACES[2:])
        if name.lower() == b'transfer-encoding':
            spaces = spaces[0].replace(b'\t', b' '), b' '  # a tab there may be refused: it has served to smuggle
        self.lines.append((name + b':' + spaces[0] + value + spaces[1], (name, value) if arrives else None))

    def bytes_of(self) -> bytes:
        """The whole request, its fields in the order they have now."""
        start = b'%b %b HTTP/1.%d' % (self.method, self.sent, self.version)
        return self.before + b'\r\n'.join((start, *(line for line, _ in self.lines), b'', b'')) + self.tail

    def fields(self) -> Fields:
        """What must arrive."""
        return comparable(tuple(field for _, field in self.lines if field is not None))

    def note(self) -> None:
        """Peculiarities that come about by chance."""
        names = [line.partition(b':')[0].lower() for line, _ in self.lines]
        if any(names.count(name) > 1 for name in SINGLE):
            self.traits.add('single-field-twice')
        if any(not line.isascii() for line, _ in self.lines):
            self.traits.add('not-ascii')
        if self.target.endswith(b'?'):
            self.traits.add('empty-query')


def exchanges(seed: int, number: int) -> list[Exchange]:
    """Case `number` of `seed`: exchanges on one connection, their requests sent at once."""
    rng = random.Random(f'{seed}/{number}')
    made = [exchange(rng)]
    pipelined = rng.random() < 0.2
    while pipelined and not made[-1].ends and len(made) < 5:
        another = exchange(rng)
        if another.asked is None and another.heard.status < _REFUSED:
            break  # answered by this hop: test_http_differential_splits.py has it amid others by itself
        made.append(another)
    return made


def exchange(rng: random.Random) -> Exchange:
    """One exchange: right ones mostly, with a fault in the request or in the answer else."""
    kind = rng.random()
    if kind < 0.25:
        return wrong_request(rng, rng.choice(sorted(REQUEST_FAULTS)))
    draft = Draft(rng)
    _vary(draft)
    answer, heard, ends = answers.answer(rng, draft.method, draft.version, faulty=kind > 0.85)
    if not draft.forwarded:
        answer, heard, ends = answers.NONE, Heard(200, own=True), bool(draft.tail)
    draft.note()
    raw = draft.bytes_of()
    ends = ends or not draft.keeps
    if ends and rng.random() < 0.5:
        raw += SMUGGLED
        draft.traits.add('more-behind-the-last')
    asked = Asked(draft.method, draft.target, draft.fields(), draft.body) if draft.forwarded else None
    traits = frozenset(draft.traits) | answer.traits
    return Exchange(raw, draft.method, asked, answer, heard, ends, traits)


def wrong_request(rng: random.Random, name: str) -> Exchange:
    """A request with the fault `name`, and another request behind it."""
    fault = REQUEST_FAULTS[name]
    lines = [b'Host: a.example'] if fault.host else []
    lines += [rng.choice(NAMES) + b': ' + rng.choice(VALUES) for _ in range(rng.randint(0, 3))]
    rng.shuffle(lines)
    at = sorted(rng.randint(0, len(lines)) for _ in fault.lines)
    for shift, (place, line) in enumerate(zip(at, fault.lines, strict=True)):
        lines.insert(place + shift, line)
    raw = b'\r\n'.join((fault.start, *lines, b'', b'')) + fault.tail + SMUGGLED
    heard = Heard(fault.status, own=True)
    return Exchange(raw, fault.start.split(b' ')[0], None, answers.NONE, heard, ends=True, traits=frozenset((name,)))


def wrong_answer(rng: random.Random, name: str) -> Exchange:
    """A plain request that is answered with the fault `name`."""
    raw = b'GET /%d HTTP/1.1\r\nHost: a.example\r\n\r\n' % rng.randrange(100)
    answer, heard, ends = answers.wrong(name, b'GET')
    wanted = Asked(b'GET', raw.split(b' ')[1], ((b'host', b'a.example'),), b'')
    return Exchange(raw, b'GET', wanted, answer, heard, ends, answer.traits)


# -- variations of a right request ---------------------------------------------------------------------------------------


def _vary(draft: Draft) -> None:
    rng = draft.rng
    if rng.random() < 0.05:
        draft.method = rng.choice(_RARE)
        draft.traits.add('rare-method')
    if rng.random() < 0.12:
        draft.version = 0
        draft.traits.add('http-1.0')
    for _ in range(rng.randint(0, 5)):
        draft.add(rng.choice(NAMES), rng.choice(VALUES))
    for chance, variation in _VARIATIONS:
        if rng.random() < chance:
            variation(draft)
    _host(draft)
    _connection(draft)
    _body(draft)
    rng.shuffle(draft.lines)


def _host(draft: Draft) -> None:
    rng = draft.rng
    name = rng.choice((b'Host', b'Host', b'host', b'HOST'))
    if draft.sent != draft.target:  # absolute-form: its authority counts, whatever Host says (RFC 9112, 3.2.2)
        draft.lines.append((b'%b: %b' % (name, rng.choice((draft.host, b'other.example'))), (b'host', draft.host)))
    elif draft.version == 0 and rng.random() < 0.3:
        draft.traits.add('no-host')
    else:
        if rng.random() < 0.03:
            draft.host = b''
            draft.traits.add('empty-host')
        draft.add(name, draft.host)


def _connection(draft: Draft) -> None:
    rng, options = draft.rng, []
    if draft.version == 0:
        draft.keeps = rng.random() < 0.5
        options = [rng.choice((b'keep-alive', b'Keep-Alive'))] if draft.keeps else rng.choice(([], [b'close']))
    elif rng.random() < 0.08:
        draft.keeps = False
        options = [rng.choice((b'close', b'Close', b'CLOSE'))]
    if rng.random() < 0.15:
        draft.add(b'X-Hop', b'1', arrives=False)
        options.append(rng.choice((b'x-hop', b'X-Hop')))
        draft.traits.add('nominated')
    if options and rng.random() < 0.3:
        options.insert(rng.randint(0, len(options)), rng.choice((b'', b'x-absent')))
    rng.shuffle(options)
    if len(options) > 1 and rng.random() < 0.3:
        draft.add(b'Connection', options.pop(), arrives=False)
    if options:
        draft.add(
            rng.choice((b'Connection', b'connection')), rng.choice((b',', b', ', b' ,\t')).join(options), arrives=False
        )


def _body(draft: Draft) -> None:
    rng = draft.rng
    if draft.method in (b'POST', b'PUT', b'PATCH'):
        framing = rng.choice(('length', 'length', 'chunked', 'chunked', 'none'))
    else:
        framing = rng.choices(('none', 'length', 'chunked'), (92, 4, 4))[0]
    if framing == 'chunked' and draft.version == 0:
        framing = 'length'
    if framing == 'none':
        return
    if draft.method not in (b'POST', b'PUT', b'PATCH'):
        draft.traits.add('unusual-body')
    draft.body = rng.randbytes(rng.choice((0, 1, 2, 10, 300, 300, 5_000, 20_000)))
    if framing == 'length':
        zeros = b'00' if rng.random() < 0.1 else b''
        draft.add(
            rng.choice((b'Content-Length', b'content-length', b'CONTENT-LENGTH')),
            b'%b%d' % (zeros, len(draft.body)),
            arrives=False,
        )
        draft.tail = draft.body
    else:
        draft.add(
            rng.choice((b'Transfer-Encoding', b'transfer-encoding')),
            rng.choice((b'chunked', b'Chunked')),
            arrives=False,
        )
        draft.tail = answers.chunks(draft.body, rng, draft.traits)
    if draft.version and rng.random() < 0.1:
        draft.add(b'Expect', rng.choice((b'100-continue', b'100-Continue')))
        draft.traits.add('expect')


def _absolute(draft: Draft) -> None:
    if draft.target == b'*':
        return
    scheme = draft.rng.choice((b'http://', b'HTTP://', b'https://'))
    draft.sent = scheme + draft.host + draft.target
    draft.traits.add('absolute-form')
    if draft.rng.random() < 0.2:
        draft.sent = scheme + draft.host
        draft.target = b'*' if draft.method == b'OPTIONS' else b'/'


def _asterisk(draft: Draft) -> None:
    draft.method, draft.sent, draft.target = b'OPTIONS', b'*', b'*'
    draft.traits.add('asterisk-form')


def _underscore(draft: Draft) -> None:
    draft.add(draft.rng.choice((b'X_One', b'_', b'Transfer_Encoding', b'Content_Length')), b'1', arrives=False)
    draft.traits.add('underscore')


def _hop_by_hop(draft: Draft) -> None:
    name, value = draft.rng.choice((
        (b'Keep-Alive', b'timeout=5'), (b'TE', b'trailers'), (b'Trailer', b'X-T'), (b'Proxy-Connection', b'close'),
        (b'Upgrade', b'h2c'), (b'Proxy-Authorization', b'Basic eA=='), (b'Keep-Alive', b''),
    ))  # fmt: skip
    draft.add(name, value, arrives=False)
    draft.traits.add('hop-by-hop')


def _protected(draft: Draft) -> None:
    draft.add(
        b'Connection',
        draft.rng.choice((b'Host', b'Content-Length, Cookie', b'X-Forwarded-For', b'authorization')),
        arrives=False,
    )
    draft.traits.add('nominates-end-to-end')


def _max_forwards(draft: Draft) -> None:
    hops = draft.rng.choice((0, 1, 7))
    draft.traits.add('max-forwards')
    if draft.method != b'OPTIONS':
        draft.add(b'Max-Forwards', b'%d' % hops)
    else:
        draft.forwarded = hops > 0
        draft.lines.append((b'Max-Forwards: %d' % hops, (b'Max-Forwards', b'%d' % (hops - 1))))


def _empty_lines(draft: Draft) -> None:
    draft.before = b'\r\n' * draft.rng.randint(1, 3)
    draft.traits.add('empty-lines-before')


_VARIATIONS: Final = (
    (0.05, _asterisk), (0.06, _absolute), (0.05, _underscore), (0.1, _hop_by_hop), (0.05, _protected),
    (0.05, _max_forwards), (0.05, _empty_lines),
)  # fmt: skip
