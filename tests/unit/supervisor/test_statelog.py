"""Lines about servers that change state, compared with what HAProxy 2.6 wrote for the same commands."""

from __future__ import annotations

import pytest

from dataplane.board import Board
from dataplane.core import commit as commits
from dataplane.core.changes import AdoptFile, Change, SetAdmin, SetWeight
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import AdminState, Backend, Server, Snapshot
from dataplane.supervisor.publish import Applied
from dataplane.supervisor.statelog import StateLog

AT = Layout(workers=1, servers=8, backends=4, frontends=1, entries=4)
READY, DRAIN, MAINT = AdminState.READY, AdminState.DRAIN, AdminState.MAINT


class Scene:
    """A backend of two servers and a backup, a ledger, a board and the log that watches them."""

    def __init__(self, *, shutdown_when_down: bool = False) -> None:
        self.board = Board.create(AT)
        self.ledger = Ledger(AT)
        self.lines: list[tuple[str, str]] = []
        self.log = StateLog(self.ledger, self.board.cells, AT, self._told)
        self.revision = 0
        servers = tuple(
            Server(name=n, id=i, host='h', port=1, backup=n == 'b1', shutdown_when_down=shutdown_when_down)
            for i, n in enumerate(('s1', 's2', 'b1'), 1)
        )
        proposal = self.ledger.propose(AdoptFile(Snapshot(backends=(Backend(name='px', id=2, servers=servers),))))
        self.ledger.adopt(proposal, 0)
        self.commit()
        assert self.lines == []

    def _told(self, backend: Backend, level: str, text: str) -> None:
        assert backend.name in text
        self.lines.append((level, text))

    def commit(self, requeued: int = 0, killed: int = 0) -> None:
        self.revision += 1
        commit = self.ledger.commit(self.revision)
        commits.commit(self.board.cells, AT, commit)
        self.log(commit, Applied(revision=self.revision, requeued=requeued, killed=killed), 'test')

    def do(self, *changes: Change, requeued: int = 0, killed: int = 0) -> list[str]:
        self.lines.clear()
        for change in changes:
            assert isinstance(change, SetAdmin | SetWeight)
            self.ledger.apply(change, 5)
        self.commit(requeued, killed)
        return [text for _, text in self.lines]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def ask(server: str, state: AdminState) -> SetAdmin:
    return SetAdmin('px', server, state)


def test_the_lines_of_haproxy(scene: Scene) -> None:
    def left(active: int, backup: int, also: str = '') -> str:
        return (
            f'{active} active and {backup} backup servers left.{also} '
            '0 sessions active, 0 requeued, 0 remaining in queue.'
        )

    assert scene.do(ask('s1', MAINT)) == [f'Server px/s1 is going DOWN for maintenance. {left(1, 1)}']
    assert scene.lines[0][0] == 'alert'
    assert scene.do(ask('s1', DRAIN)) == [
        'Server px/s1 is UP/DRAIN (leaving forced maintenance).',
        'Server px/s1 remains in forced drain mode.',
    ]
    assert scene.do(ask('s1', READY)) == ['Server px/s1 is UP (leaving forced drain).']
    assert scene.do(ask('s2', DRAIN)) == [
        'Server px/s2 enters drain state. 1 active and 1 backup servers online. 0 sessions requeued, 0 total in queue.'
    ]
    assert scene.do(ask('s2', MAINT)) == [f'Server px/s2 is going DOWN for maintenance. {left(1, 1)}']
    assert scene.do(ask('s1', MAINT)) == [
        f'Server px/s1 is going DOWN for maintenance. {left(0, 1, " Running on backup.")}'
    ]
    assert scene.do(ask('b1', MAINT)) == [
        f'Backup Server px/b1 is going DOWN for maintenance. {left(0, 0)}',
        'backend px has no server available!',
    ]
    assert scene.lines[1][0] == 'emerg'
    assert scene.do(ask('b1', READY)) == ['Backup Server px/b1 is UP/READY (leaving forced maintenance).']
    assert scene.do(ask('s1', READY)) == ['Server px/s1 is UP/READY (leaving forced maintenance).']


def test_a_drain_that_leaves_backups_only_says_so(scene: Scene) -> None:
    scene.do(ask('s1', MAINT))
    [line] = scene.do(ask('s2', DRAIN))
    assert '0 active and 1 backup servers online. Running on backup. 0 sessions requeued' in line


def test_what_does_not_change_a_state_is_not_told(scene: Scene) -> None:
    assert scene.do(SetWeight('px', 's1', 5)) == []
    scene.do(ask('s1', MAINT))
    assert scene.do(ask('s1', MAINT)) == []


def test_requeued_is_told_where_it_can_be_said_whose_they_were(scene: Scene) -> None:
    assert '3 requeued' in scene.do(ask('s1', MAINT), requeued=3)[0]
    both = scene.do(ask('s1', READY), ask('s2', MAINT), requeued=3)
    assert any('0 requeued' in line for line in both)


def test_names_that_are_no_more_are_not_kept(scene: Scene) -> None:
    for number in range(50):
        name = f's{number}'
        backend = Backend(name=f'b{number}', id=2, servers=(Server(name=name, id=1, host='h', port=1),))
        proposal = scene.ledger.propose(AdoptFile(Snapshot(backends=(backend,))))
        scene.ledger.adopt(proposal, 0)
        scene.commit()
        scene.ledger.reclaim(tuple(scene.ledger.departed))
    assert len(scene.log._known) == 1
    assert len(scene.log._served) == 1
    assert scene.do(SetAdmin('b49', 's49', MAINT))[0].startswith('Server b49/s49 is going DOWN for maintenance.')


def test_sessions_that_ended_with_their_server_were_active() -> None:
    (line,) = Scene(shutdown_when_down=True).do(ask('s1', MAINT), killed=3)
    assert ' 3 sessions active, 0 requeued, ' in line
    (line,) = Scene().do(ask('s1', MAINT), killed=3)
    assert ' 0 sessions active, ' in line, 'what a revision ended may be of other servers'
