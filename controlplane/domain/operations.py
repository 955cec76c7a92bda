"""Operations: what a verb set out to do, and whether every known data plane has done it (G6).

An operation is an edit of levels, not an order to be carried out: it holds, per thing, the values it set and the version
at which they were in force. From there its state only follows what is seen:

    pending ──> done         every known data plane acked (or stated drained) at that version or a later one
       ├──────> superseded   somebody set something contrary before that
       └──────> refused      a data plane refused it, and all others are done

A data plane that has done its part stays done for this operation: with `drain` being drained is an instant, because
persistent sessions may come back. A data plane that is not connected is waited for, and named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from controlplane.domain.desired import Desired, Key
from controlplane.domain.version import Version

_STRICTNESS = {'ready': 0, 'drain': 1, 'maint': 2}


class Goal(StrEnum):
    """What is waited for: in force on every worker, or besides nothing in flight and nothing queued."""

    ACKED = 'acked'
    DRAINED = 'drained'


class Progressed(StrEnum):
    """How far an operation is."""

    PENDING = 'pending'
    DONE = 'done'
    SUPERSEDED = 'superseded'
    REFUSED = 'refused'


ENDS: dict[Progressed, frozenset[Progressed]] = {
    Progressed.PENDING: frozenset({Progressed.DONE, Progressed.SUPERSEDED, Progressed.REFUSED}),
    Progressed.REFUSED: frozenset({Progressed.DONE, Progressed.SUPERSEDED, Progressed.PENDING}),
    Progressed.DONE: frozenset(),
    Progressed.SUPERSEDED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Target:
    """One thing and the values that were set; `values` None: it was removed."""

    key: Key
    values: Mapping[str, Any] | None

    def contradicted(self, desired: Desired) -> bool:
        """Tell whether the desired state no longer says what was set. A stricter admin state is not a contradiction."""
        spec = desired.spec(self.key)
        if self.values is None or spec is None:
            return (self.values is None) != (spec is None)
        return any(not _holds(name, value, spec.get(name)) for name, value in self.values.items())


def _holds(name: str, value: Any, now: Any) -> bool:
    if name == 'adminState':
        return _STRICTNESS[now] >= _STRICTNESS[value] if value != 'ready' else now == 'ready'
    return bool(now >= value) if name == 'sessionGeneration' else bool(now == value)


@dataclass(slots=True)
class Operation:
    """One verb. `reached` holds, per data plane, the version at which it was seen to have done its part.

    Of an open operation it lacks those of which nothing was asked but an acknowledgement (`Convergence.parts`).
    """

    id: str
    verb: str
    actor: str
    version: Version
    goal: Goal
    targets: tuple[Target, ...]
    ts: int
    state: Progressed = Progressed.PENDING
    reached: dict[str, Version] = field(default_factory=dict)

    def move(self, state: Progressed) -> None:
        """Go to another state. ValueError: that cannot be."""
        if state is not self.state:
            if state not in ENDS[self.state]:
                raise ValueError(f'operation {self.id}: {self.state} -> {state}')
            self.state = state

    @property
    def open(self) -> bool:
        """Whether its end is still to be seen."""
        return bool(ENDS[self.state])

    @property
    def backends(self) -> frozenset[str]:
        """The backends it is about."""
        return frozenset(target.key.backend or target.key.name for target in self.targets if target.key.kind != 'route')

    @property
    def servers(self) -> Iterable[Key]:
        """The servers it is about."""
        return (target.key for target in self.targets if target.key.kind == 'server')

    def record(self) -> dict[str, Any]:
        """As plain JSON values, for the store."""
        return {
            'id': self.id, 'verb': self.verb, 'actor': self.actor, 'version': list(self.version), 'goal': self.goal.value,
            'ts': self.ts,
            'targets': [
                [target.key.kind, target.key.name, target.key.backend, target.values] for target in self.targets
            ],
        }  # fmt: skip

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Operation:
        """Read what `record` wrote. It begins as pending: what it has come to is seen anew."""
        targets = tuple(Target(Key(kind, name, backend), values) for kind, name, backend, values in record['targets'])
        return cls(
            id=record['id'], verb=record['verb'], actor=record['actor'], version=Version(*record['version']),
            goal=Goal(record['goal']), targets=targets, ts=record['ts'],
        )  # fmt: skip
