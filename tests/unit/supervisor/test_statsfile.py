"""Counters kept under a guid: written by one data plane, read by the next."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from dataplane.cli.grammar import Command, words
from dataplane.cli.session import Session
from dataplane.core.checks import ServerCheck
from dataplane.core.counters import C
from dataplane.core.model import Backend, Level, Snapshot
from dataplane.health.watch import Watch
from dataplane.supervisor.statsfile import KeptCounters
from dataplane.supervisor.wait import Patience
from tests.inprocess import SNAPSHOT, Plane

NOW = 1_700_000_100.0


def named() -> Snapshot:
    """The usual farm with a guid for everything, its listener counted for itself, its first server checked."""
    (front,), (back, empty) = SNAPSHOT.frontends, SNAPSHOT.backends
    binds = (replace(front.binds[0], id=1, guid='l-0'),)
    first, *others = back.servers
    servers = (replace(first, guid='s', check=ServerCheck()), *others)
    return replace(
        SNAPSHOT,
        frontends=(replace(front, binds=binds, guid='f', socket_stats=True),),
        backends=(replace(back, servers=servers, guid='b'), empty),
    )


def data_plane(snapshot: Snapshot) -> Plane:
    plane = Plane(snapshot)
    index = plane.server('px', 's1')
    plane.watches[index, False] = Watch(plane.ledger.records[index], agent=False)
    return plane


async def say(plane: Plane, line: str, level: Level = Level.USER) -> str:
    return (await plane.verbs().run(Command(words(line)), Session(level, 10_000), Patience())).text


async def stat(plane: Plane) -> dict[str, dict[str, str]]:
    text = (await say(plane, 'show stat')).removeprefix('# ')
    return {f'{row["pxname"]}/{row["svname"]}': row for row in csv.DictReader(io.StringIO(text))}


async def restore(plane: Plane, path: Path) -> list[str]:
    told: list[str] = []
    kept = KeptCounters(
        plane.cells, plane.layout, plane.ledger, checks=plane.checks, outages=plane.outages, wall=lambda: NOW
    )
    await kept.restore(str(path), lambda level, text: told.append(f'{level} {text}'))
    return told


def count(plane: Plane) -> None:
    at, worker = plane.layout, 1
    server = plane.server('px', 's1')
    blocks = [at.frontend_counters(worker, 0), at.listener_counters(worker, 0), at.backend_counters(worker, 0)]
    for amount, block in enumerate((*blocks, at.server_counters(worker, server)), 1):
        for counter in (C.STOT, C.BIN, C.HRSP_2XX, C.REQ_TOT, C.LBTOT, C.SMAX):
            plane.count(block, counter, amount)
        plane.cells[block + C.LASTSESS] = int(NOW) - 60
    plane.watches[server, False].failures = 7
    plane.watches[server, False].errors = 8


SAME = ('stot', 'bin', 'hrsp_2xx', 'lbtot', 'lastsess', 'chkfail')


async def test_everything_with_a_guid_goes_on_where_it_was(tmp_path: Path) -> None:
    before, path = data_plane(named()), tmp_path / 'stats'
    count(before)
    path.write_text(await say(before, 'dump stats-file') + '\n')
    after = data_plane(named())
    assert await restore(after, path) == []
    old, new = await stat(before), await stat(after)
    for name in ('fe/FRONTEND', 'fe/b', 'px/s1', 'px/BACKEND'):
        assert {one: new[name][one] for one in SAME} == {one: old[name][one] for one in SAME}, name
        assert new[name]['smax'] == '0'
    assert (new['fe/FRONTEND']['req_tot'], new['px/BACKEND']['req_tot']) == ('1', '3')
    assert new['px/s2']['stot'] == '0'


async def test_what_was_counted_meanwhile_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / 'stats'
    path.write_text('#fe guid,stot,h1req,req_tot,\nf,5,6,99,\n#be guid,stot,chkdown,lastsess,\ns,7,2,50,\nb,8,3,\n')
    plane = data_plane(named())
    count(plane)
    assert await restore(plane, path) == []
    found = await stat(plane)
    assert (found['fe/FRONTEND']['stot'], found['fe/FRONTEND']['req_tot']) == ('6', '7')
    assert (found['px/s1']['stot'], found['px/s1']['chkdown'], found['px/s1']['lastsess']) == ('11', '2', '50')
    assert (found['px/BACKEND']['stot'], found['px/BACKEND']['chkdown']) == ('11', '3')


async def test_a_file_that_has_requests_as_one_sum(tmp_path: Path) -> None:
    path = tmp_path / 'stats'
    path.write_text('#fe guid,req_tot,\nf,5,\n')
    plane = data_plane(named())
    assert await restore(plane, path) == []
    assert (await stat(plane))['fe/FRONTEND']['req_tot'] == '5'


async def test_of_whom_it_may_be(tmp_path: Path) -> None:
    path = tmp_path / 'stats'
    lines = ('#fe guid,stot,', 'b,1,', 's,1,', 'gone,1,', 'f,1,', 'f,2,', '#be guid,stot,', 'f,1,', 'l-0,1,', 'gone,1,')
    path.write_text('\n'.join(lines))
    plane = data_plane(named())
    assert await restore(plane, path) == [
        f"warning config: Ignored stats-file line {line} in file '{path}'." for line in (3, 9)
    ]
    found = await stat(plane)
    assert found['fe/FRONTEND']['stot'] == '2'
    assert {found[name]['stot'] for name in ('fe/b', 'px/s1', 'px/BACKEND')} == {'0'}


async def test_a_file_that_is_not_there_or_none_is_told(tmp_path: Path) -> None:
    plane, path = data_plane(named()), tmp_path / 'stats'
    assert await restore(plane, path) == [f"warning config: Can't load stats-file '{path}': cannot open file."]
    path.write_text('nothing')
    assert await restore(plane, path) == [f"warning config: Invalid stats-file format in file '{path}'."]


async def test_counters_that_were_restored_can_be_cleared(tmp_path: Path) -> None:
    path = tmp_path / 'stats'
    path.write_text('#be guid,chkfail,chkdown,\ns,5,6,\nb,0,7,\n')
    plane = data_plane(named())
    await restore(plane, path)
    plane.checks.clear(plane.ledger.records)
    plane.outages.clear()
    found = await stat(plane)
    assert (found['px/s1']['chkfail'], found['px/s1']['chkdown'], found['px/BACKEND']['chkdown']) == ('0', '0', '0')


@pytest.mark.parametrize('level', list(Level))
async def test_everybody_may_dump(level: Level) -> None:
    text = await say(data_plane(named()), 'dump stats-file', level)
    assert [line.split(',')[0] for line in text.splitlines()] == ['#fe guid', 'f', 'l-0', '#be guid', 's', 'b']


async def test_a_backend_that_is_added_has_the_guid_that_is_asked_for() -> None:
    plane = data_plane(replace(named(), defaults=(('http', Backend(name='base', id=0)),)))
    said = await say(plane, 'add backend n from base guid s', Level.ADMIN)
    assert said == "'guid' : duplicate entry with server px/s1"
    assert await say(plane, 'add backend n from base guid n/1', Level.ADMIN) == "'guid' : invalid character '/'"
    assert await say(plane, 'add backend n from base guid n', Level.ADMIN) == 'New backend registered.'
    assert (
        await say(plane, 'add server n/x 10.0.0.1:80 guid n', Level.ADMIN) == "'guid' : duplicate entry with backend n"
    )
    assert await say(plane, 'add server n/x 10.0.0.1:80 guid x', Level.ADMIN) == 'New server registered.'
    assert '\nx,' in await say(plane, 'dump stats-file')
