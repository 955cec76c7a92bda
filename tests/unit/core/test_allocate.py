"""Indexes: names keep theirs, none changes its owner in one step, and there may not be enough."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.core.allocate import Indexes, Place, allocate
from dataplane.core.compose import Refused
from dataplane.core.layout import Layout
from dataplane.core.model import Bind, Frontend, Snapshot
from dataplane.core.tables import Tables
from tests.unit.core.farm import SMALL, backend, file, server

FREE = Indexes(SMALL, {}, ())


def of(snapshot: Snapshot, current: Tables | None = None, indexes: Indexes = FREE) -> Tables:
    return allocate(snapshot, current or Tables(0), indexes)[0]


def test_servers_of_a_backend_lie_together() -> None:
    made = of(file(backend('a', 3, server('x', 1), server('y', 2)), backend('b', 4, server('x', 1))))
    assert (made.number, made.members, made.frontend_of('fe')) == (1, {0: (0, 1), 1: (2,)}, 0)
    assert made.server_of('b', 'x') == 2


def test_names_keep_their_index_and_newcomers_fill_gaps_later() -> None:
    first = of(file(backend('a', 3, server('x', 1), server('y', 2), server('z', 3))))
    second = of(file(backend('a', 3, server('z', 3), server('new', 4))), first)
    assert second.members == {0: (2, 3)}
    third = of(file(backend('a', 3, server('z', 3), server('new', 4), server('late', 5))), second)
    assert third.members == {0: (2, 3, 0)}


def test_a_departed_server_holds_its_index_and_gets_it_back_at_the_same_address() -> None:
    place: Place = ('a', 'x', '10.0.0.1', 8001)
    departed = Indexes(SMALL, {0: (0, place)}, ())
    assert of(file(backend('a', 3, server('x', 1))), None, departed).members == {0: (0,)}
    assert of(file(backend('a', 3, server('x', 2))), None, departed).members == {0: (1,)}
    assert of(file(backend('b', 3, server('x', 1))), None, departed).members == {1: (1,)}


def test_a_removed_backends_index_rests() -> None:
    first = of(file(backend('a', 3), backend('b', 4)))
    second = of(file(backend('b', 4), backend('c', 5)), first)
    assert (second.backend_of('b'), second.backend_of('c')) == (1, 2)
    third = file(backend('b', 4), backend('c', 5), backend('d', 6))
    assert of(third, second, Indexes(SMALL, {}, {0})).backend_of('d') == 3
    assert of(third, second).backend_of('d') == 0


@pytest.mark.parametrize('change', ['weight', 'maxconn', 'minconn', 'maxqueue', 'disabled', 'where'])
def test_what_only_cells_say_makes_no_new_tables(change: str) -> None:
    line = server('x', 1)
    first = of(file(backend('a', 3, line)))
    value: object = {'disabled': True, 'where': 'f:1'}.get(change, 7)
    changed = replace(line, **{change: value})  # type: ignore[arg-type]
    second, is_structural = allocate(file(backend('a', 3, changed)), first, FREE)
    assert (second.number, is_structural) == (1, False)
    assert second.servers == {0: changed}


def test_everything_else_does() -> None:
    line = server('x', 1)
    first = of(file(backend('a', 3, line)))
    for other in (
        file(backend('a', 3, replace(line, port=9))),
        file(backend('a', 3, replace(line, backup=True))),
        file(backend('a', 3, line, retries=1)),
        file(backend('a', 3, line), backend('b', 4)),
        file(backend('a', 3, line), maxconn=5),
    ):
        assert allocate(other, first, FREE)[0].number == 2


@pytest.mark.parametrize(
    'snapshot, words',
    [
        (file(*(backend(f'b{i}', i + 3) for i in range(5))), 'too many backends: room for 4, 0 in use and 5 more'),
        (file(backend('b', 3, *(server(f's{i}', i + 1) for i in range(13)))), 'too many servers: room for 12'),
    ],
)
def test_not_enough_room(snapshot: Snapshot, words: str) -> None:
    with pytest.raises(Refused, match=words):
        of(snapshot)


def test_listeners_that_are_counted_for_themselves() -> None:
    at = Layout(workers=2, servers=8, backends=4, frontends=4, entries=16, listeners=3)

    def with_binds(*ports: int, counted: bool = True) -> Snapshot:
        binds = tuple(Bind(name=f'sock-{port}', host='127.0.0.1', port=port) for port in ports)
        return Snapshot(frontends=(Frontend(name='fe', id=2, binds=binds, maxconn=10, socket_stats=counted),))

    indexes = Indexes(at, {}, ())
    first = of(with_binds(80, 81), None, indexes)
    assert first.listeners == {0: ('fe', '127.0.0.1:80'), 1: ('fe', '127.0.0.1:81')}
    assert (first.listener_of('fe', '127.0.0.1:81'), first.listener_of('other', '127.0.0.1:81')) == (1, None)
    second = of(with_binds(81, 82), first, indexes)
    assert second.listeners == {1: ('fe', '127.0.0.1:81'), 2: ('fe', '127.0.0.1:82')}
    assert of(with_binds(80, counted=False), second, indexes).listeners == {}
    with pytest.raises(
        Refused, match='too many listeners with statistics of their own: room for 3, 0 in use and 4 more'
    ):
        of(with_binds(80, 81, 82, 83), None, indexes)
