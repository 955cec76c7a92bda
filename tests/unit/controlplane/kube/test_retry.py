from __future__ import annotations

import random

import pytest

from controlplane.kube.errors import ApiError, KubeError, Unreachable
from controlplane.kube.retry import Empty, Ill, InStream, Retry, Silent, Step

LONG_AGO = float('-inf')


class Longest(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return b


def step(error: KubeError, listed_at: float = LONG_AGO) -> Step:
    return Retry(Longest()).after(error, 1_000.0, listed_at)


@pytest.mark.parametrize(
    'error, wanted',
    [
        (Unreachable('no route'), Step(Ill.UNREACHABLE, 0.8)),
        (Silent('75 s'), Step(Ill.SILENT, 0.8)),
        (Empty('at once'), Step(Ill.EMPTY, 0.8)),
        (ApiError(410), Step(Ill.EXPIRED, 0.0, 'expired')),
        (InStream(ApiError(410)), Step(Ill.EXPIRED, 0.0, 'expired')),
        (ApiError(429), Step(Ill.THROTTLED, 0.8)),
        (ApiError(429, retry_after=7.0), Step(Ill.THROTTLED, 7.5)),
        (ApiError(429, retry_after=86_400.0), Step(Ill.THROTTLED, 120.5)),
        (ApiError(401), Step(Ill.UNAUTHORIZED, 0.8)),
        (ApiError(403), Step(Ill.FORBIDDEN, 0.8)),
        (ApiError(404), Step(Ill.MISSING, 0.8, 'kind was missing')),
        (ApiError(400), Step(Ill.REFUSED, 0.8, 'refused')),
        (ApiError(500), Step(Ill.FAILING, 0.8)),
        (ApiError(503, retry_after=2.0), Step(Ill.FAILING, 2.5)),
        (InStream(ApiError(500)), Step(Ill.FAILING, 0.8, 'error event')),
        (InStream(ApiError(0)), Step(Ill.FAILING, 0.8, 'error event')),
        (ApiError(504, retry_after=1.0, causes=('ResourceVersionTooLarge',)), Step(Ill.BEHIND, 1.5, 'version too new')),
    ],
)
def test_what_follows_an_error(error: KubeError, wanted: Step) -> None:
    assert step(error) == wanted


def test_a_version_that_is_too_old_just_after_a_list_rests_first() -> None:
    assert step(ApiError(410), listed_at=990.0) == Step(Ill.EXPIRED, 0.8, 'expired')
    assert step(ApiError(410), listed_at=960.0).pause_s == 0.0


def test_several_empty_watches_are_a_version_nobody_serves() -> None:
    retry = Retry(Longest())
    assert [retry.after(Empty(''), 0.0, 0.0).relist for _ in range(3)] == ['', '', 'empty watches']
    retry.heard()
    assert retry.after(Empty(''), 0.0, 0.0).relist == ''


@pytest.mark.parametrize('status, slow', [(403, 60.0), (404, 30.0), (400, 60.0)])
def test_what_is_refused_is_asked_again_quickly_at_first_and_then_slowly(status: int, slow: float) -> None:
    """An API server that has just started answers 403 and 404 for a moment; what lasts is for a person to mend."""
    retry, now, pauses = Retry(Longest()), 0.0, []
    for _ in range(7):
        pauses.append(retry.after(ApiError(status), now, 0.0).pause_s)
        now += pauses[-1]
    assert pauses == [0.8, 1.6, 3.2, 6.4, slow, slow, slow]
    retry.heard()
    assert retry.after(ApiError(status), now, 0.0).pause_s < slow
    for _ in range(7):
        now += retry.after(ApiError(status), now, 0.0).pause_s
    assert retry.after(ApiError(status), now, 0.0).pause_s == slow
    assert retry.after(ApiError(status), now + 2 * slow, 0.0).pause_s < slow


def test_many_informers_do_not_come_back_at_once() -> None:
    def fifth(seed: int) -> float:
        retry = Retry(random.Random(seed))
        return [retry.after(ApiError(403), 0.0, 0.0).pause_s for _ in range(5)][-1]

    pauses = {fifth(seed) for seed in range(50)}
    assert len(pauses) == 50
    assert all(30.0 <= pause <= 60.0 for pause in pauses)
