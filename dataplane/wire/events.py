"""The messages between a data plane (DP) and the control plane (CP): one frozen dataclass each, validated strictly.

========  =========  ==================================================================================================
message   direction  meaning
========  =========  ==================================================================================================
hello     DP -> CP   first frame: who I am, the version I have applied (term 0: none), its hash, the highest term I saw
snapshot  CP -> DP   the whole state at (term, seq), as changes from the empty state, in `chunks` frames. `chunks` 0:
                     "the state whose hash you hold *is* (term, seq)" - take the number, no barrier, ack
event     CP -> DP   one batch: everything in (prev_seq, seq] of this term, merged; apply under one barrier, then ack
ack       DP -> CP   everything up to (term, seq) is in force on all live workers; what the barrier cost
nack      DP -> CP   (term, seq) was refused as a whole and nothing changed: the DP is still at (applied_term, applied_seq);
                     `backends` are those at fault; code GAP asks for a snapshot, others are retried or quarantined
status    DP -> CP   every few seconds: requests in flight and queued per server, with the server's state; queued per backend;
                     what was set here
drained   DP -> CP   my own statement: at (term, seq) each of these servers has nothing in flight and nothing queued here
inventory DP -> CP   right after a hello with the feature `shares`: what I may use of each server, and what is in flight there
renew     DP -> CP   may I go on? `asked` is my own clock; only to who has sent a lease with `asked`
lease     CP -> DP   you may carry traffic for lease_ms more, from the moment `asked` on your clock; without `asked`, from when
                     you read this
goodbye   both       I leave on purpose: a DP no longer carries traffic; a CP is restarting, connect again
========  =========  ==================================================================================================

Rules of a data plane: a term below the highest seen is ignored and the link closed; (term, seq) <= applied is acked again
and not applied; prev_seq != applied seq (or another term) is a gap. Versions are pairs (term, seq) of integers from 1.
`from_dict` raises ValueError naming the field; unknown fields are refused. A field of `OPTIONAL` that is None is not sent: it
came later than the message, and whoever does not know it must not meet it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from dataplane.wire.state import NAME

PROTO = 1
GAP = 'GAP'
HASH_MISMATCH = 'HASH_MISMATCH'
INVALID = 'INVALID'
BARRIER_TIMEOUT = 'BARRIER_TIMEOUT'
REFUSED = 'REFUSED'
SHARES = 'shares'
"""Feature of a data plane: it knows `share` and `shareDue`, sends an inventory, and renews its lease."""
_MAX_TEXT = 4_096
_MAX_NUMBER = 2**62


def _number(value: Any) -> Any:
    if type(value) is not int or not 0 <= value <= _MAX_NUMBER:
        raise ValueError(f'must be a whole number from 0 to {_MAX_NUMBER}, not {value!r:.80}')
    return value


def _text(value: Any) -> Any:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise ValueError(f'must be text of at most {_MAX_TEXT} characters')
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:  # half a surrogate pair: JSON can carry it, nothing behind it can show it
            raise ValueError(f'must be Unicode text: {error.reason} at character {error.start}') from None
    return value


def _name(value: Any) -> Any:
    if not isinstance(value, str) or not NAME.match(value):
        raise ValueError(f'must be a name (letters, digits, _ . : -, at most 128), not {value!r:.150}')
    return value


def _partition(value: Any) -> Any:
    if value == 'continue':
        return 'keep'  # as it was called once
    if value not in ('keep', 'stop'):
        raise ValueError(f"must be 'keep' or 'stop', not {value!r:.80}")
    return value


def _flag(value: Any) -> Any:
    if not isinstance(value, bool):
        raise ValueError(f'must be true or false, not {value!r:.80}')
    return value


def _holding(value: Any) -> Any:
    if value not in ('own', 'share', 'due', 'gone'):
        raise ValueError(f"must be 'own', 'share', 'due' or 'gone', not {value!r:.80}")
    return value


def _setting(value: Any) -> Any:
    if value not in ('state', 'weight', 'maxconn', 'addr'):
        raise ValueError(f"must be 'state', 'weight', 'maxconn' or 'addr', not {value!r:.80}")
    return value


def _tuple_of(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def several(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ValueError('must be a list')
        return tuple(check(item) for item in value)

    return several


def _row_of(*checks: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def row(value: Any) -> Any:
        if not isinstance(value, list | tuple) or len(value) != len(checks):
            raise ValueError(f'must hold rows of {len(checks)} values')
        return tuple(check(item) for check, item in zip(checks, value, strict=True))

    return row


def _changes(value: Any) -> Any:
    """Only the envelope: what a change says is judged by state.faults(), so that a nack can name the backend at fault."""
    if not isinstance(value, list | tuple) or not all(isinstance(item, Mapping) for item in value):
        raise ValueError('must be a list of objects')
    return tuple(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Common part: `TYPE` is the frame's `type`, `CHECKS` one function per field - of every field - that returns it or raises ValueError."""

    TYPE: ClassVar[str] = ''
    CHECKS: ClassVar[dict[str, Callable[[Any], Any]]] = {}
    OPTIONAL: ClassVar[frozenset[str]] = frozenset()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; tuples come back as tuples from `from_dict`, whatever JSON made of them."""
        values = {name: getattr(self, name) for name in self.CHECKS}
        for name in self.OPTIONAL:
            if values[name] is None:
                del values[name]
        return {'type': self.TYPE, **values}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Raise ValueError('TYPE.FIELD: ...') on a missing, unknown or ill-typed field."""
        for key in document.keys() - cls.CHECKS.keys() - {'type'}:
            raise ValueError(f'{cls.TYPE}.{key:.80}: unknown field')
        values = {}
        for key, check in cls.CHECKS.items():
            if key not in document:
                if key in cls.OPTIONAL:
                    continue
                raise ValueError(f'{cls.TYPE}.{key}: missing')
            try:
                values[key] = check(document[key])
            except ValueError as error:
                raise ValueError(f'{cls.TYPE}.{key}: {error}') from None
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello(Message):
    """A data plane introduces itself. `dp_id` stays the same over its restarts; `term_seen` is its fence."""

    TYPE = 'hello'
    CHECKS = {
        'proto': _number, 'dp_id': _name, 'node': _text, 'pod': _text, 'pod_uid': _text, 'zone': _text,
        'workers': _number, 'term': _number, 'seq': _number, 'term_seen': _number, 'state_hash': _text,
        'features': _tuple_of(_text), 'software': _text, 'on_partition': _partition,
    }  # fmt: skip

    dp_id: str
    term: int
    seq: int
    term_seen: int
    state_hash: str
    workers: int
    proto: int = PROTO
    node: str = ''
    pod: str = ''
    pod_uid: str = ''
    zone: str = ''
    features: tuple[str, ...] = ()
    software: str = ''
    on_partition: str = 'keep'


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Message):
    """Frame number `chunk` (from 0) of `chunks`; folding the changes of all of them over the empty state gives the state."""

    TYPE = 'snapshot'
    CHECKS = {
        'term': _number, 'seq': _number, 'chunk': _number, 'chunks': _number, 'changes': _changes, 'state_hash': _text,
    }  # fmt: skip

    term: int
    seq: int
    chunk: int
    chunks: int
    changes: tuple[Mapping[str, Any], ...]
    state_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Message):
    """A merged batch. `ts` is the control plane's wall clock in milliseconds, for people only."""

    TYPE = 'event'
    CHECKS = {
        'term': _number, 'seq': _number, 'prev_seq': _number, 'ts': _number, 'changes': _changes, 'state_hash': _text,
    }  # fmt: skip

    term: int
    seq: int
    prev_seq: int
    ts: int
    changes: tuple[Mapping[str, Any], ...]
    state_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack(Message):
    """Applied. `workers` applied it; `missing` were passed over (died or stood still). Times in microseconds."""

    TYPE = 'ack'
    CHECKS = {
        'term': _number, 'seq': _number, 'state_hash': _text, 'pause_us': _number, 'wait_us': _number,
        'requeued': _number, 'refused': _number, 'killed': _number,
        'workers': _tuple_of(_number), 'missing': _tuple_of(_number),
    }  # fmt: skip

    term: int
    seq: int
    state_hash: str
    pause_us: int = 0
    wait_us: int = 0
    requeued: int = 0
    refused: int = 0
    killed: int = 0
    workers: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Nack(Message):
    """Refused as a whole; the state is unchanged, at (applied_term, applied_seq). `backends` names those at fault."""

    TYPE = 'nack'
    CHECKS = {
        'term': _number, 'seq': _number, 'code': _text, 'detail': _text, 'backends': _tuple_of(_name),
        'applied_term': _number, 'applied_seq': _number,
    }  # fmt: skip

    term: int
    seq: int
    code: str
    detail: str
    applied_term: int
    applied_seq: int
    backends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Message):
    """Rows (backend, server, in flight, queued, state); the state in words of the data plane, as in `show stat`.

    Rows of `local`: (backend, server, setting, value) for each thing that was set on the stats socket and is not what was
    pushed, in the socket's words: state drain|maint, weight, maxconn, addr. None: nothing was.
    Rows of `queues`, in the first frame: (backend, queued) for each backend in whose own queue somebody waits. None: nobody does.
    Frame number `chunk` (from 0) of `chunks`: what all of them say together is how things stand.
    """

    TYPE = 'status'
    CHECKS = {
        'term': _number, 'seq': _number, 'chunk': _number, 'chunks': _number, 'servers': _tuple_of(_row_of(_name, _name, _number, _number, _text)),
        'local': _tuple_of(_row_of(_name, _name, _setting, _text)), 'queues': _tuple_of(_row_of(_name, _number)),
    }  # fmt: skip
    OPTIONAL = frozenset({'local', 'queues'})

    term: int
    seq: int
    servers: tuple[tuple[str, str, int, int, str], ...]
    chunk: int = 0
    chunks: int = 1
    local: tuple[tuple[str, str, str, str], ...] | None = None
    queues: tuple[tuple[str, int], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained(Message):
    """Rows (backend, server, state) with state drain, maint or gone (removed, and its last session has ended).

    Sent when it becomes true, again after an applied change of that server, and for all such servers after a hello.
    """

    TYPE = 'drained'
    CHECKS = {
        'term': _number, 'seq': _number, 'servers': _tuple_of(_row_of(_name, _name, _text)),
    }  # fmt: skip

    term: int
    seq: int
    servers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease(Message):
    """Relative, so that no two clocks are compared."""

    TYPE = 'lease'
    CHECKS = {'term': _number, 'lease_ms': _number, 'asked': _number}
    OPTIONAL = frozenset({'asked'})

    term: int
    lease_ms: int
    asked: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Renew(Message):
    """Answered with a lease that gives `asked` back, as soon as this data plane has acknowledged what it was last sent.

    Counted from then no lease is longer than it was meant to be, however long question or answer lay somewhere.
    """

    TYPE = 'renew'
    CHECKS = {'asked': _number}

    asked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory(Message):
    """Rows (backend, server, kind, number, in flight) of all pushed servers, at the version of the hello before it.

    `kind` says what `number` is: 'own', a maxConn that is nobody else's (0: unlimited); 'share', a share; 'due', none yet;
    'gone', none, for the server was removed. `lapsed`: no share is used, because there is no lease for it. In frames as a status.
    """

    TYPE = 'inventory'
    CHECKS = {
        'lapsed': _flag, 'chunk': _number, 'chunks': _number,
        'servers': _tuple_of(_row_of(_name, _name, _holding, _number, _number)),
    }  # fmt: skip

    lapsed: bool
    servers: tuple[tuple[str, str, str, int, int], ...]
    chunk: int = 0
    chunks: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye(Message):
    """Said by whoever leaves on purpose."""

    TYPE = 'goodbye'
    CHECKS = {'reason': _text}

    reason: str
