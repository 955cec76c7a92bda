from __future__ import annotations

from collections.abc import Callable

import pytest

from dataplane.cli import arguments
from dataplane.cli.session import Complaint


@pytest.mark.parametrize('word', ['', 'px', 'px/', '/s1', '/'])
def test_a_server_needs_both_halves(word: str) -> None:
    with pytest.raises(Complaint, match="Require 'backend/server'"):
        arguments.server_path(word)


def test_a_server_path() -> None:
    assert arguments.server_path('px/s1') == ('px', 's1')
    assert arguments.server_path('#3/#1') == ('#3', '#1')


CASES: list[tuple[Callable[[str], object], str, object]] = [
    (arguments.server_maxconn, '5', 5),
    (arguments.server_maxconn, '-3', 0),
    (arguments.server_maxconn, '', 'Require <maxconn>.'),
    (arguments.server_maxconn, 'abc', 'maxconn string empty or preceded by garbage'),
    (arguments.server_maxconn, '3x', 'Trailing garbage in maxconn string'),
    (arguments.server_maxconn, '99999999999', 'Value out of range.'),
    (arguments.frontend_maxconn, '7', 7),
    (arguments.frontend_maxconn, '', 'Integer value expected.'),
    (arguments.frontend_maxconn, 'x', 'Integer value expected.'),
    (arguments.frontend_maxconn, '-1', 'Value out of range.'),
    (arguments.frontend_maxconn, '0', 'Value out of range.'),
    (lambda word: arguments.global_maxconn(word, most=100), '50', 50),
    (lambda word: arguments.global_maxconn(word, most=100), '0', 100),
    (lambda word: arguments.global_maxconn(word, most=100), '101', 'Value out of range.'),
    (lambda word: arguments.global_maxconn(word, most=100), '', 'Expects an integer value.'),
    (arguments.wait_delay, '100', 0.1),
    (arguments.wait_delay, '100ms', 0.1),
    (arguments.wait_delay, '2s', 2.0),
    (arguments.wait_delay, '1m', 60.0),
    (arguments.wait_delay, '1us', 0.001),
    (arguments.wait_delay, '', 'Expects a duration in milliseconds.'),
    (arguments.wait_delay, '0', 'Invalid duration.'),
    (arguments.wait_delay, '-1', 'Invalid duration.'),
    (arguments.wait_delay, '5x', 'Invalid duration.'),
    (arguments.wait_delay, '1000d', 'Invalid duration.'),
    (arguments.cli_timeout, '5', 5000),
    (arguments.cli_timeout, '5ms', 5),
    (arguments.cli_timeout, '', 'Expects an integer value.'),
    (arguments.cli_timeout, '0', 'Invalid timeout value.'),
    (arguments.cli_timeout, 'x', 'Invalid timeout value.'),
    (arguments.session_pointer, '0x7F01', '0x7f01'),
    (arguments.session_pointer, '', "Session pointer expected (use 'show sess')."),
    (arguments.session_pointer, 'abc', "Session pointer expected (use 'show sess')."),
]


@pytest.mark.parametrize('read,word,expected', CASES)
def test_operands(read: Callable[[str], object], word: str, expected: object) -> None:
    try:
        assert read(word) == expected
    except Complaint as complaint:
        assert complaint.answer.text == expected  # noqa: PT017


DIGITS = '9' * 5_000


@pytest.mark.parametrize(
    'read, text',
    [
        (arguments.server_maxconn, 'Value out of range.'),
        (arguments.frontend_maxconn, 'Value out of range.'),
        (lambda word: arguments.global_maxconn(word, most=100), 'Value out of range.'),
        (arguments.wait_delay, 'Invalid duration.'),
        (arguments.cli_timeout, 'Invalid timeout value.'),
        (
            lambda word: arguments.address(('10.0.0.1', 'port', word)),
            f"provided port '{DIGITS}' is out of range by 'stats socket command'",
        ),
    ],
)
def test_thousands_of_digits_are_a_number_out_of_range(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(Complaint) as complaint:
        read(DIGITS)
    assert complaint.value.answer.text == text
    assert arguments.frontend_maxconn('0' * 5_000 + '7') == 7
    assert arguments.server_maxconn(f'-{DIGITS}') == 0


@pytest.mark.parametrize(
    'words,expected',
    [
        (('10.0.0.1',), ('10.0.0.1', None)),
        (('10.0.0.1', 'port', '80'), ('10.0.0.1', 80)),
        (('::1', 'port', '65535'), ('::1', 65535)),
        (('10.0.0.1', 'foo', '80'), ('10.0.0.1', None)),
    ],
)
def test_addresses(words: tuple[str, ...], expected: tuple[str, int | None]) -> None:
    assert arguments.address(words) == expected


@pytest.mark.parametrize(
    'words,text',
    [
        ((), 'set server <b>/<s> addr requires an address and optionally a port.'),
        (('foo',), "Invalid addr 'foo' by 'stats socket command'"),
        (('10.0.0.1', 'port'), "problem converting port '' to an int by 'stats socket command'"),
        (('10.0.0.1', 'port', 'abc'), "problem converting port 'abc' to an int by 'stats socket command'"),
        (('10.0.0.1', 'port', '0'), "provided port '0' is out of range by 'stats socket command'"),
        (('10.0.0.1', 'port', '65536'), "provided port '65536' is out of range by 'stats socket command'"),
    ],
)
def test_addresses_that_are_none(words: tuple[str, ...], text: str) -> None:
    with pytest.raises(Complaint) as complaint:
        arguments.address(words)
    assert complaint.value.answer.text == text
