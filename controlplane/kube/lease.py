"""Who leads: the arithmetic of a Lease, without a clock, a socket or a loop. `election` asks the API server by it.

The term is the Lease's count of transitions, raised by every acquisition, also by one of the same control plane. What must
hold, however answers are lost or late, processes stand still and clocks run apart (by less than `lease_ms / renew_ms`):

1. At no instant do two control planes lead: who holds the Lease leads until `renew_ms` after it *sent* the last write that
   was answered; who wants it waits `lease_ms` from when it *saw* the Lease change. No two clocks are compared.
2. No two reigns have one term, and a later one has a higher one.
3. Every write names the version of the Lease it was decided on, so a write that arrives late changes nothing that matters.
4. What is not known is not believed: a write without an answer prolongs nothing, and before the next one the Lease is read.

A Lease that is not there may have been deleted by hand while somebody leads. An absence has no version that a write could
name, so it is not waited out: an empty Lease is made first, and that is waited for like another's. Unless nobody has ever led
here (`fresh`, which only one process is ever told, and which it may use for `renew_ms`).

Known limit: a Lease edited by hand so that it says `released` is believed; then two may lead until the old one has seen it,
which is at its next renewal. The data planes obey the higher term.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

RELEASED_MS = 1_000  # what a holder that lets go writes as the Lease's duration, as other clients of Leases do
MAX_TERM = 2**31 - 1  # the API has 32 bits for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Milliseconds. ValueError: with these, two control planes could lead at once or nobody for long."""

    lease_ms: int = 15_000
    renew_ms: int = 10_000
    retry_ms: int = 2_000

    def __post_init__(self) -> None:
        if not 0 < self.retry_ms < self.renew_ms < self.lease_ms:
            raise ValueError('a lease must be longer than its renewal deadline, and that longer than a retry')


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A Lease as the API server has it. `holder` '': nobody; `renewed` is text that differs after each renewal, '' before the first."""

    uid: str
    version: str
    holder: str
    term: int
    renewed: str
    duration_ms: int
    address: str = ''

    @property
    def is_released(self) -> bool:
        """Whether its last holder let go of it, and says that it leads no more."""
        return not self.holder and bool(self.renewed) and self.duration_ms <= RELEASED_MS

    def means(self, other: Record | None) -> bool:
        """Whether nothing that matters differs: a label or an annotation does not."""
        return other is not None and replace(self, version='') == replace(other, version='')


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What to write over the Lease as it was at `over` (None: make it). `holder` '': let go, or make an empty one."""

    over: Record | None
    holder: str
    term: int
    sent_ms: int


class Elector:
    """One control plane's view of the Lease. `identity` must never have been anybody's, not even of its own last start.

    Call `read`, `accepted`, `refused` or `unanswered` with what became of each question, one question at a time.
    All times are of one monotonic clock, in milliseconds.
    """

    def __init__(self, identity: str, times: Times) -> None:
        self.identity, self.times = identity, times
        self.record: Record | None = None
        self.floor = 0  # the highest term heard of
        self._is_known = False  # `record` is how the Lease was when last heard of, and nothing of ours is under way
        self._was_read = False
        self._changed_ms = 0
        self._term = 0
        self._until_ms = 0
        self._fresh_until_ms: int | None = None

    # what is so

    def is_leading(self, now: int) -> bool:
        """Whether this one leads at `now`, which must have been read from the clock just before."""
        return self._term > 0 and now < self._until_ms

    def term(self, now: int) -> int:
        """The term in which it leads; 0: it does not."""
        return self._term if self.is_leading(now) else 0

    @property
    def until_ms(self) -> int:
        """Until when it may lead if nothing more is answered; the past when it does not lead."""
        return self._until_ms if self._term else 0

    @property
    def must_read(self) -> bool:
        """Whether the Lease has to be read before anything can be decided."""
        return not self._is_known

    # what was heard

    def read(self, record: Record | None, now: int) -> None:
        """The Lease was read: so it is, or it is not there."""
        same = record is self.record if record is None else record.means(self.record)
        if not self._was_read or not same:
            self._changed_ms = now
        self.record, self._is_known, self._was_read = record, True, True
        if record is not None:
            self._fresh_until_ms = None
            self.beyond(record.term)
        if self._term and (record is None or (record.holder, record.term) != (self.identity, self._term)):
            self._term = 0

    def accepted(self, attempt: Attempt, record: Record, now: int) -> None:
        """The write was answered: it is done, and the Lease is as in `record`. A reign that has lapsed is not taken up again."""
        has_lapsed = self._term > 0 and not self.is_leading(now)
        self.record, self._is_known, self._was_read, self._changed_ms = record, True, True, now
        self._fresh_until_ms = None
        self.beyond(record.term)
        self._term = attempt.term if attempt.holder and not has_lapsed else 0
        self._until_ms = attempt.sent_ms + self.times.renew_ms
        if not self.is_leading(now):
            self._term = 0

    def refused(self) -> None:
        """The write was refused because the Lease is another one by now, or is gone, or has come: it must be read."""
        self._is_known = False

    def unanswered(self) -> None:
        """Whether the write was done is not known, or the Lease could not be read."""
        self._is_known = False

    def fresh(self, now: int) -> None:
        """Nobody has ever led here, and nobody but us is told so; `now` was read before that was asked."""
        self._fresh_until_ms = now + self.times.renew_ms

    def beyond(self, term: int) -> None:
        """A term that was in use once, as something other than the Lease remembers: the next one is above it."""
        self.floor = max(self.floor, term)

    # what to do

    def attempt(self, now: int) -> Attempt | None:
        """The write to send now: a renewal or an acquisition. None: there is none to be made (yet)."""
        if self._term and not self.is_leading(now):
            self._term = 0
        if not self._is_known:
            return None
        if self._term:
            return self._write(now, self._term)
        if self._is_free(now):
            return self._write(now, self.floor + 1)
        if self.record is None and now - self._changed_ms >= self.times.retry_ms:
            return Attempt(over=None, holder='', term=self.floor, sent_ms=now)
        return None

    def _is_free(self, now: int) -> bool:
        record = self.record
        if record is None:
            return self._fresh_until_ms is not None and now < self._fresh_until_ms
        if record.holder == self.identity or record.is_released:
            return True
        return now - self._changed_ms >= max(self.times.lease_ms, record.duration_ms)

    def raised(self, at_least: int, now: int) -> Attempt | None:
        """The write with which the one who leads begins a term of `at_least`, or the next. None: read first, or not leading."""
        if not self._is_known or not self.is_leading(now):
            return None
        return self._write(now, max(at_least, self._term + 1))

    def resign(self) -> None:
        """Lead no more, from this moment. What was done in the term must have ended before."""
        self._term = 0

    def release(self, now: int) -> Attempt | None:
        """The write that lets others lead at once. None: nothing of ours is there to let go of, or it must be read first."""
        if self._term:
            raise ValueError('who leads must resign before it lets go')
        if not self._is_known or self.record is None or self.record.holder != self.identity:
            return None
        return Attempt(over=self.record, holder='', term=self.record.term, sent_ms=now)

    def _write(self, now: int, term: int) -> Attempt:
        return Attempt(over=self.record, holder=self.identity, term=term, sent_ms=now)
