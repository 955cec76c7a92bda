"""ACLs and conditions beyond what HAProxy's answers to a request show: files, lines of one name, phases."""

from __future__ import annotations

import pytest

from dataplane.rules.acls import PREDEFINED, added, named_condition, names_of, parse_acl, parse_condition, rebound
from dataplane.rules.closures import compiled, compiled_acl, compiled_expression
from dataplane.rules.expressions import names_in, parse_expression
from dataplane.rules.model import Acl, Match, Named, Pattern, PatternFile
from dataplane.rules.phases import Phase
from dataplane.rules.problems import Rejected
from dataplane.rules.scope import Scope
from dataplane.rules.stores import Store
from tests.unit.rules.transaction import Transaction, transaction

REQUEST = b'GET /a/b HTTP/1.1\r\nHost: h.com\r\n\r\n'
FILES = {
    'paths': '# some\n/x\n  /A\n',
    'numbers': '5\n10:20\n',
    'nets': '10.0.0.0/8\n::1\n',
    'pairs': '/a one\n/b two\n',
    'bad': '1\nx\n',
}


def scope(phase: Phase = Phase.REQUEST) -> Scope:
    def read(name: str) -> str:
        if name not in FILES:
            msg = f'failed to open pattern file <{name}>'
            raise Rejected(msg)
        return FILES[name]

    return Scope(phase, read=read)


def acls(*lines: str) -> dict[str, Acl]:
    found: dict[str, Acl] = {}
    for line in lines:
        added(found, parse_acl(line.split(), scope()))
    return found


def holds(text: str, found: dict[str, Acl] | None = None, phase: Phase = Phase.REQUEST) -> bool:
    place = scope(phase)
    condition = parse_condition(text.split(), found or {}, place)
    return compiled(condition, Store(place.files))(transaction(REQUEST, b'HTTP/1.1 404 no\r\n\r\n'))


def test_lines_of_one_name_are_alternatives() -> None:
    found = acls('a path_beg /x', 'b path /a/b', 'a hdr(host) -i H.COM')
    assert [len(acl.tests) for acl in found.values()] == [2, 1]
    assert holds('if a b', found)
    assert not holds('if !a or !b', found)
    assert compiled_acl(found['a'])(transaction(REQUEST))


def test_a_line_may_follow_the_rule_that_names_it() -> None:
    found = acls('a path_beg /x')
    condition = parse_condition(['if', 'a', '{', 'always_true', '}'], found, scope())
    assert not compiled(condition)(transaction(REQUEST))
    added(found, parse_acl(['a', 'always_true'], scope()))
    assert compiled(rebound(condition, found))(transaction(REQUEST))


def test_an_own_acl_goes_before_a_predefined_one() -> None:
    assert not holds('if TRUE', acls('TRUE always_false'))
    assert holds('if HTTP_1.1 METH_GET !METH_POST !HTTP_URL_STAR HTTP_URL_SLASH !LOCALHOST REQ_CONTENT WAIT_END HTTP')
    assert all(len(acl.tests) == 1 for acl in PREDEFINED.values())


def test_patterns_keep_how_they_are_to_be_compared() -> None:
    (test,) = parse_acl(['a', 'path', '-i', '-f', 'paths', '/Q'], scope()).tests
    assert (test.match, test.patterns, test.files) == (Match.STR, (Pattern('/Q', True),), (PatternFile('paths', True),))
    (test,) = parse_acl(['a', 'hdr_cnt(x)', 'ge', '5', 'lt', '3', '7:9'], scope()).tests
    assert [pattern.text for pattern in test.patterns] == ['5:', ':2', '7:8']
    (test,) = parse_acl(['a', 'path', '-u', '12', '-n', '--', '-x'], scope()).tests
    assert (test.identity, test.patterns) == (12, (Pattern('-x'),))


@pytest.mark.parametrize(
    'text, expected',
    [
        ('{ path_beg -f paths }', False), ('{ path_beg -i -f paths }', True), ('{ path_beg -f paths /a }', True),
        ('{ int(15) -f numbers }', True), ('{ int(9) -f numbers }', False), ('{ src -f nets }', True), ('{ path_beg -M -f pairs }', True),
        ('{ path -m len -f numbers }', False),
    ],
)  # fmt: skip
def test_files(text: str, expected: bool) -> None:
    assert holds(f'if {text}') is expected


def test_what_the_cli_changes_counts_at_once() -> None:
    place = scope()
    condition = parse_condition(['if', '{', 'path_beg', '-f', 'paths', '}'], {}, place)
    store = Store(place.files)
    check, view = compiled(condition, store), transaction(REQUEST)
    assert not check(view)
    store['paths'].put(b'/a/', ((9, None),))
    assert check(view)
    store['paths'].put(b'/a/', ())
    assert not check(view)


@pytest.mark.parametrize(
    'text,warns',
    [
        ('path_beg', True), ('req.hdr(x)', True), ('req.hdr_cnt(x)', True), ('path --', False), ('path -m found', False),
        ('req.hdr_cnt(x) -m bool', False), ('always_true', False), ('path /a', False),
    ],
)  # fmt: skip
def test_who_forgot_the_pattern_is_told(text: str, warns: bool) -> None:
    place = scope()
    parse_condition(['if', '{', *text.split(), '}'], {}, place)
    assert ['will never match' in warning for warning in place.warnings] == [True] * warns


@pytest.mark.parametrize(
    'text, phase, warning',
    [
        ('{ res.hdr(x) y }', Phase.REQUEST, "anonymous acl will never match because it uses keyword 'res.hdr'"),
        ('a', Phase.RESPONSE, "acl 'a' will never match because it only involves keywords that are incompatible with"),
        ('b', Phase.RESPONSE, "acl 'b' involves keyword 'path' which is incompatible with 'backend http-response header rule'"),
    ],
)  # fmt: skip
def test_what_can_never_match_is_warned_of_and_does_not(text: str, phase: Phase, warning: str) -> None:
    found = acls('a path_beg /a', 'b path_beg /a', 'b status 404')
    place = scope(phase)
    condition = parse_condition(['if', *text.split()], found, place)
    assert len(place.warnings) == 1
    assert warning in place.warnings[0]
    assert compiled(condition)(transaction(REQUEST, b'HTTP/1.1 404 no\r\n\r\n')) is (text == 'b')
    assert holds(f'if !{text}' if text != 'b' else 'if b', found, phase)


def test_names_to_look_for_are_told() -> None:
    condition = parse_condition(['if', '{', 'nbsrv(b)', 'lt', '2', '}', 'or', '{', 'srv_is_up(c/s)', '}'], {}, scope())
    assert names_of(condition) == [Named('backend', 'b'), Named('server', 'c/s')]


@pytest.mark.parametrize(
    'line, complaint',
    [
        ('', 'missing acl name'), ('a/b path x', "character '/' is not permitted in acl name 'a/b'"), ('or path x', "acl name 'or' will never"),
        ('a', "missing fetch method in ACL expression ''"), ('a path -m', "unknown matching method ''"), ('a path -f', 'missing file name'),
        ('a path -f none', 'failed to open pattern file <none>'), ('a path -f paths -m beg', "'-m' must only be specified before"),
        ('a path -u x', 'must be an integer'), ('a int(1) -f bad', "'x' is not a number at line 2 of file 'bad'"),
        ('a path -f paths -M', ''), ('a path_beg(x', "ACL keyword 'path_beg' :"), ('a path,lower)', 'missing comma'),
        ('a src 10.0.0.0/40', 'not a valid IPv4 or IPv6 address'), ('a src ::/129', 'not a valid'), ('a src 1.2.3.4/', 'not a valid'),
        ('a bin(00) -m bin 0', 'an even number of hex digit is expected'), ('a bin(00) -m bin 0x', 'an hex digit is expected'),
    ],
)  # fmt: skip
def test_bad_lines(line: str, complaint: str) -> None:
    if not complaint:
        assert parse_acl(line.split(), scope()).tests[0].files == (PatternFile('paths'),)
        return
    with pytest.raises(Rejected) as found:
        parse_acl(line.split(), scope())
    assert complaint in str(found.value)


def test_one_file_has_one_kind_of_columns() -> None:
    place = scope()
    parse_condition(['if', '{', 'path,map(pairs)', 'one', '}'], {}, place)
    with pytest.raises(Rejected, match='already used as two column file'):
        parse_condition(['if', '{', 'path', '-f', 'pairs', '}'], {}, place)


@pytest.mark.parametrize(
    'text, complaint',
    [
        ('', "expects either 'if' or 'unless'"), ('when TRUE', "but found 'when'"), ('if', "'if' expects a condition"),
        ('if or', "'if' expects a condition"), ('if nope', "no such ACL : 'nope'"),
    ],
)  # fmt: skip
def test_bad_conditions(text: str, complaint: str) -> None:
    with pytest.raises(Rejected) as found:
        parse_condition(text.split(), {}, scope())
    assert complaint in str(found.value)


def test_the_fetch_of_acls_holds_when_all_of_them_do() -> None:
    where = Scope(named=named_condition)
    for line in ('yes always_true', 'no always_false', 'both acl(yes,!no)', 'never acl(both,no)'):
        added(where.acls, parse_acl(line.split(), where))
    found = {}
    for text in (
        'acl(yes)',
        'acl(!yes)',
        'acl(both)',
        'acl(!never)',
        'acl(never)',
        'acl(TRUE)',
        'acl(yes,both,!no,!never)',
    ):
        found[text] = compiled_expression(parse_expression([text], 0, where)[0])(Transaction())
    assert list(found.values()) == [True, False, True, True, False, True, True]


@pytest.mark.parametrize('text, complaint', [
    ('acl(none)', "no such ACL : 'none'"), ('acl(!)', 'expects names of ACLs'), ('acl({)', 'expects names of ACLs'), ('acl(TRUE,or)', 'expects names'),
])  # fmt: skip
def test_what_the_fetch_of_acls_cannot_name(text: str, complaint: str) -> None:
    with pytest.raises(Rejected, match=complaint):
        parse_expression([text], 0, Scope(named=named_condition))
    with pytest.raises(Rejected, match='no ACL can be named here'):
        parse_expression([text], 0, Scope())


def test_what_named_acls_name_is_looked_for_as_well() -> None:
    where = Scope(named=named_condition)
    added(where.acls, parse_acl(['up', 'nbsrv(app)', 'gt', '0'], where))
    assert names_in(parse_expression(['acl(up)'], 0, where)[0]) == [Named('backend', 'app')]


@pytest.mark.parametrize('word', ['or', 'OR', 'Or', '||'])
def test_or_is_written_as_one_likes(word: str) -> None:
    assert holds(f'if FALSE {word} TRUE')
    assert not holds(f'if FALSE {word} FALSE')
