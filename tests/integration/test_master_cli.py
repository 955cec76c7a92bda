"""The master CLI with real processes: who is there, commands for one of them, and reloads that say how they went."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.integration.harness.cli import Cli
from tests.integration.harness.load import Load, Record, ask
from tests.integration.harness.planes import DataPlane, Stage, listen, stage
from tests.integration.harness.upstream import Upstream
from tests.integration.harness.waiting import until


@asynccontextmanager
async def mastered(words: str = '') -> AsyncIterator[tuple[Stage, DataPlane, Cli, Upstream]]:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        path = on.directory / 'master.sock'
        options = ('-W', '-S', f'{path}{words}')
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port, options=options)
        yield on, plane, Cli(path), server


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line and not line.startswith('#')]


async def test_who_is_there() -> None:
    async with mastered() as (_, plane, master, _):
        found = rows(await master('show proc'))
        assert [(int(row[0]), row[1]) for row in found] == [
            (plane.pid, 'master'),
            *((pid, 'worker') for pid in plane.worker_pids()),
        ]
        assert found[0][2:5] == ['0', '[failed:', '0]']


async def test_commands_for_a_worker_are_answered_for_the_data_plane() -> None:
    async with mastered() as (_, plane, master, _):
        pid = plane.worker_pids()[1]
        assert 'Nbthread: 2' in await master('@1 show info')
        assert (await master(f'@!{pid} disable server px/u')) == '\n'
        assert (await plane.cli.states())['px/u'][1] == 1
        assert await master('@1 enable server px/u; show proc') != ''
        assert (await plane.cli.states())['px/u'][1] == 0
        assert (await master('@7 show info')) == "Can't find the target PID matching the prefix '@7'\n"
        assert (await master(f'@!{plane.pid} show info')).startswith("Can't find the target PID")
        assert (await master('show stat')).startswith("Unknown command: 'show'")


async def test_a_level_is_kept_to() -> None:
    async with mastered(',level,operator') as (_, _, master, _):
        assert await master('reload') == 'Permission denied\n\n'
        assert await master('@1 disable server px/u') == 'Permission denied\n\n'
        assert rows(await master('show proc'))


async def test_who_is_needed_no_more_is_an_old_worker_until_it_has_left() -> None:
    async with mastered() as (_, plane, master, server):
        server.hold()
        asked: list[asyncio.Task[Record]] = []
        while not all(plane.owners().values()):
            asked.append(asyncio.create_task(ask(plane.port, within=200)))
            await until(lambda: server.inside() == len(asked), within=60, what='it is under way')
        first, second = plane.worker_pids()
        plane.workers = 1
        plane.write()
        assert (await master('reload', within=60)).startswith('Success=1\n')
        shown = await until(lambda: _with_old(master), within=60, what='it leaves')
        assert shown.count('worker  ') == 2
        workers, _, old = shown.partition('# old workers')
        assert str(first) in workers
        assert str(second) in old
        server.let_go()
        assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
        await until(lambda: plane.worker_pids() == [first], within=60, what='it has left')
        assert 'old workers' not in await master('show proc')


async def _with_old(master: Cli) -> str:
    shown = await master('show proc')
    return shown if '# old workers' in shown else ''


async def test_a_session_goes_on_with_whom_it_named() -> None:
    async with mastered() as (_, plane, master, _):
        first, second = plane.worker_pids()
        reader, writer = await asyncio.open_unix_connection(str(master.path))

        async def say(line: str, until_prompt: str) -> str:
            writer.write(f'{line}\n'.encode())
            async with asyncio.timeout(30):
                return (await reader.readuntil(until_prompt.encode())).decode()

        assert await say('prompt', 'master> ') == '\nmaster> '
        assert await say('@2', f'{second}> ') == f'{second}> '
        assert 'px' in await say('show backend', f'{second}> ')
        assert 'master' in await say('@master show proc', f'{second}> ')
        assert await say('@', 'master> ') == 'master> '
        assert await say('@@1', f'{first}> ') == f'{first}> '
        assert "Unknown command: '@master'" in await say('@master', f'{first}> ')
        writer.write(b'quit\n')
        assert await asyncio.wait_for(reader.read(), 30) == b''
        writer.close()


async def test_reload_says_how_it_went_and_no_request_is_lost() -> None:
    async with mastered() as (on, plane, master, _):
        other = await on.upstream('other')
        workers = plane.worker_pids()
        async with Load(plane.port, 8, pause=0.02) as load:
            await until(lambda: len(load.records) > 50, within=60, what='traffic flows')
            good, plane.sections = plane.sections, plane.sections + '    no-such-keyword\n'
            plane.write()
            said = await master('reload', within=60)
            assert said.startswith('Success=0\n--\n[ALERT]')
            assert f'{plane.name}.cfg:' in said
            assert 'no-such-keyword' in said
            plane.sections = good.replace('server u ', f'server other 127.0.0.1:{other.port}\n    server u ')
            plane.write()
            said = await master('reload; show proc', within=60)
            assert said.startswith('Success=1\n--\n[NOTICE]')
            assert 'master' not in said, 'nothing more is done on that connection'
            await until(lambda: other.arrivals, within=60, what='the new server takes traffic')
        assert not load.failed(), load.failed()[:3]
        assert rows(await master('show proc'))[0][2:5] == ['1', '[failed:', '1]']
        assert plane.worker_pids() == workers


async def test_hard_reload_ends_what_is_under_way() -> None:
    async with mastered() as (_, plane, master, server):
        workers = set(plane.worker_pids())
        _, writer = await asyncio.open_connection('127.0.0.1', plane.port)
        assert (await ask(plane.port)).status == 200
        assert (await master('hard-reload', within=90)).startswith('Success=1\n')
        assert not workers & set(plane.worker_pids())
        assert len(rows(await master('show proc'))) == 1 + plane.workers
        assert (await ask(plane.port)).status == 200
        writer.close()
        assert server.arrivals


@pytest.mark.parametrize(
    'number, status', [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGUSR1, 0)], ids=['term', 'int', 'usr1']
)
async def test_who_ended_it_is_told_by_its_exit_status(number: signal.Signals, status: int) -> None:
    async with mastered() as (_, plane, _, _):
        assert plane.child is not None
        plane.child.signal(number)
        assert await plane.child.wait(30) == status
