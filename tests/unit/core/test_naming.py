"""What answers mean for servers: the numbered rules of the module, over many answers and servers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.core.lookup import Lookup
from dataplane.core.model import Server
from dataplane.core.naming import (
    BY_HAND,
    Found,
    Renewed,
    Seat,
    Target,
    Wanting,
    found_of,
    lacks_address,
    named,
    preferred,
    readdressed,
    renamed,
    seated,
    shared,
    surviving,
    weight_of,
)

NAME = Lookup(resolvers='r', name='a.example', prefer='ipv4')
SERVICE = Lookup(resolvers='r', name='_http._tcp.a.example')
ADDRESSES = [f'10.0.{net}.{host}' for net in (0, 1) for host in (1, 2, 3)] + ['::1', '::2']
lookups = st.builds(
    Lookup,
    resolvers=st.just('r'),
    name=st.just('a.example'),
    prefer=st.sampled_from(['ipv4', 'ipv6']),
    nets=st.sampled_from([(), (ip_network('10.0.1.0/24'),), (ip_network('::/64'),)]),
    shares=st.booleans(),
)
hosts = st.sampled_from(['', *ADDRESSES])
wanted = st.lists(st.tuples(hosts, lookups), max_size=8).map(
    lambda found: [Wanting(('b', f's{at}'), host, lookup) for at, (host, lookup) in enumerate(found)]
)
answers = st.lists(st.sampled_from(ADDRESSES), max_size=8, unique=True)


def server(lookup: Lookup | None = NAME, host: str = 'a.example', port: int = 80) -> Server:
    return Server(name='s', id=1, host=host, port=port, lookup=lookup)


# -- addresses -------------------------------------------------------------------------------------------------------


@given(wanted, answers)
def test_n1_an_address_is_for_one_server_unless_it_may_be_shared(wanting: list[Wanting], answer: list[str]) -> None:
    given_ = shared(wanting, answer)
    assert given_.keys() == {one.key for one in wanting}
    assert set(given_.values()) <= {*answer, ''}
    used = Counter(given_[one.key] for one in wanting if not one.lookup.shares and given_[one.key])
    assert not used or max(used.values()) == 1


@given(wanted, answers)
def test_n2_a_server_keeps_what_it_has_while_that_is_answered(wanting: list[Wanting], answer: list[str]) -> None:
    given_ = shared(wanting, answer)
    seen: set[str] = set()
    for one in wanting:
        if one.host in answer and (one.lookup.shares or one.host not in seen):
            assert given_[one.key] == one.host
        seen.add(one.host)


@given(wanted, answers)
def test_n3_nobody_is_without_while_something_is_left(wanting: list[Wanting], answer: list[str]) -> None:
    given_ = shared(wanting, answer)
    left = set(answer) - set(given_.values())
    for one in wanting:
        if not given_[one.key]:
            assert not left
            assert not (one.lookup.shares and answer)


@given(wanted, answers, st.randoms(use_true_random=False))
def test_n4_the_order_of_an_answer_does_not_matter(wanting: list[Wanting], answer: list[str], random: object) -> None:
    other = list(answer)
    random.shuffle(other)  # type: ignore[attr-defined]
    assert shared(wanting, answer) == shared(wanting, other)


def test_the_family_goes_before_the_network_and_that_before_whether_it_is_used() -> None:
    answer = ['10.0.0.1', '10.0.1.1', '::1']
    wants = replace(NAME, nets=(ip_network('10.0.1.0/24'), ip_network('::/64')))
    assert preferred(answer, '', wants) == '10.0.1.1'
    assert preferred(answer, '', replace(wants, prefer='ipv6')) == '::1'
    assert preferred(answer, '', NAME) == '10.0.0.1'
    assert preferred(answer, '10.0.1.1', NAME) == '10.0.1.1'
    assert preferred([], '10.0.1.1', NAME) == ''
    many = [Wanting(('b', name), '', replace(wants, shares=True)) for name in 'abc']
    assert list(shared(many, answer[:2]).values()) == ['10.0.1.1'] * 3
    spread = [Wanting(('b', name), '', replace(NAME, shares=True)) for name in 'abc']
    assert list(shared(spread, answer[:2]).values()) == ['10.0.0.1', '10.0.1.1', '10.0.0.1']


# -- services --------------------------------------------------------------------------------------------------------

places = st.tuples(st.sampled_from(['a', 'b', 'c']), st.sampled_from([80, 81]))
targets_ = st.lists(places, max_size=6, unique=True).map(lambda found: [Target(host, port) for host, port in found])
seats_ = st.lists(st.tuples(st.one_of(st.none(), places), st.integers(0, 9)), max_size=6).map(
    lambda found: [Seat(('b', f's{at}'), *(place or ('', 0)), since=since) for at, (place, since) in enumerate(found)]
)


@given(seats_, targets_, st.randoms(use_true_random=False))
def test_records_are_seated_as_addresses_are(seats: list[Seat], targets: list[Target], random: object) -> None:
    found = seated(seats, targets)
    assert found.keys() == {seat.key for seat in seats}
    taken = [target.place for target in found.values() if target is not None]
    assert len(set(taken)) == len(taken)  # N1
    there, kept = {target.place for target in targets}, set[tuple[str, int]]()
    for seat in seats:
        if (seat.fqdn, seat.port) in there - kept:
            target = found[seat.key]
            assert target is not None
            assert target.place == (seat.fqdn, seat.port)  # N2
            kept.add(target.place)
    assert len(taken) == min(len(seats), len(targets))  # N3
    other = list(targets)
    random.shuffle(other)  # type: ignore[attr-defined]
    assert seated(seats, other) == found  # N4


def test_who_waited_longest_gets_the_next_record() -> None:
    seats = [Seat(('b', 's1'), '', 0, since=5), Seat(('b', 's2'), '', 0), Seat(('b', 's3'), '', 0, since=2)]
    seats.insert(0, Seat(('b', 's0'), 'gone', 80))
    found = seated(seats, [Target('a', 80), Target('a', 81)])
    assert [found['b', name] for name in ('s1', 's2', 's3')] == [None, Target('a', 80), Target('a', 81)]


@pytest.mark.parametrize('record, weight', [(0, 0), (1, 1), (256, 1), (257, 2), (65_535, 256)])
def test_an_srv_weight_is_a_servers_weight(record: int, weight: int) -> None:
    assert weight_of(record) == weight


# -- servers ---------------------------------------------------------------------------------------------------------


def test_what_is_found_is_on_the_server_and_can_be_read_from_it() -> None:
    found = Found(NAME.of, '10.0.0.1', 81, 'b.example', renamed=True, said='r/n')
    after = found.on(server())
    assert (after.host, after.port, found_of(after)) == ('10.0.0.1', 81, found)
    assert not lacks_address(after)
    without = replace(found, host='').on(server())
    assert (without.host, lacks_address(without)) == ('a.example', True)
    assert found.on(server(SERVICE)) == server(SERVICE)
    plain = server(None)
    assert (found.on(plain), found_of(plain), lacks_address(plain)) == (plain, None, False)


def test_a_change_of_what_is_no_more_is_passed_over() -> None:
    now = server(NAME, '10.0.0.1')
    was = found_of(now)
    assert was is not None
    found = replace(was, host='10.0.0.2')
    servers = {('b', 's'): now, ('b', 'plain'): server(None)}
    assert named(servers, [Renewed('b', 's', was, found)]) == {('b', 's'): found}
    assert named(servers, [Renewed('b', 's', found, was)]) == {}
    assert named(servers, [Renewed('b', 'gone', was, found), Renewed('b', 'plain', was, found)]) == {}


def test_what_is_known_survives_while_the_same_is_asked_for() -> None:
    key, known = ('b', 's'), Found(NAME.of, '10.0.0.1', 80, said='r/n')
    libc = server(NAME, '10.0.0.9')
    assert surviving({key: server()}, {key: known}, {key: libc}) == {key: known}
    assert surviving({key: libc}, {}, {key: server()}) == {key: found_of(libc)}
    assert surviving({key: server()}, {}, {key: libc}) == {}
    assert surviving({key: server()}, {key: known}, {key: server(port=81)}) == {key: replace(known, port=81)}
    others = (server(SERVICE), server(replace(NAME, resolvers='other')), server(None))
    assert all(surviving({key: server()}, {key: known}, {key: other}) == {} for other in others)
    assert surviving({}, {}, {key: server()}) == surviving({key: server(None)}, {}, {key: server()}) == {}


def test_people_give_names_and_addresses() -> None:
    assert renamed(server(NAME, '10.0.0.1'), 'b.example') == Found(NAME.of, '10.0.0.1', 80, 'b.example', renamed=True)
    assert readdressed(server(), '10.0.0.2', 81) == Found(NAME.of, '10.0.0.2', 81, said=BY_HAND)
    assert renamed(server(None), 'x') is readdressed(server(None), 'x', 1) is None
