"""Configurations: any text is a snapshot or a list of problems with a line each, and what rules say can be asked of any message."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from dataplane.config import ConfigErrors, load
from dataplane.core.model import Snapshot
from dataplane.core.tables import Tables
from dataplane.rules.closures import compiled, compiled_expression, compiled_format
from dataplane.rules.model import Condition, Expression, Format, Match
from dataplane.rules.stores import Store
from dataplane.worker.rulebook import Rulebook
from tests.unit.rules.transaction import Transaction, transaction

DIVIDER = b'\n====\n'
_MOST = 1 << 14
_HTTP = 'defaults d\n mode http\n timeout client 1s\n timeout connect 1s\n timeout server 1s\n'
_REQUEST = b'GET /a/b?x=1&y HTTP/1.1\r\nHost: h.com:8\r\nX: 1,2, "a, b"\r\nCookie: a=1; b\r\nAuthorization: Basic YTpi\r\n\r\nbody'
_RESPONSE = b'HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a=b; path=/\r\nX: 3\r\n\r\nok'
_LINES = (
    'acl a {0}\n http-request deny if a', 'http-request deny if {{ {0} }}', 'http-request {0}', 'http-response {0}',
    'http-request set-header X %[{0}]', 'http-response set-header X %[{0}]', 'http-request set-var(txn.a) {0}', 'log-format {0}',
    'use_backend {0}', 'redirect {0}', 'http-after-response {0}', 'tcp-request {0}', '{0}', 'unique-id-format {0}',
    'http-request return string "{0}" content-type a lf-string "{0}"', 'capture {0}',
)  # fmt: skip


def _loaded(text: str, file: bytes) -> Snapshot | None:
    """What a text compiles to; None where it says what is wrong, and where."""
    refused: ConfigErrors | None = None
    try:
        found = load(
            [('f.cfg', text)], {'HOME': '/h', 'X': 'a b'}, cores=2, hostname='h', read_file=lambda _, size: file[:size]
        )
    except ConfigErrors as errors:
        refused = errors
    if refused is not None:
        assert refused.errors
        for problem in (*refused.errors, *refused.warnings):
            assert problem.file == 'f.cfg' or not problem.file, problem
            assert 0 <= problem.line <= text.count('\n') + 1, problem
            assert problem.text.strip(), problem
            str(problem).encode(errors='surrogateescape')
        return None
    for problem in (*found.warnings, *found.notices):
        str(problem).encode(errors='surrogateescape')
    return found.snapshot


def _text(data: bytes) -> str:
    return data[:_MOST].decode('utf-8', 'surrogateescape')


def configuration(data: bytes) -> None:
    """A whole file, and behind a line of `====` the content of every file that it names."""
    text, _, file = data.partition(DIVIDER)
    snapshot = _loaded(_text(text), file)
    if snapshot is None:
        return
    assert pickle.loads(pickle.dumps(snapshot)) == snapshot
    _asked(snapshot)


def rules(data: bytes) -> None:
    """One line with a rule, of the kind that the first byte says; behind `====` a file of patterns."""
    if not data:
        return
    text, _, file = data[1:].partition(DIVIDER)
    said = _text(text).replace('\n', ' ').replace('\0', ' ')
    line = _LINES[data[0] % len(_LINES)].format(said)
    snapshot = _loaded(f'{_HTTP}frontend f\n bind :80\n {line}\n default_backend b\nbackend b\n', file)
    if snapshot is not None:
        _asked(snapshot)


def patterns(data: bytes) -> None:
    """A file of patterns and of a map, compared as the first byte says; behind `====` what is looked for."""
    if not data:
        return
    match = tuple(Match)[data[0] % len(Match)]
    file, _, wanted = data[1:].partition(DIVIDER)
    expression = 'src' if match is Match.IP else 'req.hdr(x)'
    lines = (
        f'acl a {expression} -m {match.value} -f l',
        f'http-request set-header Y %[{expression},map_{match.value}(l,none)]',
    )
    for line in lines:
        condition = '\n http-request deny if a' if line.startswith('acl') else ''
        text = f'{_HTTP}frontend f\n bind :80\n {line}{condition}\n default_backend b\nbackend b\n'
        snapshot = _loaded(text, file[:_MOST])
        if snapshot is not None:
            _asked(snapshot, [wanted[:1_000], *file[:200].split(b'\n')[:5]])


def _asked(snapshot: Snapshot, wanted: list[bytes] | None = None) -> None:
    """Make of all rules what workers make of them, and ask every condition, format and expression of some messages."""
    store = Store(references=snapshot.references)
    for _ in store.fill():
        pass
    Rulebook.made(
        Tables(
            1, snapshot, frontends=dict(enumerate(snapshot.frontends)), backends=dict(enumerate(snapshot.backends)),
        ),
        store,
    )  # fmt: skip
    views: list[Transaction] = [transaction(), transaction(_REQUEST, _RESPONSE)]
    for value in wanted or ():
        views.append(transaction(_REQUEST, _RESPONSE))
        views[-1].request.append((b'x', value.strip(b' \t')))
    of_all = [*(one.rules for one in snapshot.frontends), *(one.rules for one in snapshot.backends)]
    for rules_of_one in of_all:
        for part in _parts(rules_of_one):
            for view in views:
                if isinstance(part, Condition):
                    assert isinstance(compiled(part, store)(view), bool)
                elif isinstance(part, Format):
                    assert isinstance(compiled_format(part, store)(view), bytes)
                else:
                    compiled_expression(part, store)(view)


def _parts(value: object) -> Iterator[Condition | Format | Expression]:
    """Everything in rules that can be asked."""
    if isinstance(value, Condition | Format | Expression):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _parts(one)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _parts(getattr(value, field.name))
