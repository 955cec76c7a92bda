"""Answers that are good for a while: bounded, keyed by digests, and asked for once however many wait.

What is kept for long and what is kept for short have a place each, so that a flood of guesses, which all end badly, drives out
nothing that is known to be good. Questions under way are bounded too, those about something known apart from those about
something never heard of: whoever guesses gets "busy", and everybody else does not notice.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from controlplane.domain.refusals import ReviewsUnavailable

T = TypeVar('T')


def digest(document: Any) -> bytes:
    """A key for a JSON document: nobody reads a token out of a dump of the keys."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).digest()


class Remembered(Generic[T]):
    """`good` tells answers kept for `good_s` from those kept for `bad_s`. `clock` is monotonic, in seconds.

    At most `size` answers of each kind are kept, the most recently used ones; at most `asking` questions of each kind are
    under way, for `answer_s` at most. An answer that could not be had (ReviewsUnavailable) is not kept.
    """

    def __init__(
        self, good: Callable[[T], bool], clock: Callable[[], float], *, good_s: float, bad_s: float, size: int = 4_096,
        asking: int = 32, answer_s: float = 10.0,
    ) -> None:  # fmt: skip
        self._good, self._clock = good, clock
        self._good_s, self._bad_s, self._answer_s = good_s, bad_s, answer_s
        self._size, self._limit = size, asking
        self._kept: dict[bool, OrderedDict[bytes, tuple[float, T]]] = {True: OrderedDict(), False: OrderedDict()}
        self._asking: dict[bool, dict[bytes, asyncio.Task[T]]] = {True: {}, False: {}}

    def __len__(self) -> int:
        return sum(len(kept) for kept in self._kept.values())

    async def get(self, key: bytes, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer that is kept, or the answer of `ask`. ReviewsUnavailable: as `ask` says, or too many are asking."""
        now = self._clock()
        for kept in self._kept.values():
            found = kept.get(key)
            if found is not None and now < found[0]:
                kept.move_to_end(key)
                return found[1]
        task = self._asking[True].get(key) or self._asking[False].get(key) or self._begin(key, ask)
        return await asyncio.shield(task)  # whoever leaves meanwhile leaves the question to the others

    def _begin(self, key: bytes, ask: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        is_known = key in self._kept[True]
        asking = self._asking[is_known]
        if len(asking) >= self._limit:
            raise ReviewsUnavailable('Too many reviews are under way.')
        task = asking[key] = asyncio.ensure_future(self._ask(key, ask))
        task.add_done_callback(lambda done: self._ended(asking, key, done))
        return task

    async def _ask(self, key: bytes, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._answer_s):
                answer = await ask()
        except TimeoutError:
            raise ReviewsUnavailable(f'The API server did not answer within {self._answer_s:g} s.') from None
        good = self._good(answer)
        # from the end of the question: an answer is never older than its time says by more than the question took
        self._kept[not good].pop(key, None)
        kept = self._kept[good]
        kept[key] = self._clock() + (self._good_s if good else self._bad_s), answer
        kept.move_to_end(key)
        while len(kept) > self._size:
            kept.popitem(last=False)
        return answer

    @staticmethod
    def _ended(asking: dict[bytes, asyncio.Task[T]], key: bytes, done: asyncio.Task[T]) -> None:
        del asking[key]
        if not done.cancelled():
            done.exception()  # whoever asked has it, unless all have left; then nobody needs to hear of it
