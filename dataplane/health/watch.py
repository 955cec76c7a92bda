"""One check of one server, or its agent: the counter, what it found last, and what follows for the server. Pure.

The ledger's record says what others decided meanwhile (`dataplane.core.health`): `obey` before anything is counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from dataplane.core.checks import InitState, OnError
from dataplane.core.health import Order, Side, Verdict
from dataplane.core.model import AdminState
from dataplane.core.observe import WORDS, Event
from dataplane.core.record import ServerRecord
from dataplane.health.counter import Counter
from dataplane.health.result import NOTHING_YET, Outcome, Result, Status

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class News:
    """What a result means: the verdict, None where it says nothing new, and whether `log-health-checks` tells of it."""

    verdict: Verdict | None
    told: bool


class Watch:
    """One check. `agent`: it is the agent's. `failures`, `errors`: how often it failed, and traffic did enough to count."""

    __slots__ = ('_serial', 'agent', 'counter', 'errors', 'failures', 'index', 'key', 'last', 'under_way')

    def __init__(self, record: ServerRecord, *, agent: bool) -> None:
        self.key: Key = record.backend, record.name
        self.index = record.index
        self.agent = agent
        self.last = NOTHING_YET
        self.under_way = False
        self.failures = self.errors = 0
        server = record.server
        if agent:
            assert server.agent is not None
            self.counter = Counter(server.agent.pace, InitState.FULLY_UP)
        else:
            assert server.check is not None
            self.counter = Counter(server.check.pace, server.check.init_state)
        self._serial = 0
        self.obey(record)

    def __repr__(self) -> str:
        return f'<Watch {"/".join(self.key)}{" agent" if self.agent else ""} {self.last.status.code} {self.counter!r}>'

    def side(self, record: ServerRecord) -> Side:
        """What the record says of this check."""
        return record.health.agent if self.agent else record.health.check

    def rests(self, record: ServerRecord) -> bool:
        """Is nothing to be checked now? Maintenance is no reason for an agent, which may end it."""
        if not self.side(record).enabled:
            return True
        return not self.agent and record.effective is AdminState.MAINT

    def obey(self, record: ServerRecord) -> None:
        """Take the counter where others want it, if they do since it was last asked; follow the file's numbers."""
        side, server = self.side(record), record.server
        declared = server.agent if self.agent else server.check
        if declared is not None and declared.pace != self.counter.pace:
            self.counter.follow(declared.pace)
        if side.serial != self._serial:
            self._serial = side.serial
            match side.order:
                case Order.ZERO:
                    self.counter.give_up()
                case Order.RISE:
                    self.counter.begin_anew()
                case Order.TOP:
                    self.counter.recover()

    def found(self, result: Result) -> News:
        """Count a result."""
        moved, before, self.last = False, self.last.status, result
        counter, outcome = self.counter, result.outcome
        if outcome is Outcome.FAILED:
            # an agent that cannot be talked with has not said that its server is down
            if (not self.agent or result.status.has_code) and counter.failed():
                self.failures += 1
                moved = True
        elif outcome in (Outcome.PASSED, Outcome.CONDITIONAL):
            moved = counter.passed()
        told = outcome is not Outcome.NEUTRAL and (moved or before is not result.status)
        return News(self._verdict(result), told)

    def _verdict(self, result: Result) -> Verdict | None:
        outcome, counter = result.outcome, self.counter
        if outcome is Outcome.FAILED:
            return Verdict.DOWN if counter.health == 0 and (not self.agent or result.status.has_code) else None
        if outcome is Outcome.CONDITIONAL:
            return Verdict.STOPPING if counter.up else None
        return Verdict.UP if outcome is Outcome.PASSED and counter.up else None

    def misbehaved(self, on_error: OnError, limit: int, last: Event) -> News | None:
        """Traffic had `limit` errors in a row. None: that only makes the next check come sooner."""
        self.errors += 1
        if on_error is OnError.FASTINTER:
            return None
        if on_error is OnError.SUDDEN_DEATH:
            self.counter.weaken(self.counter.pace.rise + 1)
        elif on_error is OnError.MARK_DOWN:
            self.counter.weaken(1)
        info = f'Detected {limit} consecutive errors, last one was: {WORDS[last]}'
        return self.found(Result(Status.HANA, info=info))
