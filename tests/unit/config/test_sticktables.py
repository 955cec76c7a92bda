"""`stick-table` and `stick` lines, `track-scN`, `sc-inc-gpc` and their kind: what becomes of them, and what is wrong with them."""

from __future__ import annotations

import pytest

from dataplane.config.sticktables import MOST_TABLES
from dataplane.core.stick.definition import Data, Definition, KeyType, ServerKey
from dataplane.rules.actions import Action, Add, Stick, Tag, Track
from dataplane.rules.model import Call, Expression
from tests.unit.config.loading import HTTP, backend_error, errors, snapshot

SRC = Expression(Call('src'))


def table(line: str) -> Definition:
    return snapshot(f'{HTTP}backend b\n stick-table {line}\n').stick_tables[0]


@pytest.mark.parametrize(
    'line, expected',
    [
        ('type ip size 1k', Definition(name='b', key=KeyType.IP, length=4, size=1_024)),
        ('type ipv4 size 1', Definition(name='b', key=KeyType.IP, length=4, size=1)),
        (
            'type ipv6 size 1m expire 30s',
            Definition(name='b', key=KeyType.IPV6, length=16, size=1 << 20, expire=30_000),
        ),
        ('size 5 type integer nopurge', Definition(name='b', key=KeyType.INTEGER, length=4, size=5, nopurge=True)),
        ('type string size 5', Definition(name='b', key=KeyType.STRING, length=31, size=5)),
        ('type string len 64 size 5 srvkey name', Definition(name='b', key=KeyType.STRING, length=64, size=5)),
        (
            'type ip size 5 srvkey addr store server_key',
            Definition(name='b', key=KeyType.IP, length=4, size=5, srvkey=ServerKey.ADDR, stores=(Data('server_key'),)),
        ),
        ('type binary size 5', Definition(name='b', key=KeyType.BINARY, length=32, size=5)),
        ('type binary len 3 size 5', Definition(name='b', key=KeyType.BINARY, length=3, size=5)),
    ],
)
def test_tables(line: str, expected: Definition) -> None:
    assert table(line) == expected


def test_what_is_stored_is_kept_in_the_order_in_which_it_is_shown() -> None:
    found = table('type ip size 1 store gpc1,conn_rate(10s) store http_req_rate(1m) store gpt0,gpc1')
    assert found.stores == (
        Data('gpt0'), Data('conn_rate', period=10_000), Data('http_req_rate', period=60_000), Data('gpc1'),
    )  # fmt: skip
    assert table('type ip size 1 store glitch_rate(1s),glitch_cnt').stores == (
        Data('glitch_cnt'),
        Data('glitch_rate', period=1_000),
    )
    assert table('type ip size 1 store gpc(4),gpc_rate(2,3s),gpt(100)').stores == (
        Data('gpt', 100), Data('gpc', 4), Data('gpc_rate', 2, 3_000),
    )  # fmt: skip


@pytest.mark.parametrize(
    'line, problem',
    [
        ('', 'stick-table: missing size.'),
        ('type', "stick-table: unknown type ''."),
        ('type foo size 1', "stick-table: unknown type 'foo'."),
        ('type ip', 'stick-table: missing size.'),
        ('size 10', 'stick-table: missing type.'),
        ('type ip size', "stick-table: missing argument after 'size'."),
        ('type ip size 1x', "stick-table: unexpected character 'x' in argument of 'size'."),
        ('type ip size 17m', "stick-table: 'size' may be 16777216 at most (got '17m')."),
        ('type ip size 0', 'stick-table: missing size.'),
        ('type ip len 4 size 10', "stick-table: unknown argument 'len'."),
        ('type string len 0 size 1', "stick-table: 'len' expects a length from 1 to 16384 (got '0')."),
        ('type string len', "stick-table: 'len' expects a length from 1 to 16384 (got '')."),
        ('type ip size 1 expire', "stick-table: missing argument after 'expire'."),
        ('type ip size 1 store', "stick-table: missing argument after 'store'."),
        ('type ip size 1 store foo', "stick-table: unknown store option 'foo'."),
        ('type ip size 1 store conn_rate', "stick-table: missing argument to store option 'conn_rate'."),
        ('type ip size 1 store conn_rate(x)', "stick-table: error when processing store option 'conn_rate'."),
        ('type ip size 1 store conn_rate(0)', "stick-table: error when processing store option 'conn_rate'."),
        ('type ip size 1 store conn_cnt(4)', "stick-table: unexpected argument to store option 'conn_cnt'."),
        ('type ip size 1 store gpc', "stick-table: missing argument to store option 'gpc'."),
        ('type ip size 1 store gpc_rate(3)', "stick-table: missing argument to store option 'gpc_rate'."),
        ('type ip size 1 store gpt(0)', "stick-table: array size is out of allowed range (1-100) for store option 'gpt'."),
        ('type ip size 1 store gpc(101)', "stick-table: array size is out of allowed range (1-100) for store option 'gpc'."),
        (
            'type ip size 1 store gpc(2),gpc1',
            "stick-table: simultaneous usage of 'gpc' and 'gpc[0/1]' in a same table is not permitted as 'gpc' overrides 'gpc[0/1]'.",
        ),
        (
            'type ip size 1 store gpt0,gpt(2)',
            "stick-table: simultaneous usage of 'gpt' and 'gpt0' in a same table is not permitted as 'gpt' overrides 'gpt0'.",
        ),
        ('type ip size 1 foo', "stick-table: unknown argument 'foo'."),
        ('type ip size 1 peers p', "stick-table: 'peers' is not supported: tables are not told to others."),
        ('type ip size 1 srvkey foo', "stick-table : unknown server key type 'foo'."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_tables(line: str, problem: str) -> None:
    assert errors(f'{HTTP}backend b\n stick-table {line}\n') == [f'7: {problem}']


def test_one_table_for_a_proxy_and_for_a_name() -> None:
    assert errors(f'{HTTP}backend b\n stick-table type ip size 1\n stick-table type ip size 1\n') == [
        "8: stick-table name 'b' conflicts with table declared at t.cfg:7."
    ]
    two = f'{HTTP}backend b\n stick-table type ip size 1\nfrontend b\n bind :1\n stick-table type ip size 1\n'
    assert errors(two) == ["8: stick-table name 'b' conflicts with another table."]
    assert errors('defaults\n stick-table type ip size 1\n') == ["2: 'stick-table' not allowed in 'defaults' section."]


def test_not_more_tables_than_can_be_handed_on() -> None:
    many = ''.join(f'backend b{number}\n stick-table type ip size 1\n' for number in range(MOST_TABLES + 1))
    assert errors(HTTP + many) == [
        f'{6 + 2 * MOST_TABLES}: there are {MOST_TABLES + 1} stick tables, {MOST_TABLES} at most can be had.'
    ]


STICKY = f'{HTTP}backend t\n stick-table type ip size 1 store gpc0\nbackend b\n stick-table type string size 1\n '


@pytest.mark.parametrize(
    'line, expected',
    [
        ('stick on src', Stick('b', SRC, match=True, store=True)),
        ('stick match src table t', Stick('t', SRC, match=True, store=False)),
        ('stick store-request src table t', Stick('t', SRC, match=False, store=True)),
    ],
)
def test_stick(line: str, expected: Stick) -> None:
    assert snapshot(f'{STICKY}{line}\n').backends[1].rules.sticks == (expected,)


def test_what_is_learnt_of_answers_stands_apart_and_may_have_a_condition() -> None:
    rules = snapshot(f'{STICKY}stick store-response res.hdr(x),lower table t if {{ status 200 }}\n').backends[1].rules
    assert rules.sticks == ()
    stick = rules.answer_sticks[0]
    assert (stick.table, stick.match, stick.store) == ('t', False, True)
    assert stick.condition is not None


def test_a_table_that_is_stuck_by_keeps_the_number_and_the_key_of_servers() -> None:
    found = snapshot(f'{STICKY}stick on src table t\n')
    assert [table.stores for table in found.stick_tables] == [(Data('server_id'), Data('gpc0'), Data('server_key')), ()]
    assert snapshot(f'{STICKY}\n').stick_tables[0].stores == (Data('gpc0'),)


@pytest.mark.parametrize(
    'line, problem',
    [
        ('stick on', "'stick' expects a fetch method."),
        ('stick on foo', "'stick': unknown fetch method 'foo'"),
        ('stick on src foo', "'stick': unknown keyword 'foo'."),
        ('stick on src table', "unable to find stick-table ''."),
        ('stick on src table nix', "unable to find stick-table 'nix'."),
        ('stick on bool(1) table t', "type of fetch not usable with type of stick-table 't'."),
        (
            'stick on res.hdr(x)',
            "'stick': fetch method 'res.hdr' extracts information from 'HTTP response headers', none of which is available here",
        ),
        ('http-request track-sc0', "'http-request track-sc0' : missing fetch method."),
        ('http-request track-sc0 src table', "'http-request track-sc0' : missing table name."),
        ('http-request track-sc0 src table if TRUE', "'http-request track-sc0' : missing table name."),
        ('http-request track-sc0 src table nix', "unable to find table 'nix' referenced by track-sc0."),
        (
            'http-request track-sc0 bool(1) table t',
            "stick-table 't' uses a type incompatible with the 'track-sc0' rule.",
        ),
        (
            'http-request track-sc3 src',
            "'http-request track-sc3' : 3 track-sc number exceeding 2 (MAX_SESS_STKCTR-1) value.",
        ),
        ('http-request track-scx src', "'http-request track-scx' : invalid stick table track ID 'x'"),
        (
            'http-request sc-inc-gpc0(3)',
            "'http-request sc-inc-gpc0(3)' : invalid stick table track ID. The max allowed ID is 2.",
        ),
        (
            'http-request sc-inc-gpc0(x)',
            "'http-request sc-inc-gpc0(x)' : invalid stick table track ID. Expects sc-inc-gpc0(<Track ID>).",
        ),
        (
            'http-request sc-inc-gpc(1)',
            "'http-request sc-inc-gpc(1)' : Missing gpc ID 'sc-inc-gpc(1)'. Expects sc-inc-gpc(<GPC ID>,<Track ID>).",
        ),
        ('http-request sc-inc-gpc(100,0)', "'http-request sc-inc-gpc(100,0)' : invalid gpc ID '100'"),
        ('http-request sc-set-gpt0(0)', "'http-request sc-set-gpt0(0)' : expects a number or an expression"),
        (
            'http-request sc-set-gpt0(0) 4294967296',
            "'http-request sc-set-gpt0(0)' : expects a number from 0 to 4294967295, or an expression (got '4294967296')",
        ),
        (
            'http-request sc-add-gpc(0,0) 99999999999',
            "'http-request sc-add-gpc(0,0)' : expects a number from 0 to 4294967295, or an expression (got '99999999999')",
        ),
        ('http-request deny if { src_conn_cnt(nix) gt 1 }', "unable to find table 'nix' referenced by an expression."),
        ('http-request set-header x %[src,in_table(nix)]', "unable to find table 'nix' referenced by an expression."),
    ],
)
def test_what_is_wrong_with_what_uses_tables(line: str, problem: str) -> None:
    assert [error.partition(': ')[2] for error in errors(f'{STICKY}{line}\n')] == [problem]


def test_without_a_table_of_its_own_a_proxy_names_one() -> None:
    assert backend_error('stick on src') == ["unable to find stick-table 'b'."]
    assert backend_error('http-request track-sc0 src') == ["unable to find table 'b' referenced by track-sc0."]
    assert backend_error('acl a src_conn_cnt gt 1') == ["unable to find table 'b' referenced by an expression."]


@pytest.mark.parametrize(
    'line, expected',
    [
        ('track-sc0 src table t', Track(0, SRC, 't', asked=True)),
        ('track-sc2 path', Track(2, Expression(Call('path')), 'b', asked=True)),
        ('sc-inc-gpc0(1)', Add(1, 'gpc0', 0, 1)),
        ('sc-inc-gpc1', Add(0, 'gpc1', 0, 1)),
        ('sc-inc-gpc(7,2)', Add(2, 'gpc', 7, 1)),
        ('sc-add-gpc(7,2) 40', Add(2, 'gpc', 7, 40)),
        ('sc-add-gpc(0,0) req.hdr_cnt(x)', Add(0, 'gpc', 0, Expression(Call('req.hdr_cnt', ('x',))))),
        ('sc-set-gpt0(1) 5', Tag(1, 'gpt0', 0, 5)),
        ('sc-set-gpt0(1) 4294967295', Tag(1, 'gpt0', 0, 4_294_967_295)),
        ('sc-set-gpt(3,1) int(6)', Tag(1, 'gpt', 3, Expression(Call('int', (6,))))),
    ],
)
def test_actions(line: str, expected: Action) -> None:
    (rule,) = snapshot(f'{STICKY}http-request {line} if TRUE\n').backends[1].rules.request
    assert rule.action == expected
    assert rule.condition is not None


def test_connections_are_tracked_and_no_request_is_counted_for_them() -> None:
    lines = 'frontend f\n bind :1\n tcp-request connection track-sc0 src table t\n tcp-request session sc-inc-gpc0(0)\n'
    rules = snapshot(f'{STICKY}\n{lines} tcp-request content track-sc1 src table t\n').frontends[0].rules
    assert rules.connection[0].action == Track(0, SRC, 't', asked=False)
    assert rules.session[0].action == Add(0, 'gpc0', 0, 1)
    assert rules.content[0].action == Track(1, SRC, 't', asked=True)


def test_servers_that_are_not_to_be_learnt() -> None:
    lines = 'server a 127.0.0.1:1\n server b 127.0.0.1:2 non-stick\n default-server non-stick\n server c 127.0.0.1:3 stick\n'
    servers = snapshot(f'{STICKY}{lines}').backends[1].servers
    assert [server.non_stick for server in servers] == [False, True, False]
