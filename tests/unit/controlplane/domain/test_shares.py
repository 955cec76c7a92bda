"""The books by themselves. That they keep the limit whatever happens around them is tests/exhaustive's to show."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.domain.desired import Key
from controlplane.domain.holding import ANY, Holding, held
from controlplane.domain.shares import Grant, Shares
from controlplane.domain.version import Version

V1, V2, V3 = (Version(1, seq) for seq in (1, 2, 3))


def key(name: str) -> Key:
    return Key('server', name, 'b')


def books(limits: dict[str, int], *planes: str) -> Shares:
    made = Shares()
    made.want('b', limits, V1, new=limits)
    for plane in planes:
        made.join(plane, {}, V1)
    return made


def divide(shares: Shares, version: Version) -> dict[str, dict[str, int]]:
    """Assign what is proposed; returns the shares by server and data plane."""
    shares.assign(shares.proposed(), version)
    return {
        name: {plane: holding.share for plane, holding in account.holdings.items()}
        for name, account in shares.accounts['b'].items()
    }


def test_a_limit_is_divided_by_largest_remainder() -> None:
    assert divide(books({'s': 10}, *'uvwxyz'), V2) == {'s': dict(zip('uvwxyz', (2, 2, 2, 2, 1, 1), strict=True))}


def test_remainders_are_spread_over_the_servers() -> None:
    shares = books({f's{n}': 1 for n in range(6)}, 'a', 'b', 'c')
    given_ = divide(shares, V2)
    assert [sum(by[plane] for by in given_.values()) for plane in 'abc'] == [2, 2, 2]
    assert divide(shares, V3) == given_, 'a second look changes nothing'


def test_a_huge_limit_is_not_counted_one_by_one() -> None:
    assert divide(books({'s': 2**31 - 1}, 'a', 'b'), V2) == {'s': {'a': 2**30, 'b': 2**30 - 1}}


def test_a_newcomer_waits_for_what_others_have_in_flight() -> None:
    shares = books({'s': 2}, 'a')
    divide(shares, V1)
    shares.acked('a', V1)
    shares.join('b', {}, V1)
    assert divide(shares, V2)['s'] == {'a': 1, 'b': 0}
    assert shares.grants()['b'] == {'b': {'s': Grant(0, due=True)}}
    shares.acked('a', V2)
    assert not shares.proposed().shares, 'an ack is not yet permission'
    shares.reported('a', V2, {key('s'): 2})
    assert not shares.proposed().shares
    shares.reported('a', V2, {key('s'): 1})
    assert divide(shares, V3)['s'] == {'a': 1, 'b': 1}
    assert shares.grants()['b'] == {'b': {'s': Grant(1)}}


def test_none_for_good_is_not_due() -> None:
    shares = books({'s': 1}, 'a', 'b')
    divide(shares, V2)
    assert shares.grants()['b']['b']['s'] == Grant(0, due=False)


def test_who_cannot_be_told_keeps_what_it_holds() -> None:
    shares = books({'s': 3}, 'a', 'b')
    divide(shares, V2)
    shares.part('a')
    assert divide(shares, V3)['s'] == {'a': 2, 'b': 1}
    shares.leave('a')
    assert divide(shares, V3)['s'] == {'b': 3}


def test_while_somebody_has_not_been_heard_nobody_gives_or_gets() -> None:
    shares = Shares()
    for plane in ('a', 'b'):
        shares.expect(plane, stops=False)
    shares.want('b', {'s': 3}, V1)
    shares.join('a', {key('s'): held(V1, 1, 1)}, V1)
    shares.join('c', {}, V1)
    assert divide(shares, V2)['s'] == {'a': 1, 'b': ANY, 'c': 0}
    shares.join('b', {key('s'): held(V1, 2, 0)}, V1)
    assert divide(shares, V3)['s'] == {'a': 1, 'b': 1, 'c': 0}


def test_a_scope_that_becomes_divided_raises_nobody_and_lowers_all() -> None:
    shares = books({}, 'a', 'b')
    shares.want('b', {'s': 4}, V2)
    assert divide(shares, V2)['s'] == {'a': 2, 'b': 2}
    assert shares.accounts['b']['s'].booked >= ANY
    shares.drop('b', ['s'])
    assert not shares.accounts
    assert shares.grants() == {'a': {}, 'b': {}}


def test_a_removed_server_counts_until_nothing_is_in_flight_there() -> None:
    shares = books({'s': 1}, 'a', 'b')
    divide(shares, V1)
    shares.acked('a', V1)
    shares.want('b', {}, V2)
    assert shares.grants()['a'] == {}
    shares.acked('a', V2)
    shares.acked('b', V2)
    shares.want('b', {'s': 1}, V3)
    shares.part('a')
    assert divide(shares, V3)['s'] == {'a': 0, 'b': 0}, 'a may have something in flight there'
    shares.reported('a', V2, {key('s'): 0})
    assert divide(shares, V3)['s'] == {'a': 0, 'b': 1}


def test_the_last_who_had_something_of_a_removed_server_closes_its_account() -> None:
    shares = books({'s': 1}, 'a')
    divide(shares, V1)
    shares.want('b', {}, V2)
    shares.acked('a', V2)
    shares.reported('a', V2, {key('s'): 0})
    assert not shares.accounts


def test_what_a_data_plane_refuses_is_not_acknowledged_with_the_rest() -> None:
    shares = books({'s': 4}, 'a')
    divide(shares, V1)
    shares.acked('a', V1)
    shares.want('b', {'s': 2}, V2)
    divide(shares, V2)
    shares.acked('a', V3, kept={'b'})
    assert shares.accounts['b']['s'].holdings['a'].bound == 4


def test_grants_that_did_not_change_are_the_same_objects() -> None:
    shares = books({'s': 4}, 'a', 'b')
    shares.want('c', {'t': 1}, V1, new=['t'])
    divide(shares, V2)
    before = shares.grants()['a']
    shares.want('c', {'t': 3}, V2)
    shares.assign(shares.proposed(), V3)
    assert shares.grants()['a']['b'] is before['b']
    assert shares.grants()['a']['c'] is not before['c']


class Fleet:
    """Many data planes that obey, late: what the books say is held against what they really have."""

    def __init__(self, limits: list[int], planes: int) -> None:
        self.limits = {f's{n}': limit for n, limit in enumerate(limits)}
        self.names = [f'd{n}' for n in range(planes)]
        self.shares = books(self.limits, *self.names)
        self.head, self.in_force = V1, {name: dict.fromkeys(self.limits, 0) for name in self.names}
        self.at = dict.fromkeys(self.names, V1)
        self.flight = {name: dict.fromkeys(self.limits, 0) for name in self.names}

    def step(self, kind: int, which: int, server: int) -> None:
        name, s = self.names[which % len(self.names)], f's{server % len(self.limits)}'
        if kind == 0:
            self.head = self.head.following()
            self.shares.assign(self.shares.proposed(), self.head)
        elif kind == 1 and self.shares.planes[name]:
            grants: Any = self.shares.grants()[name].get('b', {})
            self.in_force[name], self.at[name] = {n: grants[n].share for n in self.limits}, self.head
            self.shares.acked(name, self.head)
        elif kind == 2 and self.flight[name][s] < self.in_force[name][s]:
            self.flight[name][s] += 1
        elif kind == 3 and self.flight[name][s]:
            self.flight[name][s] -= 1
        elif kind == 4:
            self.shares.reported(name, self.at[name], {key(n): flight for n, flight in self.flight[name].items()})
        elif kind == 5:
            self.shares.part(name)
        elif kind == 6:
            self.shares.join(name, self.inventory(name), self.head)

    def inventory(self, name: str) -> dict[Key, Holding]:
        return {key(n): held(self.at[name], self.in_force[name][n], self.flight[name][n]) for n in self.limits}

    def check(self) -> None:
        for s, limit in self.limits.items():
            account = self.shares.accounts['b'][s]
            assert account.booked <= limit
            for name, holding in account.holdings.items():
                assert max(self.in_force[name][s], self.flight[name][s]) <= holding.bound


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=5),
    st.integers(1, 8),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 7), st.integers(0, 4)), max_size=120),
)
def test_larger_fleets_keep_every_limit_and_come_to_rest(
    limits: list[int], planes: int, steps: list[tuple[int, int, int]]
) -> None:
    fleet = Fleet(limits, planes)
    for step in steps:
        fleet.step(*step)
        fleet.check()
    for name in fleet.names:
        fleet.flight[name] = dict.fromkeys(fleet.limits, 0)
        fleet.shares.join(name, fleet.inventory(name), fleet.head)
    for _ in range(4):
        for kind in (0, 1, 4):
            for which in range(planes):
                fleet.step(kind, which, 0)
                fleet.check()
    extras = dict.fromkeys(fleet.names, 0)
    for s, limit in fleet.limits.items():
        given_ = {name: fleet.in_force[name][s] for name in fleet.names}
        assert sum(given_.values()) == limit
        assert max(given_.values()) - min(given_.values()) <= 1
        for name, share in given_.items():
            extras[name] += share - limit // planes
    assert max(extras.values()) - min(extras.values()) <= 1
