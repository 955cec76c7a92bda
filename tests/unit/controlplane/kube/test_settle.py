from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.domain.desired import Desired, Key, Write
from controlplane.domain.version import Version
from controlplane.kube.settle import Coalesce, Confirmation, Persisting, Settle, going
from tests.unit.controlplane.kube.things import Json, endpoint, slice_
from tests.unit.controlplane.kube.translated import HTTP, WEB

# --- endpoints that move -----------------------------------------------------------------------------------------------


def addresses(settle: Settle) -> list[str]:
    return sorted(end.address for one in settle.slices(WEB) for end in one.endpoints)


def test_an_endpoint_that_vanishes_lingers_as_it_was_until_its_time_is_over() -> None:
    settle, old, new = (
        Settle(1_000),
        slice_('a', endpoint('10.0.0.1', 'p'), endpoint('10.0.0.2')),
        slice_('a', endpoint('10.0.0.2')),
    )
    settle.changed(WEB, old, [new], 5_000)
    (held,) = settle.slices(WEB)
    assert (held.endpoints, held.ports, held.address_type) == (old.endpoints[:1], old.ports, 'IPv4')
    assert settle.next_at() == 6_000
    assert settle.expire(5_999) == frozenset()
    assert settle.expire(6_000) == {WEB}
    assert (settle.slices(WEB), settle.next_at()) == ((), None)


def test_one_that_comes_back_in_another_slice_lingers_no_more() -> None:
    settle, old = Settle(), slice_('a', endpoint('10.0.0.1', 'p'))
    settle.changed(WEB, old, [], 0)
    assert addresses(settle) == ['10.0.0.1']
    settle.changed(WEB, None, [slice_('b', endpoint('10.0.0.1', 'p'))], 10)
    assert (addresses(settle), settle.next_at()) == ([], None)


def test_one_that_is_in_another_slice_already_does_not_linger() -> None:
    settle, other = Settle(), slice_('b', endpoint('10.0.0.1', 'p'))
    settle.changed(WEB, slice_('a', endpoint('10.0.0.1', 'p')), [other], 0)
    assert addresses(settle) == []


@pytest.mark.parametrize(
    'conditions,lingers',
    [
        ({'ready': True}, True),
        ({'ready': False}, True),
        ({'ready': False, 'terminating': True}, False),
        ({'ready': False, 'serving': False, 'terminating': True}, False),
        ({'ready': True, 'terminating': True}, False),
    ],
)
def test_one_that_was_going_is_gone(conditions: Json, lingers: bool) -> None:
    settle = Settle()
    settle.changed(WEB, slice_('a', endpoint('10.0.0.1', **conditions)), [], 0)
    assert bool(addresses(settle)) == lingers


def test_the_same_address_of_another_type_or_service_is_another_one() -> None:
    settle, six = Settle(), slice_('b', endpoint('10.0.0.1'), family='IPv6')
    settle.changed(WEB, slice_('a', endpoint('10.0.0.1')), [six], 0)
    settle.changed(('shop', 'api'), slice_('c', endpoint('10.0.0.7')), [], 500)
    assert (addresses(settle), settle.next_at()) == (['10.0.0.1'], 1_000)
    assert settle.expire(1_000) == {WEB}
    assert settle.next_at() == 1_500


# --- coalescing --------------------------------------------------------------------------------------------------------


def test_the_first_change_waits_50_ms_and_each_further_one_prolongs_it_to_200_at_most() -> None:
    coalesce = Coalesce()
    assert coalesce.next_at() is None
    coalesce.note(1_000, urgent=False)
    assert coalesce.next_at() == 1_050
    coalesce.note(1_040, urgent=False)
    assert coalesce.next_at() == 1_090
    for now in (1_080, 1_120, 1_160, 1_199):
        coalesce.note(now, urgent=False)
    assert coalesce.next_at() == 1_200
    coalesce.flushed(1_200)
    assert coalesce.next_at() is None


def test_what_is_urgent_goes_at_once_with_all_that_waits() -> None:
    coalesce = Coalesce()
    coalesce.note(1_000, urgent=False)
    coalesce.note(1_010, urgent=True)
    assert coalesce.next_at() == 1_000
    coalesce.flushed(1_010)
    coalesce.note(1_200, urgent=True)
    assert coalesce.next_at() == 1_200


def test_never_more_than_ten_flushes_a_second_of_what_is_not_urgent() -> None:
    coalesce = Coalesce()
    coalesce.note(0, urgent=True)
    coalesce.flushed(0)
    coalesce.note(10, urgent=False)
    assert coalesce.next_at() == 100
    coalesce.flushed(100)
    coalesce.note(110, urgent=False)
    assert coalesce.next_at() == 200


def test_what_is_urgent_waits_for_no_pace_but_leaves_four_fifths_of_the_time_to_others() -> None:
    coalesce = Coalesce()
    coalesce.note(0, urgent=True)
    coalesce.flushed(0)
    coalesce.took(3)
    coalesce.note(4, urgent=True)
    assert coalesce.next_at() == 15
    coalesce.note(20, urgent=True)
    assert coalesce.next_at() == 15, 'the first of them counts'
    coalesce.flushed(20)
    coalesce.took(0)
    coalesce.note(20, urgent=True)
    assert coalesce.next_at() == 20
    coalesce.flushed(20)
    coalesce.took(70)
    coalesce.note(90, urgent=True)
    assert coalesce.next_at() == 120, 'nor longer than what is not urgent'


def test_how_long_something_has_waited_is_known() -> None:
    coalesce, since = Coalesce(), []
    since.append(coalesce.since)
    coalesce.note(7, urgent=False)
    coalesce.note(9, urgent=True)
    since.append(coalesce.since)
    coalesce.flushed(9)
    since.append(coalesce.since)
    assert since == [None, 7, None]


# a busy machine is no reason to fail
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 120), st.booleans(), st.integers(0, 40)), max_size=60))
def test_no_change_waits_longer_than_300_ms_and_flushes_keep_their_distance(
    changes: list[tuple[int, bool, int]],
) -> None:
    coalesce, now, took = Coalesce(), 0, 0
    waiting: list[tuple[int, bool]] = []
    flushes: list[tuple[int, int]] = []  # when, and how far from the one before it must be
    for pause, urgent, takes in changes:
        upto = now + pause
        while (at := coalesce.next_at()) is not None and at <= upto:
            at = max(at, now)
            is_urgent = any(of for _, of in waiting)
            flushes.append((at, min(100, 5 * took) if is_urgent else 100))
            assert all(at - since <= (100 if of else 300) for since, of in waiting)
            coalesce.flushed(at)
            coalesce.took(took := takes)
            waiting = []
        now = upto
        coalesce.note(now, urgent=urgent)
        waiting.append((now, urgent))
    assert all(later - earlier >= gap for (earlier, _), (later, gap) in itertools.pairwise(flushes))
    assert (coalesce.next_at() is None) == (not waiting)


# --- the brake's confirmation --------------------------------------------------------------------------------------------

SERVER = {
    'address': '10.0.0.1', 'port': 80, 'weight': 1, 'maxConn': 0, 'minConn': 0, 'maxQueue': 0, 'backup': False,
    'adminState': 'ready', 'sessionGeneration': 0,
}  # fmt: skip
BACKEND = {
    'balance': 'roundrobin', 'retries': 3, 'redispatch': 0, 'fullconn': 0, 'allbackups': False,
    'timeouts': {'connect': None, 'server': None, 'queue': None, 'tunnel': None},
}  # fmt: skip


def world(servers: int, *more: str) -> Desired:
    writes = []
    for backend in (HTTP, *more):
        writes += [Write(Key('backend', backend), BACKEND)]
        writes += [Write(Key('server', f's{n}', backend), SERVER) for n in range(servers)]
        writes += [
            Write(
                Key('route', f'r-{backend}'),
                {'host': f'{backend.replace(".", "-")}.example', 'pathPrefix': '/', 'backend': backend},
            )
        ]
    return Desired().after(writes, Version(1, 1))


def gone(*numbers: int, backend: str = HTTP) -> tuple[Write, ...]:
    return tuple(Write(Key('server', f's{n}', backend), None) for n in numbers)


def test_a_mass_removal_passes_once_a_list_that_began_after_it_was_held_says_the_same() -> None:
    confirmation, desired = Confirmation(50), world(4)
    held = confirmation.judge(desired, gone(0, 1, 2))
    assert (held.writes, held.held, held.relist) == ((), {HTTP: (3, 4)}, True)
    confirmation.listing()
    again = confirmation.judge(desired, gone(0, 1, 2))
    assert (again.writes, again.relist) == ((), False)
    confirmation.listed(complete=True)
    passed = confirmation.judge(desired, gone(0, 1, 2))
    assert (passed.writes, passed.held, passed.relist) == (gone(0, 1, 2), {}, False)
    confirmation.done([HTTP])
    assert confirmation.judge(desired, gone(0, 1, 2)).held == {HTTP: (3, 4)}


def test_a_list_that_had_begun_before_confirms_nothing() -> None:
    confirmation, desired = Confirmation(50), world(4)
    confirmation.listing()
    assert not confirmation.judge(desired, gone(0, 1, 2)).relist
    confirmation.listed(complete=True)
    assert confirmation.judge(desired, gone(0, 1, 2)).relist


def test_a_list_that_failed_confirms_nothing_and_another_is_wanted() -> None:
    confirmation, desired = Confirmation(50), world(4)
    confirmation.judge(desired, gone(0, 1, 2))
    confirmation.listing()
    confirmation.listed(complete=False)
    assert confirmation.judge(desired, gone(0, 1, 2)).relist


def test_when_the_servers_are_back_the_hold_is_forgotten() -> None:
    confirmation, desired = Confirmation(50), world(4)
    confirmation.judge(desired, gone(0, 1, 2))
    confirmation.listing()
    assert confirmation.judge(desired, ()).held == {}
    confirmation.listed(complete=True)
    assert confirmation.judge(desired, gone(0, 1, 2)).held == {HTTP: (3, 4)}


def test_a_confirmation_is_for_those_servers_and_not_for_more() -> None:
    confirmation, desired = Confirmation(50), world(5)
    confirmation.judge(desired, gone(0, 1, 2))
    confirmation.listing()
    confirmation.listed(complete=True)
    more = confirmation.judge(desired, gone(0, 1, 2, 3))
    assert (more.held, more.relist) == ({HTTP: (4, 5)}, True)
    assert confirmation.judge(desired, gone(0, 1, 2)).relist


def test_a_confirmed_part_of_it_passes() -> None:
    confirmation, desired = Confirmation(50), world(5)
    confirmation.judge(desired, gone(0, 1, 2, 3))
    confirmation.listing()
    confirmation.listed(complete=True)
    assert confirmation.judge(desired, gone(0, 1, 2)).writes == gone(0, 1, 2)


def test_a_backend_without_servers_goes_unasked() -> None:
    desired = world(0)
    passed = Confirmation(50).judge(desired, (Write(Key('backend', HTTP), None),))
    assert (passed.writes, passed.held, passed.relist) == ((Write(Key('backend', HTTP), None),), {}, False)


def test_other_backends_pass_and_few_servers_are_never_held() -> None:
    desired = world(4, 'shop.api.http')
    passed = Confirmation(50).judge(desired, (*gone(0, 1, 2), *gone(0, backend='shop.api.http')))
    assert (passed.writes, {*passed.held}) == (gone(0, backend='shop.api.http'), {HTTP})
    assert Confirmation(50).judge(world(2), gone(0, 1)).held == {}


def test_a_route_stays_with_the_backend_that_is_held() -> None:
    """Else a vanished policy would take the traffic away although its servers are kept."""
    desired = world(4, 'shop.api.http')
    away = [Write(Key('route', f'r-{name}'), None) for name in (HTTP, 'shop.api.http')]
    passed = Confirmation(50).judge(desired, (Write(Key('backend', HTTP), None), *away))
    assert (passed.writes, passed.held) == ((away[1],), {HTTP: (4, 4)})


def test_which_servers_go() -> None:
    desired = world(3, 'b')
    writes = (
        Write(Key('backend', 'b'), None),
        *gone(1, 7),
        Write(Key('server', 's2', HTTP), SERVER),
        Write(Key('backend', 'x'), None),
    )
    assert going(desired, writes) == {'b': {'s0', 's1', 's2'}, HTTP: {'s1'}}


# --- what persists -----------------------------------------------------------------------------------------------------


def test_what_has_been_so_without_a_break() -> None:
    persisting = Persisting[str]()
    assert persisting.observe({'a': 100, 'b': 50}, 0) == set()
    assert persisting.next_at(0) == 50
    assert persisting.observe({'a': 100, 'b': 50}, 50) == {'b'}
    assert persisting.next_at(50) == 100
    assert persisting.observe({'b': 50}, 90) == {'b'}
    assert persisting.observe({'a': 100, 'b': 50}, 100) == {'b'}
    assert persisting.next_at(100) == 200
    assert persisting.observe({'a': 10}, 110) == {'a'}
    assert persisting.next_at(110) is None
