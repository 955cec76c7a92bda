"""A search that takes too long is given up, and nothing else is."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator

import pytest

from dataplane.alarm import Alarm

FOREVER = re.compile(rb'^(.*)/(.*)/(.*)/(.*)/(.*)x$').search
SLASHES = b'/' * 15_000


@pytest.fixture
def rung() -> Iterator[list[str]]:
    before = signal.getsignal(signal.SIGVTALRM)
    yield []
    signal.signal(signal.SIGVTALRM, before)


def test_what_would_take_hours_is_given_up(rung: list[str], caplog: pytest.LogCaptureFixture) -> None:
    alarm = Alarm(lambda: rung.append('rung'), most=0.02)
    began = time.process_time()
    assert [alarm.watched(FOREVER, SLASHES) for _ in range(5)] == [None] * 5
    assert time.process_time() - began < 5
    assert alarm.given_up == 5
    assert len(rung) >= 5
    assert [record.getMessage().rpartition(', ')[2] for record in caplog.records] == [
        f'the {number}. so far' for number in (1, 2, 4)
    ]


def test_what_is_found_in_time_is_the_answer(rung: list[str]) -> None:
    alarm = Alarm(lambda: rung.append('rung'))
    found = alarm.watched(re.compile(b'b').search, b'abc')
    assert found is not None
    assert found.span() == (1, 2)
    assert alarm.watched(re.compile(b'x').search, b'abc') is None
    assert not rung


def test_an_alarm_that_comes_late_ends_nothing(rung: list[str]) -> None:
    alarm = Alarm(lambda: rung.append('rung'), most=0.01)
    alarm.watched(re.compile(b'b').search, b'abc')
    signal.raise_signal(signal.SIGVTALRM)
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    assert not rung


def test_an_error_of_the_search_is_its_own(rung: list[str]) -> None:
    alarm = Alarm(lambda: rung.append('rung'))

    def broken(_: bytes) -> None:
        raise KeyError('x')

    with pytest.raises(KeyError):
        alarm.watched(broken, b'')
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
