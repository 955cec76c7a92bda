from __future__ import annotations

import pytest

from dataplane.core.answers import ERRORS, FAILURES, statuses
from tests.unit.config.loading import HTTP, errors, snapshot


def counted(lines: str) -> tuple[int, int]:
    return snapshot(f'global\n {lines}\n{HTTP}listen l\n bind :80\n').globals.counted_codes


def test_what_counts_where_nothing_is_said() -> None:
    assert counted('nbthread 1') == (ERRORS, FAILURES)
    assert [code for code in range(600) if ERRORS >> code & 1] == list(range(400, 500))
    assert [code for code in (499, 500, 501, 502, 505, 599, 600) if FAILURES >> code & 1] == [500, 502, 599]


@pytest.mark.parametrize('words, codes', [
    ('400', {400}), ('400,402-404', {400, 402, 403, 404}), ('-450-499', set(range(400, 450))), ('+500', {*range(400, 500), 500}),
    ('220 +300-499 -300-399', {220, *range(400, 500)}), ('400-410 -405,407-409', {400, 401, 402, 403, 404, 406, 410}), ('404 405', {405}),
])  # fmt: skip
def test_ranges_replace_add_and_take_away(words: str, codes: set[int]) -> None:
    assert counted(f'http-err-codes {words}') == (statuses(codes), FAILURES)


def test_a_second_line_goes_on_from_the_first() -> None:
    assert counted('http-fail-codes 500\n http-fail-codes +555,501\n http-err-codes -404') == (
        ERRORS & ~statuses([404]),
        statuses([500, 501, 555]),
    )


@pytest.mark.parametrize('words', ['99', '600', '404-400', 'x', '+', '400,', '4xx', '400--450', '400-'])
def test_what_is_no_range(words: str) -> None:
    (found,) = errors(f'global\n http-err-codes {words}\n{HTTP}listen l\n bind :80\n')
    assert 'is no status from 100 to 599, and no range of them.' in found


def test_ranges_are_needed() -> None:
    assert errors(f'global\n http-fail-codes\n{HTTP}listen l\n bind :80\n') == [
        "2: 'http-fail-codes' expects ranges of statuses."
    ]
