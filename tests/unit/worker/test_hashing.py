"""What a request brings as its key, and what wish is made of it."""

from __future__ import annotations

import pytest

from dataplane.core.hashes import crc32
from dataplane.core.layout import ANY
from dataplane.core.model import Backend, Balance
from dataplane.core.stream import hashed
from dataplane.core.tables import Tables
from dataplane.rules.expressions import parse_expression
from dataplane.rules.hashes import avalanche, sdbm
from dataplane.rules.phases import Phase
from dataplane.rules.samples import IPv6
from dataplane.rules.scope import Scope
from dataplane.worker.hashing import domain, header, parameter, path_and_query, uri_key, wish_of, wishes
from dataplane.worker.head import parse_request
from dataplane.worker.requestview import RequestView


def wish(balance: Balance, target: str = '/a?b=c', address: str = '10.0.0.1', fields: str = '') -> int:
    made = wish_of(balance)
    assert made is not None
    return made(parse_request(f'GET {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n'.encode(), 101), address)


def test_who_balances_without_keys_has_no_wishes() -> None:
    for word in ('roundrobin', 'static-rr', 'leastconn', 'first', 'random'):
        assert wish_of(Balance(algorithm=word)) is None
    backends = {n: Backend(name=word, id=n, balance=Balance(algorithm=word)) for n, word in ((1, 'first'), (4, 'uri'))}
    assert list(wishes(Tables(1, backends=backends))) == [4]


def test_functions_and_avalanche_are_those_of_the_balance() -> None:
    assert wish(Balance(algorithm='uri')) == hashed(sdbm(b'/a'))
    assert wish(Balance(algorithm='uri', function='crc32', avalanche=True)) == hashed(avalanche(crc32(b'/a')))


def test_a_source_is_hashed_without_a_function() -> None:
    source = Balance(algorithm='source', function='crc32')
    assert wish(source, address='10.0.0.1') == hashed(0x0A00_0001)
    assert wish(source, address='::1') == hashed(1)
    assert wish(Balance(algorithm='source', avalanche=True), address='::1') == hashed(avalanche(1))
    assert wish(source, address='unix:1') == ANY


def test_sticky_ties_everybody_to_the_same() -> None:
    assert wish(Balance(algorithm='sticky')) == wish(Balance(algorithm='sticky'), '/other', '1.2.3.4') == hashed(0)


def test_who_brings_no_key_has_no_wish() -> None:
    assert wish(Balance(algorithm='url_param', name='x')) == ANY
    assert wish(Balance(algorithm='url_param', name='b')) == hashed(sdbm(b'c'))
    assert wish(Balance(algorithm='hdr', name='X-Key')) == ANY
    assert wish(Balance(algorithm='hdr', name='X-Key'), fields='x-kEY: k, l\r\n') == hashed(sdbm(b'k'))


@pytest.mark.parametrize(
    'target, settings, key',
    [
        (b'/a/b?c', {}, b'/a/b'),
        (b'/a/b?c', {'whole': True}, b'/a/b?c'),
        (b'/a/b?c', {'length': 3}, b'/a/'),
        (b'/a/b?c', {'length': 5, 'whole': True}, b'/a/b?'),
        (b'/a/b/c', {'depth': 1}, b'/a'),
        (b'/a/b/c', {'depth': 2}, b'/a/b'),
        (b'/a', {'depth': 2}, b'/a'),
        (b'/a?/b', {'depth': 1}, b'/a'),
        (b'/a?/b', {'depth': 1, 'whole': True}, b'/a?'),
        (b'http://h/a/b', {'path_only': True, 'depth': 1}, b'/a'),
    ],
)
def test_what_of_a_target_is_hashed(target: bytes, settings: dict[str, int], key: bytes) -> None:
    given = {'length': 0, 'depth': 0, 'whole': False, 'path_only': False} | settings
    assert uri_key(target, **given) == key  # type: ignore[arg-type]


@pytest.mark.parametrize(
    'target, rest',
    [
        (b'/a?b', b'/a?b'),
        (b'http://h:80/a?b', b'/a?b'),
        (b'http://h', b''),
        (b'*', b''),
        (b'h:80', b''),
        (b'a/b://c', b''),
    ],
)
def test_a_target_without_its_authority(target: bytes, rest: bytes) -> None:
    assert path_and_query(target) == rest


@pytest.mark.parametrize(
    'query, value',
    [
        (b'/', None), (b'/?id=1', b'1'), (b'/?id=', b''), (b'/?id', None), (b'/?a=1&id=2&id=3', b'2'), (b'/?xid=1', None),
        (b'/?xid=1&id=2', b'2'), (b'/?a=id=1', None), (b'/?id=1?id=2', b'1?id=2'),
    ],
)  # fmt: skip
def test_a_parameter_is_found_by_its_whole_name(query: bytes, value: bytes | None) -> None:
    assert parameter(query, b'id=') == value


@pytest.mark.parametrize(
    'values, value',
    [
        ([], None), ([b''], None), ([b', b'], None), ([b'a , b', b'c'], b'a'), ([b'"a,b" , c'], b'"a,b"'),
        ([b'"a\\",b",c'], b'"a\\",b"'), ([b'"a,b'], b'"a,b'),
    ],
)  # fmt: skip
def test_the_first_value_of_a_field_counts(values: list[bytes], value: bytes | None) -> None:
    assert header(values, domain_only=False) == value


@pytest.mark.parametrize(
    'host, part',
    [
        (b'www.example.com', b'example'), (b'example.com', b'example'), (b'localhost', b'localhost'),
        (b'a.b.c.org:80', b'c'), (b'10.1.2.3', b'2'), (b'.com', b'.com'), (b'com.', b'com'),
    ],
)  # fmt: skip
def test_a_domain_is_between_the_last_two_dots(host: bytes, part: bytes) -> None:
    assert domain(host) == part


def by_expression(text: str) -> Balance:
    key, end = parse_expression([text], 0, Scope(phase=Phase.BACKEND_REQUEST))
    assert end == 1
    return Balance(algorithm='hash', key=key)


@pytest.mark.parametrize(
    'expression, same_as',
    [
        ('path', Balance(algorithm='uri')),
        ('url_param(b)', Balance(algorithm='url_param', name='b')),
        ('req.hdr(x-key)', Balance(algorithm='hdr', name='X-Key')),
        ('req.hdr(none)', Balance(algorithm='hdr', name='none')),
    ],
)
def test_what_has_a_word_of_its_own_is_the_same_by_an_expression(expression: str, same_as: Balance) -> None:
    assert wish(by_expression(expression), fields='X-Key: k\r\n') == wish(same_as, fields='X-Key: k\r\n')


@pytest.mark.parametrize(
    'expression, key',
    [
        ('path,upper', b'/A'),
        ('req.cook(a),lower', b'x'),
        ('src', bytes([10, 0, 0, 1])),
        ('int(5)', bytes([0, 0, 0, 0, 0, 0, 0, 5])),
        ('method', b'GET'),
    ],
)
def test_an_expression_is_hashed_as_the_bytes_it_is_made_of(expression: str, key: bytes) -> None:
    assert wish(by_expression(expression), fields='Cookie: a=X\r\n') == hashed(sdbm(key))


def test_an_expression_without_a_value_is_no_wish() -> None:
    assert wish(by_expression('src'), address='unix:1') == ANY
    assert wish(by_expression('req.cook(b)')) == ANY


def test_there_is_nothing_else_to_be_asked_of_a_request_without_a_server() -> None:
    view = RequestView(parse_request(b'GET / HTTP/1.1\r\nHost: h\r\nA:  b \r\n\r\n', 101), '::1')
    view.set_variable('txn', 'x', 1)
    view.capture('req', 0, b'x')
    assert (view.request, view.src, view.version) == ([(b'host', b'h'), (b'a', b'b')], IPv6(1), b'1.1')
    assert [
        view.random(),
        view.variable('txn', 'x'),
        view.captured('req', 0),
        view.fact('x'),
        view.figure('nbsrv', '', ''),
    ] == [0, *[None] * 4]
