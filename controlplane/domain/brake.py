"""The mass-removal brake: a change that computes a whole set of servers and would remove too many is held, not numbered.

It guards against a source that lost its view of the world (an empty list of endpoints, a truncated file), so it judges
whole sets only; removing one named thing is meant. Backends are judged one by one: what is not held goes through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from controlplane.domain.desired import Desired, Write

SMALL = 3  # below so many servers a share means nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """Writes that may pass, and per held backend how many of how many servers would have gone."""

    passed: tuple[Write, ...]
    held: dict[str, tuple[int, int]]


def judge(desired: Desired, writes: Sequence[Write], percent: int, confirmed: Iterable[str] = ()) -> Verdict:
    """Hold all writes of each backend that would lose more than `percent` of its servers, unless it is `confirmed`."""
    backends = desired.state['backends']
    going: Counter[str] = Counter()
    for write in writes:
        if write.spec is None and write.key.kind == 'server':
            going[write.key.backend] += write.key.name in backends.get(write.key.backend, {}).get('servers', {})
        elif write.spec is None and write.key.kind == 'backend' and write.key.name in backends:
            going[write.key.name] = len(backends[write.key.name]['servers'])
    held = {}
    for name in going.keys() - set(confirmed):
        total = len(backends[name]['servers']) if name in backends else 0
        if total >= SMALL and going[name] * 100 > total * percent:
            held[name] = (going[name], total)
    passed = tuple(
        write for write in writes if (write.key.backend or write.key.name) not in held or write.key.kind == 'route'
    )
    return Verdict(passed, held)
