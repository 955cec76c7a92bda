"""`ring` sections, and the `log` lines that name a ring."""

from __future__ import annotations

import pytest

from dataplane.core.rings import SIZE, RingSection, RingServer
from tests.unit.config.loading import HTTP, errors, snapshot, warnings

FRONT = f'{HTTP}frontend f\n bind :80\n'


def ring(lines: str) -> RingSection:
    return snapshot(f'ring r\n {lines}\n').rings[0]


def test_a_ring_of_which_nothing_is_said() -> None:
    assert snapshot('ring r\n').rings == (RingSection(name='r', description='r'),)


def test_everything_that_can_be_said() -> None:
    lines = (
        'description "my lines"', 'format rfc5424', 'maxlen 1200', 'size 32k', 'timeout connect 5s', 'timeout server 10s',
        'server a 127.0.0.1:6514', 'server b [::1]:514 log-proto octet-count',
    )  # fmt: skip
    assert ring('\n '.join(lines)) == RingSection(
        name='r',
        description='my lines',
        format='rfc5424',
        maxlen=1_200,
        size=32_768,
        connect=5_000,
        server=10_000,
        servers=(
            RingServer(name='a', host='127.0.0.1', port=6_514),
            RingServer(name='b', host='::1', port=514, octets=True),
        ),
    )


def test_a_server_on_a_unix_socket() -> None:
    assert ring('server a /run/x').servers == (RingServer(name='a', host='unix@/run/x', port=0),)


def test_a_time_of_0_is_no_limit() -> None:
    assert ring('timeout connect 0').connect is None


def test_a_line_is_no_longer_than_the_ring() -> None:
    assert ring('size 2k').maxlen == 2_048
    assert warnings('ring r\n size 2k\n maxlen 3k\n') == [
        "1: ring 'r' event max length '3072' exceeds size, forced to size '2048'."
    ]


@pytest.mark.parametrize(
    'lines, said',
    [
        ('size 1', "'size' value must be between 1024 and 2147483647 bytes (was 1)"),
        ('maxlen 0', "'maxlen' value must be between 1 and 2147483647 bytes (was 0)"),
        ('format moon', "unknown format 'moon'."),
        ('description', 'missing ring description text.'),
        ('description a b', "'description' cannot handle unexpected argument 'b'."),
        ('timeout queue 5s', "'timeout' supports 'connect' and 'server' in 'ring' sections (got 'queue')."),
        ('backing-file /x', "'backing-file' is not supported: what a ring keeps ends with the process."),
        ('sizes 5', "unknown keyword 'sizes' in 'ring' section; did you mean 'size' maybe ?"),
        ('server a', "'server' expects <name> and <addr>[:<port>] as arguments."),
        ('server a 127.0.0.1', "'server r/a' : an address with a port, or of a unix socket, is needed."),
        (
            'server a 127.0.0.1:1 ssl',
            "'server r/a' : 'ssl' is not supported: only 'log-proto' is supported of the words of a server.",
        ),
        (
            'server a 127.0.0.1:1 log-proto x',
            "'server r/a' : 'log-proto' expects one of 'legacy' or 'octet-count' arguments.",
        ),
    ],
)
def test_what_is_wrong(lines: str, said: str) -> None:
    assert errors(f'ring r\n {lines}\n') == [f'2: {said}']


def test_servers_have_names_of_their_own() -> None:
    (found,) = errors('ring r\n server a 127.0.0.1:1\n server a 127.0.0.1:2\n')
    assert found.startswith("3: another server named 'a' was already defined in ring 'r'")


@pytest.mark.parametrize(
    'line, said',
    [
        ('ring', 'missing ring name.'),
        ('ring a/b', "character '/' is not permitted in 'ring' name 'a/b'."),
        ('ring buf0', "sink named 'buf0' already exists."),
        ('ring stdout', "sink named 'stdout' already exists."),
        ('ring r s', "'ring' cannot handle unexpected argument 's'."),
    ],
)
def test_names(line: str, said: str) -> None:
    assert errors(f'{line}\n size 2k\n') == [f'1: {said}']


def test_a_name_is_given_once() -> None:
    assert errors('ring r\nring r\n') == ["2: sink named 'r' already exists."]


def test_lines_for_a_ring_have_its_form() -> None:
    text = (
        'global\n log ring@late local0\n log ring@buf0 local1\n'
        f'{FRONT} log global\n log ring@late len 100 local2 notice\nring late\n format iso\n maxlen 500\n'
    )
    found = snapshot(text)
    assert [(one.address, one.format, one.length, one.facility) for one in found.frontends[0].log_targets] == [
        ('ring@late', 'iso', 501, 'local0'),
        ('ring@buf0', 'timed', 1_024, 'local1'),
        ('ring@late', 'iso', 100, 'local2'),
    ]
    assert [one.format for one in found.globals.log_targets] == ['iso', 'timed']
    assert found.rings[0].size == SIZE


def test_a_ring_that_is_not_there_is_named() -> None:
    text = f'global\n log ring@a local0\n{FRONT} log ring@b local0\n log ring@ local0\n'
    assert errors(text) == [
        "2: global log server uses unknown ring named 'a'.",
        "10: proxy 'f' log server uses unknown ring named 'b'.",
        '11: log : missing ring name',
    ]
