from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from dataplane.worker.httplog import Dates, http_line, request_line

SECOND = 1_795_463_012  # 2026-11-23 19:43:32 UTC


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv('TZ', 'UTC')
        time.tzset()
        yield
    time.tzset()


def test_a_line_as_haproxy_writes_it() -> None:
    line = http_line(
        '127.0.0.1:46362', Dates().http(SECOND + 0.855), ('fe', 'up', 's1'), (0, 0, 0, 1, 2), 200, 53, 'SD--',
        (1, 2, 3, 4, 5), False, (6, 7), 'GET /early HTTP/1.1',
    )  # fmt: skip
    assert line == (
        '127.0.0.1:46362 [23/Nov/2026:19:43:32.855] fe up/s1 0/0/0/1/2 200 53 - - SD-- 1/2/3/4/5 6/7 '
        '"GET /early HTTP/1.1"'
    )


def test_a_redispatched_request_is_marked() -> None:
    line = http_line('a:1', 'd', ('f', 'b', 's'), (0, 0, 0, 0, 0), 200, 0, '----', (0, 0, 0, 0, 3), True, (0, 0), '')
    assert ' 0/0/0/0/+3 ' in line


def test_dates_are_formatted_once_per_second() -> None:
    dates = Dates()
    assert dates.http(SECOND) == '23/Nov/2026:19:43:32.000'
    assert dates.http(SECOND + 0.0019) == '23/Nov/2026:19:43:32.001'
    assert dates.http(SECOND + 60) == '23/Nov/2026:19:44:32.000'


def test_requests_are_made_harmless() -> None:
    assert request_line(b'GET', b'/a?b=%20', 1) == 'GET /a?b=%20 HTTP/1.1'
    assert request_line(b'GET', b'/"#\x01\xff', 0) == 'GET /#22#23#01#FF HTTP/1.0'
