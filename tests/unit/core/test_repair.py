from __future__ import annotations

from dataplane.core import invariants, line, repair
from dataplane.core.layout import ENTRY_STRIDE
from dataplane.core.plane import SUPERVISOR
from dataplane.core.stream import Life
from tests.unit.core.planes import Planes, stream


def scramble(farm: Planes) -> None:
    """Overwrite what a rebuild must be able to do without."""
    at, cells = farm.at, farm.cells
    for first, count in ((at.TOTAL, at.servers), (at.BETOTAL, 1), (at.BEWAITING, 1), (at.QUEUE_LENGTH, at.queues)):
        for cell in range(first, first + count):
            cells[cell] = -99
    for first, count in ((at.QUEUE_ROOT, at.queues), (at.MAIL_HEAD, at.workers), (at.FREE_ROOT, 1)):
        for cell in range(first, first + count):
            cells[cell] = 7


def test_everything_derived_comes_back_from_rows_and_entries() -> None:
    farm = Planes(1, 1)
    streams = [stream() for _ in range(6)]
    for n, one in enumerate(streams):
        farm.admit(n % 2, one)
    with farm.hold(farm.workers[0]) as plane:
        plane.release(streams[0])
    scramble(farm)
    beats: list[int] = []
    repair.rebuild(farm.cells, farm.at, lambda: beats.append(1))
    invariants.check(farm.cells, farm.at)
    assert farm.cells[farm.at.BETOTAL] == 5
    assert beats == [1]


def test_the_next_owner_rebuilds_and_calls_the_supervisor() -> None:
    farm = Planes(1)
    farm.admit(0, stream())
    farm.admit(1, stream())
    scramble(farm)
    with farm.hold(farm.workers[1], torn=True):
        pass
    assert SUPERVISOR in farm.rings


def test_sequences_never_go_back() -> None:
    farm = Planes(1)
    one, two = stream(), stream()
    farm.admit(0, one)
    farm.admit(0, two)
    farm.release(0, one)
    repair.rebuild(farm.cells, farm.at)
    late = stream()
    farm.admit(0, late)
    assert late.seq > two.seq > one.seq


def test_a_standing_worker_keeps_nothing_and_comes_back_to_its_place() -> None:
    farm = Planes(1)
    served, standing, other = stream(), stream(), stream()
    farm.admit(0, served)
    farm.admit(1, standing)
    farm.admit(0, other)
    farm.release(0, served)  # given to the standing worker's stream
    with farm.hold(farm.supervisor) as plane:
        plane.set_aside(1)
    farm.pump()
    assert farm.settle(0, other) == ([other], [])
    with farm.hold(farm.workers[1]):
        pass
    assert farm.cells[farm.at.ASIDE + 1] == 0
    farm.release(0, other)
    assert farm.settle(1, standing) == ([standing], [])


def test_its_old_key_is_kept_against_newer_ones() -> None:
    farm = Planes(1)
    served, standing, newer = stream(), stream(), stream()
    farm.admit(0, served)
    farm.admit(1, standing)
    with farm.hold(farm.supervisor) as plane:
        plane.set_aside(1)
    farm.admit(0, newer)
    with farm.hold(farm.workers[1]):
        pass
    farm.release(0, served)
    assert farm.settle(1, standing) == ([standing], [])


def test_clearing_frees_rows_at_once_and_entries_in_slices() -> None:
    farm = Planes(1)
    lost, *waiters = (stream() for _ in range(4))
    for one in (lost, *waiters):
        farm.admit(1, one)
    alive = stream()
    farm.admit(0, alive)
    for last in (False, False, True):
        with farm.hold(farm.supervisor) as plane:
            assert plane.clear(1, 1 if not last else 2) is last
        assert farm.cells[farm.at.served(1, 0)] == 0
        assert set(farm.rings) >= {0, 1, SUPERVISOR}
    assert farm.cells[farm.at.ASIDE + 1] == 0
    farm.pump()
    assert farm.settle(0, alive) == ([alive], [])
    states = [farm.cells[farm.at.E_STATE + e * ENTRY_STRIDE] for e in range(farm.at.entries)]
    assert set(states) == {line.FREE}
    assert alive.life is Life.SLOT
