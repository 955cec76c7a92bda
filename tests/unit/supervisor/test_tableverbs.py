"""The commands about stick tables, over real tables."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from multiprocessing import Pipe

import pytest

from dataplane.cli.grammar import Command, words
from dataplane.cli.session import Session, Severity
from dataplane.core.model import Level
from dataplane.core.stick.definition import Data, Definition, KeyType
from dataplane.stick import StickTable
from dataplane.supervisor import tableverbs
from dataplane.supervisor.verbs import Verbs
from dataplane.supervisor.wait import Patience
from tests.inprocess import Plane

NUMBERS = Definition(name='n', key=KeyType.INTEGER, length=4, size=10_000, stores=(Data('gpc0'), Data('conn_cur')))
STRINGS = Definition(name='s', key=KeyType.STRING, length=8, size=2, nopurge=True, stores=(Data('gpc0'),))


class Cli:
    """The verbs of a plane with two tables."""

    def __init__(self) -> None:
        self.verbs: Verbs = Plane().verbs()
        self.tables = {one.name: StickTable.create(one, 1) for one in (STRINGS, NUMBERS)}
        self.verbs.stick_tables = lambda: self.tables

    async def say(self, line: str, level: Level = Level.ADMIN) -> str:
        answer = await self.verbs.run(Command(words(line)), Session(level, 10_000), Patience())
        assert answer.severity in (Severity.SILENT, Severity.ERROR)
        return answer.text


@pytest.fixture
def cli() -> Iterator[Cli]:
    cli = Cli()
    yield cli
    for table in cli.tables.values():
        table.close()


async def test_all_tables_the_last_first(cli: Cli) -> None:
    await cli.say('set table s key a')
    assert (
        await cli.say('show table')
        == '# table: n, type: integer, size:10000, used:0\n# table: s, type: string, size:2, used:1'
    )


async def test_entries_are_set_shown_and_cleared(cli: Cli) -> None:
    for key in (7, 300, 12):
        assert await cli.say(f'set table n key {key} data.gpc0 {key}') == ''
    shown = (await cli.say('show table n')).splitlines()
    assert shown[0] == '# table: n, type: integer, size:10000, used:3'
    assert len(shown) == 4
    assert all(line.startswith('0x') for line in shown[1:])
    assert sorted(line.partition(' ')[2] for line in shown[1:]) == [
        f'key={key} use=0 exp=0 shard=0 gpc0={key} conn_cur=0' for key in (12, 300, 7)
    ]
    assert [line.split()[1] for line in (await cli.say('show table n data.gpc0 gt 20')).splitlines()[1:]] == ['key=300']
    assert (await cli.say('show table n key 12')).splitlines()[1].split()[1] == 'key=12'
    assert await cli.say('show table n key 13') == ''
    assert await cli.say('clear table n data.gpc0 lt 20') == ''
    assert cli.tables['n'].used == 1
    assert await cli.say('clear table n key 300') == ''
    assert await cli.say('clear table n key 300') == ''
    assert cli.tables['n'].used == 0


@pytest.mark.parametrize('command', ['show table n data.gpc0 gt 5', 'clear table n data.gpc0 gt 5'])
async def test_others_have_their_turn_also_where_nothing_passes_the_filter(cli: Cli, command: str) -> None:
    for key in range(200):
        assert cli.tables['n'].put(key.to_bytes(4), (), make=True) is not None
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await cli.say(command)
    task.cancel()
    assert turns >= 200 // 16


async def test_keys_of_one_shard_are_in_order(cli: Cli) -> None:
    for key in 'ba':
        await cli.say(f'set table s key {key}')
    assert [line.split()[1] for line in (await cli.say('show table s')).splitlines()[1:]] == ['key=a', 'key=b']


async def test_what_is_tracked_stays(cli: Cli) -> None:
    table = cli.tables['n']
    table.worker = 0
    assert table.track(b'\0\0\0\x07')
    await cli.say('set table n key 8')
    assert await cli.say('clear table n key 7') == 'Entry currently in use, cannot remove'
    assert await cli.say('clear table n') == ''
    assert (table.used, table.holds(b'\0\0\0\x07')) == (1, True)


async def test_where_there_is_no_room(cli: Cli) -> None:
    for key in 'ab':
        assert await cli.say(f'set table s key {key}') == ''
    assert await cli.say('set table s key c') == 'Unable to allocate a new entry'


async def test_who_may_do_what(cli: Cli) -> None:
    await cli.say('set table s key a')
    shown = '# table: s, type: string, size:2, used:1'
    assert await cli.say('show table s', Level.USER) == f'{shown}\n# contents not dumped due to insufficient privileges'
    for line in ('show table s key a', 'set table s key b', 'clear table s'):
        assert await cli.say(line, Level.USER) == 'Permission denied'
    assert await cli.say('clear table s', Level.OPERATOR) == ''


async def test_a_dump_has_an_end(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tableverbs, 'MOST', 3)
    for key in range(5):
        await cli.say(f'set table n key {key}')
    shown = (await cli.say('show table n')).splitlines()
    assert (len(shown), shown[-1]) == (5, '# there are more than these 3: filter them')


@pytest.mark.parametrize('line', ['set table', 'clear table'])
async def test_words_are_missing(cli: Cli, line: str) -> None:
    assert (await cli.say(line)).startswith('Required arguments: <table>')


async def test_a_shard_that_is_held_is_told(cli: Cli) -> None:
    table = cli.tables['s']
    table.patience = 0.001
    ready, tell = Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        try:
            table._locks[0].lock()
            tell.send_bytes(b'held')
            signal.pause()
        finally:
            os._exit(0)
    try:
        assert ready.recv_bytes() == b'held'
        for line in ('show table s key a', 'set table s key a', 'clear table s key a'):
            assert await cli.say(line) == f'table s is held by process {pid}; try again.'
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)  # noqa: ASYNC222 - it was killed
