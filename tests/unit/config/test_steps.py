"""Actions that wait, hint, normalise, or change addresses."""

from __future__ import annotations

import pytest

from dataplane.rules.model import Call, Expression, Format
from dataplane.rules.steps import (
    EarlyHint,
    End,
    Normalizer,
    NormalizeUri,
    Nothing,
    Pause,
    SetAddress,
    SetTos,
    StrictMode,
    WaitBody,
)
from tests.unit.config.loading import HTTP, backend, backend_error, frontend, frontend_error, snapshot, warnings

INT = Expression(Call('int', (5,)))


@pytest.mark.parametrize(
    'rule, action',
    [
        ('wait-for-body time 1s', WaitBody(1_000)),
        ('wait-for-body at-least 1k time 5', WaitBody(5, 1_024)),
        ('pause 10ms', Pause(10)),
        ('pause int(5)', Pause(INT)),
        ('early-hint Link x', EarlyHint('link', Format((b'x',)))),
        ('normalize-uri path-strip-dotdot', NormalizeUri(Normalizer.STRIP_DOTDOT)),
        ('normalize-uri path-strip-dotdot full', NormalizeUri(Normalizer.STRIP_DOTDOT, option=True)),
        ('normalize-uri percent-to-uppercase strict', NormalizeUri(Normalizer.TO_UPPERCASE, option=True)),
        ('normalize-uri percent-decode-unreserved strict', NormalizeUri(Normalizer.DECODE_UNRESERVED, option=True)),
        ('normalize-uri query-sort-by-name', NormalizeUri(Normalizer.SORT_QUERY)),
        ('strict-mode off', StrictMode(on=False)),
        ('set-src int(5)', SetAddress(End.SRC, INT)),
        ('set-dst-port int(5)', SetAddress(End.DST_PORT, INT)),
        ('set-tos 0x10', SetTos(16)),
        ('set-fc-tos 16', SetTos(16)),
        ('set-fc-tos int(5)', SetTos(INT)),
        ('set-nice -5', Nothing()),
    ],
)
def test_actions_of_requests(rule: str, action: object) -> None:
    (found,) = frontend(f'http-request {rule} if TRUE').rules.request
    assert found.action == action
    assert found.condition is not None


@pytest.mark.parametrize(
    'rule, complaint',
    [
        ('wait-for-body', "expects 'time <time>' and perhaps 'at-least <bytes>'"),
        ('wait-for-body time', "expects an argument of 'time'"),
        ('wait-for-body time 1x', "unexpected character 'x'"),
        ('wait-for-body time 1s for x', "found 'for'"),
        ('pause', 'expects a time or an expression'),
        ('early-hint', 'expects the name of a header field'),
        ('early-hint a:b x', "'a:b' is no name of a header field"),
        ('normalize-uri', 'expects a normalizer: fragment-encode'),
        ('normalize-uri path', "unknown normalizer 'path'"),
        ('normalize-uri path-merge-slashes strict', "found 'strict'"),
        ('strict-mode', "expects 'on' or 'off'"),
        ('strict-mode maybe', "expects 'on' or 'off' (got 'maybe')"),
        ('set-src', 'missing fetch method'),
        ('set-tos', 'expects a number or an expression'),
        ('set-tos 256', 'a number from 0 to 255 is expected'),
        ('set-nice 2000', 'must be between -1024 and 1024'),
        ('set-mark 1', 'marking packets is for those who may administer the network'),
        ('set-bc-tos 1', 'connections to servers are shared by requests'),
        ('set-bandwidth-limit x', 'what is sent is not slowed down'),
        ('do-log', 'a request is logged once'),
    ],
)
def test_what_is_no_such_action(rule: str, complaint: str) -> None:
    (found,) = frontend_error(f'http-request {rule}')
    assert complaint in found


def test_set_nice_is_told_to_have_no_effect() -> None:
    assert warnings(f'{HTTP}frontend f\n bind :80\n http-request set-nice 5\n') == [
        "8: 'http-request set-nice' has no effect: every request has its turn."
    ]


def test_responses_have_some_of_them() -> None:
    rules = backend(
        'http-response wait-for-body time 1s\n http-response pause 5\n http-after-response strict-mode off'
    ).rules
    assert [rule.action for rule in (*rules.response, *rules.after)] == [
        WaitBody(1_000), Pause(5), StrictMode(on=False),
    ]  # fmt: skip
    (found,) = backend_error('http-response early-hint a b')
    assert found.startswith("'http-response' expects an action, but got 'early-hint'")


def test_a_buffered_request_is_waited_for_before_all_rules() -> None:
    lines = 'option http-buffer-request\n http-request pause 5\n timeout http-request 2s'
    assert [rule.action for rule in frontend(lines).rules.request] == [WaitBody(2_000), Pause(5)]
    assert [rule.action for rule in backend('option http-buffer-request').rules.request] == [WaitBody(None)]
    assert not frontend('option http-buffer-request\n no option http-buffer-request').rules


def test_tcp_response() -> None:
    lines = 'tcp-response inspect-delay 1s\n tcp-response content reject if { status 500 }\n tcp-response content set-log-level err'
    assert [type(rule.action).__name__ for rule in backend(lines).rules.response_content] == ['Reject', 'SetLogLevel']
    (found,) = backend_error('tcp-response content deny')
    assert found.startswith("'tcp-response content' expects an action, but got 'deny'")
    (found,) = backend_error('tcp-response content close')
    assert 'is not supported' in found
    (found,) = backend_error('tcp-response inspect-delay 5x')
    assert 'inspect-delay' in found


def test_what_means_the_other_half_is_warned_of_as_by_haproxy() -> None:
    text = f'{HTTP}backend b\n use_backend b\nfrontend f\n bind :80\n tcp-response content accept\n tcp-response inspect-delay 1s\n'
    assert warnings(text) == [
        "7: 'use_backend' ignored because backend 'b' has no frontend capability.",
        "10: 'tcp-response content' ignored because frontend 'f' has no backend capability.",
        "11: 'tcp-response inspect-delay' ignored because frontend 'f' has no backend capability.",
    ]
    assert not snapshot(text).backends[0].rules
