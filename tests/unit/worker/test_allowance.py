"""Room for variables: what each scope counts, and what the workers have together."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import pytest

from dataplane.core.counters import C
from dataplane.core.layout import Layout
from dataplane.core.tuning import VariableLimits
from dataplane.rules.samples import Sample
from dataplane.rules.stores import Store
from dataplane.worker.allowance import COST, Allowance, cost

LAYOUT = Layout(workers=2, servers=1, backends=1, frontends=1, entries=1)


class Worker:
    """One worker's variables: of one request, of its session, of the process."""

    def __init__(self, cells: array[int], number: int = 0, **limits: int) -> None:
        self.cells = cells
        self.allowance = Allowance(cells, LAYOUT, number)
        self.allowance.adopt(VariableLimits(**limits))
        self.request: dict[tuple[str, str], Sample] = {}
        self.session: dict[str, Sample] = {}
        self.store = Store()
        self.number = number

    def set(self, scope: str, name: str, value: Sample | None) -> bool:
        """Set a variable as a view does. Returns whether it has the value."""
        if scope == 'proc':
            before = self.store.variable(name)
        else:
            before = self.session.get(name) if scope == 'sess' else self.request.get((scope, name))
        found = self.allowance.admit(scope, before, value, self.request, self.session, self.store)
        if scope == 'proc':
            if found is not None:
                self.store.begin(name, found)
        elif scope == 'sess':
            self.session.pop(name, None)
            if found is not None:
                self.session[name] = found
        else:
            self.request.pop((scope, name), None)
            if found is not None:
                self.request[scope, name] = found
        return found is value

    @property
    def told(self) -> int:
        """What the board says of it."""
        return self.cells[LAYOUT.process_counters(self.number) + C.VARIABLES]


@pytest.fixture
def cells() -> array[int]:
    return array('q', bytes(8 * LAYOUT.size))


Make = Callable[..., Worker]


@pytest.fixture
def make(cells: array[int]) -> Make:
    return lambda number=0, **limits: Worker(cells, number, **limits)


def test_what_a_variable_takes() -> None:
    assert [cost(value) for value in (None, True, 7, b'', b'abc')] == [0, COST, COST, COST, COST + 3]


@pytest.mark.parametrize(
    'limit, scopes',
    [('reqres', ('req', 'res')), ('txn', ('req', 'res', 'txn')), ('sess', ('req', 'res', 'txn', 'sess'))],
)
def test_a_scope_counts_those_within_it(make: Make, limit: str, scopes: tuple[str, ...]) -> None:
    for scope in ('req', 'res', 'txn', 'sess', 'proc'):
        worker = make(**{limit: 2 * COST + 10})
        assert worker.set('req', 'first', b'12345')
        assert worker.set(scope, 'second', b'12345')
        assert worker.set(scope, 'second', b'123456') is (scope not in scopes)


@pytest.mark.parametrize('limit', ['proc', 'whole'])
@pytest.mark.parametrize('scope', ['req', 'txn', 'sess', 'proc'])
def test_the_process_is_all_workers_and_its_own_variables(make: Make, limit: str, scope: str) -> None:
    one, two = (make(number, **{limit: 3 * COST + 10}) for number in (0, 1))
    assert one.set('req', 'a', b'12345')
    assert two.set('proc', 'b', 5)
    assert two.set(scope, 'c', b'12345')
    assert not two.set(scope, 'c', b'123456')


def test_of_two_limits_of_the_process_the_lower_one_counts(make: Make) -> None:
    worker = make(proc=COST + 5, whole=COST + 3)
    assert not worker.set('txn', 'a', b'1234')
    assert worker.set('txn', 'a', b'123')


def test_who_finds_no_room_keeps_nothing_and_what_was_there_is_gone(make: Make) -> None:
    worker = make(txn=COST + 5)
    assert worker.set('txn', 'a', b'12345')
    assert not worker.set('txn', 'a', b'123456')
    assert worker.request == {}
    assert worker.told == 0


def test_what_is_counted_is_given_back(make: Make) -> None:
    worker = make(txn=10_000)
    worker.set('txn', 'a', b'12345')
    worker.set('txn', 'a', b'1')
    worker.set('sess', 'b', 5)
    worker.set('proc', 'c', b'not of this worker alone')
    assert worker.told == 2 * COST + 1
    assert worker.set('txn', 'a', None)
    worker.allowance.give_back(worker.session.values())
    assert worker.told == 0


def test_what_there_is_is_counted_when_a_limit_comes(make: Make) -> None:
    worker = make()
    worker.allowance.give_back([b'123'])
    assert worker.told == 0
    assert worker.allowance.adopt(VariableLimits(txn=5))
    worker.allowance.count([b'123', 5])
    assert worker.told == 2 * COST + 3
    assert not worker.allowance.adopt(VariableLimits(txn=6))
    assert not worker.allowance.adopt(VariableLimits())
    assert not worker.allowance.limited


def test_a_value_is_cut_where_a_buffer_ends(cells: array[int]) -> None:
    allowance = Allowance(cells, LAYOUT, 0)
    allowance.longest = 4
    values: list[Sample | None] = [b'1234', b'12345', 123456, True, None]
    assert [allowance.cut(value) for value in values] == [b'1234', b'1234', 123456, True, None]
