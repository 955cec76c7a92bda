from __future__ import annotations

import pytest

from tests.unit.config.loading import HTTP, errors, snapshot, warnings

CONTROLLED = 'global\n control-plane ws://cp\n'


def test_a_whole_proxy_gives_no_warning() -> None:
    assert warnings(f'{HTTP}frontend f\n bind :80\n default_backend b\nbackend b\n server s 1.1.1.1:1\n') == []


@pytest.mark.parametrize(
    'first, second, complaint',
    [
        ('frontend x', 'frontend x', "frontend 'x' has the same name as frontend 'x' declared at t.cfg:6."),
        ('backend x', 'backend x', "backend 'x' has the same name as backend 'x' declared at t.cfg:6."),
        ('frontend x', 'listen x', "listen 'x' has the same name as frontend 'x' declared at t.cfg:6."),
        ('listen x', 'backend x', "backend 'x' has the same name as listen 'x' declared at t.cfg:6."),
    ],
)
def test_names_are_given_once(first: str, second: str, complaint: str) -> None:
    assert errors(f'{HTTP}{first}\n{second}\n') == [f'7: {complaint}']


def test_a_frontend_and_a_backend_may_share_a_name() -> None:
    found = snapshot(f'{HTTP}frontend x\n bind :80\n default_backend x\nbackend x\n')
    assert (found.frontends[0].name, found.backends[0].name) == ('x', 'x')


def test_ids_of_proxies_are_given_once() -> None:
    assert errors(f'{HTTP}backend a\n id 7\nfrontend b\n bind :80\n id 7\n') == [
        '10: frontend b reuses same custom id as backend a (declared at t.cfg:6).'
    ]


@pytest.mark.parametrize('mode', ['', ' mode tcp\n'])
def test_a_proxy_must_be_http(mode: str) -> None:
    (found,) = errors(f'defaults\n{mode}frontend f\n bind :80\n')
    assert 'mode tcp' in found


def test_the_message_about_the_mode_says_why() -> None:
    assert errors('frontend f\n bind :80\nlisten l\n mode tcp\n bind :81\n') == [
        "1: frontend 'f' has no 'mode http': HAProxy's default is 'mode tcp', which is not supported yet.",
        "3: listen 'l' is of 'mode tcp', which is not supported yet.",
    ]


@pytest.mark.parametrize('mode', ['', ' mode tcp\n'])
def test_a_backend_without_traffic_may_be_tcp(mode: str) -> None:
    assert (
        errors(
            f'backend b\n{mode} server s 1.1.1.1:1 check\n{HTTP}listen l\n bind :80\n server s 1.1.1.1:1 track b/s\n'
        )
        == []
    )


@pytest.mark.parametrize(
    'keyword, role',
    [('default_backend', 'as its default backend'), ('use_backend', "in a 'use_backend' rule")],
)
def test_a_tcp_backend_gets_no_traffic(keyword: str, role: str) -> None:
    assert errors(f'{HTTP}frontend f\n bind :80\n {keyword} b\nbackend b\n mode tcp\n') == [
        f"8: http frontend 'f' (t.cfg:6) tries to use incompatible tcp backend 'b' (t.cfg:9) {role} (see 'mode')."
    ]


@pytest.mark.parametrize('keyword', ['default_backend', 'use_backend'])
def test_backends_must_exist(keyword: str) -> None:
    text = f'{HTTP}frontend f\n bind :80\n {keyword} x\n'
    assert errors(text) == [f"8: Proxy 'f': unable to find required {keyword}: 'x'."]
    assert errors(text + ' disabled\n') == []
    assert errors(f'{text}frontend x\n bind :81\n') == [
        f"8: Proxy 'f': '{keyword}' : 'x' at t.cfg:9 has no backend capability."
    ]
    assert errors(f'{text}listen x\n bind :81\n stats enable\n') == [
        f"8: '{keyword}' : 'x' serves statistics, it is no backend."
    ]


def test_with_a_control_plane_a_backend_may_be_pushed() -> None:
    assert warnings(f'{HTTP}{CONTROLLED}frontend f\n bind :80\n default_backend x\n') == [
        "10: Proxy 'f': default_backend 'x' is not in the file; it must come from the control plane."
    ]


def test_rules_that_hide_others_are_said() -> None:
    text = f'{HTTP}listen l\n bind :80\n default_backend b\n server s 1.1.1.1\nbackend b\nfrontend f\n bind :81\n use_backend b\n use-routes\n'
    assert warnings(text) == [
        "8: In proxy 'l', the 'default_backend' rule always has precedence over the servers, which will never be used.",
        "13: In proxy 'f', the 'use_backend' rule has no condition: pushed routes and own servers will never be used.",
    ]


@pytest.mark.parametrize(
    'section, missing',
    [
        ('frontend x\n bind :80\n', "frontend 'x': 'client'."),
        ('listen x\n bind :80\n', "listen 'x': 'client'."),
        ('listen x\n bind :80\n server s 1.1.1.1\n', "listen 'x': 'client', 'connect', 'server'."),
        (
            'listen x\n bind :80\n server s 1.1.1.1\n timeout client 0\n timeout connect 1\n timeout server 1\n',
            "listen 'x': 'client'.",
        ),
    ],
)
def test_missing_timeouts_are_said(section: str, missing: str) -> None:
    (found,) = warnings(f'defaults\n mode http\n{section}')
    assert found.startswith(f'3: missing timeouts for {missing}')


def test_a_backend_without_servers_needs_no_timeouts() -> None:
    assert warnings('defaults\n mode http\nbackend b\nfrontend f\n bind :80\n timeout client 1\n') == []


def test_a_frontend_that_listens_nowhere_is_said() -> None:
    assert warnings(f'{HTTP}frontend f\nfrontend g\n bind :80\n') == [
        "6: frontend 'f' has no 'bind' directive. Please declare it as a backend if this was intended."
    ]


def test_a_log_format_without_a_log_is_said() -> None:
    text = f'{HTTP}frontend f\n bind :80\n option httplog\n'
    assert warnings(text) == ["6: log format ignored for frontend 'f' since it has no log address."]
    assert warnings(f'{text} log global\n') == []


def test_accounts_and_rules_exclude_each_other() -> None:
    text = f'{HTTP}listen l\n bind :80\n stats http-request auth\n'
    assert errors(text) == []
    for line in ('stats auth u:p', 'stats realm r'):
        assert errors(f'{text} {line}\n') == [
            "6: proxy 'l': stats 'auth'/'realm' and 'http-request' can't be used at the same time."
        ]


def test_servers_are_counted() -> None:
    servers = ''.join(f' server s{number} 1.1.1.1:1\n' for number in range(16_385))
    assert errors(f'{HTTP}backend b\n{servers}') == ['16391: more than 16384 servers.']
