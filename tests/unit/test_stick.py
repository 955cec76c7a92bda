"""Stick tables with real processes: one truth for all of them, whoever is killed and whenever."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe

import pytest

from dataplane.core.stick.definition import Data, Definition, KeyType
from dataplane.stick import Busy, StickTable, now_ms

WORKERS = 4


def definition(size: int = 100, *, expire: int = 60_000, nopurge: bool = False) -> Definition:
    stores = ('conn_cnt', 'conn_cur', 'gpc0', 'gpt0', 'server_id', 'http_req_cnt')
    return Definition(
        name='t', key=KeyType.STRING, length=16, size=size, expire=expire, nopurge=nopurge,
        stores=(*map(Data, stores), Data('http_req_rate', period=60_000), Data('gpc0_rate', period=60_000)),
    )  # fmt: skip


@pytest.fixture
def table() -> Iterator[StickTable]:
    table = StickTable.create(definition(), WORKERS)
    yield table
    table.close()


def worker_of(table: StickTable, worker: int) -> StickTable:
    return StickTable(os.dup(table.fd), table.definition, WORKERS, worker=worker)


@contextmanager
def child(work: Callable[[], None]) -> Iterator[int]:
    """A forked process that does `work`; killed and reaped at the end whatever it is doing. Yields its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def all_of(works: list[Callable[[], None]]) -> list[int]:
    """Do all of them at once, a process each; their exit statuses."""
    pids = []
    for work in works:
        pid = os.fork()
        if pid == 0:
            try:
                work()
            except BaseException:  # noqa: BLE001 - the status tells
                os._exit(1)
            os._exit(0)
        pids.append(pid)
    return [os.waitpid(pid, 0)[1] for pid in pids]


def test_what_one_counts_the_others_see(table: StickTable) -> None:
    one, other = worker_of(table, 0), worker_of(table, 1)
    assert one.track(b'k')
    one.count(b'k', ('http_req_cnt', 1), ('http_req_rate', 1), ('bytes_in_cnt', 5))
    assert other.read(b'k', 'http_req_cnt') == 1
    assert other.read(b'k', 'http_req_rate') == 1
    assert other.read(b'k', 'bytes_in_cnt') is None
    assert other.read(b'nobody', 'bytes_in_cnt') == 0
    assert other.track(b'k')
    assert (other.trackers(b'k'), other.read(b'k', 'conn_cur'), other.read(b'k', 'conn_cnt')) == (2, 2, 2)
    one.untrack(b'k')
    assert other.trackers(b'k') == 1
    assert other.drop(b'k') is False
    other.untrack(b'k')
    assert other.drop(b'k') is True
    assert other.drop(b'k') is None
    assert (table.used, one.holds(b'k')) == (0, False)


def test_general_counters_and_tags(table: StickTable) -> None:
    assert table.add(b'k', 'gpc0', 0, 1, make=False) == 0
    assert table.add(b'k', 'gpc0', 0, 2, make=True) == 2
    assert table.add(b'k', 'gpc0', 0, 3, make=False) == 5
    assert table.read(b'k', 'gpc0_rate') == 5
    assert table.add(b'k', 'gpc1', 0, 1, make=False) is None
    assert table.put(b'k', (('gpt0', 0, 7), ('gpc0', 0, 0), ('gpt', 3, 1)), make=False) == (0, 5)
    assert table.put(b'j', (('gpt0', 0, 7),), make=False) is None
    assert table.put(b'j', (('gpt0', 0, 7),), make=True) == (0,)
    assert (table.read(b'k', 'gpt0'), table.read(b'j', 'gpt0')) == (7, 7)
    assert table.keys(0, 0) == ([b'k', b'j'], -1)
    assert table.keys(0, 1) == ([b'j'], -1)


def test_ages_and_rows(table: StickTable) -> None:
    table.put(b'k', (('gpc0', 0, 3),), make=True)
    left, idle = table.age(b'k', idle=False), table.age(b'k', idle=True)
    assert left is not None
    assert idle is not None
    assert 50_000 < left <= 60_000
    assert 0 <= idle < 10_000
    assert table.age(b'j', idle=True) is None
    row = table.row(b'k')
    assert row is not None
    assert (row[1], row[3]) == (0, (0, 0, 3, 0, 0, 0, 0, 0))
    assert table.row(b'j') is None


def test_many_workers_lose_no_count(table: StickTable) -> None:
    rounds = 2_000

    def work(worker: int) -> Callable[[], None]:
        def run() -> None:
            mine = worker_of(table, worker)
            for number in range(rounds):
                key = b'%d' % (number % 7)
                assert mine.track(key)
                mine.count(key, ('http_req_cnt', 1), ('http_req_rate', 1))
                mine.add(key, 'gpc0', 0, 1, make=False)
                mine.untrack(key)

        return run

    assert all_of([work(worker) for worker in range(WORKERS)]) == [0] * WORKERS
    for name in ('conn_cnt', 'http_req_cnt', 'http_req_rate', 'gpc0', 'gpc0_rate'):
        assert sum(table.read(b'%d' % key, name) or 0 for key in range(7)) == WORKERS * rounds, name
    assert (table.used, table.read(b'0', 'conn_cur'), table.broken()) == (7, 0, '')


def test_a_large_table_never_has_more_than_its_size_and_a_few() -> None:
    table = StickTable.create(definition(6_000), WORKERS)
    assert table.layout.shards > 1

    def work(worker: int) -> Callable[[], None]:
        def run() -> None:
            mine = worker_of(table, worker)
            for number in range(3_000):
                mine.put(b'%d:%d' % (worker, number), (('gpc0', 0, 1),), make=True)

        return run

    assert all_of([work(worker) for worker in range(WORKERS)]) == [0] * WORKERS
    # who makes an entry looks at the other shards' numbers without their locks
    assert 6_000 - 100 < table.used < 6_000 + WORKERS
    assert table.broken() == ''
    table.close()


def test_of_a_table_that_is_not_purged_the_last_get_nothing() -> None:
    table = StickTable.create(definition(2, nopurge=True), WORKERS)
    mine = worker_of(table, 0)
    assert [mine.track(key) for key in (b'a', b'b')] == [True, True]
    mine.untrack(b'a')
    assert mine.track(b'c') is False
    mine.close()
    table.close()


def test_what_expires_is_taken_out(table: StickTable) -> None:
    short = StickTable.create(definition(expire=1), 1)
    for number in range(40):
        short.put(b'%d' % number, (), make=True)
    until = now_ms() + 2
    while now_ms() < until:
        os.sched_yield()
    while short.expire():
        pass
    assert (short.used, table.expire()) == (0, False)
    short.close()


def test_of_a_dead_worker_nothing_is_tracked_any_more(table: StickTable) -> None:
    told, tell = Pipe(duplex=False)

    def work() -> None:
        mine = worker_of(table, 2)
        for key in (b'a', b'a', b'b'):
            mine.track(key)
        tell.send_bytes(b'done')
        signal.pause()

    mine = worker_of(table, 1)
    mine.track(b'a')
    with child(work):
        assert told.recv_bytes() == b'done'
        assert (table.trackers(b'a'), table.trackers(b'b')) == (3, 1)
    for _ in table.forget(2):
        pass
    assert (table.trackers(b'a'), table.trackers(b'b'), table.read(b'a', 'conn_cnt')) == (1, 0, 3)


def test_who_is_killed_inside_a_hold_spoils_nothing(table: StickTable) -> None:
    """Killed at whatever moment while it makes, changes and drops entries: the next one repairs the shard and says so."""
    said: list[str] = []
    beats: list[int] = []
    table.on_repair, table.beat = said.append, lambda: beats.append(len(said))

    def work() -> None:
        mine, number = worker_of(table, 3), 0
        while True:
            number += 1
            key = b'%d' % (number % 150)
            mine.add(key, 'gpc0', 0, 1, make=True)
            if number % 3 == 0:
                mine.drop(key)

    deadline, rounds = time.monotonic() + 10, 0
    table.put(b'kept', (('gpc0', 0, 42),), make=True)
    while not said and time.monotonic() < deadline:
        rounds += 1
        with child(work):
            while table.used < 60 + rounds % 30:
                os.sched_yield()
        for _ in range(3):
            table.put(b'kept', (('gpc0', 0, 42),), make=True)
            assert table.broken() == '', rounds
    assert said == ['Table t: a process ended while it changed shard 0, which was repaired.']
    assert beats == [0, 0], 'while it repaired, and only then'
    assert table.read(b'kept', 'gpc0') == 42


def test_a_supervisor_does_not_wait_for_a_worker_that_stands_still(table: StickTable) -> None:
    ready, tell = Pipe(duplex=False)

    def work() -> None:
        mine = worker_of(table, 0)
        mine._locks[0].lock()
        tell.send_bytes(b'held')
        signal.pause()

    impatient = StickTable(os.dup(table.fd), table.definition, WORKERS, patience=0.01)
    with child(work) as pid:
        assert ready.recv_bytes() == b'held'
        with pytest.raises(Busy, match=str(pid)):
            impatient.holds(b'k')
        assert impatient.holders() == (pid,)
    assert impatient.holds(b'k') is False


def test_memory_of_another_table_is_not_taken(table: StickTable) -> None:
    fd = os.dup(table.fd)
    with pytest.raises(ValueError, match='its layout needs'):
        StickTable(fd, definition(200), WORKERS)
    os.close(fd)


def test_a_closed_table_is_closed_once(table: StickTable) -> None:
    mine = worker_of(table, 0)
    mine.track(b'k')
    mine.close()
    mine.close()
    assert repr(mine) == '<StickTable t used=closed>'
    assert repr(table) == '<StickTable t used=1>'


def test_room_for_workers_that_there_are_not_takes_no_memory() -> None:
    tables = [StickTable.create(definition(2_000), workers) for workers in (1, 64)]
    for table in tables:
        mine = StickTable(os.dup(table.fd), table.definition, table.layout.workers, worker=0)
        for number in range(2_000):
            mine.track(b'%d' % number)
        for number in range(2_000):
            mine.untrack(b'%d' % number)
        table.expire()
        mine.close()
    few, many = [os.fstat(table.fd) for table in tables]
    assert many.st_size >= few.st_size + 8 * 63 * 2_000
    assert many.st_blocks <= few.st_blocks + 8, 'a page at most, where rows begin elsewhere'
    for table in tables:
        table.close()
