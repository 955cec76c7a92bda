"""`force-persist`, `ignore-persist`, dynamic cookies, connections of a client's own, and timeouts and retries set by rules."""

from __future__ import annotations

import pytest

from dataplane.core.model import Timeouts
from dataplane.rules.actions import SendOnce, SetRetries, SetTimeout
from tests.unit.config.loading import HTTP, errors, snapshot, warnings

BACKEND = f'{HTTP}backend b\n server s 127.0.0.1:1\n'
FRONTEND = f'{HTTP}frontend f\n bind :80\n default_backend b\nbackend b\n server s 127.0.0.1:1\n'


def test_what_a_backend_has_of_it() -> None:
    lines = (
        ' acl x path /x\n force-persist if x\n ignore-persist unless { path /y }\n option persist\n option prefer-last-server\n'
        ' max-keep-alive-queue 3\n http-send-name-header X-Name\n dynamic-cookie-key k\n cookie S insert dynamic\n'
    )
    (backend,) = snapshot(BACKEND + lines).backends
    assert [rule.ignore for rule in backend.rules.persistence] == [False, True]
    assert backend.persist
    assert backend.prefer_last_server
    assert (backend.max_keep_alive_queue, backend.send_name_header, backend.cookie_key) == (3, 'X-Name', 'k')
    assert backend.cookie is not None
    assert backend.cookie.dynamic


def test_what_it_begins_with() -> None:
    (backend,) = snapshot(BACKEND).backends
    assert not backend.rules.persistence
    assert (backend.persist, backend.prefer_last_server, backend.cookie_key) == (False, False, '')
    assert backend.send_name_header == ''
    assert backend.max_keep_alive_queue is None
    (backend,) = snapshot(BACKEND + ' max-keep-alive-queue -1\n option persist\n no option persist\n').backends
    assert backend.max_keep_alive_queue is None
    assert not backend.persist


def test_a_frontend_has_its_connections() -> None:
    (frontend,) = snapshot(FRONTEND.replace(' bind', ' max-session-srv-conns 0\n bind')).frontends
    assert frontend.max_session_srv_conns == 0


@pytest.mark.parametrize(
    'line,text',
    [
        ('force-persist', "'force-persist' requires either 'if' or 'unless' followed by a condition."),
        ('ignore-persist path /x', "'ignore-persist' requires either 'if' or 'unless' followed by a condition."),
        ('force-persist if nothing', "no such ACL : 'nothing'"),
        ('dynamic-cookie-key', "'dynamic-cookie-key' expects <key> as argument."),
        ('http-send-name-header', "'http-send-name-header' requires a header string."),
        ('http-send-name-header a:b', "'http-send-name-header' cannot be 'a:b'."),
        ('http-send-name-header Host', "'http-send-name-header' cannot be 'Host'."),
        ('max-keep-alive-queue x', "'max-keep-alive-queue'"),
        ('persist rdp-cookie', "'persist rdp-cookie' in 'backend' section is not supported"),
    ],
)
def test_what_is_wrong(line: str, text: str) -> None:
    (found,) = errors(f'{BACKEND} {line}\n')
    assert found.startswith('8: ')
    assert text in found


def test_where_it_does_not_belong() -> None:
    assert errors(f'{HTTP} force-persist if TRUE\n') == ["6: 'force-persist' not allowed in 'defaults' section."]
    found = warnings(FRONTEND.replace(' bind', ' force-persist if TRUE\n option persist\n bind'))
    assert found == [
        "7: 'force-persist' ignored because frontend 'f' has no backend capability.",
        "8: 'persist' ignored because frontend 'f' has no backend capability.",
    ]


def test_actions_about_timeouts_and_retries() -> None:
    lines = (
        ' http-request set-timeout server 5s\n http-request set-timeout tunnel int(7)\n http-request set-retries 2 if TRUE\n'
        ' http-request set-retries int(1)\n http-request disable-l7-retry\n http-response set-timeout server 3ms\n'
        ' tcp-request content set-retries 4\n'
    )
    rules = snapshot(BACKEND + lines).backends[0].rules
    server, tunnel, retries, other, once = (rule.action for rule in rules.request)
    assert server == SetTimeout('server', 5_000)
    assert isinstance(tunnel, SetTimeout)
    assert not isinstance(tunnel.value, int)
    assert retries == SetRetries(2)
    assert isinstance(other, SetRetries)
    assert once == SendOnce()
    assert rules.response[0].action == SetTimeout('server', 3)
    assert rules.content[0].action == SetRetries(4)
    assert all(hasattr(Timeouts(), name) for name in ('server', 'tunnel', 'client', 'connect', 'queue', 'tarpit'))


@pytest.mark.parametrize(
    'line,text',
    [
        ('set-timeout', "expects one of 'server', 'tunnel', 'client', 'connect', 'queue', 'tarpit' (got '')"),
        ('set-timeout check 5s', "(got 'check')"),
        ('set-timeout server', "expects a time or an expression behind 'server'"),
        ('set-timeout server 0', "null value is not valid for 'server'"),
        ('set-timeout client 5s', "'client' needs a proxy with frontend capability"),
        ('set-timeout server nothing', 'nothing'),
        ('set-retries', 'expects a number or an expression'),
        ('disable-l7-retry now', 'now'),
    ],
)
def test_actions_that_are_wrong(line: str, text: str) -> None:
    (found,) = errors(f'{BACKEND} http-request {line}\n')
    assert found.startswith('8: ')
    assert text in found


@pytest.mark.parametrize('line', ['set-timeout server 5s', 'set-retries 2'])
def test_a_frontend_has_no_server_to_wait_for(line: str) -> None:
    (found,) = errors(FRONTEND.replace(' bind', f' http-request {line}\n bind'))
    assert 'needs a proxy with backend capability' in found
