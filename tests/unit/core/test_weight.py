"""Weights: scale, slowstart's ramp, percentages, and the words for what is wrong with a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.weight import EWEIGHT_MAX, SCALE, UWEIGHT_MAX, check, effective, parse, ramp, relative, shown


def test_scale() -> None:
    assert [effective(weight) for weight in (0, 1, 100, 256)] == [0, 16, 1600, EWEIGHT_MAX]


@given(st.integers(0, UWEIGHT_MAX), st.integers(1, SCALE))
def test_a_weight_is_never_lost_to_slowstart(uweight: int, sixteenths: int) -> None:
    found = effective(uweight, sixteenths)
    assert (found > 0) is (uweight > 0)
    assert found <= effective(uweight)


@given(st.integers(0, UWEIGHT_MAX))
def test_shown_is_what_was_set(uweight: int) -> None:
    assert shown(effective(uweight)) == uweight


def test_shown_rounds_up_while_warming() -> None:
    assert [shown(effective(10, sixteenths)) for sixteenths in (1, 8, 16)] == [1, 5, 10]


@pytest.mark.parametrize(
    'elapsed, sixteenths', [(0, 1), (1, 1), (2, 1), (3, 1), (4, 2), (30, 9), (59, 16), (60, 16), (99, 16)]
)
def test_ramp(elapsed: int, sixteenths: int) -> None:
    assert ramp(elapsed, 60) == sixteenths


def test_no_slowstart_is_full_service() -> None:
    assert ramp(0, 0) == SCALE


@pytest.mark.parametrize(
    'iweight, percent, weight',
    [(10, 0, 0), (10, 100, 10), (10, 55, 5), (1, 99, 0), (200, 150, 256), (256, 10**9, 256), (0, 500, 0)],
)
def test_relative(iweight: int, percent: int, weight: int) -> None:
    assert relative(iweight, percent) == weight


@pytest.mark.parametrize(
    'text, value',
    [
        ('0', (0, False)),
        ('256', (256, False)),
        (' 7', (7, False)),
        ('+3', (3, False)),
        ('50%', (50, True)),
        ('300%', (300, True)),
    ],
)
def test_parse(text: str, value: tuple[int, bool]) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    'text, words',
    [
        ('', 'Require <weight> or <weight%>.'),
        ('abc', 'Empty weight string empty or preceded by garbage'),
        ('%', 'Empty weight string empty or preceded by garbage'),
        ('-1%', 'Relative weight must be positive.'),
        ('-1', 'Absolute weight can only be between 0 and 256 inclusive.'),
        ('257', 'Absolute weight can only be between 0 and 256 inclusive.'),
        ('257x', 'Absolute weight can only be between 0 and 256 inclusive.'),
        ('10x', 'Trailing garbage in weight string'),
        ('10%%', 'Trailing garbage in weight string'),
    ],
)
def test_words_for_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(ValueError, match='^' + words.replace('.', r'\.') + '$'):
        parse(text)


def test_thousands_of_digits_are_a_weight_out_of_range() -> None:
    with pytest.raises(ValueError, match='Absolute weight can only be between 0 and 256 inclusive'):
        parse('9' * 5_000)
    assert parse('0' * 5_000 + '7') == (7, False)


def test_check_lets_the_bounds_pass() -> None:
    for value in (0, 256):
        check(value, percent=False)
        check(value, percent=True)
