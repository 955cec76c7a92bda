"""When backends are down, how often and for how long; transitions as HAProxy counts them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.cli.fields import Value
from dataplane.core.changes import AdoptFile, Change, ForceHealth, SetAdmin, SetLease, SetWeight
from dataplane.core.health import Verdict
from dataplane.core.model import AdminState, Backend, Server, Snapshot
from dataplane.core.reach import Reach
from tests.inprocess import Plane

READY, DRAIN, MAINT = AdminState.READY, AdminState.DRAIN, AdminState.MAINT


def server(name: str, number: int, *, backup: bool = False, disabled: bool = False) -> Server:
    return Server(name=name, id=number, host='127.0.0.1', port=1, backup=backup, disabled=disabled)


FILE = Snapshot(
    backends=(
        Backend(name='px', id=2, servers=(server('s1', 1), server('s2', 2), server('b1', 3, backup=True))),
        Backend(name='off', id=3, servers=(server('s1', 1, disabled=True),)),
        Backend(name='empty', id=4),
    )
)


@pytest.fixture
def plane() -> Plane:
    return Plane(FILE)


def shown(plane: Plane, backend: str = 'px') -> tuple[Value, Value, Value]:
    """`chkdown`, `lastchg`, `downtime` of a backend's row; an absent one is ''."""
    found = next(row for row in plane.figures.rows() if (row.proxy, row.values['svname']) == (backend, 'BACKEND'))
    chkdown, lastchg, downtime = (found.values.get(name, '') for name in ('chkdown', 'lastchg', 'downtime'))
    return chkdown, lastchg, downtime


def down(plane: Plane) -> None:
    plane.make(*(SetAdmin('px', name, MAINT) for name in ('s1', 's2', 'b1')))


def test_how_it_was_found_is_no_transition(plane: Plane) -> None:
    plane.now_ms += 3_999
    assert shown(plane) == (0, 3, 0)
    assert shown(plane, 'off') == (0, 3, 3)
    assert shown(plane, 'empty') == (0, 3, '')


def test_a_backend_is_down_once_its_last_usable_server_is(plane: Plane) -> None:
    plane.now_ms += 2_000
    plane.make(SetAdmin('px', 's1', MAINT), SetAdmin('px', 's2', MAINT))
    plane.now_ms += 2_000
    assert shown(plane) == (0, 4, 0)
    plane.make(SetAdmin('px', 'b1', MAINT))
    assert shown(plane) == (1, 0, 0)
    plane.now_ms += 2_500
    assert shown(plane) == (1, 2, 2)
    plane.make(SetAdmin('px', 's2', READY))
    assert shown(plane) == (1, 0, 2)
    plane.now_ms += 5_000
    assert shown(plane) == (1, 5, 2)
    plane.make(SetAdmin('px', 's2', MAINT))
    plane.now_ms += 1_500
    assert shown(plane) == (2, 1, 4), 'parts of seconds add up'


@pytest.mark.parametrize(
    'goes,comes',
    [
        (SetAdmin('px', 's1', DRAIN), SetAdmin('px', 's1', READY)),
        (SetWeight('px', 's1', 0), SetWeight('px', 's1', 1)),
        (ForceHealth('px', 's1', Verdict.DOWN), ForceHealth('px', 's1', Verdict.UP)),
        (ForceHealth('px', 's1', Verdict.STOPPING), ForceHealth('px', 's1', Verdict.UP)),
    ],
)
def test_whatever_takes_the_last_server_away_counts(plane: Plane, goes: Change, comes: Change) -> None:
    plane.make(SetAdmin('px', 's2', MAINT), SetAdmin('px', 'b1', MAINT))
    plane.make(goes)
    plane.now_ms += 1_000
    assert shown(plane) == (1, 1, 1)
    plane.make(comes)
    plane.now_ms += 1_000
    assert shown(plane) == (1, 1, 1)


def test_a_commit_of_more_servers_than_are_named_one_by_one_counts() -> None:
    many = tuple(server(f's{number}', number) for number in range(1, 31))
    plane = Plane(Snapshot(backends=(Backend(name='px', id=2, servers=many),)))
    plane.make(*(SetAdmin('px', one.name, MAINT) for one in many))
    assert shown(plane) == (1, 0, 0)


def test_a_reload_keeps_what_is_known_and_forgets_who_is_gone(plane: Plane) -> None:
    down(plane)
    plane.now_ms += 2_000
    kept, off, _ = FILE.backends
    plane.make(AdoptFile(Snapshot(backends=(replace(kept, servers=(*kept.servers, server('s4', 4))), off))))
    assert shown(plane) == (1, 0, 2)
    plane.make(AdoptFile(Snapshot(backends=(off,))))
    plane.now_ms += 1_000
    plane.make(AdoptFile(FILE))
    assert shown(plane)[0] == 0
    assert repr(plane.outages) == '<Outages backends=3 down=1>'


def test_a_file_that_takes_the_last_server_away_leaves_an_empty_backend_that_is_up(plane: Plane) -> None:
    down(plane)
    plane.make(AdoptFile(Snapshot(backends=(Backend(name='px', id=2),))))
    assert shown(plane) == (1, 0, '')


def test_a_lease_that_ended_takes_no_backend_of_the_file_down(plane: Plane) -> None:
    plane.make(SetLease(Reach.ENDED))
    assert shown(plane) == (0, 0, 0)
