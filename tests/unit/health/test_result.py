"""Names, numbers and lines of results, as HAProxy 2.6 was seen to write them."""

from __future__ import annotations

import pytest

from dataplane.health.result import MOST_INFO, Outcome, Result, Status, health_line, presentable


def test_numbers_of_the_state_file() -> None:
    assert {status.code: status.number for status in Status} == {
        'UNK': 0, 'INI': 1, 'CHECKED': 3, 'HANA': 4, 'SOCKERR': 5, 'L4OK': 6, 'L4TOUT': 7, 'L4CON': 8, 'L6OK': 9,
        'L6TOUT': 10, 'L6RSP': 11, 'L7TOUT': 12, 'L7RSP': 13, 'L7OK': 15, 'L7OKC': 16, 'L7STS': 17,
    }  # fmt: skip
    assert Result(Status.L7OKC).outcome is Outcome.CONDITIONAL


@pytest.mark.parametrize(
    'result, reason',
    [
        (Result(Status.L4CON, info='Connection refused'),
         ', reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms'),
        (Result(Status.L7STS, 404, 'Not Found', 7),
         ', reason: Layer7 wrong status, code: 404, info: "Not Found", check duration: 7ms'),
        (Result(Status.L7OK, 200, '', 12), ', reason: Layer7 check passed, code: 200, check duration: 12ms'),
        (Result(Status.L7TOUT, 0, '', 301), ', reason: Layer7 timeout, check duration: 301ms'),
    ],
)  # fmt: skip
def test_reasons(result: Result, reason: str) -> None:
    assert result.reason() == reason


def test_lines() -> None:
    def line(
        result: Result, shown: tuple[int, int], *, up: bool, weight: int = 1, backup: bool = False, agent: bool = False
    ) -> str:
        return health_line('b/s', result, shown, agent=agent, backup=backup, up=up, weight=weight)

    assert line(Result(Status.L4OK, duration=3), (2, 2), up=True, backup=True) == (
        'Health check for backup server b/s succeeded, reason: Layer4 check passed, check duration: 3ms, status: 2/2 UP.'
    )
    assert line(Result(Status.L4OK), (2, 2), up=True, weight=0).endswith('status: 2/2 DRAIN.')
    assert line(Result(Status.L7OKC, 404), (2, 2), up=True).startswith(
        'Health check for server b/s conditionally succeeded, reason: Layer7 check conditionally passed, code: 404'
    )
    assert line(Result(Status.L7STS, 0, 'via agent : down (x)'), (0, 1), up=False, agent=True) == (
        'Agent check for server b/s failed, reason: Layer7 wrong status, code: 0, info: "via agent : down (x)", '
        'check duration: 0ms, status: 0/1 DOWN.'
    )


def test_what_servers_say_is_shown_without_what_terminals_obey() -> None:
    assert presentable('Not Found') == 'Not Found'
    assert presentable('a\x1b[31m\0\x07\x7f\x9b\u2028\udcffb é\ufffd') == 'a.[31m......b é\ufffd'
    assert presentable('x' * 9_000) == 'x' * MOST_INFO
