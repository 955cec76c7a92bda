"""The arithmetic of the barrier: who belongs to it, what each member has acknowledged, and what everybody has passed.

One object of this kind stands at both ends: the workers under a supervisor (versions are board revisions) and the data
planes under a control plane (versions are `(term, seq)`). It knows no time, no socket and no meaning of a version beyond
its order. What must hold:

1. A version is passed when every member has acknowledged it or a later one; with no member everything is passed.
2. A member counts from `join` on, as having acknowledged the version it was given; what it was not given it need not ack.
3. What a member has acknowledged never falls: an ack that is late, doubled or from somebody who left changes nothing
   and is counted in `stale`.
4. Leaving can only let versions pass, never hold one back.
"""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar


class Ordered(Protocol):
    """What a version must be able to do."""

    def __lt__(self, other: Any, /) -> bool:
        """Tell whether this version is older."""

    def __hash__(self) -> int:
        """Equal versions are counted together."""


Version = TypeVar('Version', bound=Ordered)
Member = TypeVar('Member')


class Progress(Generic[Member, Version]):
    """Members of a barrier with the latest version each has acknowledged.

    `_counts`: how many are at each version. A hundred members that keep up are at two or three, so `passed` looks at those.
    """

    __slots__ = ('_acked', '_counts', 'stale')

    def __init__(self) -> None:
        self._acked: dict[Member, Version] = {}
        self._counts: dict[Version, int] = {}
        self.stale = 0

    def join(self, member: Member, at: Version) -> None:
        """Make `member` count, starting from version `at`, which it was given whole. A second join starts it anew."""
        self._go(member, at)

    def leave(self, member: Member) -> bool:
        """Stop counting `member`. Returns whether it was one; leaving twice is harmless."""
        return self._go(member, None) is not None

    def _go(self, member: Member, to: Version | None) -> Version | None:
        """Put `member` at another version, None: nowhere. Returns where it was."""
        known = self._acked.pop(member, None) if to is None else self._acked.get(member)
        if known is not None:
            self._counts[known] -= 1
            if not self._counts[known]:
                del self._counts[known]
        if to is not None:
            self._acked[member] = to
            self._counts[to] = self._counts.get(to, 0) + 1
        return known

    def acked(self, member: Member, version: Version) -> bool:
        """Record an acknowledgement. Returns whether it told anything new (see rule 3)."""
        known = self._acked.get(member)
        if known is None or not known < version:
            self.stale += 1
            return False
        self._go(member, version)
        return True

    def passed(self, version: Version) -> bool:
        """Tell whether every member has acknowledged `version`."""
        return not any(known < version for known in self._counts)

    def missing(self, version: Version) -> tuple[Member, ...]:
        """Members that have not acknowledged `version` yet, in the order they joined."""
        return tuple(member for member, known in self._acked.items() if known < version)

    def at(self, member: Member) -> Version | None:
        """Return the latest version `member` acknowledged, or None if it is not a member."""
        return self._acked.get(member)

    def all(self) -> dict[Member, Version]:
        """A copy of what every member has acknowledged."""
        return dict(self._acked)

    @property
    def members(self) -> tuple[Member, ...]:
        """Everybody who counts, in the order they joined."""
        return tuple(self._acked)

    def __repr__(self) -> str:
        rows = ', '.join(f'{member!r}: {known!r}' for member, known in self._acked.items())
        return f'<Progress {{{rows}}} stale={self.stale}>'
