from __future__ import annotations

from dataplane.core import pump
from dataplane.core.changes import SetAdmin
from dataplane.core.layout import Layout
from dataplane.core.model import AdminState
from dataplane.core.stream import Admission, Stream
from tests.unit.core.planes import Planes, stream

MAINT, DRAIN, READY = AdminState.MAINT, AdminState.DRAIN, AdminState.READY
WIDE = Layout(workers=2, servers=40, backends=2, frontends=1, entries=64)


def listed(farm: Planes) -> list[int]:
    out, server = [], farm.cells[farm.at.GIVE_HEAD] - 1
    while server >= 0:
        out.append(server)
        server = farm.cells[farm.at.GIVE_NEXT + server] - 2
    return out


def full(farm: Planes, count: int) -> list[Stream]:
    """Fill every slot, one stream each, of servers with a limit of one."""
    streams = [stream() for _ in range(count)]
    assert [farm.admit(0, one) for one in streams] == [Admission.SLOT] * count
    return streams


def test_nothing_is_listed_while_nobody_waits() -> None:
    farm = Planes(1, 1)
    pump.list_server(farm.cells, farm.at, 0)
    pump.list_all(farm.cells, farm.at, 0)
    assert not pump.pumping(farm.cells, farm.at, 0)
    assert listed(farm) == []
    assert farm.cells[farm.at.GIVE_SWEEP] == 0


def test_a_server_is_listed_once_and_in_order() -> None:
    farm = Planes(1, 1, 1)
    full(farm, 3)
    farm.admit(0, stream())
    for server in (2, 0, 2, 1, 0):
        pump.list_server(farm.cells, farm.at, server)
    assert listed(farm) == [2, 0, 1]
    assert pump.pumping(farm.cells, farm.at, 0)
    farm.pump()
    assert listed(farm) == []
    assert not pump.pumping(farm.cells, farm.at, 0)


def test_the_last_waiter_takes_the_lists_with_it() -> None:
    farm = Planes(1, 1)
    full(farm, 2)
    waiter = stream()
    farm.admit(0, waiter)
    pump.list_server(farm.cells, farm.at, 0)
    pump.list_server(farm.cells, farm.at, 1)
    with farm.hold(farm.workers[0]) as plane:
        plane.cancel(waiter)
        plane._touched.append(0)
    assert listed(farm) == []


def test_a_sweep_asked_for_again_goes_once_round_from_where_it_is() -> None:
    farm = Planes(*([1] * 40), layout=WIDE)
    full(farm, 40)
    waiter = stream(wish=2 * 39)
    farm.admit(0, waiter)
    for _ in range(7):  # 70 looks at 40 servers
        pump.list_all(farm.cells, farm.at, 0)
        with farm.hold(farm.supervisor, budget=10) as plane:
            plane.pump_idle(10)
    assert farm.cells[farm.at.MOVE_SWEEP] != farm.cells[farm.at.FIRST_SERVER]
    farm.pump()
    assert farm.cells[farm.at.MOVE_SWEEP] == farm.cells[farm.at.GIVE_SWEEP] == 0


def test_moves_come_before_gives() -> None:
    farm = Planes(1, 1)
    first, second = full(farm, 2)
    old, young = stream(wish=2 * first.server), stream()
    farm.admit(0, old)
    farm.admit(0, young)
    names = farm.farm.ledger.tables.servers
    farm.change(SetAdmin('px', names[first.server].name, MAINT))
    with farm.hold(farm.workers[0]) as plane:
        plane.release(
            second
        )  # room on the other server, while the older waiter is still in the queue of the one that left
    assert farm.settle(0, old, young) == ([old], [])


def test_a_hashed_waiter_leaves_a_draining_server_and_a_persistent_one_stays() -> None:
    farm = Planes(1, 1)
    first, second = full(farm, 2)
    hashed, persistent = stream(wish=2 * first.server + 1), stream(wish=2 * first.server)
    farm.admit(0, hashed)
    farm.admit(0, persistent)
    farm.change(SetAdmin('px', farm.farm.ledger.tables.servers[first.server].name, DRAIN))
    farm.pump()
    farm.release(0, second)
    assert farm.settle(0, hashed, persistent) == ([hashed], [])
    farm.release(0, first)
    assert farm.settle(0, persistent) == ([persistent], [])


def test_a_backup_takes_over_those_who_wait() -> None:
    from tests.unit.core.farm import Farm, backend, file, server

    farm = Planes(1)
    farm.farm = Farm(
        file(backend('px', 3, server('s1', 1, maxconn=1, minconn=1), server('b1', 2, backup=True))), farm.at
    )
    farm.cells = farm.farm.cells
    for plane in (*farm.workers, farm.supervisor):
        plane.cells = farm.cells
    farm.tables = farm.farm.ledger.tables.number
    served, waiter = stream(), stream()
    farm.admit(0, served)
    assert farm.admit(0, waiter) is Admission.WAITING
    farm.change(SetAdmin('px', 's1', MAINT))
    farm.pump()
    assert farm.settle(0, waiter) == ([waiter], [])
    assert waiter.server == farm.farm.ledger.tables.server_of('px', 'b1')
