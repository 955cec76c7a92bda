from __future__ import annotations

from dataplane.core.counters import COUNTERS, C
from dataplane.supervisor.tally import Tally


def row(**values: int) -> list[int]:
    cells = [0] * COUNTERS
    for name, value in values.items():
        cells[C[name]] = value
    return cells


def test_sums_are_over_the_living_and_the_dead() -> None:
    tally = Tally([row(STOT=1), row(STOT=2), row(STOT=4)], 0)
    assert tally.total(C.STOT) == 7


def test_gauges_are_of_the_living() -> None:
    assert Tally([row(SCUR=1), row(SCUR=2), row(SCUR=9)], 0).gauge(C.SCUR) == 3


def test_peaks() -> None:
    assert Tally([row(SMAX=1), row(SMAX=2), row(SMAX=9)], 0).peak(C.SMAX) == 9


def test_averages() -> None:
    assert Tally([row(TIMES=3, QTIME=10), row(TIMES=1, QTIME=2)], 0).average(C.QTIME) == 3
    assert Tally([row()], 0).average(C.QTIME) == 0


def test_the_peak_of_a_rate_is_never_below_it() -> None:
    rows = [row(SESS_SEC=5, SESS_CUR=3, RATE_MAX=3), row(SESS_SEC=5, SESS_CUR=2, RATE_MAX=2), row(RATE_MAX=4)]
    assert Tally(rows, 5999).rate_peak(C.SESS_SEC, C.RATE_MAX) == 5
    assert Tally(rows, 9000).rate_peak(C.SESS_SEC, C.RATE_MAX) == 4


def test_rates_fade_over_a_second() -> None:
    counted = row(SESS_SEC=5, SESS_CUR=8, SESS_PREV=4)
    for now, expected in [(5000, 12), (5500, 10), (5999, 8), (6000, 8), (6500, 4), (7000, 0), (4000, 0)]:
        assert Tally([counted, row()], now).rate(C.SESS_SEC) == expected
