from __future__ import annotations

from collections.abc import Iterable

import pytest

from dataplane.core import pump
from dataplane.core.changes import AdoptFile, SetAdmin, SetMaxconn, SetWeight, ShutdownSessions
from dataplane.core.counters import C
from dataplane.core.layout import Layout, Rota
from dataplane.core.model import AdminState, Balance
from dataplane.core.plane import SUPERVISOR
from dataplane.core.stream import Admission, Life
from tests.unit.core.farm import backend, file, server
from tests.unit.core.planes import LAYOUT, Planes, stream

MAINT, DRAIN, READY = AdminState.MAINT, AdminState.DRAIN, AdminState.READY


def test_a_slot_while_there_is_room_then_a_place_in_the_queue() -> None:
    farm = Planes(1, 1)
    first, second, third = stream(), stream(), stream()
    assert farm.admit(0, first) is Admission.SLOT
    assert farm.admit(1, second) is Admission.SLOT
    assert {first.server, second.server} == {0, 1}
    assert farm.admit(0, third) is Admission.WAITING
    assert third.position_backend == 1
    assert farm.cells[farm.at.beconn(0, 0)] == 2


def test_a_release_gives_to_the_oldest_and_rings_its_worker() -> None:
    farm = Planes(1)
    served, older, newer = stream(), stream(), stream()
    farm.admit(0, served)
    farm.admit(1, older)
    farm.admit(0, newer)
    farm.release(0, served)
    assert farm.rings == (1,)
    assert farm.used(0) == 1
    assert farm.settle(1, older) == ([older], [])
    assert older.life is Life.SLOT
    assert farm.settle(0, newer) == ([], [])


def test_a_lower_class_and_an_earlier_offset_go_first() -> None:
    farm = Planes(1)
    served, normal, urgent, early = stream(), stream(), stream(klass=-1), stream(offset=-5)
    farm.admit(0, served)
    for waiter in (normal, urgent, early):
        farm.admit(0, waiter)
    order = []
    waiting = [normal, urgent, early]
    while waiting:
        farm.release(0, served)
        (served,), _ = farm.settle(0, *waiting)
        order.append(served)
        waiting.remove(served)
    assert order == [urgent, early, normal]


def test_with_nobody_in_rotation_a_newcomer_is_refused_and_waiters_are_flushed() -> None:
    farm = Planes(1)
    served, waiter = stream(), stream()
    farm.admit(0, served)
    farm.admit(1, waiter)
    farm.change(SetAdmin('px', 's1', MAINT))
    assert farm.rings == (SUPERVISOR,)
    newcomer = stream()
    assert farm.admit(0, newcomer) is Admission.NOSRV
    farm.pump()
    assert farm.settle(1, waiter) == ([], [waiter])
    assert waiter.life is Life.ENDED
    assert farm.cells[farm.at.BEWAITING] == 0


def test_a_waiter_of_a_server_in_maintenance_moves_with_its_old_key() -> None:
    farm = Planes(1, 1)
    busy = [stream(), stream()]
    persistent, later = stream(wish=0), stream()
    for one in (*busy, persistent, later):
        farm.admit(0, one)
    farm.change(SetAdmin('px', 's1', MAINT))
    farm.pump()
    farm.release(0, next(one for one in busy if one.server == 1))
    assert farm.settle(0, persistent, later) == ([persistent], [])
    assert persistent.server == 1


def test_a_draining_server_serves_persistent_streams_only() -> None:
    farm = Planes(1)
    farm.change(SetAdmin('px', 's1', DRAIN))
    assert farm.admit(0, stream()) is Admission.NOSRV
    assert farm.admit(0, stream(wish=1)) is Admission.NOSRV
    persistent, second = stream(wish=0), stream(wish=0)
    assert farm.admit(0, persistent) is Admission.SLOT
    assert farm.admit(0, second) is Admission.WAITING
    assert second.position_server == 1
    farm.release(0, persistent)
    assert farm.settle(0, second) == ([second], [])


def test_weight_from_zero_and_limit_raised_wake_those_who_wait() -> None:
    farm = Planes(1, 1)
    farm.change(SetWeight('px', 's2', 0))
    first, second, third = stream(), stream(), stream()
    for one in (first, second, third):
        farm.admit(0, one)
    farm.change(SetWeight('px', 's2', 1))
    farm.pump()
    assert farm.settle(0, second, third) == ([second], [])
    farm.change(SetMaxconn('px', 's1', 2))
    farm.pump()
    assert farm.settle(0, third) == ([third], [])
    assert third.server == 0


def test_a_lowered_limit_takes_nothing_back_and_gives_nothing() -> None:
    farm = Planes(2)
    first, second, waiter = stream(), stream(), stream()
    for one in (first, second, waiter):
        farm.admit(0, one)
    farm.change(SetMaxconn('px', 's1', 1))
    farm.pump()
    farm.release(0, first)
    assert farm.settle(0, waiter) == ([], [])
    farm.release(0, second)
    assert farm.settle(0, waiter) == ([waiter], [])


def test_an_unlimited_server_takes_from_the_queue_too() -> None:
    farm = Planes(1, 0)
    farm.change(SetAdmin('px', 's2', MAINT))
    served, *waiters = stream(), stream(), stream(), stream()
    for one in (served, *waiters):
        farm.admit(0, one)
    farm.change(SetAdmin('px', 's2', READY))
    farm.pump()
    assert farm.settle(0, *waiters) == (waiters, [])
    assert {one.server for one in waiters} == {1}


def test_a_full_own_queue_is_left_only_with_redispatch() -> None:
    farm = Planes(1, 1, maxqueue=1)
    farm.admit(0, stream(wish=0))
    assert farm.admit(0, stream(wish=0)) is Admission.WAITING
    refused = stream(wish=0)
    assert farm.admit(0, refused) is Admission.FULL
    assert refused.life is Life.ENDED
    elsewhere = stream(wish=0, redispatch=True)
    assert farm.admit(0, elsewhere) is Admission.SLOT
    assert elsewhere.server == 1


def test_a_used_up_pool_is_a_full_queue() -> None:
    farm = Planes(1, layout=Layout(workers=2, servers=6, backends=2, frontends=1, entries=1))
    assert [farm.admit(0, stream()) for _ in range(3)] == [Admission.SLOT, Admission.WAITING, Admission.FULL]


def test_cancel_returns_the_place_or_the_slot() -> None:
    farm = Planes(1)
    served, first, second, third = (stream() for _ in range(4))
    for one in (served, first, second, third):
        farm.admit(0, one)
    with farm.hold(farm.workers[0]) as plane:
        plane.cancel(first)
    assert farm.cells[farm.at.QUEUE_LENGTH + farm.at.backend_queue(0)] == 2
    farm.release(0, served)
    with farm.hold(farm.workers[0]) as plane:
        plane.cancel(second)  # it was given the slot and has not looked yet
    assert farm.settle(0, third) == ([third], [])


def test_a_slot_of_a_server_that_left_is_not_taken() -> None:
    farm = Planes(1, 1)
    busy = [stream(), stream()]
    waiter = stream()
    for one in (*busy, waiter):
        farm.admit(0, one)
    gone = next(one for one in busy if one.server == 0)
    farm.release(0, gone)
    farm.change(SetAdmin('px', 's1', MAINT))
    assert farm.settle(0, waiter) == ([], [])
    assert waiter.life is Life.WAITING
    assert farm.used(0) == 0


def test_effects_see_barred_slots_and_old_generations() -> None:
    farm = Planes(1, 1)
    one = stream()
    farm.admit(0, one)
    plane = farm.workers[0]
    assert not plane.is_barred(one)
    name = farm.farm.ledger.tables.servers[one.server].name
    farm.change(SetAdmin('px', name, MAINT))
    assert plane.is_barred(one)
    with farm.hold(plane):
        assert plane.again(one, farm.tables, -1) is Admission.SLOT
    assert farm.farm.ledger.tables.servers[one.server].name != name
    farm.change(ShutdownSessions('px', farm.farm.ledger.tables.servers[one.server].name, 7))
    assert plane.is_over(one)
    one.life = Life.RUNNING
    assert not plane.is_barred(one)


def test_another_try_avoids_the_server_that_failed() -> None:
    farm = Planes(2, 2, balance=Balance(algorithm='first'))
    one = stream()
    farm.admit(0, one)
    assert one.server == 0
    key = (one.key, one.seq)
    with farm.hold(farm.workers[0]) as plane:
        assert plane.again(one, farm.tables, 0) is Admission.SLOT
    assert one.server == 1
    assert (one.key, one.seq) == key


def test_other_tables_mean_route_again_and_nothing_is_kept() -> None:
    farm = Planes(1)
    one = stream()
    with farm.hold(farm.workers[0]) as plane:
        assert plane.admit(one, farm.tables + 1, 0) is Admission.ROUTE_AGAIN
    assert farm.admit(0, one) is Admission.SLOT
    with farm.hold(farm.workers[0]) as plane:
        assert plane.again(one, farm.tables + 1, -1) is Admission.ROUTE_AGAIN
    assert one.life is Life.NEW
    assert farm.used(0) == 0
    assert farm.cells[farm.at.beconn(0, 0)] == 0


@pytest.mark.parametrize('waits', [True, False])
def test_a_stream_whose_route_changed_asks_elsewhere_with_its_old_key(waits: bool) -> None:
    farm = Planes(1)
    if waits:
        farm.admit(0, stream())
    one = stream()
    farm.admit(0, one)
    key = one.key
    with farm.hold(farm.workers[0]) as plane:
        assert plane.move_to(one, 1, farm.tables, 5000) is Admission.NOSRV  # an empty backend
    assert one.key == key
    assert farm.cells[farm.at.BEWAITING] == 0


def test_maxima_are_kept_of_what_is_shared() -> None:
    farm = Planes(2)
    streams = [stream() for _ in range(3)]
    for one in streams:
        farm.admit(0, one)
    farm.release(0, streams[0])
    farm.settle(0, streams[2])
    at, cells = farm.at, farm.cells
    assert cells[at.server_counters(at.departed, 0) + C.SMAX] == 2
    assert cells[at.backend_counters(at.departed, 0) + C.SMAX] == 3
    assert cells[at.backend_counters(at.departed, 0) + C.QMAX] == 1


def test_more_mail_than_one_hold_takes_rings_the_own_bell() -> None:
    layout = Layout(workers=2, servers=2, backends=1, frontends=1, entries=400)
    farm = Planes(1, layout=layout)
    waiters = [stream() for _ in range(301)]
    for one in waiters:
        farm.admit(0, one)
    farm.change(SetMaxconn('px', 's1', 0))
    farm.pump()
    first, _ = farm.settle(0, *waiters[1:])
    assert len(first) == 200
    assert farm.rings == (0,)
    second, _ = farm.settle(0, *[one for one in waiters if one.life is Life.WAITING])
    assert len(first) + len(second) == 300


def test_a_server_is_removable_when_nobody_has_to_do_with_it() -> None:
    farm = Planes(1)
    one = stream()
    assert farm.supervisor.is_removable(0)
    farm.admit(0, one)
    assert not farm.supervisor.is_removable(0)
    farm.release(0, one)
    farm.cells[LAYOUT.idle(1, 0)] = 1
    assert not farm.supervisor.is_removable(0)
    farm.cells[LAYOUT.idle(1, 0)] = 0
    assert farm.supervisor.is_removable(0)
    farm.cells[LAYOUT.ASIDE] = 1
    assert not farm.supervisor.is_removable(0)


def test_a_budget_leaves_the_rest_to_the_supervisor() -> None:
    farm = Planes(1)
    waiters = [stream() for _ in range(4)]
    for one in waiters:
        farm.admit(0, one)
    farm.change(SetMaxconn('px', 's1', 0))
    with farm.hold(farm.supervisor) as plane:
        assert plane.pump_idle(1)
    newcomer = stream()
    assert farm.admit(1, newcomer, budget=0) is Admission.WAITING  # no overtaking while the pump is at work
    assert SUPERVISOR in farm.rings
    farm.pump()
    served, _ = farm.settle(0, *waiters[1:])
    assert served == waiters[1:]
    assert farm.settle(1, newcomer) == ([newcomer], [])


def test_a_forced_stream_waits_at_a_server_in_maintenance_and_gets_its_slot() -> None:
    farm = Planes(1, 1)
    forced = farm.at.forced_queue(0)
    farm.change(SetAdmin('px', 's1', MAINT))
    first, second, persistent = stream(forced), stream(forced), stream(0)
    assert farm.admit(0, first) is Admission.SLOT
    assert first.server == 0
    assert farm.admit(1, second) is Admission.WAITING
    assert second.position_server == 1
    assert farm.admit(0, persistent) is Admission.SLOT
    assert persistent.server == 1, 'a persistent one goes elsewhere'
    farm.release(0, first)
    assert farm.settle(1, second) == ([second], [])
    assert second.server == 0
    assert not farm.workers[1].is_barred(second)


def test_a_forced_stream_leaves_the_queue_of_a_server_that_is_removed() -> None:
    farm = Planes(1, 1)
    served, waiter = stream(farm.at.forced_queue(0)), stream(farm.at.forced_queue(0))
    farm.admit(0, served)
    farm.admit(0, waiter)
    farm.cells[farm.at.ROTA] = Rota.GONE
    farm.cells[farm.at.IN_ROTATION] = 1
    with farm.hold(farm.supervisor) as plane:
        pump.list_server(farm.cells, farm.at, 0)
        plane._touched.append(0)
    assert farm.settle(0, waiter) == ([waiter], [])
    assert waiter.server == 1


def adopt(farm: Planes, ours: Iterable[int], others: Iterable[int]) -> None:
    """Come to have these servers of px, and these of another backend."""
    backends = [
        backend(name, number, *(server(f's{n}', n, maxconn=1, minconn=1) for n in some))
        for name, number, some in (('px', 3, ours), ('other', 4, others))
    ]
    ledger = farm.farm.ledger
    ledger.adopt(ledger.propose(AdoptFile(file(*backends))), 0)
    farm.change()
    farm.pump()
    farm.tables = ledger.tables.number


@pytest.mark.parametrize('waits', [True, False])
def test_a_wish_leads_to_no_server_of_another_backend_that_has_got_the_number(waits: bool) -> None:
    farm, forced = Planes(1, 1), LAYOUT.forced_queue(0)
    first, second, wisher = stream(0), stream(2), stream(forced)
    for one in (first, second, *([wisher] if waits else [])):
        farm.admit(0, one)
    adopt(farm, [2], [])
    farm.release(0, first)
    assert farm.supervisor.is_removable(0)
    farm.farm.ledger.reclaim([0])
    adopt(farm, [2], [])
    adopt(farm, [2], [1])
    assert farm.cells[LAYOUT.BACKEND] == 1
    adopt(farm, [], [1])
    if waits:
        assert farm.settle(0, wisher) == ([], [wisher])
    else:
        assert farm.admit(0, wisher) is Admission.NOSRV
    farm.release(0, second)
    assert farm.farm.column(LAYOUT.BETOTAL, 2) == [0, 0]
