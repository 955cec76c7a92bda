from __future__ import annotations

import pytest

from dataplane.config.keywords import PROXY, Status
from dataplane.config.options import FLAGS, HANDLERS
from dataplane.core.model import ForwardFor, KeepAlive
from tests.unit.config.loading import HTTP, backend, backend_error, errors, frontend, frontend_error, snapshot


def test_the_table_and_the_handlers_name_the_same_options() -> None:
    table = {
        name.removeprefix('option ')
        for name, keyword in PROXY.items()
        if name.startswith('option ') and keyword.status is Status.SUPPORTED
    }
    assert table == {'httplog', 'tcplog', 'httpslog', 'forwarded', *FLAGS, *HANDLERS}


@pytest.mark.parametrize(
    'option, field',
    [
        ('dontlognull', 'dontlognull'),
        ('dontlog-normal', 'dontlog_normal'),
        ('http-ignore-probes', 'http_ignore_probes'),
        ('socket-stats', 'socket_stats'),
    ],
)
def test_flags_of_a_frontend(option: str, field: str) -> None:
    assert getattr(frontend(f'option {option}'), field) is True
    assert getattr(frontend(f'option {option}\n no option {option}'), field) is False
    assert getattr(frontend(f'option {option}\n default option {option}'), field) is False
    assert getattr(frontend(''), field) is False


def test_flags_of_a_backend() -> None:
    assert backend('option allbackups').allbackups
    assert not backend('option allbackups\n no option allbackups').allbackups


def test_abortonclose_is_on_unless_switched_off() -> None:
    assert backend('').abortonclose
    assert not backend('no option abortonclose').abortonclose
    assert backend('no option abortonclose\n default option abortonclose').abortonclose


def test_options_are_inherited_and_can_be_taken_back() -> None:
    found = snapshot(
        f'{HTTP} option dontlognull\nfrontend f\n bind :80\nfrontend g\n bind :81\n no option dontlognull\n'
    ).frontends
    assert [fe.dontlognull for fe in found] == [True, False]


@pytest.mark.parametrize(
    'lines, mode',
    [
        ('', KeepAlive.KEEP_ALIVE),
        ('option httpclose', KeepAlive.CLOSE),
        ('option http-server-close', KeepAlive.SERVER_CLOSE),
        ('option httpclose\n option http-server-close', KeepAlive.SERVER_CLOSE),
        ('option httpclose\n option http-keep-alive', KeepAlive.KEEP_ALIVE),
        ('option httpclose\n no option httpclose', KeepAlive.KEEP_ALIVE),
        ('option httpclose\n no option http-server-close', KeepAlive.CLOSE),
    ],
)
def test_connection_modes(lines: str, mode: KeepAlive) -> None:
    assert frontend(lines).keep_alive is mode
    assert backend(lines).keep_alive is mode


@pytest.mark.parametrize(
    'words, expected',
    [
        ('', ForwardFor()),
        ('if-none', ForwardFor(if_none=True)),
        ('header X-Client', ForwardFor(header='X-Client')),
        ('except 127.0.0.0/8', ForwardFor(except_net='127.0.0.0/8')),
        ('except 10.1.2.3/8', ForwardFor(except_net='10.0.0.0/8')),
        ('except ::1 header A header B if-none', ForwardFor(except_net='::1/128', header='B', if_none=True)),
    ],
)
def test_forwardfor(words: str, expected: ForwardFor) -> None:
    assert frontend(f'option forwardfor {words}').forwardfor == expected
    assert backend(f'option forwardfor {words}').forwardfor == expected


def test_originalto() -> None:
    assert frontend('option originalto').originalto == ForwardFor(header='X-Original-To')
    wanted = ForwardFor(header='X-To', except_net='10.0.0.0/8')
    assert backend('option originalto except 10.0.0.0/8 header X-To').originalto == wanted
    assert frontend_error('option originalto if-none') == [
        "'option originalto' only supports optional values: 'except' and 'header' (got 'if-none')."
    ]


@pytest.mark.parametrize(
    'lines, interval',
    [
        ('', 0),
        ('option redispatch', -1),
        ('option redispatch 3', 3),
        ('option redispatch -2', -2),
        ('option redispatch 0', 0),
        ('option redispatch\n no option redispatch', 0),
    ],
)
def test_redispatch(lines: str, interval: int) -> None:
    assert backend(lines).redispatch == interval


def test_httplog() -> None:
    assert frontend('option httplog\n log stdout local0').httplog


@pytest.mark.parametrize(
    'line, complaint',
    [
        ('option', "'option' expects an option name."),
        ('option foo bar', "unknown option 'foo'."),
        ('option dontlog', "unknown option 'dontlog'; did you mean 'dontlognull' maybe ?"),
        ('option dontlognull x', "'option dontlognull' cannot handle unexpected argument 'x'."),
        ('option http-server-close x', "'option http-server-close' cannot handle unexpected argument 'x'."),
        ('default option forwardfor', "negation/default is not supported for option 'forwardfor'."),
        ('option forwardfor foo', "'option forwardfor' only supports optional values: 'except', 'header' and 'if-none' (got 'foo')."),
        ('option forwardfor except', "'option forwardfor except' expects <address>[/mask] as argument (got '')."),
        ('option forwardfor except 1.2.3.4/40', "'option forwardfor except' expects <address>[/mask] as argument (got '1.2.3.4/40')."),
        ('option forwardfor header', "'option forwardfor header' expects <header_name> as argument (got '')."),
        ('option forwardfor header a:b', "'option forwardfor header' expects <header_name> as argument (got 'a:b')."),
        ('option transparent', "'option transparent' in 'frontend' section is not supported: source addresses are those of this machine."),
    ],
)  # fmt: skip
def test_what_is_no_option(line: str, complaint: str) -> None:
    assert frontend_error(line) == [complaint]


def test_redispatch_takes_one_integer() -> None:
    assert backend_error('option redispatch x') == ["'option redispatch' expects an integer argument (got 'x')."]
    assert backend_error('option redispatch 3 4') == ["'option redispatch' cannot handle unexpected argument '4'."]


def test_an_option_that_is_refused_is_so_in_defaults_too() -> None:
    assert errors('defaults\n option transparent\n') == [
        "2: 'option transparent' in 'defaults' section is not supported: source addresses are those of this machine."
    ]
