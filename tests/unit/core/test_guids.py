"""Who has which guid."""

from __future__ import annotations

from dataplane.core.guids import Holder, Kind, holders, taken
from dataplane.core.model import Backend, Bind, Frontend, Server
from dataplane.core.tables import Tables

BIND = Bind(name='b', host='127.0.0.1', port=80, guid='gl', where='f:3')
SERVER = Server(name='s', id=1, host='h', port=1, guid='gs')


def tables(*, counted: bool = True) -> Tables:
    front = Frontend(name='f', id=1, binds=(BIND,), maxconn=1, guid='gf', socket_stats=counted)
    return Tables(
        1,
        frontends={0: front, 1: Frontend(name='none', id=2, binds=(BIND,), maxconn=1)},
        backends={3: Backend(name='b', id=2, servers=(SERVER,), guid='gb'), 4: Backend(name='none', id=3)},
        servers={7: SERVER, 8: Server(name='none', id=2, host='h', port=1)},
        members={3: (7, 8), 4: ()},
        listeners={5: ('f', BIND.address)} if counted else {},
    )


def test_everything_that_counts_is_found_by_its_guid() -> None:
    assert dict(holders(tables())) == {
        'gf': Holder(Kind.FRONTEND, 0, 'frontend f'),
        'gl': Holder(Kind.LISTENER, 5, 'listener f (f:3)'),
        'gb': Holder(Kind.BACKEND, 3, 'backend b'),
        'gs': Holder(Kind.SERVER, 7, 'server b/s'),
    }


def test_a_listener_that_is_not_counted_for_itself_keeps_nothing() -> None:
    assert 'gl' not in dict(holders(tables(counted=False)))


def test_a_bind_line_whose_statistics_have_no_place_yet_keeps_nothing() -> None:
    found = tables(counted=False)
    front = Frontend(name='f', id=1, binds=(BIND,), maxconn=1, socket_stats=True)
    assert dict(holders(Tables(1, frontends={0: front}, listeners=found.listeners))) == {}


def test_what_is_taken() -> None:
    assert taken(tables(), 'gs') == "'guid' : duplicate entry with server b/s"
    assert taken(tables(), 'other') == ''
    assert taken(tables(), '') == ''
