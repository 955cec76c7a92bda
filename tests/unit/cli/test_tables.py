"""`show table`, `set table`, `clear table`: their words and HAProxy's answers to wrong ones, how entries are shown."""

from __future__ import annotations

import pytest

from dataplane.cli.session import Complaint
from dataplane.cli.tables import head, line, parse, usage
from dataplane.core.stick.definition import Data, Definition, KeyType

IP = Definition(
    name='arr', key=KeyType.IP, length=4, size=10, stores=(Data('gpt', 2), Data('gpc', 3), Data('gpc_rate', 2, 10_000))
)
STRING = Definition(
    name='st', key=KeyType.STRING, length=8, size=10, expire=60_000,
    stores=(Data('server_id'), Data('gpc0'), Data('conn_rate', period=10_000), Data('conn_cur')),
)  # fmt: skip
TABLES = {
    'arr': IP, 'st': STRING, 'bi': Definition(name='bi', key=KeyType.BINARY, length=4, size=10),
    'n': Definition(name='n', key=KeyType.INTEGER, length=4, size=10),
}  # fmt: skip

# as a real HAProxy 2.6 answers
COMPLAINTS = [
    ('show nope', 'No such table'),
    ('show st key', 'Key value expected'),
    ('show st foo', 'Optional argument only supports "data.<store_data_type>" <operator> <value> and key <key>'),
    ('show st data.foo gt 1', 'Filter entry #1: Unknown data type'),
    ('show st data.gpc0 xx 1', 'Filter entry #1: Require and operator among "eq", "ne", "le", "ge", "lt", "gt"'),
    ('show st data.gpc0 gt', 'Filter entry #1: Require a valid integer value to compare against'),
    ('show st data.gpc0 gt 1 data.gpc0 gt x', 'Filter entry #2: Require a valid integer value to compare against'),
    ('show arr data.gpc0 gt 0', 'Filter entry #1: Data type not stored in this table'),
    ('show st data.gpc0 gt 0 data.gpc0 gt 0 data.gpc0 gt 0 data.gpc0 gt 0 data.gpc0 gt 0', "Detected extra data in filter, 16th word of input, after '0'"),
    ('show bi key 0102', 'Showing keys from tables of type other than ip, ipv6, string and integer is not supported'),
    ('show n key abc', 'Invalid key'),
    ('clear bi key 0102', 'Removing keys from tables of type other than ip, ipv6, string and integer is not supported'),
    ('clear st key', 'Key value expected'),
    ('clear st foo', 'Required arguments: <table> "data.<store_data_type>" <operator> <value> or <table> key <key>'),
    ('clear nope', 'No such table'),
    ('set st key', 'Key value expected'),
    ('set st key abc data.foo 1', 'Unknown data type'),
    ('set st key abc data.gpc0', 'Require a valid integer value to store'),
    ('set st key abc data.gpc0 x', 'Require a valid integer value to store'),
    ('set st key /r1 gpc0 1', '"data.<type>" followed by a value expected'),
    ('set arr key 1.2.3.4 data.gpc0 4', 'Data type not stored in this table'),
    ('set n key 4294967297 data.gpc0 2', 'Invalid key'),
    ('set bi key 01020304 data.gpc0 1', 'Inserting keys into tables of type other than ip, ipv6, string and integer is not supported'),
    ('set st data.gpc0 1', 'content-based lookup is only supported with the "show" and "clear" actions'),
    # where it takes what it can do nothing with, or does what nobody asked for
    ('set st', 'Required arguments: <table> key <key> [data.<store_data_type> <value>]*'),
    ('set st key abc data.conn_cur 3', 'conn_cur is how many track the entry, and cannot be set'),
]  # fmt: skip


@pytest.mark.parametrize('words, answer', COMPLAINTS)
def test_wrong_words(words: str, answer: str) -> None:
    verb, *rest = words.split(' ')
    with pytest.raises(Complaint) as found:
        parse(verb, rest, TABLES)
    assert found.value.answer.text == answer


def test_missing_words() -> None:
    assert usage('set').answer.text == 'Required arguments: <table> key <key> [data.<store_data_type> <value>]*'


def test_a_key_and_what_it_is_to_have() -> None:
    request = parse('set', ['st', 'key', 'abcdefghij', 'data.gpc0', '5', 'data.conn_rate', '7'], TABLES)
    assert (request.key, request.values) == (b'abcdefgh', (('gpc0', 0, 5), ('conn_rate', 0, 7)))
    assert parse('set', ['arr', 'key', '1.2.3.4', 'data.gpc', '4'], TABLES).values == (('gpc', 0, 4),)
    assert parse('show', ['n', 'key', '7', 'ignored'], TABLES).key == b'\0\0\0\x07'


@pytest.mark.parametrize(
    'words, wanted',
    [
        ('data.gpc0 eq 5', True), ('data.gpc0 ne 5', False), ('data.gpc0 lt 5', False), ('data.gpc0 le 5', True), ('data.gpc0 ge 6', False),
        ('data.gpc0 gt 4', True), ('data.gpc0 gt -1 data.conn_rate gt 8', True), ('data.gpc0 gt 4 data.conn_rate gt 9', False), ('', True),
    ],
)  # fmt: skip
def test_filters(words: str, wanted: bool) -> None:
    request = parse('show', ['st', *words.split()], TABLES)
    assert request.wants((1, 5, 9, 0)) is wanted


def test_a_filter_on_an_array_is_on_its_first_element() -> None:
    request = parse('show', ['arr', 'data.gpc', 'gt', '2'], TABLES)
    assert request.wants((0, 0, 3, 0, 0, 0, 0))
    assert not request.wants((9, 9, 2, 9, 9, 9, 9))


def test_tables_and_entries_are_shown_as_haproxy_shows_them() -> None:
    assert head(STRING, 3) == '# table: st, type: string, size:10, used:3'
    row = (0x1F8, 1, 59_993, (4, 5, 6, 1))
    assert line(STRING, b'a b', row) == (
        '0x1f8: key=a\\ b use=1 exp=59993 shard=0 server_id=4 gpc0=5 conn_rate(10000)=6 conn_cur=1'
    )
    assert line(IP, b'\x01\x02\x03\x04', (8, 0, 0, (1, 2, 3, 4, 5, 6, 7))) == (
        '0x8: key=1.2.3.4 use=0 exp=0 shard=0 gpt0=1 gpt1=2 gpc0=3 gpc1=4 gpc2=5 gpc0_rate(10000)=6 gpc1_rate(10000)=7'
    )


def test_a_server_is_shown_by_what_it_is_known_by() -> None:
    sticky = Definition(
        name='s',
        key=KeyType.STRING,
        length=8,
        size=10,
        stores=(Data('server_id'), Data('server_key'), Data('http_fail_cnt')),
    )
    known = {77: 's1'}
    assert line(sticky, b'a', (8, 0, 0, (1, 77, 2)), known).endswith(' server_id=1 server_key=s1 http_fail_cnt=2')
    assert line(sticky, b'a', (8, 0, 0, (1, 0, 2)), known).endswith(' server_id=1 server_key=- http_fail_cnt=2')
    for words in ('show s data.server_key eq 1', 'set s key a data.server_key 1'):
        verb, *rest = words.split()
        with pytest.raises(Complaint, match='neither compared nor set'):
            parse(verb, rest, {'s': sticky})
