from __future__ import annotations

import pytest

from dataplane.config import load
from dataplane.config.compile import number
from dataplane.core.model import Timeouts
from dataplane.rules.actions import EXPORTER, UseService
from tests.unit.config.loading import HTTP, backend, frontend, snapshot


@pytest.mark.parametrize(
    'given, first, ids',
    [
        ([], 2, []),
        ([0, 0], 2, [2, 3]),
        ([0, 5, 0, 3, 0], 1, [1, 5, 4, 3, 6]),
        ([0, 0, 3, 0, 0, 7, 0, 0], 2, [2, 4, 3, 6, 8, 7, 10, 11]),
        ([2, 0], 2, [2, 3]),
    ],
)
def test_numbers_are_given_as_haproxy_gives_them(given: list[int], first: int, ids: list[int]) -> None:
    assert number(given, first) == ids


def test_proxies_are_numbered_from_2_in_their_order() -> None:
    found = snapshot(
        f'{HTTP}frontend a\n bind :1\nlisten b\n bind :2\nlisten stats\n bind :3\n stats enable\nbackend c\n'
    )
    assert [fe.id for fe in found.frontends] == [2, 3]
    assert [be.id for be in found.backends] == [3, 5]


def test_timeouts_fall_back_as_the_manual_says() -> None:
    text = 'defaults\n mode http\n timeout connect 5s\n timeout http-request 3s\n timeout tunnel 1h\n timeout client 0\nbackend b\n'
    assert snapshot(text).backends[0].timeouts == Timeouts(
        connect=5_000, queue=5_000, tarpit=5_000, http_request=3_000, http_keep_alive=3_000, tunnel=3_600_000
    )
    own = (
        snapshot(f'{text} timeout queue 1s\n timeout http-keep-alive 0\n timeout server-fin 2s\n').backends[0].timeouts
    )
    assert (own.queue, own.http_keep_alive, own.server_fin) == (1_000, None, 2_000)


def test_a_listen_is_its_own_default_backend() -> None:
    found = snapshot(
        f'{HTTP}backend b\nlisten l\n bind :1\nlisten m\n bind :2\n default_backend b\nfrontend f\n bind :3\n'
    ).frontends
    assert [fe.default_backend for fe in found] == ['l', 'b', None]


def test_the_command_lines_maxconn_goes_before_the_files() -> None:
    text = f'global\n maxconn 100\n{HTTP}frontend f\n bind :80\n'
    found = load([('t', text)], {}, cores=1, maxconn=7).snapshot
    assert (found.globals.maxconn, found.frontends[0].maxconn) == (7, 7)
    assert load([('t', text)], {}, cores=1).snapshot.frontends[0].maxconn == 100


def test_the_machines_name_is_the_nodes_and_the_logs() -> None:
    text = f'global\n log-send-hostname\n log stdout local0\n{HTTP}frontend f\n bind :80\n log global\n log stderr local1\n'
    found = load([('t', text)], {}, cores=1, hostname='box').snapshot
    assert (found.globals.node, found.globals.log_send_hostname) == ('box', 'box')
    assert [target.format for target in found.frontends[0].log_targets] == ['rfc3164', 'rfc3164']
    assert load([('t', 'global\n node n\n')], {}, cores=1, hostname='box').snapshot.globals.node == 'n'


def test_lines_about_servers_go_where_their_backend_says() -> None:
    text = (
        f'{HTTP}backend a\n log stderr local1\n log-tag t\nbackend b\n log global\nbackend c\nlisten l\n bind :80\n log global\n'
        'global\n log stdout local0\n'
    )
    found = snapshot(text).backends
    assert [[(target.address, target.tag) for target in backend.log_targets] for backend in found] == [
        [('stderr', 't')],
        [('stdout', '')],
        [],
        [('stdout', '')],
    ]


def test_log_global_means_the_global_section_wherever_it_stands() -> None:
    text = f'{HTTP} log global\nfrontend f\n bind :80\n log stderr local1\nfrontend g\n bind :81\n no log\nglobal\n log stdout local0\n'
    found = snapshot(text).frontends
    assert [[target.address for target in fe.log_targets] for fe in found] == [['stdout', 'stderr'], []]


@pytest.mark.parametrize(
    'sections, fullconn',
    [
        ('backend b\n', 1),
        ('backend b\n fullconn 7\n', 7),
        ('frontend f\n bind :1\n maxconn 95\n default_backend b\nbackend b\n', 10),
        (
            'frontend f\n bind :1\n maxconn 95\n use_backend b\nfrontend g\n bind :2\n maxconn 6\n default_backend b\nbackend b\n',
            11,
        ),
        ('frontend f\n bind :1\n maxconn 95\nbackend b\n', 1),
        ('listen b\n bind :1\n maxconn 50\n', 5),
        ('backend c\nlisten b\n bind :1\n maxconn 50\n default_backend c\n', 5),
        ('frontend f\n bind :1\n default_backend b\nbackend b\n', 1_000),
    ],
)
def test_fullconn_is_a_tenth_of_what_may_come(sections: str, fullconn: int) -> None:
    (found,) = (be for be in snapshot(f'{HTTP}{sections}').backends if be.name == 'b')
    assert found.fullconn == fullconn


def test_a_stats_listener_is_no_frontend() -> None:
    text = (
        f'{HTTP}listen stats\n bind 127.0.0.1:8404\n stats enable\n stats uri /stats\n'
        ' http-request use-service prometheus-exporter if { path /m }\n'
    )
    found = snapshot(text)
    assert (found.frontends, found.backends) == ((), ())
    (listener,) = found.stats_listeners
    assert (listener.name, listener.page and listener.page.uri, listener.metrics_path, listener.where) == (
        'stats',
        '/stats',
        '/m',
        't.cfg:6',
    )
    assert [bind.address for bind in listener.binds] == ['127.0.0.1:8404']


@pytest.mark.parametrize(
    'lines, uri, metrics',
    [
        ('stats enable', '/haproxy?stats', None),
        ('stats uri /', '/', None),
        ('http-request use-service prometheus-exporter', '', ''),
        ('stats uri /s\n http-request use-service prometheus-exporter if { path /m }', '/s', '/m'),
    ],
)
def test_what_a_stats_listener_serves(lines: str, uri: str, metrics: str | None) -> None:
    (listener,) = snapshot(f'{HTTP}frontend stats\n bind :1\n {lines}\n').stats_listeners
    assert ('' if listener.page is None else listener.page.uri, listener.metrics_path) == (uri, metrics)


@pytest.mark.parametrize(
    'lines',
    [
        'http-request use-service prometheus-exporter if { path /m } { src 127.0.0.1 }',
        'http-request use-service prometheus-exporter if { path /m /n }',
        'http-request use-service prometheus-exporter if { path -i /m }',
        'http-request use-service prometheus-exporter if { path,lower /m }',
        'http-request use-service prometheus-exporter if { path_beg /m }',
        'http-request use-service prometheus-exporter unless { path /m }',
        'http-request use-service prometheus-exporter if !{ path /m }',
        'http-request use-service prometheus-exporter if { path /m } or { path /n }',
        'acl m path /m\n http-request use-service prometheus-exporter if m',
        'http-request use-service prometheus-exporter\n http-request deny',
        'http-request use-service prometheus-exporter\n http-request use-service prometheus-exporter',
        'http-request use-service prometheus-exporter\n use_backend b',
    ],
)
def test_what_asks_for_more_than_a_path_is_asked_by_workers(lines: str) -> None:
    found = snapshot(f'{HTTP}backend b\nfrontend f\n bind :1\n {lines}\n')
    assert found.stats_listeners == ()
    assert found.frontends[0].rules.request[0].action == UseService(EXPORTER)


def test_a_backend_and_a_section_of_defaults_may_have_the_exporter() -> None:
    rule = ' http-request use-service prometheus-exporter if { path /m }\n'
    found = snapshot(f'{HTTP}backend b\n{rule}')
    assert found.backends[0].rules.request[0].action == UseService(EXPORTER)
    text = 'defaults d\n mode http\n timeout client 1s\n'
    (listener,) = snapshot(f'{text}{rule}frontend f from d\n bind :1\n').stats_listeners
    assert listener.metrics_path == '/m'


def test_a_disabled_stats_listener_is_left_out() -> None:
    assert snapshot(f'{HTTP}listen stats\n bind :1\n stats enable\n disabled\n').stats_listeners == ()


def test_where_everything_came_from_is_kept() -> None:
    assert frontend('').where == 't.cfg:7'
    assert frontend('').binds[0].where == 't.cfg:8'
    assert backend('server s 1.1.1.1').servers[0].where == 't.cfg:7'
