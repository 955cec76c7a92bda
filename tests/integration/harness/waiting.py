"""Waiting for something another process does: ask, look again soon, and say what was missing when time is over."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar('T')


@overload
async def until(condition: Callable[[], Awaitable[T]], *, within: float, what: str, every: float = 0.01) -> T: ...
@overload
async def until(condition: Callable[[], T], *, within: float, what: str, every: float = 0.01) -> T: ...
async def until(condition: Callable[[], Any], *, within: float, what: str, every: float = 0.01) -> Any:
    """Return the first true answer of `condition` (which may be a coroutine function). AssertionError after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        asked = condition()
        answer = await asked if inspect.isawaitable(asked) else asked
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise AssertionError(f'not within {within} s: {what} (last answer: {answer!r})')
        await asyncio.sleep(every)
