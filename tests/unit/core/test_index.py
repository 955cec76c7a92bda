"""The index: right after everything that may happen to a server, and its work the same for ten servers as for a thousand.

Work is counted in accesses to cells, not in time: what this machine is busy with beside does not matter.
"""

from __future__ import annotations

from array import array
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.core import invariants
from dataplane.core.changes import CellChange, SetAdmin, SetMaxconn, SetWeight
from dataplane.core.commit import commit, stage
from dataplane.core.compose import Refused
from dataplane.core.index import UNMADE, forget
from dataplane.core.layout import ANY, Layout
from dataplane.core.model import AdminState, Balance
from dataplane.core.plane import Plane
from dataplane.core.stream import Admission, Stream, hashed
from tests.unit.core.farm import Farm, backend, file, server

BALANCES = {
    **{word: Balance(algorithm=word) for word in ('roundrobin', 'leastconn', 'random', 'first', 'static-rr', 'sticky')},
    'map': Balance(algorithm='uri'),
    'ring': Balance(algorithm='uri', consistent=True),
    'room': Balance(algorithm='uri', consistent=True, affinity='maxconn'),
    'bounded': Balance(algorithm='uri', consistent=True, factor=150),
}
ALGORITHMS = tuple(BALANCES)
TIED = ('map', 'ring', 'room', 'bounded', 'sticky')
AT = Layout(workers=1, servers=1_000, backends=1, frontends=1, entries=10_100, wheels=80_000)


class Counted(array):  # type: ignore[type-arg]
    """Cells that count how often they are read or written."""

    accesses = 0

    def __getitem__(self, where: Any) -> Any:
        self.accesses += 1
        return super().__getitem__(where)

    def __setitem__(self, where: Any, value: Any) -> None:
        self.accesses += 1
        super().__setitem__(where, value)


class House:
    """A backend of `count` servers of one worker, and how much work its doors are."""

    def __init__(self, count: int, limit: int = 0, algorithm: str = 'roundrobin', minconn: int | None = None) -> None:
        least = limit if minconn is None else minconn
        servers = [server(f's{i}', i + 1, maxconn=limit, minconn=least, weight=1 + i % 3) for i in range(count)]
        self.farm = Farm(file(backend('px', 3, *servers, balance=BALANCES[algorithm], fullconn=100)), AT)
        self.cells = self.farm.cells = Counted('q', self.farm.cells)
        self.numbers = iter(range(10**9))
        self.plane = Plane(self.cells, AT, 0, lambda: next(self.numbers) * 2_654_435_761 % 2**32)
        self.tables = self.farm.ledger.tables.number
        while self.plane.pump_idle():
            pass

    def admit(self, stream: Stream) -> Admission:
        self.plane.enter(torn=False)
        outcome = self.plane.admit(stream, self.tables, 1)
        self.plane.leave()
        return outcome

    def release(self, stream: Stream) -> None:
        self.plane.enter(torn=False)
        self.plane.release(stream)
        self.plane.leave()

    def work(self, busy: int, rounds: int = 200, *, tied: bool = False) -> float:
        """Accesses of one admit and one release, with `busy` streams in work; `tied`: each by a hash value of its own."""
        values = iter(range(10**9))

        def wish() -> int:
            return hashed(next(values) * 2_654_435_761 % 2**32) if tied else ANY

        at_work = [Stream(0, wish()) for _ in range(busy)]
        for stream in at_work:
            assert self.admit(stream) is Admission.SLOT
        before = self.cells.accesses
        for _ in range(rounds):
            at_work.append(Stream(0, wish()))
            assert self.admit(at_work[-1]) is Admission.SLOT
            self.release(at_work.pop(0))
        return (self.cells.accesses - before) / rounds


@pytest.mark.parametrize('algorithm', ALGORITHMS)
@pytest.mark.parametrize(
    'limit, share', [(0, 0.0), (0, 2.0), (4, 2.0), (2, 1.8)], ids=['idle', 'busy', 'limited', 'nearly full']
)
def test_a_thousand_servers_are_at_most_twice_the_work_of_ten(algorithm: str, limit: int, share: float) -> None:
    few, many = (House(n, limit, algorithm).work(int(share * n)) for n in (10, 1_000))
    assert many <= 2 * few, f'{few:.0f} accesses with 10 servers, {many:.0f} with 1,000'


@pytest.mark.parametrize('share', [0.0, 2.0], ids=['idle', 'busy'])
@pytest.mark.parametrize('algorithm', TIED)
def test_who_a_hash_value_is_tied_to_is_found_in_at_most_twice_the_work_of_ten(algorithm: str, share: float) -> None:
    few, many = (House(n, 0, algorithm).work(int(share * n), tied=True) for n in (10, 1_000))
    assert many <= 2 * few, f'{few:.0f} accesses with 10 servers, {many:.0f} with 1,000'


def queue_work(count: int) -> dict[str, float]:
    """Accesses of each operation on a queue of `count` that was only ever added to, the dearest single one of twenty."""
    house, waiting, at_once = House(1, 1), dict[int, Stream](), dict[str, float]()
    holder = Stream(0)
    house.admit(holder)

    def join(number: int) -> None:
        stream = Stream(0, offset=number * 7_919 % 1_009 if number % 10 == 0 else 0)
        house.admit(stream)
        waiting[stream.entry] = stream

    def serve(_: int) -> None:
        nonlocal holder
        house.release(holder)
        (holder,), _refused = house.plane.settle(waiting)

    def give_up(number: int) -> None:
        stream = waiting.pop(list(waiting)[number * len(waiting) // 21])
        house.plane.cancel(stream)

    for number in range(count):
        join(number)
    for name, operation in (('be served', serve), ('join', join), ('give up', give_up), ('join again', join)):
        costs = []
        for number in range(20):
            before = house.cells.accesses
            operation(number)
            costs.append(house.cells.accesses - before)
        at_once[name] = sum(costs) / 20
        at_once[f'{name}, at worst'] = (
            max(costs) / 2
        )  # the first one pays for the shape that inserts left, twice at most
    return at_once


def test_ten_thousand_waiters_are_at_most_twice_the_work_of_a_hundred() -> None:
    few, many = queue_work(100), queue_work(10_000)
    assert {name: (few[name], many[name]) for name in few if many[name] > 2 * few[name]} == {}


def test_a_commit_of_a_thousand_servers_leaves_the_index_for_later() -> None:
    house = House(1_000)
    house.farm.apply(*(SetWeight('px', f's{i}', 5) for i in range(1_000)))
    changes = [SetMaxconn('px', f's{i}', 3) for i in range(1_000)]
    for change in changes:
        house.farm.ledger.apply(change, 0)
    revision = house.farm.ledger.commit(9)
    before = house.cells.accesses
    commit(house.cells, AT, revision, house.plane.index)
    assert house.cells.accesses - before < 100
    assert house.cells[AT.STALE] == UNMADE
    stream = Stream(0)
    assert house.admit(stream) is Admission.WAITING, 'more than a hold may make'
    while house.plane.pump_idle():
        pass
    assert house.plane.settle({stream.entry: stream}) == ([stream], [])
    invariants.check(house.cells, AT)


@pytest.mark.parametrize('algorithm', ALGORITHMS)
def test_a_newcomer_makes_a_small_index_itself(algorithm: str) -> None:
    house = House(30, algorithm=algorithm)
    forget(house.cells, AT, 0)
    assert house.admit(Stream(0)) is Admission.SLOT
    assert not house.cells[AT.STALE]
    invariants.check(house.cells, AT)


STEPS = st.lists(st.tuples(st.sampled_from('ashrwmdxfk'), st.integers(0, 39), st.integers(0, 5)), max_size=60)


@pytest.mark.parametrize('algorithm', ALGORITHMS)
@pytest.mark.parametrize('count, minconn', [(1, None), (3, None), (40, None), (5, 1)])
@settings(max_examples=50)  # of each of forty houses, most of which share all but a few lines
@given(steps=STEPS)
def test_whatever_happens_the_index_says_what_a_scan_would_say(
    algorithm: str, count: int, minconn: int | None, steps: list[tuple[str, int, int]]
) -> None:
    house = House(count, 2, algorithm, minconn)
    house.plane.index.slice = 3
    served: list[Stream] = []
    waiting: dict[int, Stream] = {}
    for step, number, value in steps:
        changes: list[CellChange] = []
        name = f's{number % count}'
        if step in 'ash':
            wishes = {'a': ANY, 's': 2 * (number % count), 'h': hashed(number * 107_374_182)}
            stream = Stream(0, wishes[step])
            stream.avoid = value
            outcome = house.admit(stream)
            if outcome is Admission.SLOT:
                served.append(stream)
            elif outcome is Admission.WAITING:
                waiting[stream.entry] = stream
        elif step == 'r' and served:
            house.release(served.pop(number % len(served)))
        elif step == 'w':
            changes = [SetWeight('px', name, value)]
        elif step == 'm':
            changes = [SetMaxconn('px', name, value)]
        elif step in 'dx':
            changes = [SetAdmin('px', name, AdminState.DRAIN if step == 'd' else AdminState.READY)]
        elif step == 'f':
            changes = [SetWeight('px', f's{i}', 1 + (value + i) % 4) for i in range(count)]
        elif step == 'k':
            house.plane.enter(torn=True)
            house.plane.leave(value)
        if changes:
            for change in changes:
                with suppress(Refused):  # of algorithms whose weights do not move
                    house.farm.ledger.apply(change, 0)
            revision = house.farm.ledger.commit(house.cells[AT.REVISION] + 1)
            stage(house.cells, revision)
            house.plane.commit(revision)
            house.plane.leave(0)
        if value % 2:
            house.plane.pump_idle(2)
        served += house.plane.settle(waiting)[0]
        house.plane.leave()
        invariants.check(house.cells, AT)
