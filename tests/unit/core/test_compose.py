"""Composition: file, push and run-time addresses as one configuration, and everything that is wrong with them at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.core.compose import Refused, Sources, compose
from dataplane.core.cookie import Cookie, CookieMode
from dataplane.core.dyncookie import CookieChange
from dataplane.core.model import Backend, Balance, Route, Server, Snapshot
from tests.unit.core.farm import backend, file, server

FILE = file(backend('own', 3, server('x', 1), where='haproxy.cfg:7'))


def pushed(name: str, *names: str, number: int = 0, **settings: object) -> Backend:
    servers = tuple(Server(name=one, id=0, host='10.1.0.1', port=80) for one in names)
    return Backend(name=name, id=number, servers=servers, **settings)  # type: ignore[arg-type]


def together(*backends: Backend, routes: tuple[Route, ...] = (), snapshot: Snapshot = FILE) -> Sources:
    return Sources(file=snapshot, backends=backends, routes=routes)


def of(sources: Sources, base: Sources | None = None, previous: Snapshot | None = None) -> dict[str, Backend]:
    made = compose(sources, previous or Snapshot(), base or Sources())
    return {one.name: one for one in made.backends}


def test_the_file_alone_is_itself() -> None:
    assert compose(Sources(file=FILE), Snapshot()) == FILE


def test_pushed_backends_come_after_the_files() -> None:
    made = compose(together(pushed('p', 's'), routes=(Route(host='', path_prefix='/', backend='p'),)), FILE)
    assert [(one.name, one.pushed) for one in made.backends] == [('own', False), ('p', True)]
    assert made.routes[0].backend == 'p'
    assert made.frontends == FILE.frontends


def test_ids_are_found_and_kept() -> None:
    first = together(pushed('p', 'a', 'b'), pushed('q', number=9))
    made = of(first)
    assert [made[name].id for name in ('own', 'p', 'q')] == [3, 4, 9]
    assert [one.id for one in made['p'].servers] == [1, 2]
    before = compose(first, FILE)
    second = of(together(pushed('n', 'a'), pushed('p', 'c', 'b')), first, before)
    assert (second['p'].id, second['n'].id) == (4, 5)
    assert [(one.name, one.id) for one in second['p'].servers] == [('c', 1), ('b', 2)]


def test_an_id_the_file_takes_is_given_up() -> None:
    first = together(pushed('p', 'a'))
    before = compose(first, FILE)
    taken = file(*FILE.backends, backend('new', 4))
    assert of(together(pushed('p', 'a'), snapshot=taken), first, before)['p'].id == 5
    assert of(together(pushed('p', number=3)))['p'].id == 4


def test_what_a_compiler_resolves_is_resolved() -> None:
    raw = pushed('p', fullconn=0)
    raw = replace(
        raw,
        servers=(
            Server(name='s', id=1, host='h', port=1, maxconn=5),
            Server(name='t', id=2, host='h', port=1, minconn=3),
        ),
    )
    made = of(together(raw))['p']
    assert [(one.maxconn, one.minconn) for one in made.servers] == [(5, 5), (3, 3)]
    assert made.fullconn == 10


def test_what_is_declared_as_before_is_the_same_object() -> None:
    first = together(pushed('p', 's'), pushed('q', 's'))
    before = compose(first, FILE)
    second = compose(together(pushed('p', 's'), pushed('q', 's', 't'), pushed('r')), before, first)
    assert second.backends[1] is before.backends[1]
    assert second.backends[2] != before.backends[2]
    reloaded = compose(replace(first, file=replace(FILE)), before, first)
    assert reloaded == before


def test_addresses_set_at_run_time() -> None:
    first = together(pushed('p', 's', 't'))
    moved = first.addressed({('p', 't'): ('10.9.9.9', 99), ('own', 'x'): ('10.9.9.8', 98)})
    made = of(moved, first, compose(first, FILE))
    assert [(one.host, one.port) for one in made['p'].servers] == [('10.1.0.1', 80), ('10.9.9.9', 99)]
    assert (made['own'].servers[0].host, made['own'].servers[0].port) == ('10.9.9.8', 98)


def test_an_address_lives_while_what_it_stands_in_for_is_declared() -> None:
    moved = together(pushed('p', 's')).addressed({('own', 'x'): ('h', 1)}).addressed({('p', 's'): ('h', 2)})
    assert moved.following(replace(FILE)).addresses == moved.addresses
    other = file(backend('own', 3, replace(server('x', 1), port=7)))
    assert set(moved.following(other).addresses) == {('p', 's')}
    assert set(moved.pushing((), (), {}).addresses) == {('own', 'x')}
    assert together().following(other).addresses == {}


def test_declared() -> None:
    assert set(together(pushed('p', 's')).declared()) == {('own', 'x'), ('p', 's')}


@pytest.mark.parametrize(
    'wrong, problem',
    [
        (pushed('own'), "backend 'own' belongs to the configuration file (haproxy.cfg:7)"),
        (pushed('p', 's', 's'), "server 'p/s' is given twice"),
        (pushed('p', balance=Balance(algorithm='rdp')), "backend 'p': unknown balance algorithm 'rdp'"),
        (pushed('p', balance=Balance(draws=0)), "backend 'p': random needs at least 1 draw, not 0"),
        (replace(pushed('p'), servers=(Server(name='s', id=1, host='', port=1),)), "server 'p/s': no address"),
        (
            replace(pushed('p'), servers=(Server(name='s', id=1, host='h', port=70_000),)),
            "server 'p/s': port 70000 is out of range",
        ),
        (
            replace(pushed('p'), servers=(Server(name='s', id=1, host='h', port=1, weight=257),)),
            "server 'p/s': weight 257 is out of range",
        ),
        (
            replace(pushed('p'), servers=(Server(name='s', id=1, host='h', port=1, maxconn=-1),)),
            "server 'p/s': maxconn -1 is out of range",
        ),
        (
            replace(pushed('p'), servers=(Server(name='s', id=1, host='h', port=1, minconn=-1),)),
            "server 'p/s': minconn -1 is out of range",
        ),
        (
            replace(pushed('p'), servers=(Server(name='s', id=1, host='h', port=1, maxqueue=-1),)),
            "server 'p/s': maxqueue -1 is out of range",
        ),
    ],
    ids=str,
)
def test_problems_have_names(wrong: Backend, problem: str) -> None:
    with pytest.raises(Refused) as caught:
        of(together(wrong))
    assert caught.value.problems == (problem,)
    assert caught.value.backends == (wrong.name,)


def test_all_problems_at_once() -> None:
    routes = (
        Route(host='a', path_prefix='/x', backend='nobody'),
        Route(host='a', path_prefix='/x/', backend='own'),
    )
    plain = file(backend('own', 3))
    with pytest.raises(Refused) as caught:
        of(together(pushed('own'), pushed('p'), pushed('p'), routes=routes, snapshot=plain))
    assert caught.value.problems == (
        "backend 'own' belongs to the configuration file",
        "backend 'p' is pushed twice",
        "route 'a/x': no such backend 'nobody'",
        "route 'a/x/' is given twice",
    )
    assert caught.value.backends == ('own', 'p', 'nobody')
    assert str(caught.value).startswith("backend 'own' belongs to the configuration file; backend 'p'")


def test_dynamic_cookies_set_at_run_time_live_while_what_they_stand_in_for_is_declared() -> None:
    cookie = Cookie(name='S', mode=CookieMode.INSERT, dynamic=True)
    declared = file(backend('b', 1, server('s', 1), cookie=cookie, cookie_key='first'))
    changed = Sources(file=declared).cooked('b', CookieChange(key='second')).cooked('b', CookieChange(enabled=False))
    found = compose(changed, Snapshot()).backends[0]
    assert found.cookie_key == 'second'
    assert found.cookie is not None
    assert not found.cookie.dynamic
    again = file(backend('b', 1, server('s', 1), server('t', 2), cookie=cookie, cookie_key='first'))
    assert compose(changed.following(again), Snapshot()).backends[0].cookie_key == 'second'
    other = file(backend('b', 1, server('s', 1), cookie=cookie, cookie_key='third'))
    assert compose(changed.following(other), Snapshot()).backends[0].cookie == cookie
