"""What follows a failed try: another one or not, on the same server or any, at once or after a pause. Pure functions.

Attempts are counted from 1: `attempt` is the number of the retry about to be made, 1 to `retries`. A server that was
reached over a reused connection which closed before it said anything costs no retry and does not come here.
Manual: `retries`, `retry-on`, `option redispatch`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from dataplane.core.model import DEFAULT_RETRY_ON
from dataplane.core.state import OpState
from dataplane.core.termination import OUTCOMES, Termination

TURN_AROUND: Final = 1_000
"""Longest pause, in ms, before the same server is tried again."""


def may_retry(failure: Termination, attempt: int, retries: int, retry_on: Collection[str] = DEFAULT_RETRY_ON) -> bool:
    """May retry number `attempt` of at most `retries` be made after `failure`?"""
    return attempt <= retries and OUTCOMES[failure].retry_on in retry_on


def keeps_request(retry_on: frozenset[str]) -> bool:
    """Must what was sent be kept, as another try may be made after it was?"""
    return retry_on is not DEFAULT_RETRY_ON and not DEFAULT_RETRY_ON.issuperset(retry_on)


def redispatch(attempt: int, retries: int, interval: int) -> bool:
    """Does `option redispatch INTERVAL` let retry number `attempt` leave its server?

    0 never; N > 0 every N-th retry; N < 0 every (retries + 1 + N)-th, so that -1 means the last one.
    """
    if interval == 0:
        return False
    period = interval if interval > 0 else retries + 1 + interval
    return period == 0 or attempt % period == 0


def leaves(
    attempt: int, retries: int, interval: int, *, state: OpState, active: int, persistent: bool, hashed: bool
) -> bool:
    """May retry number `attempt` go to another server?

    `interval` is the backend's `option redispatch` (0: off, then never). Beyond the interval's own turns a stream leaves
    when its server is not fully up, or at once if nothing ties it: not persistent, no hash, and others are `active`.
    """
    if interval == 0:
        return False
    if state in (OpState.STOPPED, OpState.STARTING) or redispatch(attempt, retries, interval):
        return True
    return not persistent and not hashed and active > 1


def turn_around(connect_timeout: int | None, *, same_server: bool, active: int, immediate: bool) -> int:
    """Milliseconds to wait before the next try: another server is tried at once, the same one after a pause.

    `immediate`: the failure was seen synchronously or on a reused connection, which says nothing about the server. With
    no other active server the stream will come back to this one, so it waits even when it may leave.
    """
    if immediate or not (same_server or active <= 1):
        return 0
    return TURN_AROUND if connect_timeout is None else min(TURN_AROUND, connect_timeout)
