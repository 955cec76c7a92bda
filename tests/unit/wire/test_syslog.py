"""Framing of log lines: what HAProxy 2.6 was seen to write for each format."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from dataplane.wire.syslog import Framing, Stamps, level_at

SECOND = 1_795_463_012  # 2026-11-23 19:43:32 UTC
NOW = SECOND + 0.25


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv('TZ', 'UTC')
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    'form, host, expected',
    [
        ('raw', None, 'text'),
        ('short', None, '<6>text'),
        ('timed', None, '<6>2026-11-23T19:43:32.250000+00:00 text'),
        ('iso', None, '2026-11-23T19:43:32.250000+00:00 text'),
        ('priority', None, '<134>text'),
        ('rfc3164', None, '<134>Nov 23 19:43:32 haproxy[7]: text'),
        ('local', 'node', '<134>Nov 23 19:43:32 node haproxy[7]: text'),
        ('rfc5424', 'node', '<134>1 2026-11-23T19:43:32.250000+00:00 node haproxy 7 - - text'),
    ],
)
def test_framings(form: str, host: str | None, expected: str) -> None:
    assert Framing(form, 'local0', 'info', 'haproxy', 7, host, Stamps()).frame('text', NOW) == expected


def test_levels() -> None:
    assert level_at('info', 'debug', 'emerg') == 'info'
    assert level_at('info', 'info', 'emerg') == 'info'
    assert level_at('info', 'notice', 'emerg') is None
    assert level_at('emerg', 'debug', 'warning') == 'warning'
    assert level_at('notice', 'notice', 'warning') == 'notice'


def test_stamps_follow_the_clock() -> None:
    stamps = Stamps()
    assert stamps.syslog(SECOND - 20 * 86_400) == 'Nov  3 19:43:32'
    assert stamps.syslog(SECOND) == stamps.syslog(SECOND + 0.9) == 'Nov 23 19:43:32'
    assert stamps.iso(NOW) == '2026-11-23T19:43:32.250000+00:00'
    assert stamps.iso(SECOND + 0.5) == '2026-11-23T19:43:32.500000+00:00'
    assert stamps.iso(SECOND + 60) == '2026-11-23T19:44:32.000000+00:00'


def test_iso_names_the_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TZ', 'XXX-5:30')
    time.tzset()
    assert Stamps().iso(SECOND) == '2026-11-24T01:13:32.000000+05:30'
