from __future__ import annotations

from array import array

import pytest

from dataplane.core import line
from dataplane.core.counters import C
from dataplane.core.layout import ENTRY_STRIDE, NOBODY, Aside, Layout, Rota
from dataplane.core.stream import Stream

AT = Layout(workers=2, servers=2, backends=1, frontends=1, entries=3)
SHARED = AT.backend_queue(0)


@pytest.fixture
def cells() -> array[int]:
    return array('q', [0]) * AT.size


def wait(cells: array[int], worker: int, queue: int, seq: int, wish: int = NOBODY) -> int:
    entry = line.take_free(cells, AT)
    stream = Stream(0, wish)
    stream.key, stream.seq = 100, seq
    line.fill(cells, AT, entry, worker, stream, queue)
    line.enqueue(cells, AT, entry)
    return entry


def test_the_pool_gives_the_lowest_free_entry_and_ends(cells: array[int]) -> None:
    assert [line.take_free(cells, AT) for _ in range(4)] == [0, 1, 2, NOBODY]
    line.free(cells, AT, 2)
    line.free(cells, AT, 0)
    assert [line.take_free(cells, AT) for _ in range(3)] == [0, 2, NOBODY]
    assert cells[AT.HIGH_WATER] == 3


@pytest.mark.skipif(
    line.__file__.endswith('.so'), reason='compiled, it takes no list; cells.pxd says why the order is the same'
)
def test_the_state_is_the_last_store_of_a_new_entry(cells: array[int]) -> None:
    order: list[int] = []

    class Watched(list[int]):
        def __setitem__(self, where: object, value: object) -> None:
            order.append(where)  # type: ignore[arg-type]
            super().__setitem__(where, value)  # type: ignore[call-overload]

    line.fill(Watched(cells), AT, 1, 0, Stream(0), SHARED)
    assert order[-1] == AT.E_STATE + ENTRY_STRIDE


def test_lengths_and_maxima_follow_the_queues(cells: array[int]) -> None:
    first = wait(cells, 0, SHARED, 1)
    own = wait(cells, 0, 2, 2)
    wait(cells, 1, SHARED, 3)
    assert cells[AT.QUEUE_LENGTH + SHARED] == 2
    assert cells[AT.QUEUE_LENGTH + 2] == 1
    assert cells[AT.BEWAITING] == 3
    line.dequeue(cells, AT, first)
    line.dequeue(cells, AT, first)
    line.dequeue(cells, AT, own)
    assert cells[AT.QUEUE_LENGTH + SHARED] == 1
    assert cells[AT.QUEUE_LENGTH + 2] == 0
    assert cells[AT.BEWAITING] == 1
    assert cells[AT.backend_counters(AT.departed, 0) + C.QMAX] == 2
    assert cells[AT.server_counters(AT.departed, 1) + C.QMAX] == 1


def test_heads_of_workers_set_aside_are_passed_over_one_at_a_time(cells: array[int]) -> None:
    wait(cells, 0, SHARED, 1)
    theirs = wait(cells, 1, SHARED, 2)
    cells[AT.ASIDE] = Aside.YES
    cells[AT.ASIDE + 1] = Aside.RETURNING
    assert line.pass_over(cells, AT, SHARED)
    assert line.head(cells, AT, SHARED) == theirs
    assert not line.pass_over(cells, AT, SHARED)
    cells[AT.ASIDE + 1] = Aside.YES
    assert line.pass_over(cells, AT, SHARED)
    assert not line.pass_over(cells, AT, SHARED)
    assert line.head(cells, AT, SHARED) == NOBODY
    assert cells[AT.BEWAITING] == 0


@pytest.mark.parametrize(
    'rota,forced,persistent,hashed,any_server',
    [
        (Rota.GONE, False, False, False, False),
        (Rota.OUT, True, False, False, False),
        (Rota.PERSISTENT, True, True, False, False),
        (Rota.IN, True, True, True, True),
    ],
)
def test_who_may_use_a_server(
    cells: array[int], rota: Rota, forced: bool, persistent: bool, hashed: bool, any_server: bool
) -> None:
    cells[AT.ROTA + 1] = rota
    assert line.usable(cells, AT, AT.forced_queue(1), 1) is forced
    assert line.usable(cells, AT, AT.forced_queue(0), 1) is any_server, 'forced on another'
    assert line.wish_usable(cells, AT, AT.forced_queue(1)) is forced
    assert line.usable(cells, AT, 2, 1) is persistent
    assert line.usable(cells, AT, 3, 1) is hashed
    assert line.usable(cells, AT, NOBODY, 1) is any_server
    assert line.wish_usable(cells, AT, 2) is persistent
    assert line.wish_usable(cells, AT, 3) is hashed
    assert line.wish_usable(cells, AT, NOBODY) is False


def test_whose_own_a_queue_is() -> None:
    own = [line.owner(AT, queue) for queue in (0, 1, 2, 3, SHARED, AT.forced_queue(0), AT.forced_queue(1))]
    assert own == [0, 0, 1, 1, NOBODY, 0, 1]


def test_all_own_queues_of_a_server_are_counted(cells: array[int]) -> None:
    for seq, queue in enumerate((2, 3, 2, AT.forced_queue(1), AT.forced_queue(0))):
        wait(cells, 0, queue, seq, wish=queue)
    assert line.queued(cells, AT, 1) == 4
    assert line.queued(cells, AT, 0) == 1


def test_an_entry_belongs_in_its_servers_queue_while_that_is_usable(cells: array[int]) -> None:
    entry = wait(cells, 0, 2, 1, wish=2)
    cells[AT.ROTA + 1] = Rota.PERSISTENT
    assert line.queue_of(cells, AT, entry) == 2
    cells[AT.ROTA + 1] = Rota.OUT
    assert line.queue_of(cells, AT, entry) == SHARED


@pytest.mark.parametrize('wish', [2, 3, AT.forced_queue(1)])
def test_a_wish_for_a_server_that_is_another_backends_by_now_counts_no_more(cells: array[int], wish: int) -> None:
    entry = wait(cells, 0, SHARED, 1, wish=wish)
    cells[AT.ROTA + 1] = Rota.IN
    assert line.wish_counts(cells, AT, wish, 0)
    assert line.queue_of(cells, AT, entry) == wish
    cells[AT.BACKEND + 1] = 1
    assert not line.wish_counts(cells, AT, wish, 0)
    assert line.queue_of(cells, AT, entry) == SHARED


def test_mail_is_in_order_and_loses_anyone_from_the_middle(cells: array[int]) -> None:
    entries = [wait(cells, 0, SHARED, seq) for seq in range(3)]
    for entry in entries:
        line.dequeue(cells, AT, entry)
        line.post(cells, AT, entry)
    assert line.mail(cells, AT, 0) == entries
    line.unpost(cells, AT, entries[1])
    assert line.mail(cells, AT, 0) == [entries[0], entries[2]]
    line.unpost(cells, AT, entries[2])
    line.unpost(cells, AT, entries[0])
    assert line.mail(cells, AT, 0) == []
    assert cells[AT.MAIL_TAIL] == 0
