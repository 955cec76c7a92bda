from __future__ import annotations

import pytest

from dataplane.core.model import Backend, Bind, Frontend, Route, Snapshot
from dataplane.core.tables import Tables
from dataplane.worker.head import RequestHead, parse_request
from dataplane.worker.routing import choose_backend, path_of

BACKENDS = {0: Backend(name='a', id=1), 1: Backend(name='b', id=2), 2: Backend(name='off', id=3, disabled=True)}


def head(target: str = '/', host: str = 'x.example', *lines: str) -> RequestHead:
    extra = ''.join(line + '\r\n' for line in lines)
    return parse_request(f'GET {target} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n'.encode(), 101)


def frontend(**rules: object) -> Frontend:
    return Frontend(name='f', id=2, binds=(Bind(name='1'),), maxconn=1, **rules)  # type: ignore[arg-type]


def tables(*routes: Route) -> Tables:
    return Tables(1, Snapshot(routes=routes), backends=BACKENDS)


@pytest.mark.parametrize(
    'target, path',
    [
        ('/', '/'), ('/a/b?c=/../d', '/a/b'), ('/%61%2F%7e%zz', '/a%2F~%zz'), ('//a///b', '/a/b'), ('/a/./b/.', '/a/b/'),
        ('/a/../b', '/b'), ('/../../x', '/x'), ('/..', '/'), ('/a/..', '/'), ('/%2e%2e/x', '/x'), ('/a/b/..', '/a/'),
        ('*', '*'), ('/a%2f..%2fb', '/a%2F..%2Fb'),
    ],
)  # fmt: skip
def test_paths_are_normalised_for_looking_up(target: str, path: str) -> None:
    assert path_of(target.encode()) == path


def test_rules_come_before_routes_and_routes_before_the_default() -> None:
    routed = tables(Route(host='x.example', path_prefix='/api', backend='b'))
    assert choose_backend(routed, frontend(use_routes=True), head('/api'), 'a') == 0
    assert choose_backend(routed, frontend(default_backend='a', use_routes=True), head('/api/v1', 'X.Example:80')) == 1
    assert choose_backend(routed, frontend(default_backend='a', use_routes=True), head('/v1/../api/./x')) == 1
    assert choose_backend(routed, frontend(default_backend='a', use_routes=True), head('/apis')) == 0
    assert choose_backend(routed, frontend(use_routes=True), head('/other')) is None
    assert choose_backend(routed, frontend(default_backend='a'), head('/api')) == 0


def test_disabled_and_unknown_backends_are_passed_over() -> None:
    routed = tables(Route(host='', path_prefix='/', backend='off'))
    assert choose_backend(routed, frontend(use_routes=True, default_backend='a'), head(), 'off') == 0
    assert choose_backend(routed, frontend(default_backend='off'), head(), 'gone') is None


def test_backends_that_are_not_published_are_passed_over_unless_that_is_asked_for() -> None:
    hidden = Backend(name='b', id=2, published=False)
    routed = Tables(
        1, Snapshot(routes=(Route(host='', path_prefix='/', backend='b'),)), backends={**BACKENDS, 1: hidden}
    )
    for forced, found in ((False, 0), (True, 1)):
        assert choose_backend(routed, frontend(default_backend='a'), head(), 'b', forced=forced) == found
        assert choose_backend(routed, frontend(default_backend='a', use_routes=True), head(), forced=forced) == found
    assert choose_backend(routed, frontend(default_backend='b'), head()) is None
    assert choose_backend(routed, frontend(default_backend='b'), head(), forced=True) == 1
    assert choose_backend(routed, frontend(default_backend='off'), head(), forced=True) == 2


def test_backends_of_tcp_get_nothing() -> None:
    probes = Backend(name='b', id=2, mode='tcp')
    routes = (Route(host='', path_prefix='/', backend='b'),)
    routed = Tables(1, Snapshot(routes=routes), backends={**BACKENDS, 1: probes})
    for forced in (False, True):
        assert choose_backend(routed, frontend(default_backend='a'), head(), 'b', forced=forced) == 0
        assert choose_backend(routed, frontend(default_backend='a', use_routes=True), head(), forced=forced) == 0
        assert choose_backend(routed, frontend(default_backend='b'), head(), forced=forced) is None
