from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dataplane.wire import state as wire
from dataplane.wire.digests import Digests

NAMES = st.sampled_from(['a', 'b-1', 'c.d', 'e:9'])
BACKEND: dict[str, Any] = {
    'balance': 'roundrobin', 'retries': 3, 'redispatch': 0, 'fullconn': 0, 'allbackups': False,
    'timeouts': {'connect': 1, 'server': 1, 'queue': 1, 'tunnel': None},
}  # fmt: skip
SERVER: dict[str, Any] = {
    'address': '10.0.0.1', 'port': 80, 'weight': 1, 'maxConn': 0, 'minConn': 0, 'maxQueue': 0, 'backup': False,
    'adminState': 'ready', 'sessionGeneration': 0,
}  # fmt: skip


def set_server(state: wire.State, backend: str, server: str, weight: int | None) -> wire.State:
    spec = None if weight is None else {**SERVER, 'weight': weight}
    changes: list[wire.Change] = []
    if backend not in state['backends']:
        changes.append({'kind': 'backend', 'name': backend, 'spec': BACKEND})
    changes.append({'kind': 'server', 'backend': backend, 'name': server, 'spec': spec})
    return wire.fold(state, changes)


@given(st.lists(st.tuples(NAMES, NAMES, st.integers(0, 256) | st.none()), max_size=30))
def test_it_is_the_digest_of_every_state(steps: Sequence[tuple[str, str, int | None]]) -> None:
    digests, state = Digests(), wire.empty()
    for backend, server, weight in steps:
        state = set_server(state, backend, server, weight)
        assert digests.of(state) == wire.digest(state)
        assert digests.of(state) == wire.digest(state)
    routed = wire.fold(state, [{'kind': 'route', 'id': 'r', 'spec': {'host': '', 'pathPrefix': '/x', 'backend': 'a'}}])
    assert digests.text(routed) == wire.canonical(routed)


def test_texts_of_what_is_gone_are_let_go() -> None:
    digests, state = Digests(), wire.empty()
    for number in range(2_000):
        state = set_server(state, 'app', 's', number % 256)
        digests.of(state)
    held = len(digests._servers) + len(digests._backends) + len(digests._states)
    assert held < 400
