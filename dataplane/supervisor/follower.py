"""How a data plane follows the control plane: the rules of the link, as decisions on plain values. No socket, no clock.

What must hold (docs/protocol.md, G1-G5):

1. The version applied, (term, seq), never falls; what is at or below it is acknowledged again and not applied.
2. Nothing of a term below the highest one seen is obeyed: the link it came on is closed (fencing).
3. A state is only ever the fold of an event over the very state it was made for (`prev_seq`), or a whole snapshot; and it is
   adopted only if it has the hash the control plane computed. Otherwise everything stays as it was and a nack says why.
4. One nack is one request for repair: until a frame fits again, further gaps are not reported.

A follower outlives its connections; `begin` starts each of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dataplane.supervisor.lastgood import LastGood
from dataplane.wire.codec import Assembler
from dataplane.wire.digests import Digests
from dataplane.wire.events import GAP, HASH_MISMATCH, INVALID, REFUSED, Ack, Event, Lease, Message, Nack, Snapshot
from dataplane.wire.state import State, empty, faults, fold, limits


@dataclass(frozen=True, slots=True)
class Adopt:
    """Make `state` true, then say `adopted`; or, if that cannot be, send what `refused` gives. `whole`: a snapshot said it."""

    term: int
    seq: int
    state: State
    state_hash: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Renumber:
    """The state is already this one and only its version moves; keep it, then send `ack`."""

    term: int
    seq: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Send this. `leaves`: then close the link, so that the next attempt comes after a pause and with a hello."""

    message: Message
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class Leave:
    """Close the link; nothing is answered."""

    reason: str


Step = Adopt | Renumber | Answer | Leave | None


class Follower:
    """Where this data plane is. `term_seen` is the fence, `term` and `seq` (0, 0: nothing yet) the version of `state`."""

    def __init__(self, term_seen: int, known: LastGood | None) -> None:
        self.term, self.seq, self.state = (0, 0, empty()) if known is None else (known.term, known.seq, known.state)
        self.term_seen = max(term_seen, self.term)
        self._digests = Digests()
        self.state_hash = self._digests.of(self.state)
        self._assembler = Assembler()
        self._chunk: tuple[int, int, int, str] | None = None
        self._asked = False

    @property
    def version(self) -> tuple[int, int]:
        """(term, seq) applied."""
        return self.term, self.seq

    def begin(self) -> None:
        """A new connection: what was half received on the last one is worth nothing."""
        self._assembler = Assembler()
        self._chunk = None
        self._asked = False

    def receive(self, message: Message) -> Step:
        """What to do about a frame of the control plane."""
        if not isinstance(message, Snapshot | Event | Lease):
            return None
        if message.term < self.term_seen:
            return Leave(f'a frame of term {message.term} after term {self.term_seen} was seen')
        self.term_seen = message.term
        if isinstance(message, Lease):
            return None
        if isinstance(message, Snapshot):
            return self._same(message) if message.chunks == 0 else self._snapshot(message)
        return self._event(message)

    def adopted(self, step: Adopt | Renumber) -> None:
        """The step has been made true on all live workers."""
        self.term, self.seq = step.term, step.seq
        self._asked = False
        if isinstance(step, Adopt):
            self.state, self.state_hash = step.state, step.state_hash

    def ack(self) -> Ack:
        """The version applied, without anything having been done for it now."""
        return Ack(term=self.term, seq=self.seq, state_hash=self.state_hash)

    def refused(self, step: Adopt, problems: Iterable[str], backends: Iterable[str], code: str = REFUSED) -> Nack:
        """The step could not be made true; nothing changed."""
        return self._nack(step.term, step.seq, code, '; '.join(problems), backends)

    def _same(self, message: Snapshot) -> Step:
        """The snapshot without frames: the state I hold is said to be (term, seq)."""
        if (message.term, message.seq) <= self.version:
            return Answer(self.ack())
        if message.state_hash != self.state_hash:
            detail = 'the state held here is another one'
            return Answer(self._nack(message.term, message.seq, HASH_MISMATCH, detail))
        return Renumber(message.term, message.seq)

    def _snapshot(self, message: Snapshot) -> Step:
        before, self._chunk = self._chunk, (message.term, message.seq, message.chunk, message.state_hash)
        if message.chunk and before == self._chunk:
            return None
        try:
            state = self._assembler.add(message)
        except ValueError as error:
            names = [name for name, _ in faults(message.changes) if name is not None]
            return Answer(self._nack(message.term, message.seq, INVALID, str(error), names), leaves=True)
        if state is None:
            return None
        at = (message.term, message.seq)
        if at < self.version or (at == self.version and message.state_hash == self.state_hash):
            self._asked = False
            return Answer(self.ack())
        problems = limits(state)
        if problems:
            return Answer(self._nack(message.term, message.seq, INVALID, problems[0]), leaves=True)
        return Adopt(message.term, message.seq, state, message.state_hash, whole=True)

    def _event(self, message: Event) -> Step:
        if (message.term, message.seq) <= self.version:
            return Answer(self.ack())
        if (message.term, message.prev_seq) != self.version:
            if self._asked:
                return None
            detail = f'it follows {message.term}.{message.prev_seq}, here {self.term}.{self.seq} is applied'
            return Answer(self._nack(message.term, message.seq, GAP, detail))
        try:
            state = fold(self.state, message.changes)
        except ValueError as error:
            names = [name for name, _ in faults(message.changes) if name is not None]
            return Answer(self._nack(message.term, message.seq, INVALID, str(error), names))
        problems = limits(state)
        if problems:
            return Answer(self._nack(message.term, message.seq, INVALID, problems[0]))
        if self._digests.of(state) != message.state_hash:
            detail = 'the state after it does not have the hash it was sent with'
            return Answer(self._nack(message.term, message.seq, HASH_MISMATCH, detail))
        return Adopt(message.term, message.seq, state, message.state_hash)

    def _nack(self, term: int, seq: int, code: str, detail: str, backends: Iterable[str] = ()) -> Nack:
        self._asked = True
        return Nack(
            term=term,
            seq=seq,
            code=code,
            detail=detail[:4_096],
            backends=tuple(dict.fromkeys(backends)),
            applied_term=self.term,
            applied_seq=self.seq,
        )
