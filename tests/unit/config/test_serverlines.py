"""`from` of `server` and `default-server` lines."""

from __future__ import annotations

import pytest

from tests.unit.config.loading import HTTP, errors, snapshot


def test_settings_begin_from_somewhere_else() -> None:
    text = (
        f'{HTTP} default-server maxconn 5\n'
        'backend a\n default-server weight 9\n server s 1.1.1.1:1 from none\n server t 1.1.1.1:1 from be: maxconn 6\n'
        'backend b\n server s 1.1.1.1:1 from be:a weight 8\n server-template t 2 1.1.1.1:1 from be:a\n'
        ' default-server from be:a backup\n server u 1.1.1.1:1\n default-server from none weight 3\n server v 1.1.1.1:1\n'
        ' default-server from none\n server w 1.1.1.1:1\n'
    )
    one, two = snapshot(text).backends
    assert [(s.weight, s.maxconn) for s in one.servers] == [(1, 0), (9, 6)]
    assert [(s.name, s.weight, s.maxconn, s.backup) for s in two.servers] == [
        ('s', 8, 5, False), ('t1', 9, 5, False), ('t2', 9, 5, False), ('u', 9, 5, True), ('v', 3, 0, False), ('w', 1, 0, False),
    ]  # fmt: skip
    assert (one.default_server, two.default_server) == (('maxconn', '5', 'weight', '9'), ())


@pytest.mark.parametrize(
    'line, complaint',
    [
        ('server s 1.1.1.1:1 from', "'from' expects 'none' or 'be:[<backend>]' (got '')."),
        ('server s 1.1.1.1:1 from b', "'from' expects 'none' or 'be:[<backend>]' (got 'b')."),
        ('server s 1.1.1.1:1 from be:later', "'from' : unable to find backend 'later'."),
        ('server s 1.1.1.1:1 weight 3 from none', "'server b/s' : 'from' stands before all other settings"),
        ('default-server weight 3 from none', "'default-server' : 'from' stands before all other settings"),
    ],
)
def test_what_settings_cannot_begin_from(line: str, complaint: str) -> None:
    assert errors(f'{HTTP}backend b\n {line}\nbackend later\n') == [f'7: {complaint}']
