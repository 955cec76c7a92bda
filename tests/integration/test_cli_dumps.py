"""The dumps of the stats socket that need more than one worker, a stream under way, or to be followed."""

from __future__ import annotations

import asyncio
import json
import signal

from tests.integration.harness.load import Load, ask
from tests.integration.harness.planes import DataPlane, listen, stage
from tests.integration.harness.waiting import until


async def test_all_that_is_known_of_a_stream() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        server.hold()
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port} maxconn 1'), port=port)
        first = asyncio.create_task(ask(port))
        await until(lambda: len(server.arrivals) == 1, within=60, what='the first request is at the server')
        second = asyncio.create_task(ask(port))

        async def lines() -> list[str]:
            found = (await plane.cli('show sess backend px')).splitlines()
            return found if len(found) == 3 else []

        rows = await until(lines, within=60, what='both streams are shown')
        ids = {line.partition('state=')[2].split()[0]: line.partition(':')[0] for line in rows if line}
        assert sorted(ids) == ['HEADERS', 'QUEUED']
        served = await plane.cli(f'show sess {ids["HEADERS"]}')
        assert f'  server=u (id=1) addr=127.0.0.1:{server.port}\n' in served
        assert f'listener=? (id=0) addr=127.0.0.1:{port}\n' in served
        waits = await plane.cli(f'show sess {ids["QUEUED"]}')
        assert 'waiting=1' in waits
        assert '  server=<NONE> (id=-1)\n' in waits
        assert (await plane.cli('show sess all')).count('  frontend=px (id=2 mode=http)') == 2
        assert await plane.cli('show sess older 1h') == '\n'
        server.let_go()
        assert [(await task).status for task in (first, second)] == [200, 200]


async def test_counters_of_all_workers_begin_anew_under_load() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port)
        async with Load(port, 8, pause=0.01) as load:
            await until(lambda: len(load.records) > 100, within=60, what='traffic flows')
            assert await plane.cli('clear counters all') == '\n'
            cleared = int((await plane.cli.stat())['px', 'FRONTEND']['req_tot'])
            assert cleared < len(load.records)
        assert not load.failed()

        async def is_empty() -> bool:
            return (await plane.cli.stat())['px', 'FRONTEND']['scur'] == '0'

        await until(is_empty, within=60, what='what is open was not cleared, so that it comes back to nothing')
        assert int((await plane.cli.stat())['px', 'FRONTEND']['req_tot']) <= len(load.records)


async def test_events_are_followed() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port)
        reader, writer = await asyncio.open_unix_connection(str(plane.cli.path))
        writer.write(b'show events buf0 -n -w\n')
        await plane.cli('disable server px/u')
        async with asyncio.timeout(60):
            line = await reader.readuntil(b'maintenance. ')
        assert line.startswith(b'<1>')
        assert b'Server px/u is going DOWN for maintenance' in line
        writer.write(b'\n')  # any key
        async with asyncio.timeout(60):
            assert (await reader.read()).endswith(b'\n\n')
        writer.close()
        assert 'Server px/u is going DOWN' in await plane.cli('show events buf0')


async def test_workers_say_what_they_do() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port)
        assert (await ask(port)).status == 200
        activity = dict(line.split(': ', 1) for line in (await plane.cli('show activity')).splitlines() if line)
        assert activity['thread_id'] == '1 (1..2)'
        assert activity['requests'].startswith('1 [ ')
        threads = (await plane.cli('show threads')).splitlines()
        assert [int(line.partition('pid=')[2].split()[0]) for line in threads if line] == plane.worker_pids()
        descriptors = await plane.cli('show fd')
        assert f'pid={plane.pid} (supervisor) socket:' in descriptors
        assert all(f'pid={pid} (worker ' in descriptors for pid in plane.worker_pids())
        assert '  - Process worker 2 : ' in await plane.cli('show pools')
        assert 'supervisor(publisher)' in await plane.cli('show tasks')
        assert json.loads(await plane.cli('show stat json'))[0][0]['objType'] == 'Frontend'


async def reload(plane: DataPlane) -> None:
    plane.write()
    said = len(plane.printed())
    assert plane.child is not None
    plane.child.signal(signal.SIGUSR2)
    await until(lambda: 'Reloaded' in plane.printed()[said:], within=60, what='the reload is over')


async def test_a_reload_keeps_what_is_paused_and_opens_what_was_shut_down() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        one, two = on.ports.take(), on.ports.take()
        sections = f'frontend a\n    bind 127.0.0.1:{one}\n    default_backend px\nfrontend b\n    bind 127.0.0.1:{two}\n    default_backend px\n'
        sections += f'backend px\n    server u 127.0.0.1:{server.port}\n'
        plane = await on.data_plane(sections, port=one)

        async def states() -> list[str]:
            stat = await plane.cli.stat()
            return [stat[name, 'FRONTEND']['status'] for name in ('a', 'b')]

        assert await plane.cli('disable frontend a; shutdown frontend b') == '\n\n'
        assert await states() == ['PAUSED', 'STOP']
        await reload(plane)
        assert await states() == ['PAUSED', 'OPEN']
        assert (await ask(two)).status == 200
        assert await plane.cli('enable frontend a') == '\n'
        assert (await ask(one)).status == 200
        lines = await plane.cli('show events buf0')
        assert all(text in lines for text in ('Paused frontend a.', 'Proxy b stopped.', 'Resumed frontend a.'))
