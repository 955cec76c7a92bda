from __future__ import annotations

import pytest

from dataplane.config.errorfiles import ErrorFiles, no_files
from dataplane.config.keywords import PROXY, Status
from dataplane.config.problems import Report
from dataplane.config.proxysection import ProxySection
from dataplane.config.ruling import Ruling
from dataplane.core.model import Balance
from tests.unit.config.loading import HTTP, backend, backend_error, errors, frontend, frontend_error, snapshot, warnings


def test_every_supported_keyword_has_its_handler() -> None:
    supported = {name for name, keyword in PROXY.items() if keyword.status is Status.SUPPORTED}
    report = Report()
    ruling = Ruling(report, {}, no_files, lambda: 0, lambda: '')
    handlers = set(ProxySection(report, ErrorFiles(no_files, lambda: 0), ruling, []).handlers)
    assert {name for name in supported if not name.startswith('option ')} == handlers


@pytest.mark.parametrize(
    'line, field, value',
    [
        ('maxconn 50', 'maxconn', 50),
        ('maxconn 0', 'maxconn', 10_000),
        ('default_backend b', 'default_backend', 'b'),
        ('use-routes', 'use_routes', True),
        ('id 77', 'id', 77),
        ('disabled', 'disabled', True),
        ('disabled\n enabled', 'disabled', False),
        ('description a b', 'description', 'a b'),
    ],
)
def test_settings_of_a_frontend(line: str, field: str, value: object) -> None:
    assert getattr(frontend(line), field) == value


@pytest.mark.parametrize(
    'line, field, value',
    [
        ('retries 0', 'retries', 0),
        ('fullconn 9', 'fullconn', 9),
        ('http-reuse always', 'http_reuse', 'always'),
        ('id 77', 'id', 77),
        ('disabled', 'disabled', True),
        ('', 'balance', Balance(algorithm='random', draws=2)),
        ('balance', 'balance', Balance(algorithm='roundrobin')),
        ('balance leastconn', 'balance', Balance(algorithm='leastconn')),
        ('balance first', 'balance', Balance(algorithm='first')),
        ('balance random', 'balance', Balance(algorithm='random')),
        ('balance random()', 'balance', Balance(algorithm='random')),
        ('balance random(3)', 'balance', Balance(algorithm='random', draws=3)),
    ],
)
def test_settings_of_a_backend(line: str, field: str, value: object) -> None:
    assert getattr(backend(line), field) == value


@pytest.mark.parametrize(
    'line, complaint',
    [
        ('mode health', "'mode health' doesn't exist anymore."),
        ('mode log', "'mode log' is not supported, only 'mode http' is."),
        ('mode foo', "unknown proxy mode 'foo'."),
        ('mode', "unknown proxy mode ''."),
        ('mode http x', "'mode' cannot handle unexpected argument 'x'."),
        ('timeout client', "'timeout client' expects an integer value (in milliseconds)"),
        ('timeout client 10 s', "'timeout client' : unexpected extra argument 's' after value '10'."),
        (
            'timeout client 10x',
            "unexpected character 'x' in 'timeout client' (got '10x'; units are us, ms, s, m, h, d)",
        ),
        ('maxconn', "'maxconn' expects an integer argument."),
        ('maxconn -1', "'maxconn' value must be between 0 and 2147483647 (was -1)"),
        ('maxconn 5 6', "'maxconn' cannot handle unexpected argument '6'."),
        ('backlog x', "'backlog' expects an integer argument (got 'x')."),
        ('default_backend', "'default_backend' expects a backend name."),
        ('default_backend b c', "'default_backend' cannot handle unexpected argument 'c'."),
        ('default_backend %[src]', "Proxy 'f': unable to find required default_backend: '%[src]'."),
        ('use_backend', "'use_backend' expects a backend name."),
        ('use_backend b if', "'if' expects a condition"),
        ('use_backend b if nobody', "no such ACL : 'nobody'"),
        ('use_backend %[nope]', "failed to parse sample expression <nope]> : unknown fetch method 'nope'"),
        ('use-routes x', "'use-routes' cannot handle unexpected argument 'x'."),
        ('id 0', "'id' value must be between 1 and 2147483647 (was 0)"),
        ('id 3 4', "'id' cannot handle unexpected argument '4'."),
        ('disabled x', "'disabled' cannot handle unexpected argument 'x'."),
        ('description', "'description' expects a string argument of printable characters."),
        ('log', 'log : expects <address> and <facility> or global as arguments'),
        ('log global x', "'log' cannot handle unexpected argument 'x'."),
        ('no log x', "'log' cannot handle unexpected argument 'x'."),
        ('stats', "'stats' supports 'admin', 'auth', "),
        ('stats foo', "'stats' supports 'admin', 'auth', "),
        (
            'acl a pathx /',
            "error detected while parsing ACL 'a' : unknown fetch method 'pathx' in ACL expression 'pathx'",
        ),
        (
            'capture request header X len 0',
            "'capture request header' expects 'header' <header_name> 'len' <len> from 1 to 65535.",
        ),
        (
            'declare capture both len 5',
            "'declare capture' expects 'request' or 'response', and 'len' <len> from 1 to 65535.",
        ),
        ('server a 1.1.1.1', "'server' not allowed because frontend 'f' has no backend capability."),
        ('default-server weight 1', "'default-server' not allowed because frontend 'f' has no backend capability."),
        ('blah', "unknown keyword 'blah' in 'frontend' section"),
        ('usebackend x', "unknown keyword 'usebackend' in 'frontend' section; did you mean 'use_backend' maybe ?"),
        ('monitor', "'monitor' supports 'fail' (got '')"),
        ('timeout foo 1s', "'timeout' supports 'client', 'server', 'connect', 'queue', 'tarpit', 'http-request'"),
        ('no timeout client', 'negation/default currently supported only for log, option'),
    ],
)
def test_what_is_no_line_of_a_frontend(line: str, complaint: str) -> None:
    (found,) = frontend_error(line)
    assert found.startswith(complaint)


@pytest.mark.parametrize(
    'line, complaint',
    [
        ('balance foo', "balance only supports 'roundrobin', 'static-rr', 'leastconn', 'first', 'source', 'sticky', 'uri', 'url_param', 'hdr(<name>)' and 'random(<draws>)' (got 'foo')"),
        ('balance leastcon', "balance only supports 'roundrobin', 'static-rr', 'leastconn', 'first', 'source', 'sticky', 'uri', 'url_param', 'hdr(<name>)' and 'random(<draws>)' (got 'leastcon'); did you mean 'leastconn' maybe ?"),
        ('balance first(2)', "balance only supports 'roundrobin', 'static-rr', 'leastconn', 'first', 'source', 'sticky', 'uri', 'url_param', 'hdr(<name>)' and 'random(<draws>)' (got 'first(2)'); did you mean 'first' maybe ?"),
        ('balance random(0)', "'balance random' value must be between 1 and 2147483647 (was 0)"),
        ('balance random(x)', "'balance random' expects an integer argument (got 'x')."),
        ('balance random 2', "'balance' cannot handle unexpected argument '2'."),
        ('retries', "'retries' expects an integer argument."),
        ('retries -1', "'retries' value must be between 0 and 2147483647 (was -1)"),
        ('fullconn x', "'fullconn' expects an integer argument (got 'x')."),
        ('http-reuse foo', "'http-reuse' only supports 'never', 'safe', 'aggressive', 'always' (got 'foo')."),
        ('http-check set-var x', "'http-check set-var' : invalid or incomplete action. Expects 'set-var(<var-name>)' or 'unset-var(<var-name>)'."),
    ],
)  # fmt: skip
def test_what_is_no_line_of_a_backend(line: str, complaint: str) -> None:
    assert backend_error(line) == [complaint]


def test_a_keyword_of_the_other_half_is_ignored_with_haproxys_warning() -> None:
    text = (
        f'{HTTP}backend b\n maxconn 3\n bind :9\n timeout client 5s\n default_backend b\n option dontlognull\n'
        'frontend f\n bind :80\n balance roundrobin\n timeout connect 5s\n fullconn 3\n no option redispatch\n'
    )
    assert warnings(text) == [
        "7: 'maxconn' ignored because backend 'b' has no frontend capability. Maybe you want 'fullconn' instead ?",
        "8: 'bind' ignored because backend 'b' has no frontend capability.",
        "9: 'timeout client' will be ignored because backend 'b' has no frontend capability.",
        "10: 'default_backend' ignored because backend 'b' has no frontend capability.",
        "11: 'dontlognull' ignored because backend 'b' has no frontend capability.",
        "14: 'balance' ignored because frontend 'f' has no backend capability.",
        "15: 'timeout connect' will be ignored because frontend 'f' has no backend capability.",
        "16: 'fullconn' ignored because frontend 'f' has no backend capability. Maybe you want 'maxconn' instead ?",
        "17: 'redispatch' ignored because frontend 'f' has no backend capability.",
    ]


@pytest.mark.parametrize(
    'line',
    ['bind :80', 'server a 1.1.1.1', 'use_backend b', 'id 5', 'description x', 'use-routes', 'stats admin if TRUE'],
)
def test_what_defaults_may_not_say(line: str) -> None:
    name = 'stats admin' if line.startswith('stats') else line.split(maxsplit=1)[0]
    assert errors(f'defaults\n {line}\n') == [f"2: '{name}' not allowed in 'defaults' section."]


def test_a_second_unconditional_use_backend_is_never_used() -> None:
    text = f'{HTTP}backend a\nbackend b\nfrontend f\n bind :80\n use_backend b\n use_backend a\n'
    assert snapshot(text).frontends[0].rules.backends == ('b',)
    assert warnings(text) == ["11: a 'use_backend' without condition comes first at line 10: this one is never used."]


@pytest.mark.parametrize('line', ['option tcpka', 'timeout client-hs 5s', 'option splice-auto'])
def test_harmless_lines_are_accepted_with_a_warning(line: str) -> None:
    (found,) = warnings(f'{HTTP} {line}\nfrontend f\n bind :80\n')
    assert found.startswith('6: ')
    assert "in 'defaults' section has no effect: " in found


def test_the_uri_that_is_monitored() -> None:
    assert frontend('monitor-uri /alive').monitor_uri == b'/alive'
    assert frontend('monitor-uri http://a.example/alive').monitor_uri == b'http://a.example/alive'
    assert frontend('maxconn 5').monitor_uri is None
    assert frontend_error('monitor-uri alive') == [
        "'monitor-uri' : a path begins with '/' and has printable characters only (got 'alive')."
    ]
