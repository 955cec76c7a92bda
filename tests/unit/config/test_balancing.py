"""How a backend balances: `balance` with all its words, and what the lines about hashes say."""

from __future__ import annotations

import pytest

from dataplane.core.model import Balance
from dataplane.rules.model import Call, Expression
from tests.unit.config.loading import HTTP, errors, snapshot, warnings

# line 10 is where a test's own begins
BACK = f'{HTTP}frontend f\n bind :80\n default_backend b\nbackend b\n '


def balance(lines: str) -> Balance:
    (backend,) = snapshot(BACK + lines.replace('; ', '\n ') + '\n').backends
    return backend.balance


@pytest.mark.parametrize(
    'lines, said',
    [
        ('balance static-rr', Balance(algorithm='static-rr')),
        ('balance sticky', Balance(algorithm='sticky')),
        ('balance source', Balance(algorithm='source')),
        ('balance uri', Balance(algorithm='uri')),
        (
            'balance uri len 5 depth 2 whole path-only',
            Balance(algorithm='uri', length=5, depth=2, whole=True, path_only=True),
        ),
        ('balance url_param id', Balance(algorithm='url_param', name='id')),
        ('balance hdr(X-Key)', Balance(algorithm='hdr', name='X-Key')),
        ('balance hdr(host) use_domain_only', Balance(algorithm='hdr', name='host', domain_only=True)),
        (
            'balance hash path,lower',
            Balance(algorithm='hash', key=Expression(Call('path'), (Call('lower'),))),
        ),
        ('hash-type map-based', Balance()),
        ('hash-type map-based djb2 avalanche', Balance(function='djb2', avalanche=True)),
        ('hash-type consistent', Balance(consistent=True, avalanche=True)),
        ('hash-type consistent sdbm', Balance(consistent=True)),
        ('hash-type consistent none', Balance(consistent=True, function='none')),
        ('hash-type consistent; balance uri', Balance(algorithm='uri', consistent=True, avalanche=True)),
        ('balance uri len 5; balance source', Balance(algorithm='source')),
        ('hash-balance-factor 150; balance uri', Balance(algorithm='uri', factor=150)),
        ('hash-balance-factor 150; hash-balance-factor 0', Balance()),
        ('hash-preserve-affinity maxqueue', Balance(affinity='maxqueue')),
    ],
)
def test_what_lines_say(lines: str, said: Balance) -> None:
    assert balance(lines) == said


def test_a_defaults_section_says_it_for_all() -> None:
    text = f'{HTTP} balance uri\n hash-type consistent\nfrontend f\n bind :80\n default_backend b\nbackend b\n balance source\n'
    assert snapshot(text).backends[0].balance == Balance(algorithm='source', consistent=True, avalanche=True)


@pytest.mark.parametrize(
    'line, complaint',
    [
        ('balance hash', 'balance hash requires a sample expression.'),
        ('balance hash foo', "balance hash : unknown fetch method 'foo'"),
        ('balance hash path x', "'balance' cannot handle unexpected argument 'x'."),
        (
            'balance hash nbsrv',
            "balance hash : 'nbsrv' is not supported here: only what is in the head of a request is.",
        ),
        (
            'balance hash path,add(txn.x)',
            "balance hash : 'add' is not supported here: only what is in the head of a request is.",
        ),
        ('balance rdp-cookie(x)', "'balance rdp-cookie(x)' is not supported: it needs tcp mode."),
        ('balance source x', "'balance' cannot handle unexpected argument 'x'."),
        ('balance uri len', "balance uri : 'len' expects a positive integer (got '')."),
        ('balance uri depth 0', "balance uri : 'depth' expects a positive integer (got '0')."),
        (
            'balance uri foo',
            "balance uri only accepts parameters 'len', 'depth', 'path-only', and 'whole' (got 'foo').",
        ),
        ('balance url_param', 'balance url_param requires an URL parameter name.'),
        (
            'balance url_param x check_post',
            "'balance url_param ... check_post' is not supported: bodies are streamed, never gathered.",
        ),
        ('balance url_param x y', "balance url_param only accepts 'check_post' modifier (got 'y')."),
        ('balance hdr', 'balance hdr requires an http header field name.'),
        ('balance hdr()', 'balance hdr requires an http header field name.'),
        ('balance hdr(x) y', "balance hdr(x) only accepts 'use_domain_only' modifier (got 'y')."),
        ('hash-type', "'hash-type' only supports 'consistent' and 'map-based' (got '')."),
        (
            'hash-type avalanche',
            "'hash-type avalanche' is not supported anymore, please use 'hash-type map-based sdbm avalanche' instead.",
        ),
        (
            'hash-type consistent md5',
            "'hash-type' only supports 'sdbm', 'djb2', 'crc32', 'wt6' and 'none' hash functions (got 'md5').",
        ),
        (
            'hash-type consistent sdbm x',
            "'hash-type' only supports 'avalanche' as a modifier for hash functions (got 'x').",
        ),
        ('hash-balance-factor', "'hash-balance-factor' expects an integer argument."),
        ('hash-balance-factor 100', "'hash-balance-factor' must be 0 or greater than 100."),
        (
            'hash-preserve-affinity x',
            "'hash-preserve-affinity' only supports 'always', 'maxconn', 'maxqueue' (got 'x').",
        ),
        (
            'use-server s',
            "'use-server' expects a server and a condition behind 'if' or 'unless' (got '').",
        ),
    ],
)
def test_what_is_wrong_is_named(line: str, complaint: str) -> None:
    assert errors(f'{BACK}{line}\n') == [f'10: {complaint}']


def test_servers_by_template() -> None:
    lines = 'server a 127.0.0.1:1\n server-template s 2-4 127.0.0.1:80 weight 3 id 10\n server-template t 2 h:81\n server z 1.1.1.1:2'
    servers = snapshot(f'{BACK}{lines}\n').backends[0].servers
    assert [(s.name, s.id, s.host, s.port, s.weight) for s in servers] == [
        ('a', 1, '127.0.0.1', 1, 1), ('s2', 10, '127.0.0.1', 80, 3), ('s3', 3, '127.0.0.1', 80, 3),
        ('s4', 4, '127.0.0.1', 80, 3), ('t1', 5, 'h', 81, 1), ('t2', 6, 'h', 81, 1), ('z', 7, '1.1.1.1', 2, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    'line, complaint',
    [
        ('server-template s', "'server-template' expects <prefix> <nb | range> <addr>[:<port>] as arguments."),
        ('server-template s 3', "'server-template' expects <prefix> <nb | range> <addr>[:<port>] as arguments."),
        ('server-template s 3-1 x:1', "Wrong server-template number or range arg '3-1'."),
        ('server-template s 0 x:1', "Wrong server-template number or range arg '0'."),
        ('server-template s 99999 x:1', "Wrong server-template number or range arg '99999'."),
        ('server-template s/ 2 x:1', "character '/' is not permitted in server name 's/1'."),
        ('default-server id 3', "'default-server' : 'id' option is not accepted in default-server sections"),
        ('server a x:1 hash-key foo', "'server b/a' : 'hash-key' only supports 'id', 'addr', 'addr-port' (got 'foo')."),
        (
            'server a x:1 slowstart x',
            "'server b/a' : unexpected character 'x' in 'slowstart' (got 'x'; units are us, ms, s, m, h, d)",
        ),
    ],
)
def test_wrong_servers(line: str, complaint: str) -> None:
    assert errors(f'{BACK}{line}\n') == [f'10: {complaint}']


def test_slowstart_is_kept_in_whole_seconds_and_both_come_from_defaults() -> None:
    lines = 'default-server slowstart 1500ms hash-key addr\n server a x:1\n server b x:1 slowstart 0 hash-key id\n server c x:1 hash-key addr-port'
    servers = snapshot(f'{BACK}{lines}\n').backends[0].servers
    assert [(s.slowstart, s.hash_key) for s in servers] == [(2_000, 'addr'), (0, 'id'), (2_000, 'addr-port')]


def test_default_servers_are_inherited_by_name() -> None:
    text = (
        'defaults one\n mode http\n timeout client 1s\n timeout connect 1s\n timeout server 1s\n default-server weight 7 slowstart 3s\n'
        'defaults two from one\n default-server backup\n'
        'frontend f from one\n bind :80\n default_backend b\nbackend b from two\n server a x:1\n'
        'backend c from one\n default-server weight 8\n server a x:1\n server b x:1 weight 9\n'
    )
    assert [(s.weight, s.slowstart, s.backup) for backend in snapshot(text).backends for s in backend.servers] == [
        (7, 3_000, True), (8, 3_000, False), (9, 3_000, False),
    ]  # fmt: skip


def test_lines_about_hashes_are_for_backends() -> None:
    text = f'{HTTP}frontend f\n bind :80\n hash-type consistent\n default_backend b\nbackend b\n'
    assert warnings(text)[0] == "8: 'hash-type' ignored because frontend 'f' has no backend capability."
