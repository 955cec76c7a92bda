"""Rotation: what the board says of servers and backends, and which backup was elected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.core.changes import AdoptFile, AdoptPush, SetAdmin, SetLease, SetMaxconn, SetWeight
from dataplane.core.layout import LAYOUT_VERSION, UNLIMITED, Algorithm, Rota
from dataplane.core.model import AdminState, Backend, Balance
from dataplane.core.reach import Reach
from tests.unit.core.farm import Farm, backend, file, server

GONE, OUT, PERSISTENT, IN = Rota
READY, DRAIN, MAINT = AdminState.READY, AdminState.DRAIN, AdminState.MAINT


def farm(allbackups: bool = False) -> Farm:
    servers = [server(f's{i}', i + 1, backup=i >= 2, weight=i + 1) for i in range(4)]
    return Farm(file(backend('b', 3, *servers, allbackups=allbackups)))


def rota(of: Farm) -> list[int]:
    return of.column(of.at.ROTA, 4)


def test_static_cells() -> None:
    line = server('x', 9, weight=3, maxconn=8, minconn=2, maxqueue=5, backup=True)
    made = Farm(file(backend('a', 3), backend('b', 4, line, fullconn=50, balance=Balance(algorithm='random', draws=3))))
    at, cells = made.at, made.cells
    columns = 'BACKEND SERVER_ID UWEIGHT EWEIGHT LIMIT MINLIMIT MAXQUEUE BACKUP ADMIN OPSTATE'
    assert [cells[getattr(at, column)] for column in columns.split()] == [1, 9, 3, 48, 8, 2, 5, 1, 0, 2]
    columns = 'FIRST_SERVER ALGORITHM DRAWS FULLCONN DYNAMIC_LIMITS ROTATION_WEIGHT ROTATION_MAXW ACTIVE_UP BACKUP_UP'
    assert [cells[getattr(at, column) + 1] for column in columns.split()] == [
        1,
        Algorithm.RANDOM,
        3,
        50,
        1,
        48,
        48,
        0,
        1,
    ]
    assert (cells[at.VERSION], cells[at.FEMAXCONN], cells[at.GLOBAL_MAXCONN]) == (LAYOUT_VERSION, 100, 10_000)


def test_backups_wait_while_an_active_server_is_usable() -> None:
    made = farm()
    assert rota(made) == [IN, IN, PERSISTENT, PERSISTENT]
    assert (
        made.cells[made.at.IN_ROTATION],
        made.cells[made.at.ROTATION_WEIGHT],
        made.cells[made.at.ROTATION_MAXW],
    ) == (2, 48, 32)
    assert (made.cells[made.at.ACTIVE_UP], made.cells[made.at.BACKUP_UP]) == (2, 2)


def test_the_first_usable_backup_is_elected() -> None:
    made = farm()
    made.apply(SetAdmin('b', 's0', MAINT), SetAdmin('b', 's1', DRAIN))
    assert rota(made) == [OUT, PERSISTENT, IN, PERSISTENT]
    made.apply(SetWeight('b', 's2', 0))
    assert rota(made) == [OUT, PERSISTENT, PERSISTENT, IN]
    made.apply(SetAdmin('b', 's3', MAINT))
    assert rota(made) == [OUT, PERSISTENT, PERSISTENT, OUT]
    assert (
        made.cells[made.at.IN_ROTATION] == made.cells[made.at.ROTATION_WEIGHT] == made.cells[made.at.ROTATION_MAXW] == 0
    )
    made.apply(SetAdmin('b', 's1', READY))
    assert rota(made) == [OUT, IN, PERSISTENT, OUT]


def test_allbackups_elects_all_that_are_usable() -> None:
    made = farm(allbackups=True)
    made.apply(SetAdmin('b', 's0', MAINT), SetAdmin('b', 's1', MAINT))
    assert rota(made) == [OUT, OUT, IN, IN]
    assert made.cells[made.at.IN_ROTATION] == 2


def test_a_disabled_backend_takes_nothing() -> None:
    made = Farm(file(backend('b', 3, server('x', 1), disabled=True)))
    assert (made.column(made.at.ROTA, 1), made.cells[made.at.IN_ROTATION]) == ([GONE], 0)


@pytest.mark.parametrize('maxconn, cells', [(0, (UNLIMITED, UNLIMITED, 0)), (1, (1, 1, 0)), (9, (9, 2, 1))])
def test_dynamic_limits_are_marked(maxconn: int, cells: tuple[int, int, int]) -> None:
    made = Farm(file(backend('b', 3, server('x', 1, maxconn=5, minconn=2))))
    made.apply(SetMaxconn('b', 'x', maxconn))
    at = made.at
    assert (made.cells[at.LIMIT], made.cells[at.MINLIMIT], made.cells[at.DYNAMIC_LIMITS]) == cells


def test_only_backends_that_changed_are_to_be_looked_at() -> None:
    one, two = backend('a', 3, server('x', 1)), backend('b', 4, server('y', 2))
    made = Farm(file(one, two))
    assert (made.last.servers, made.last.backends) == ((0, 1), (0, 1))
    made.ledger.adopt(made.ledger.propose(AdoptFile(file(one, replace(two, fullconn=9)))), 0)
    again = made.commit()
    assert (again.servers, again.backends) == ((), (1,))
    assert [list(image.values) for image in again.images] == [[9]]


def test_a_settings_change_elects_anew() -> None:
    made = farm()
    made.apply(SetAdmin('b', 's0', MAINT), SetAdmin('b', 's1', MAINT))
    made.ledger.adopt(made.ledger.propose(AdoptFile(file(replace(made.ledger.tables.backends[0], allbackups=True)))), 0)
    assert made.commit().servers == (3,)
    assert rota(made) == [OUT, OUT, IN, IN]


def pushed(*shares: tuple[int, bool] | None, spare: bool = False) -> Farm:
    """Backend `p` of the control plane beside `b` of the file. None: a limit of its own; `spare`: with a backup."""
    made = Farm(file(backend('b', 3, server('own', 1))))
    push(made, *shares, spare=spare)
    return made


def push(made: Farm, *shares: tuple[int, bool] | None, spare: bool = False) -> None:
    servers = [
        server(f's{n}', 0, maxconn=5, share=None if share is None else share[0], share_due=bool(share and share[1]))
        for n, share in enumerate(shares)
    ] + ([server('spare', 0, backup=True)] if spare else [])
    change = AdoptPush((Backend(name='p', id=0, servers=tuple(servers)),), (), {})
    made.ledger.adopt(made.ledger.propose(change), 0)
    made.commit()


def of_push(made: Farm, column: int, count: int) -> list[int]:
    return [made.cells[column + made.ledger.server('p', f's{n}').index] for n in range(count)]


def test_a_share_of_none_is_out_of_rotation_and_never_unlimited() -> None:
    made = pushed(None, (2, False), (0, False), (0, True))
    assert of_push(made, made.at.LIMIT, 4) == [5, 2, 0, 0]
    assert of_push(made, made.at.ROTA, 4) == [IN, IN, GONE, IN]
    made.apply(SetMaxconn('p', 's1', 9), SetMaxconn('p', 's2', 0))
    assert of_push(made, made.at.LIMIT, 3) == [5, 2, 0], 'no number set here raises a share'
    made.apply(SetAdmin('p', 's2', DRAIN))
    assert of_push(made, made.at.ROTA, 3)[2] == GONE, 'nor may persistent streams come'


def test_a_share_moves_without_new_tables() -> None:
    made = pushed((2, False), (0, False))
    number = made.ledger.tables.number
    push(made, (0, False), (2, False))
    assert made.ledger.tables.number == number
    assert of_push(made, made.at.ROTA, 2) == [GONE, IN]
    assert of_push(made, made.at.LIMIT, 2) == [0, 2]


def test_where_no_active_server_has_slots_a_backup_serves() -> None:
    made = pushed((0, False), spare=True)
    spare = made.ledger.server('p', 'spare').index
    assert made.cells[made.at.ROTA + spare] == IN
    push(made, (0, True), spare=True)
    assert made.cells[made.at.ROTA + spare] == PERSISTENT, 'slots that are due are waited for'


@pytest.mark.parametrize(
    'reach, rotas',
    [
        (Reach.HEARD, [IN, IN, GONE, IN]),
        (Reach.ALONE, [IN, IN, GONE, GONE]),
        (Reach.LEFT, [IN, GONE, GONE, GONE]),
        (Reach.ENDED, [GONE, GONE, GONE, GONE]),
    ],
)
def test_how_far_the_control_plane_s_word_reaches(reach: Reach, rotas: list[int]) -> None:
    made = pushed(None, (2, False), (0, False), (0, True))
    made.apply(SetLease(reach))
    assert of_push(made, made.at.ROTA, 4) == rotas
    assert made.cells[made.at.ROTA] == IN, "the file is not the control plane's"
    push(made, None, (2, False), (0, False), (0, True))
    made.apply(SetLease(Reach.HEARD))
    assert of_push(made, made.at.ROTA, 4) == [IN, IN, GONE, IN]
