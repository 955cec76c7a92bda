from __future__ import annotations

from controlplane.domain.delivery import Courier, Held, Parcel, Recipient
from controlplane.domain.log import Entry, Log
from controlplane.domain.quarantine import extended
from controlplane.domain.version import Version
from dataplane.wire import codec
from dataplane.wire import state as wire
from dataplane.wire.events import Event, Hello, Snapshot
from tests.unit.controlplane.domain.specs import S1, S2, app

OLD, NEW = app(S1).state, app(S1, S2).state


def world() -> tuple[Log, Courier]:
    log = Log(3, OLD)
    log.append(Entry.between(log.head.following(), OLD, NEW, ts=0, actor='me', verb='test'), NEW)
    return log, Courier(log, remembered=2)


def hello(term: int, seq: int, state: wire.State) -> Hello:
    return Hello(dp_id='dp1', term=term, seq=seq, term_seen=term, state_hash=wire.digest(state), workers=1)


def message(parcel: Parcel | None) -> Event | Snapshot:
    assert parcel is not None
    found = codec.decode(parcel.frames[0], codec.FROM_CONTROLPLANE)
    assert isinstance(found, Event | Snapshot)
    return found


def test_from_within_the_ring_it_is_one_event() -> None:
    _, courier = world()
    held = courier.arrived(hello(3, 1, OLD), {})
    assert held.state == OLD
    event = message(courier.parcel(held, Recipient(), 5))
    assert isinstance(event, Event)
    assert (event.prev_seq, event.seq, len(event.changes)) == (1, 2, 1)


def test_who_is_there_gets_nothing() -> None:
    _, courier = world()
    assert courier.parcel(courier.arrived(hello(3, 2, NEW), {}), Recipient(), 5) is None


def test_a_hash_that_does_not_fit_is_not_believed() -> None:
    _, courier = world()
    held = courier.arrived(hello(3, 1, wire.empty()), {})
    assert held == Held.nothing()
    found = message(courier.parcel(held, Recipient(), 5))
    assert isinstance(found, Snapshot)
    assert codec.Assembler().add(found) == NEW


def test_an_equal_state_of_another_term_is_renumbered() -> None:
    _, courier = world()
    found = message(courier.parcel(courier.arrived(hello(2, 40, NEW), {}), Recipient(), 5))
    assert codec.same(found)
    other = message(courier.parcel(courier.arrived(hello(2, 40, OLD), {}), Recipient(), 5))
    assert isinstance(other, Snapshot)
    assert other.chunks == 1


def test_a_quarantined_backend_is_sent_as_it_was() -> None:
    _, courier = world()
    quarantine = extended({}, ['app'], NEW, OLD)
    held = courier.arrived(hello(3, 1, OLD), quarantine)
    parcel = courier.parcel(held, Recipient(quarantine=quarantine), 5)
    assert codec.same(message(parcel))
    assert parcel is not None
    assert (parcel.held.version, parcel.held.state, parcel.held.wanted) == ((3, 2), OLD, NEW)
    # at the head, but with the quarantine lifted: the numbers are the same, so only a snapshot can tell
    assert isinstance(message(courier.parcel(parcel.held, Recipient(), 5)), Snapshot)


def test_which_servers_are_something_else_by_it() -> None:
    _, courier = world()
    at_old = Held(Version(3, 1), OLD, wire.digest(OLD))
    parcel = courier.parcel(at_old, Recipient(), 5)
    assert parcel is not None
    assert parcel.changed == frozenset({S2})
    unknown = courier.parcel(Held.nothing(), Recipient(), 5)
    assert unknown is not None
    assert unknown.changed is None
    same = courier.parcel(Held(Version(2, 9), NEW, wire.digest(NEW)), Recipient(), 5)
    assert same is not None
    assert same.changed == frozenset()


def test_the_servers_of_a_removed_backend_are_something_else() -> None:
    log, _ = world()
    log.append(Entry.between(Version(3, 3), NEW, wire.empty(), ts=0, actor='', verb=''), wire.empty())
    parcel = Courier(log).parcel(Held(Version(3, 2), NEW, wire.digest(NEW)), Recipient(), 5)
    assert parcel is not None
    assert parcel.changed == frozenset({S1, S2})


def test_equal_ways_are_encoded_once_and_few_are_remembered() -> None:
    log, courier = world()
    held = Held(Version(3, 1), OLD, wire.digest(OLD))
    first, second = courier.parcel(held, Recipient(), 5), courier.parcel(held, Recipient(), 6)
    assert first is not None
    assert second is not None
    assert first.frames is second.frames
    assert courier.encoded == 1
    for seq in range(5, 9):
        courier.parcel(Held(Version(2, seq), None, ''), Recipient(), 5)
    courier.parcel(held, Recipient(), 5)
    assert courier.encoded == 6
    assert log.head == (3, 2)
