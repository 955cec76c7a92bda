from __future__ import annotations

import pytest

from dataplane.core.cookie import Cookie, CookieMode
from dataplane.core.dyncookie import CookieChange, bearing, cookie_of
from dataplane.core.model import Backend, Server

DYNAMIC = Cookie(name='S', mode=CookieMode.INSERT, dynamic=True)
BACKEND = Backend(name='b', id=1, cookie=DYNAMIC, cookie_key='secret')


def server(host: str = '127.0.0.1', port: int = 18098, cookie: str = '') -> Server:
    return Server(name='s', id=1, host=host, port=port, cookie=cookie)


def test_the_value_is_haproxys() -> None:
    """Seen on HAProxy 2.6 with this key and address."""
    assert cookie_of(BACKEND, server()) == '54706a9515e7f46a'


def test_what_the_value_depends_on() -> None:
    of = {cookie_of(BACKEND, one) for one in (server(), server(port=1), server('127.0.0.2'), server('::1'))}
    of.add(cookie_of(CookieChange(key='other').of(BACKEND), server()))
    assert len(of) == 5
    assert all(len(value) == 16 for value in of)


@pytest.mark.parametrize(
    'backend,one,expected',
    [
        (BACKEND, server(cookie='own'), 'own'),
        (BACKEND, server('app.example'), ''),
        (CookieChange(enabled=False).of(BACKEND), server(), ''),
        (CookieChange(enabled=False).of(BACKEND), server(cookie='own'), 'own'),
        (Backend(name='b', id=1, cookie=DYNAMIC), server(), ''),
        (Backend(name='b', id=1, cookie_key='k'), server(), ''),
    ],
)
def test_who_has_none(backend: Backend, one: Server, expected: str) -> None:
    assert cookie_of(backend, one) == expected


def test_changes_add_up() -> None:
    change = CookieChange(key='other').over(CookieChange(enabled=False, key='first'))
    assert change == CookieChange(enabled=False, key='other')
    assert CookieChange(enabled=True).over(None) == CookieChange(enabled=True)
    assert bearing(change.of(BACKEND)) == (False, 'other')
    assert CookieChange(enabled=True).of(Backend(name='b', id=1)).cookie is None
