from __future__ import annotations

from collections.abc import Callable

import pytest

from dataplane.core import invariants
from dataplane.core.invariants import Broken
from dataplane.core.layout import ENTRY_STRIDE, Rota
from tests.unit.core.planes import Planes, stream


def farm() -> Planes:
    """One slot taken, two waiting in the backend's queue, one in the server's own, one given."""
    made = Planes(1, 1)
    streams = [stream(), stream(), stream(), stream(), stream(wish=0), stream()]
    for one in streams:
        made.admit(0, one)
    with made.hold(made.workers[0]) as plane:
        plane.release(next(one for one in streams if one.server == 1))
    return made


def entry(made: Planes, state: int) -> int:
    at = made.at
    return next(e for e in range(at.entries) if made.cells[at.E_STATE + e * ENTRY_STRIDE] == state)


def total(made: Planes) -> None:
    made.cells[made.at.TOTAL] += 1


def streams_of_backend(made: Planes) -> None:
    made.cells[made.at.BETOTAL] -= 1


def waiting_of_backend(made: Planes) -> None:
    made.cells[made.at.BEWAITING] += 1


def length(made: Planes) -> None:
    made.cells[made.at.QUEUE_LENGTH + made.at.backend_queue(0)] -= 1


def order(made: Planes) -> None:
    top = made.cells[made.at.QUEUE_ROOT + made.at.backend_queue(0)] - 1
    made.cells[made.at.E_SEQ + top * ENTRY_STRIDE] = 99


def lost_entry(made: Planes) -> None:
    made.cells[made.at.E_STATE + entry(made, 0) * ENTRY_STRIDE] = 1


def lost_mail(made: Planes) -> None:
    made.cells[made.at.MAIL_HEAD] = made.cells[made.at.MAIL_TAIL] = 0


def lost_free(made: Planes) -> None:
    made.cells[made.at.FREE_ROOT] = 0


def high_water(made: Planes) -> None:
    made.cells[made.at.E_STATE + (made.at.entries - 1) * ENTRY_STRIDE] = 2


def left(made: Planes) -> None:
    made.cells[made.at.ROTA] = Rota.OUT


def nobody(made: Planes) -> None:
    made.cells[made.at.ROTA] = made.cells[made.at.ROTA + 1] = Rota.PERSISTENT


def room(made: Planes) -> None:
    made.cells[made.at.LIMIT] = made.cells[made.at.MINLIMIT] = 5


BREAKS: list[tuple[Callable[[Planes], None], str]] = [
    (total, 'I2'), (streams_of_backend, 'I2'), (waiting_of_backend, 'I2'), (length, 'I2'), (order, 'I8'),
    (lost_mail, 'I12'), (lost_free, 'I15'), (high_water, 'I15'), (left, 'I9'), (nobody, 'I5'), (room, 'I7'),
]  # fmt: skip


@pytest.mark.parametrize('breaks,number', BREAKS)
def test_the_broken_one_is_named(breaks: Callable[[Planes], None], number: str) -> None:
    made = farm()
    if breaks is lost_free:
        with made.hold(made.workers[0]) as plane:
            waiting = stream()
            assert plane.admit(waiting, made.tables, 0) is not None
            plane.cancel(waiting)
    invariants.check(made.cells, made.at)
    breaks(made)
    with pytest.raises(Broken) as broken:
        invariants.check(made.cells, made.at)
    assert broken.value.number == number


def test_an_entry_that_waits_in_no_queue_is_found() -> None:
    made = farm()
    with made.hold(made.workers[0]) as plane:
        waiting = stream()
        plane.admit(waiting, made.tables, 0)
        plane.cancel(waiting)
    lost_entry(made)
    with pytest.raises(Broken, match=r'I15|I8'):
        invariants.check(made.cells, made.at)


def test_a_worker_and_its_rows_must_agree() -> None:
    made = Planes(1)
    served, waiting = stream(), stream()
    made.admit(0, served)
    made.admit(0, waiting)
    invariants.check_worker(made.cells, made.at, 0, [served, waiting])
    with pytest.raises(Broken, match='holds 0 slots'):
        invariants.check_worker(made.cells, made.at, 0, [waiting])
    with pytest.raises(Broken, match='without an entry'):
        invariants.check_worker(made.cells, made.at, 0, [served, waiting, waiting])
