"""One name of one section: when it is asked for, what came of it, and for how long that counts (configuration manual, 5.3).

Pure: time and answers are brought to it, and it says what is to be done. A run is:

    start -> sent -> a valid answer                          -> VALID
                  -> all nameservers answered, none validly  -> sent again for the other kind of address (not for SRV), once a try
                  -> `retry` ms passed                       -> sent again, one try less; the last one: FAILED
    `resolve` ms after its end the next one starts.

What is known outlives a failed run: by `hold` of its status it is asked whether a valid answer is old enough to be forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from dataplane.core.lookup import Resolvers
from dataplane.core.naming import Target

MOST: Final = 4_096
"""Records of one name that are remembered; of an answer no more fit into the longest message."""
_SHORTEST: Final = 10
"""ms between two questions, whatever the section says."""
_OTHER: Final = {'A': 'AAAA', 'AAAA': 'A'}
_Key = TypeVar('_Key')


class Status(StrEnum):
    """What the last run came to. `NONE`: there was none yet."""

    NONE = 'none'
    VALID = 'valid'
    NX = 'nx'
    REFUSED = 'refused'
    TIMEOUT = 'timeout'
    OTHER = 'other'


CAUSES: Final = {
    Status.NX: 'DNS NX status', Status.TIMEOUT: 'DNS timeout status', Status.REFUSED: 'DNS refused status',
    Status.OTHER: 'unspecified DNS error',
}  # fmt: skip


class Step(StrEnum):
    """What is to be done now."""

    WAIT = 'wait'
    SEND = 'send'
    VALID = 'valid'
    FAILED = 'failed'


@dataclass(frozen=True, slots=True)
class Answer:
    """A valid one: addresses, or the records of a service."""

    addresses: frozenset[str] = frozenset()
    targets: tuple[Target, ...] = ()


class Question:
    """One per name and kind of record ('A', 'AAAA': which is wanted first; 'SRV') of a section. Times are ms of one clock."""

    def __init__(self, name: str, kind: str, section: Resolvers, now: int) -> None:
        self.name, self.kind, self.section = name, kind, section
        self.asking = kind
        self.id: int | None = None
        self.kinds: set[str] = set()
        self.status = Status.NONE
        self.last: tuple[bytes, Answer] | None = None  # the last valid message behind its number, and what it says
        self._error = Status.TIMEOUT
        self._tries = 0
        self._queries = self._responses = 0
        self._last_query, self._last_valid = now, now
        self._next = now
        self._addresses: dict[str, int] = {}
        self._targets: dict[tuple[str, int], tuple[Target, int]] = {}

    def __repr__(self) -> str:
        return f'<Question {self.name} {self.kind} {self.status} addresses={len(self._addresses)} targets={len(self._targets)}>'

    @property
    def addresses(self) -> frozenset[str]:
        """Those that are known."""
        return frozenset(self._addresses)

    @property
    def targets(self) -> tuple[Target, ...]:
        """The records that are known of a service."""
        return tuple(target for target, _ in self._targets.values())

    @property
    def due(self) -> int:
        """When `start` or `overdue` is to be called."""
        return self._next if self.id is None else self._last_query + max(self.section.retry, _SHORTEST)

    def start(self, number: int, now: int) -> None:
        """Begin a run: what is sent next bears this number."""
        self.id, self.asking, self.kinds = number, self.kind, {self.kind}
        self._tries = self.section.retries - 1
        self._error = Status.TIMEOUT
        self._last_query = now

    def sent(self, queries: int, now: int) -> None:
        """It was sent to so many nameservers."""
        self._queries, self._responses, self._last_query = queries, 0, now

    def overdue(self, now: int) -> Step:
        """Nobody answered validly in time."""
        if not self._tries:
            return self._failed(now)
        if self._responses and self.asking == self.kind and self.kind in _OTHER:
            return self._turn()
        self.asking = self.kind
        self._tries -= 1
        return Step.SEND

    def wrong(self, status: Status, now: int) -> Step:
        """A nameserver answered, but not validly."""
        self._responses += 1
        self._error = status
        if self._responses < self._queries:
            return Step.WAIT
        if self.asking == self.kind and self.kind in _OTHER:
            return self._turn()
        return Step.WAIT if self._tries else self._failed(now)

    def valid(self, answer: Answer, now: int) -> Step:
        """A nameserver answered validly."""
        self.status, self._last_valid = Status.VALID, now
        self._addresses |= dict.fromkeys(answer.addresses, now)
        self._targets |= {target.place: (target, now) for target in answer.targets}
        kept = now - self.section.hold.obsolete
        self._addresses = _newest({known: seen for known, seen in self._addresses.items() if seen >= kept})
        there = ((place, seen) for place, (_, seen) in self._targets.items() if seen >= kept)
        self._targets = {place: self._targets[place] for place in _newest(dict(there))}
        self._end(now)
        return Step.VALID

    def forgets(self, now: int) -> bool:
        """Has the last valid answer ceased to count? Then what was known is forgotten."""
        if self.status in (Status.NONE, Status.VALID):
            return False
        if now < self._last_valid + getattr(self.section.hold, self.status.value):
            return False
        self._addresses, self._targets = {}, {}
        return True

    def _turn(self) -> Step:
        """Ask for the other kind of address."""
        self.asking = _OTHER[self.kind]
        self.kinds.add(self.asking)
        return Step.SEND

    def _failed(self, now: int) -> Step:
        self.status = self._error
        self._end(now)
        return Step.FAILED

    def _end(self, now: int) -> None:
        self.id = None
        self._next = now + max(self.section.resolve, _SHORTEST)


def _newest(seen: dict[_Key, int]) -> dict[_Key, int]:
    """As many as may be remembered."""
    if len(seen) <= MOST:
        return seen
    return dict(sorted(seen.items(), key=lambda item: -item[1])[:MOST])
