"""Rows of listening addresses, with `option socket-stats` and without."""

from __future__ import annotations

from dataclasses import replace

from dataplane.cli.stat import Kind
from dataplane.core.counters import C
from dataplane.core.model import Bind
from tests.inprocess import SNAPSHOT, Plane

BINDS = (
    Bind(id=1, host='127.0.0.1', port=80),
    Bind(name='second', id=2, host='::1', port=81, maxconn=2),
)


def plane(*, counted: bool) -> Plane:
    frontend = replace(SNAPSHOT.frontends[0], binds=BINDS, socket_stats=counted)
    return Plane(replace(SNAPSHOT, frontends=(frontend,)))


def test_a_row_per_address() -> None:
    made = plane(counted=True)
    at = made.layout
    for worker, amount in ((0, 1), (1, 1)):
        block = at.listener_counters(worker, 1)
        for counter in (C.SCUR, C.STOT, C.DCON, C.EREQ):
            made.count(block, counter, amount)
        made.count(block, C.BIN, 100)
    made.count(at.listener_counters(at.departed, 1), C.SMAX, 7)
    made.count(at.listener_counters(at.departed, 1), C.STOT, 5)
    front, first, second, *_ = made.figures.rows()
    assert front.kind is Kind.FRONTEND
    assert [(row.kind, row.sid, row.values['svname'], row.values['addr']) for row in (first, second)] == [
        (Kind.LISTENER, 1, 'sock-1', '127.0.0.1:80'), (Kind.LISTENER, 2, 'second', '[::1]:81'),
    ]  # fmt: skip
    assert (first.values['stot'], first.values['status'], first.values['slim']) == (0, 'OPEN', 0)
    shown = {name: second.values[name] for name in ('scur', 'smax', 'slim', 'stot', 'bin', 'dcon', 'ereq', 'status')}
    assert shown == {'scur': 2, 'smax': 7, 'slim': 2, 'stot': 7, 'bin': 200, 'dcon': 2, 'ereq': 2, 'status': 'FULL'}


def test_without_the_option_there_is_none() -> None:
    assert all(row.kind is not Kind.LISTENER for row in plane(counted=False).figures.rows())
