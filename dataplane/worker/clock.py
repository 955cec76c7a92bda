"""Time in the worker: one monotonic millisecond for every timer, figure and heartbeat, one wall clock for log dates."""

from __future__ import annotations

from time import monotonic_ns


def now_ms() -> int:
    """Monotonic milliseconds: comparable over all processes of the machine."""
    return monotonic_ns() // 1_000_000
