"""The vocabulary: how an address is written, what is said by default, and that nothing can be changed afterwards."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from dataplane.core.model import Backend, Bind, Frontend, Global, Server, Snapshot


@pytest.mark.parametrize(
    'bind, written',
    [
        (Bind(name='a', host='127.0.0.1', port=80), '127.0.0.1:80'),
        (Bind(name='a', host='', port=80), ':80'),
        (Bind(name='a', host='::1', port=80), '[::1]:80'),
        (Bind(name='a', path='/run/a.sock'), 'unix@/run/a.sock'),
        (Bind(name='a', fd=0), 'fd@0'),
    ],
)
def test_how_an_address_is_written(bind: Bind, written: str) -> None:
    assert bind.address == written


def test_a_server_is_not_limited_and_a_full_member_by_default() -> None:
    server = Server(name='s', id=1, host='127.0.0.1', port=80)
    assert (server.weight, server.maxconn, server.minconn, server.maxqueue, server.backup) == (1, 0, 0, 0, False)


def test_defaults_are_haproxys() -> None:
    backend = Backend(name='b', id=1)
    assert (backend.retries, backend.redispatch, backend.http_reuse, backend.balance.algorithm) == (
        3,
        0,
        'safe',
        'random',
    )
    assert (Global().bufsize, Global().maxrewrite, Global().isolation_timeout) == (16_384, 1_024, 1_000)


def test_nothing_changes_afterwards() -> None:
    frontend = Frontend(name='f', id=1, binds=(), maxconn=10)
    with pytest.raises(dataclasses.FrozenInstanceError):
        frontend.maxconn = 11  # type: ignore[misc]


def test_a_snapshot_travels_to_workers_and_equals_itself() -> None:
    snapshot = Snapshot(frontends=(Frontend(name='f', id=1, binds=(Bind(name='a', port=80),), maxconn=10),))
    assert pickle.loads(pickle.dumps(snapshot)) == snapshot
