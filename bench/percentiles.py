"""How a list of latencies is summed up."""

from __future__ import annotations

from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of all is."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def line(values: Sequence[float]) -> str:
    """Milliseconds as a person reads them."""
    p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
    return f'p50 {p50:.1f} ms   p99 {p99:.1f} ms   max {max(values):.1f} ms   ({len(values)})'
