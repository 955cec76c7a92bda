"""Tables: names to indexes, and the pushed route table."""

from __future__ import annotations

import pickle

import pytest

from dataplane.core.model import Backend, Frontend, Route, Server, Snapshot
from dataplane.core.tables import Tables, bare_host, prefix_of

ROUTES = [
    ('shop.example.org', '/', 'shop'),
    ('shop.example.org', '/cart', 'cart'),
    ('shop.example.org', '/cart/pay/', 'pay'),
    ('*.example.org', '/', 'wild'),
    ('*.example.org', '/deep', 'deep'),
    ('only.example.org', '/here', 'here'),
    ('', '/', 'any'),
    ('', '/status', 'status'),
]


def tables(routes: list[tuple[str, str, str]]) -> Tables:
    names = list(dict.fromkeys(backend for _, _, backend in routes))
    backends = {number: Backend(name=name, id=number + 2) for number, name in enumerate(names)}
    snapshot = Snapshot(
        backends=tuple(backends.values()),
        routes=tuple(Route(host=host, path_prefix=prefix, backend=backend) for host, prefix, backend in routes),
    )
    return Tables(1, snapshot, {}, backends, {}, dict.fromkeys(backends, ()))


@pytest.mark.parametrize(
    'host, path, backend',
    [
        ('shop.example.org', '/', 'shop'),
        ('shop.example.org', '/cart', 'cart'),
        ('shop.example.org', '/cart/', 'cart'),
        ('shop.example.org', '/cart/1', 'cart'),
        ('shop.example.org', '/cartoon', 'shop'),
        ('shop.example.org', '/cart/pay', 'pay'),
        ('shop.example.org', '/cart/pay/now', 'pay'),
        ('shop.example.org', '/cart/payment', 'cart'),
        ('shop.example.org', '/cart?to=/cart/pay', 'cart'),
        ('SHOP.Example.ORG:8080', '/cart', 'cart'),
        ('shop.example.org.', '/cart', 'cart'),
        ('blog.example.org', '/x', 'wild'),
        ('blog.example.org', '/deep/x', 'deep'),
        ('a.blog.example.org', '/x', 'any'),
        ('example.org', '/x', 'any'),
        ('only.example.org', '/here/1', 'here'),
        ('only.example.org', '/else', 'wild'),
        ('', '/', 'any'),
        ('localhost', '/status', 'status'),
        ('localhost', '*', 'any'),
        ('[::1]:80', '/status/1', 'status'),
    ],
)
def test_route(host: str, path: str, backend: str) -> None:
    made = tables(ROUTES)
    found = made.route(host, path)
    assert found is not None
    assert made.backends[found].name == backend


def test_no_route() -> None:
    assert tables([]).route('a', '/') is None
    made = tables([('a', '/x', 'b')])
    assert made.route('b', '/x') is None
    assert made.route('a', '/') is None
    assert made.route('a', '/y/x') is None


def test_forms_of_hosts_and_prefixes() -> None:
    assert [bare_host(h) for h in ('A.b:80', '[::1]', '[::1]:80', 'a.', '')] == ['a.b', '[::1]', '[::1]', 'a', '']
    assert [prefix_of(p) for p in ('/', '/a', '/a/', '')] == ['', '/a', '/a', '']


def test_names() -> None:
    server = Server(name='s', id=1, host='h', port=1)
    made = Tables(
        7,
        frontends={2: Frontend(name='f', id=2, binds=(), maxconn=1)},
        backends={4: Backend(name='b', id=3, servers=(server,))},
        servers={9: server},
        members={4: (9,)},
    )
    assert (made.frontend_of('f'), made.backend_of('b'), made.server_of('b', 's')) == (2, 4, 9)
    assert (made.frontend_of('x'), made.backend_of('x'), made.server_of('b', 'x')) == (None, None, None)


def test_they_travel_to_workers() -> None:
    made = tables(ROUTES)
    there = pickle.loads(pickle.dumps(made))
    assert there == made
    assert there.route('shop.example.org', '/cart') == made.route('shop.example.org', '/cart')
