from __future__ import annotations

import pytest

from dataplane.core.model import Server
from tests.unit.config.loading import HTTP, backend, backend_error, errors, snapshot, warnings


def server(words: str, before: str = '') -> Server:
    return backend(f'{before}\n server s 127.0.0.1:80 {words}').servers[0]


def test_a_plain_line() -> None:
    assert backend('server s 127.0.0.1:80').servers == (
        Server(name='s', id=1, host='127.0.0.1', port=80, where='t.cfg:7'),
    )


def test_every_setting() -> None:
    found = server(
        'weight 7 maxconn 9 minconn 2 maxqueue 3 backup disabled id 12 pool-max-conn 4 pool-purge-delay 2s max-reuse 0'
    )
    assert found == Server(
        name='s', id=12, forced_id=True, host='127.0.0.1', port=80, weight=7, maxconn=9, minconn=2, maxqueue=3, backup=True, disabled=True,
        pool_max_conn=4, pool_purge_delay=2_000, max_reuse=0, where=found.where,
    )  # fmt: skip


def test_default_server_counts_for_the_lines_that_follow() -> None:
    found = backend(
        'server a 1.1.1.1:1\n default-server maxconn 5 backup\n default-server weight 3 disabled\n'
        ' server b 1.1.1.1:1\n server c 1.1.1.1:1 no-backup enabled maxconn 6 weight 0\n'
    ).servers
    assert [(server.maxconn, server.weight, server.backup, server.disabled) for server in found] == [
        (0, 1, False, False),
        (5, 3, True, True),
        (6, 0, False, False),
    ]


def test_default_server_is_inherited_from_defaults_and_not_given_back() -> None:
    text = f'{HTTP} default-server maxconn 5\nbackend a\n default-server weight 9\n server s 1.1.1.1:1\nbackend b\n server s 1.1.1.1:1\n'
    assert errors(text) == []
    found = snapshot(text).backends
    assert [(be.servers[0].maxconn, be.servers[0].weight) for be in found] == [(5, 9), (5, 1)]


@pytest.mark.parametrize(
    'words, maxconn, minconn',
    [
        ('', 0, 0),
        ('maxconn 4', 4, 4),
        ('minconn 3', 3, 3),
        ('maxconn 4 minconn 3', 4, 3),
        ('maxconn 3 minconn 5', 5, 5),
    ],
)
def test_haproxys_rule_for_limits(words: str, maxconn: int, minconn: int) -> None:
    found = server(words)
    assert (found.maxconn, found.minconn) == (maxconn, minconn)


def test_a_minconn_above_maxconn_is_said() -> None:
    text = f'{HTTP}listen l\n bind :80\n server s 1.1.1.1:1 minconn 5 maxconn 3\n'
    assert warnings(text) == ["8: 'server l/s' : minconn 5 is above maxconn, which becomes the same."]


def test_ids_are_given_as_haproxy_gives_them() -> None:
    lines = ('a', 'b id 5', 'c', 'd id 3', 'e')
    found = backend(
        '\n '.join(f'server {line.split()[0]} 1.1.1.1:1 {" ".join(line.split()[1:])}' for line in lines)
    ).servers
    assert [server.id for server in found] == [1, 5, 4, 3, 6]


def test_every_wrong_word_of_a_line_is_named() -> None:
    assert backend_error('server s 1.1.1.1:1 check-ssl inter 0 weight 999 tfo maxconn') == [
        "'server b/s' : 'check-ssl' is not supported: checks speak plain HTTP or TCP.",
        "'server b/s' : invalid value 0 for argument 'inter'.",
        "'server b/s' : 'weight' value must be between 0 and 256 (was 999)",
        "'server b/s' : 'maxconn' expects an argument.",
    ]


@pytest.mark.parametrize(
    'line, complaint',
    [
        ('server', "'server' expects <name> and <addr>[:<port>] as arguments."),
        ('server a', "'server' expects <name> and <addr>[:<port>] as arguments."),
        ('server a/b 1.1.1.1', "character '/' is not permitted in server name 'a/b'."),
        ('server a 1.1.1.1:x', "'server b/a' : invalid port 'x' in '1.1.1.1:x'."),
        ('server a 1.1.1.1 foo', "'server b/a' : unknown keyword 'foo'."),
        ('server a 1.1.1.1 wieght 5', "'server b/a' : unknown keyword 'wieght'; did you mean 'weight' maybe ?"),
        ('server a 1.1.1.1 id 0', "'server b/a' : 'id' value must be between 1 and 2147483647 (was 0)"),
        ('server a 1.1.1.1 pool-max-conn -2', "'server b/a' : 'pool-max-conn' value must be between -1 and 2147483647 (was -2)"),
        ('server a 1.1.1.1 ssl', "'server b/a' : 'ssl' is not supported: TLS is not supported yet."),
        ('default-server', "'default-server' expects at least one setting."),
        ('default-server weight', "'default-server' : 'weight' expects an argument."),
        ('default-server check-ssl', "'default-server' : 'check-ssl' is not supported: checks speak plain HTTP or TCP."),
    ],
)  # fmt: skip
def test_what_is_no_server_line(line: str, complaint: str) -> None:
    assert backend_error(line) == [complaint]


def test_harmless_words_are_accepted_with_a_warning() -> None:
    text = f'{HTTP}listen l\n bind :80\n server s 1.1.1.1:1 no-check-ssl pool-low-conn 5\n'
    assert [found.partition(' has no effect')[0] for found in warnings(text)] == [
        "8: 'server l/s' : 'no-check-ssl'",
        "8: 'server l/s' : 'pool-low-conn'",
    ]


def test_names_and_ids_are_given_once_per_backend() -> None:
    text = f'{HTTP}backend b\n server a 1.1.1.1\n server a 1.1.1.2\n server c 1.1.1.1 id 7\n server d 1.1.1.1 id 7\nbackend c\n server a 1.1.1.1\n'
    assert errors(text) == [
        "8: backend 'b', another server named 'a' was already defined at line 7, please use distinct names.",
        "10: 'server b/d' : 'id' : custom id 7 already used at t.cfg:9 ('server c').",
    ]


def test_a_server_that_has_errors_is_not_said_to_be_missing() -> None:
    assert backend_error('server a 1.1.1.1 foo\n server a 1.1.1.1') == ["'server b/a' : unknown keyword 'foo'."]


def test_words_about_tls_have_no_effect_without_ssl() -> None:
    text = f'{HTTP} default-server verify none\nfrontend f\n bind :80\n default_backend b\nbackend b\n server a 1.1.1.1:1 sni str(x)\n'
    assert [warning.partition(' has no effect')[0] for warning in warnings(text)] == [
        "6: 'default-server' : 'verify'", "11: 'server b/a' : 'sni'",
    ]  # fmt: skip
    assert backend_error('server a 1.1.1.1:1 ssl verify none') == [
        "'server b/a' : 'ssl' is not supported: TLS is not supported yet."
    ]
