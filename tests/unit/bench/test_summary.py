"""Medians over rounds, ratios inside them."""

from __future__ import annotations

import pytest

from bench.cputime import Times
from bench.summary import Measurement, Spread, answers, measurement, ratios, row, rows
from bench.wrk import Load

LOAD = Load(
    requests=1000,
    duration_us=2_000_000,
    bytes_read=5_000_000,
    p50_us=1500,
    p99_us=9000,
    errors={'read': 0, 'status': 0},
)


def made(peer: str, number: int, cpu: float, failed: str = '') -> Measurement:
    return Measurement('c', peer, number, failed, requests_per_s=1e6 / cpu if cpu else 0, cpu_us=cpu, p99_ms=cpu / 10)


def test_cpu_time_is_divided_by_the_answers_and_into_user_and_system() -> None:
    one = measurement('c', 'p', 1, LOAD, Times(total=100_000_000, user=30_000_000, system=60_000_000), 1000)
    assert one.cpu_us == pytest.approx(100)
    assert one.user_us == pytest.approx(100 / 3)
    assert one.system_us == pytest.approx(200 / 3)
    assert one.requests_per_s == 500
    assert (one.p50_ms, one.p99_ms) == (1.5, 9.0)
    assert one.busy == pytest.approx(0.05)


def test_a_load_too_short_for_a_tick_is_still_divided() -> None:
    one = measurement('c', 'p', 1, LOAD, Times(total=1_000_000, user=0, system=0), 1000)
    assert one.user_us + one.system_us == one.cpu_us == pytest.approx(1)


def test_long_answers_are_counted_by_their_bytes() -> None:
    assert answers(LOAD, body=1024, answer_size=1200) == 1000
    assert answers(LOAD, body=1_000_000, answer_size=1_000_100) == pytest.approx(4.9995)


def test_a_ratio_belongs_to_one_round() -> None:
    own = [made('p', 1, 40), made('p', 2, 90), made('p', 3, 50)]
    reference = [made('h', 1, 20), made('h', 2, 45), made('h', 4, 1)]
    assert ratios(own, reference) == [2, 2]


def test_a_round_that_failed_gives_no_ratio() -> None:
    assert ratios([made('p', 1, 40), made('p', 2, 0, 'no')], [made('h', 1, 0, 'no'), made('h', 2, 20)]) == []


def test_a_row_has_medians_and_the_spread() -> None:
    own = [made('p', 1, 40), made('p', 2, 90), made('p', 3, 60)]
    found = row(own, [made('h', number, 20) for number in (1, 2, 3)])
    assert found.cpu_us == Spread(60, 40, 90)
    assert found.ratio == Spread(3, 2, 4.5)
    assert found.p99_ms == 6
    assert row(own, []).ratio is None


def test_wrong_once_is_wrong() -> None:
    found = row([made('p', 1, 40), made('p', 2, 0, 'status 503'), made('p', 3, 40)], [])
    assert found.failed == 'status 503'
    assert found.cpu_us is None


def test_rows_compare_each_with_its_own_reference() -> None:
    found = rows(
        [made('h', 1, 20), made('hf', 1, 30), made('s', 1, 40), made('sf', 1, 90)],
        {'h': 'h', 'hf': 'hf', 's': 'h', 'sf': 'hf'},
    )
    assert [(one.peer, one.ratio.median if one.ratio else None) for one in found] == [
        ('h', 1), ('hf', 1), ('s', 2), ('sf', 3)
    ]  # fmt: skip
