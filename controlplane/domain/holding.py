"""What one data plane may have of one server, as far as this control plane can know: an upper bound at every instant.

A data plane obeys the share that it applied last; a lowered share ends nothing that is in flight. So what it may have is
the highest of: the share in force, the shares that were assigned since (each may be in force already), and what was in
flight under shares it has left behind. What must hold: `bound` is never below max(share in force, in flight) there.

An acknowledgement says which share is in force. It does not say that what was above it has ended: only figures that the
data plane took at that version or later say so, and from then on the number in flight above the share can but fall.
"""

from __future__ import annotations

from typing import NamedTuple

from controlplane.domain.version import NOTHING, Version

ANY = 2**40
"""More than any limit: of a data plane of which nothing is known."""


class Holding(NamedTuple):
    """`sent`: (version, share), oldest first; the first is in force or was, each later one may be. `flight`: see above."""

    sent: tuple[tuple[Version, int], ...]
    flight: int = 0

    @property
    def share(self) -> int:
        """What was assigned last."""
        return self.sent[-1][1]

    @property
    def bound(self) -> int:
        """What it may use or have in flight, at most."""
        return max(self.flight, *(share for _, share in self.sent))

    @property
    def settled(self) -> bool:
        """Whether neither an acknowledgement nor figures can change it."""
        return len(self.sent) == 1 and not self.flight

    def assigned(self, version: Version, share: int) -> Holding:
        """From `version` on it is told `share`."""
        return Holding((*self.sent, (version, share)), self.flight)

    def acked(self, version: Version) -> Holding:
        """Everything up to `version` is in force: what was assigned before that is left behind, what was in flight is not."""
        last = max((n for n, (at, _) in enumerate(self.sent) if at <= version), default=0)
        if not last:
            return self
        left = max(share for _, share in self.sent[:last])
        return Holding(self.sent[last:], max(self.flight, left)).tidied()

    def reported(self, version: Version, flight: int) -> Holding:
        """So many were in flight when `version` was in force there."""
        if version < self.sent[0][0]:
            return self
        return Holding(self.sent, min(self.flight, flight)).tidied()

    def tidied(self) -> Holding:
        """What is in flight within the share in force needs no remembering."""
        return self if self.flight > self.sent[0][1] else Holding(self.sent)


UNKNOWN = Holding(((NOTHING, ANY),))
NONE = Holding(((NOTHING, 0),))


def held(version: Version, share: int, flight: int) -> Holding:
    """As a data plane that is at `version` says itself."""
    return Holding(((version, share),), flight).tidied()
