"""Log-format strings beyond what HAProxy's answers to a request show."""

from __future__ import annotations

import pytest

from dataplane.rules.aliases import ALIASES
from dataplane.rules.closures import compiled_format
from dataplane.rules.formats import names_in_format, parse_format
from dataplane.rules.model import Alias, Computed, Flags, Format, Named
from dataplane.rules.phases import Phase
from dataplane.rules.problems import Rejected
from dataplane.rules.scope import Scope
from tests.unit.rules.transaction import Transaction, transaction

REQUEST = b'GET /a"b?x={#} HTTP/1.1\r\nHost: h\r\nX: a"]\\b\r\n\r\n'


def written(text: str, view: Transaction | None = None, base: Flags = Flags.NONE, *, merge: bool = False) -> str:
    parsed = parse_format(text, Scope(Phase.LOG), base=base, merge=merge)
    made = compiled_format(parsed)(view or transaction(REQUEST, b'HTTP/1.1 200 OK\r\n\r\n'))
    return made.decode('latin-1')


@pytest.mark.parametrize(
    'text, expected',
    [
        ('', ''), ('plain', 'plain'), ('100%%', '100%'), ('%ci:%cp', '10.1.2.3:4321'), ('%{+X}ci %{+X}cp', '0A010203 10E1'),
        ('%fi:%fp', '192.168.0.1:80'), ('%{+Q}ci', '"10.1.2.3"'), ('%HM %HP %HPO %HQ %HV', 'GET /a#22b /a#22b ?x={#23} HTTP/1.1'),
        ('%HU', '/a#22b?x={#23}'), ('%r', 'GET /a#22b?x={#23} HTTP/1.1'), ('%{+Q}r', '"GET /a#22b?x={#23} HTTP/1.1"'), ('%ST', '200'),
        ('%ts %tsc', '-- ----'), ('%ft %b/%s', 'f b/s1'), ('%Tw %Tc', '12 -1'), ('%B %U', '345 0'), ('%rc', '+1'), ('%ac/%fc', '7/0'),
        ('%ID', 'u-1'), ('%H', 'host'), ('%pid %{+X}pid', '4711 1267'), ('%Ts.%ms', '1700000000.123'), ('%{+X}Ts', '6553F100'),
        ('%T', '14/Nov/2023:22:13:20 +0000'), ('%trg', '14/Nov/2023:22:13:21 +0000'), ('%hr|%hs', '{one||t#7Co}|'), ('%{+M}hrl', 'one - t#7Co'),
        ('%{+Q}hr', '"{one||t#7Co}"'), ('%CC', ''), ('%{+M}CC', '-'), ('%{+Q}CC', '""'), ('%{+M,+Q}CC', '""'),
        ('%{+Q}o %s %{-Q}s %b', ' "s1" s1 "b"'), ('%[status] %{+Q}[status]', '200 "200"'), ('%{+E}[capture.req.hdr(2)]', 't|o'),
        ('%{+Q,+E}[capture.req.hdr(3)]', '"a\\"\\]\\\\b"'), ('%[capture.req.hdr(1)]', ''), ('%{+M}[capture.req.hdr(1)]', '-'),
    ],
)  # fmt: skip
def test_written(text: str, expected: str) -> None:
    view = transaction(REQUEST, b'HTTP/1.1 200 OK\r\n\r\n')
    view.facts['req.slots'] = 3
    view.captures = {('req', 0): b'one', ('req', 2): b't|o', ('req', 3): b'a"]\\b'}
    assert written(text, view) == expected


def test_in_log_lines_what_is_not_there_is_a_dash_and_blanks_are_one() -> None:
    text = '%ci  [%T]   %hr %hs %CC %{+Q}r'
    found = written(text, base=Flags.MANDATORY, merge=True)
    assert found == '10.1.2.3 [14/Nov/2023:22:13:20 +0000] - "GET /a#22b?x={#23} HTTP/1.1"'


def test_before_a_request_and_on_a_unix_socket() -> None:
    view = transaction()
    view.src = view.dst = None
    assert written('%ci:%cp %fi %{+Q}r %HM %HV %ST', view) == 'unix:1 unix "<BADREQ>" <BADREQ> <BADREQ> -1'


def test_every_alias_writes_something_of_nothing() -> None:
    view = transaction()
    view.facts = {}
    for name in ALIASES:
        for flags in (Flags.NONE, Flags.QUOTED | Flags.HEXADECIMAL, Flags.MANDATORY, Flags.ESCAPED):
            assert isinstance(ALIASES[name](flags)(view), bytes)


def test_in_uris_expressions_are_encoded() -> None:
    view = transaction()
    view.variables['txn', 'v'] = b'a\r\n\tb\x7f"\xff'
    assert written('/%[var(txn.v)]', view, Flags.ENCODED) == '/a%0D%0A\tb%7F"\xff'


def test_parts() -> None:
    parsed = parse_format('a%%b%{+Q}ci%[src]', Scope())
    expression = parse_format('%[src]', Scope()).parts[0]
    assert isinstance(expression, Computed)
    assert parsed == Format((b'a%b', Alias('ci', Flags.QUOTED), expression))
    assert names_in_format(parse_format('%[nbsrv(x)]%ci', Scope())) == [Named('backend', 'x')]


@pytest.mark.parametrize('text', ['a%', 'a% b', '%>'])
def test_a_lone_percent_sign_is_left_out_with_a_warning(text: str) -> None:
    scope = Scope()
    assert compiled_format(parse_format(text, scope))(transaction()) == text.replace('%', '').encode()
    assert len(scope.warnings) == 1


@pytest.mark.parametrize(
    'text, complaint',
    [
        ('%foo', "no such format variable 'foo'"), ('%{+Q', "truncated line after '+Q'"), ('%{+Z}ci', "format flag '+Z'"),
        ('%{+json}o', 'is not supported'), ('%{Q}ci', "format flag 'Q'"), ('%[src', "expected ']' after 'src'"),
        ('%[res.hdr(x)]', "it needs 'HTTP response headers' which is not available here"), ('%{+Q}', 'without variable name'),
    ],
)  # fmt: skip
def test_refused(text: str, complaint: str) -> None:
    with pytest.raises(Rejected) as found:
        parse_format(text, Scope())
    assert complaint in str(found.value)
