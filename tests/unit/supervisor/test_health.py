from __future__ import annotations

import pytest

from dataplane.supervisor.health import Condition, Readiness, readiness


@pytest.mark.parametrize(
    'now, said',
    [
        (Condition(2), Readiness.OK),
        (Condition(1, pushed=True), Readiness.OK),
        (Condition(0), Readiness.NO_WORKER),
        (Condition(0, pushed=True), Readiness.NO_WORKER),
        (Condition(2, pushed=False), Readiness.NOTHING_PUSHED),
        (Condition(0, pushed=False), Readiness.NO_WORKER),
        (Condition(2, stopping=True), Readiness.STOPPING),
        (Condition(0, stopping=True, pushed=False), Readiness.STOPPING),
    ],
)
def test_readiness(now: Condition, said: Readiness) -> None:
    assert readiness(now) is said
