from __future__ import annotations

import asyncio

import pytest

from controlplane.auth.remembered import Remembered, digest
from controlplane.domain.refusals import ReviewsUnavailable


class Clock:
    """Seconds, in the test's hands."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Oracle:
    """Answers questions when it is let, and counts them."""

    def __init__(self, answer: bool = True) -> None:
        self.answer, self.asked = answer, 0
        self.failure: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self) -> bool:
        self.asked += 1
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return self.answer


def make(clock: Clock, **more: int) -> Remembered[bool]:
    return Remembered(bool, clock, good_s=30.0, bad_s=5.0, **more)


async def test_good_answers_are_kept_longer_than_bad_ones() -> None:
    clock = Clock()
    kept, yes, no = make(clock), Oracle(), Oracle(answer=False)
    for _ in range(3):
        assert await kept.get(b'y', yes)
        assert not await kept.get(b'n', no)
    assert (yes.asked, no.asked) == (1, 1)
    clock.now += 4.999
    await kept.get(b'n', no)
    assert no.asked == 1
    clock.now += 0.001
    await kept.get(b'n', no)
    assert no.asked == 2
    clock.now += 24.999
    await kept.get(b'y', yes)
    assert yes.asked == 1
    clock.now += 0.001
    yes.answer = False
    assert not await kept.get(b'y', yes)
    assert yes.asked == 2
    assert len(kept) == 2


async def test_whoever_asks_meanwhile_gets_the_same_answer() -> None:
    kept, oracle = make(Clock()), Oracle()
    oracle.open.clear()
    asking = [asyncio.ensure_future(kept.get(b'k', oracle)) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()
    oracle.open.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert oracle.asked == 1
    assert answers[1:] == [True] * 49
    assert isinstance(answers[0], asyncio.CancelledError)


async def test_what_could_not_be_answered_is_asked_again() -> None:
    kept, oracle = make(Clock()), Oracle()
    oracle.failure = ReviewsUnavailable('away')
    for _ in range(2):
        with pytest.raises(ReviewsUnavailable, match='away'):
            await kept.get(b'k', oracle)
    oracle.failure = None
    assert await kept.get(b'k', oracle)
    assert oracle.asked == 3


async def test_a_good_answer_that_is_over_is_not_good_for_want_of_a_better_one() -> None:
    clock = Clock()
    kept, oracle = make(clock), Oracle()
    await kept.get(b'k', oracle)
    clock.now += 30
    oracle.failure = ReviewsUnavailable('away')
    with pytest.raises(ReviewsUnavailable):
        await kept.get(b'k', oracle)


async def test_an_oracle_that_is_silent_is_not_waited_for_for_ever() -> None:
    kept = Remembered(bool, Clock(), good_s=30.0, bad_s=5.0, answer_s=0.01)
    oracle = Oracle()
    oracle.open.clear()
    with pytest.raises(ReviewsUnavailable, match='did not answer within'):
        await kept.get(b'k', oracle)


async def test_guesses_drive_out_nothing_that_is_good() -> None:
    clock = Clock()
    kept, yes, no = make(clock, size=10), Oracle(), Oracle(answer=False)
    await kept.get(b'good', yes)
    for number in range(1_000):
        await kept.get(b'%d' % number, no)
    assert len(kept) == 11
    await kept.get(b'good', yes)
    assert yes.asked == 1
    for number in range(20):
        await kept.get(b'good %d' % number, yes)
    assert len(kept) == 20
    await kept.get(b'good', yes)  # the least recently used has gone
    assert yes.asked == 22


async def test_guesses_do_not_keep_what_is_known_from_being_asked_again() -> None:
    clock = Clock()
    kept, known, guess = make(clock, asking=2), Oracle(), Oracle(answer=False)
    await kept.get(b'known', known)
    clock.now += 30
    guess.open.clear()
    guessing = [asyncio.ensure_future(kept.get(b'%d' % number, guess)) for number in range(5)]
    await asyncio.sleep(0)
    assert await kept.get(b'known', known)
    guess.open.set()
    ended = await asyncio.gather(*guessing, return_exceptions=True)
    assert [str(end) for end in ended] == ['False', 'False', *['Too many reviews are under way.'] * 3]


def test_keys_do_not_show_what_they_are_of() -> None:
    assert len(digest('secret')) == 32
    assert b'secret' not in digest('secret')
    assert digest(['a', 'bc']) != digest(['ab', 'c'])
