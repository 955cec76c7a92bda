"""From measurements to figures: medians over the rounds, and ratios taken inside each round. Pure.

A ratio is taken between two measurements of the same round, a few seconds apart, and only then summarised: what
the machine does otherwise changes slowly against that, and falls out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.cputime import Times
from bench.wrk import Load

COUNTED_BY_BYTES = 100 * 1024  # from this body size on, answers cut off by the end of the load would weigh


@dataclass(frozen=True)
class Measurement:
    """One proxy, one case, one round. With `failed` set the figures mean nothing and are zero."""

    case: str
    peer: str
    round: int
    failed: str = ''
    requests: int = 0
    requests_per_s: float = 0.0
    cpu_us: float = 0.0
    user_us: float = 0.0
    system_us: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    busy: float = 0.0


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest over the rounds."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Row:
    """One proxy in one case over all rounds. `ratio` is its CPU per request to its reference's."""

    case: str
    peer: str
    rounds: int
    failed: str = ''
    requests_per_s: Spread | None = None
    cpu_us: Spread | None = None
    user_us: float = 0.0
    system_us: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    busy: float = 0.0
    ratio: Spread | None = None


def answers(load: Load, body: int, answer_size: int) -> float:
    """How many answers a proxy's CPU time went into; pieces of long ones count as such pieces."""
    if body >= COUNTED_BY_BYTES and answer_size:
        return load.bytes_read / answer_size
    return load.requests


def measurement(case: str, peer: str, number: int, load: Load, used: Times, count: float) -> Measurement:
    """`count`: what the CPU time is divided by. The kernel's samples divide it into user and system."""
    seconds = load.duration_us / 1e6
    cpu = used.total / 1000 / count
    share = used.user / (used.user + used.system) if used.user + used.system else 0.0
    return Measurement(
        case=case,
        peer=peer,
        round=number,
        requests=load.requests,
        requests_per_s=load.requests / seconds,
        cpu_us=cpu,
        user_us=cpu * share,
        system_us=cpu * (1 - share),
        p50_ms=load.p50_us / 1000,
        p99_ms=load.p99_us / 1000,
        busy=used.total / 1e9 / seconds,
    )


def ratios(own: Iterable[Measurement], reference: Iterable[Measurement]) -> list[float]:
    """CPU per request to the reference's, one for each round in which both were measured."""
    by_round = {one.round: one.cpu_us for one in reference if not one.failed}
    return [one.cpu_us / by_round[one.round] for one in own if not one.failed and by_round.get(one.round)]


def row(own: Sequence[Measurement], reference: Sequence[Measurement]) -> Row:
    """`own` are all rounds of one proxy in one case. Wrong once is wrong: the row has no figures then."""
    case, peer = own[0].case, own[0].peer
    if wrong := [one.failed for one in own if one.failed]:
        return Row(case, peer, len(own), failed=wrong[0])
    compared = ratios(own, reference)
    return Row(
        case=case,
        peer=peer,
        rounds=len(own),
        requests_per_s=Spread.of([one.requests_per_s for one in own]),
        cpu_us=Spread.of([one.cpu_us for one in own]),
        user_us=median(one.user_us for one in own),
        system_us=median(one.system_us for one in own),
        p50_ms=median(one.p50_ms for one in own),
        p99_ms=median(one.p99_ms for one in own),
        busy=median(one.busy for one in own),
        ratio=Spread.of(compared) if compared else None,
    )


def rows(found: Sequence[Measurement], reference_of: dict[str, str]) -> list[Row]:
    """In the order in which cases and proxies were first measured, round one's."""
    groups: dict[tuple[str, str], list[Measurement]] = {}
    for one in found:
        groups.setdefault((one.case, one.peer), []).append(one)
    return [row(own, groups.get((case, reference_of[peer]), [])) for (case, peer), own in groups.items()]
