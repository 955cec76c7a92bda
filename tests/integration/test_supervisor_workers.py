"""Workers that die or stand still, and changes through the one door meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable

import pytest

from tests.integration.harness.load import Load, ask
from tests.integration.harness.planes import DataPlane, listen, stage
from tests.integration.harness.waiting import until


async def all_back(plane: DataPlane, gone: int) -> bool:
    pids = plane.worker_pids()
    return len(pids) == plane.workers and gone not in pids


async def flows(load: Load, requests: int) -> None:
    wanted = len(load.records) + requests
    await until(lambda: len(load.records) > wanted, within=60, what='traffic flows')


async def test_disable_and_enable_reach_every_worker() -> None:
    async with stage() as on:
        one, two = await on.upstream('one'), await on.upstream('two')
        port = on.ports.take()
        servers = f'one 127.0.0.1:{one.port}\ntwo 127.0.0.1:{two.port}'
        plane = await on.data_plane(listen(port, servers), port=port, workers=2)
        async with Load(port, 16, pause=0.02) as load:
            await until(lambda: one.arrivals and two.arrivals, within=60, what='both servers are used')
            assert (await plane.cli('disable server px/one')).strip() == ''
            # what was sent before the answer may still be unread: the server has it all once nothing is attached to it
            assert (await plane.cli('wait 10s srv-removable px/one')).strip() == 'Done.'
            one.forget()
            seen = len(two.arrivals)
            await until(lambda: len(two.arrivals) > seen + 200, within=60, what='the other server does the work')
            assert not one.arrivals
            await plane.cli('enable server px/one')
            await until(lambda: one.arrivals, within=60, what='the server is used again')
        assert not load.failed()
        printed = plane.printed()
        assert 'Server px/one is going DOWN for maintenance. 1 active and 0 backup servers left.' in printed
        assert 'Server px/one is UP/READY (leaving forced maintenance).' in printed


async def test_a_killed_worker_leaves_its_backlog_to_its_successor() -> None:
    """Connections that the kernel has queued for the dead worker are answered by the next one."""
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port, workers=2)
        victim = plane.worker_pids()[0]
        os.kill(victim, signal.SIGSTOP)
        asked = [asyncio.create_task(ask(port)) for _ in range(40)]
        os.kill(victim, signal.SIGKILL)
        answers = await asyncio.gather(*asked)
        assert [answer.status for answer in answers] == [200] * 40
        await until(lambda: all_back(plane, victim), within=60, what='the worker is back')


async def test_a_worker_that_dies_again_and_again_is_started_with_pauses_and_traffic_goes_on() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port, workers=2)
        for _ in range(5):
            victim = plane.worker_pids()[-1]
            os.kill(victim, signal.SIGKILL)
            await until(lambda victim=victim: all_back(plane, victim), within=60, what='it is started again')  # type: ignore[misc]
        assert (await ask(port)).status == 200
        info = await until(lambda: serving(plane), within=60, what='all workers serve')
        assert info['Nbthread'] == '2'


async def serving(plane: DataPlane) -> dict[str, str]:
    """`show info`, when every worker has said that it serves: its connections are counted in its row."""
    return await plane.cli.info() if len(plane.owners()) == plane.workers else {}


async def test_a_stopped_worker_is_killed_after_the_isolation_timeout_and_the_change_is_answered() -> None:
    async with stage() as on:
        one, two = await on.upstream('one'), await on.upstream('two')
        port = on.ports.take()
        servers = f'one 127.0.0.1:{one.port} maxconn 2\ntwo 127.0.0.1:{two.port} maxconn 2'
        plane = await on.data_plane(listen(port, servers), port=port, workers=2)
        victim = plane.worker_pids()[0]
        os.kill(victim, signal.SIGSTOP)
        await plane.cli('disable server px/one', within=60)
        await until(lambda: all_back(plane, victim), within=60, what='it was replaced')
        assert 'event loop has not turned for' in plane.printed()
        one.forget()
        assert (await ask(port)).status == 200
        assert not one.arrivals


async def test_what_a_stopped_worker_was_given_goes_to_others() -> None:
    """One slot; the stopped worker's waiters are passed over at once, long before it is killed."""
    async with stage() as on:
        server = await on.upstream('u', service=0.01)
        port = on.ports.take()
        plane = await on.data_plane(
            listen(port, f'u 127.0.0.1:{server.port} maxconn 1'), port=port, workers=2, extra=('isolation-timeout 20s',),
            queue='30s',  # longer than the wrong worker is stopped: while it has the slot nobody is served
        )  # fmt: skip
        async with Load(port, 20) as load:
            await until(lambda: len(load.records) > 50, within=60, what='traffic flows')
            owners = plane.owners()
            # stop the worker that has nothing in the server, so that the slot itself is free to go round
            for pid in owners:
                os.kill(pid, signal.SIGSTOP)
                seen = len(load.records)
                try:
                    await until(lambda seen=seen: len(load.records) > seen + 20, within=4, what='others flow')  # type: ignore[misc]
                except AssertionError:
                    continue
                finally:
                    os.kill(pid, signal.SIGCONT)
                break
            else:
                pytest.fail('nobody was served while either worker stood still')
        assert not load.failed()
        assert server.most == 1


async def test_sessions_of_all_workers_are_listed_and_a_silent_worker_is_named() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        server.hold()
        port = on.ports.take()
        plane = await on.data_plane(
            listen(port, f'u 127.0.0.1:{server.port}'), port=port, workers=2, extra=('isolation-timeout 60s',)
        )
        async with Load(port, 230):
            await until(lambda: server.inside() == 230, within=60, what='all requests are under way')
            lines = (await plane.cli('show sess')).split()
            assert sum(word.startswith('src=') for word in lines) == 230
            victim = plane.worker_pids()[0]
            os.kill(victim, signal.SIGSTOP)
            text = (await plane.cli('show sess')).rstrip()
            os.kill(victim, signal.SIGCONT)
            assert text.splitlines()[-1] in {'# Not answered by worker 0.', '# Not answered by worker 1.'}
            assert 0 < text.count(' src=') < 230
            server.let_go()


async def test_a_unix_socket_is_shared_by_all_workers() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        path, port = on.directory / 'front.sock', on.ports.take()
        sections = listen(port, f'u 127.0.0.1:{server.port}').replace(
            '    bind', f'    bind unix@{path} mode 600\n    bind'
        )
        plane = await on.data_plane(sections, port=port, workers=2)
        assert path.stat().st_mode & 0o777 == 0o600
        for _ in range(4):
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
            assert (await reader.read()).startswith(b'HTTP/1.1 200 ')
            writer.close()
        await plane.stop()
        assert not path.exists()


async def test_counters_never_run_backwards_over_a_death() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port, workers=2)
        before = 0
        async with Load(port, 8, pause=0.02) as load:
            for _ in range(3):
                await flows(load, 100)
                victim = plane.worker_pids()[0]
                os.kill(victim, signal.SIGKILL)
                await until(lambda victim=victim: all_back(plane, victim), within=60, what='it is back')  # type: ignore[misc]
                now = int((await plane.cli.stat())['px', 'u']['stot'])
                assert now > before
                before = now


async def test_a_listener_keeps_its_port_while_all_workers_are_gone() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port, workers=1)
        os.kill(plane.worker_pids()[0], signal.SIGKILL)
        with socket.create_connection(('127.0.0.1', port), timeout=30):
            pass
        assert (await ask(port, within=60)).status == 200


async def test_what_waits_for_a_worker_in_its_pause_is_answered_by_another() -> None:
    """After several deaths in a row the successor is started seconds later; nobody waits for it."""
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port, workers=2)
        for _ in range(6):
            victim = plane.worker_pids()[-1]
            os.kill(victim, signal.SIGKILL)
            await until(lambda victim=victim: all_back(plane, victim), within=60, what='it is started again')  # type: ignore[misc]
        await until(lambda: ask_is_fine(port), within=60, what='traffic flows')
        os.kill(plane.worker_pids()[-1], signal.SIGSTOP)
        asked = [asyncio.create_task(ask(port)) for _ in range(40)]
        os.kill(plane.worker_pids()[-1], signal.SIGKILL)
        answers = await asyncio.gather(*asked)
        assert [answer.status for answer in answers] == [200] * 40
        assert len(plane.worker_pids()) == 1, 'its successor was there already: the pause was too short to tell'


async def ask_is_fine(port: int) -> bool:
    return (await ask(port)).status == 200


async def test_a_state_directory_that_cannot_be_written_does_not_hold_traffic_up() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(
            listen(port, f'u 127.0.0.1:{server.port}'), port=port, start=False,
            control_plane=f'http://127.0.0.1:{on.ports.take()}',
        )  # fmt: skip
        (on.directory / f'{plane.name}.state').write_text('a file where a directory should be')
        await plane.start()
        assert (await ask(port)).status == 200
        assert (await plane.cli('disable server px/u')).strip() == ''
        await plane.cli('enable server px/u')
        assert (await ask(port)).status == 200
        await until(lambda: 'control plane' in plane.printed(), within=60, what='that nobody answers is told')


async def test_bytes_that_were_sent_are_counted_over_all_workers_also_those_that_are_no_more() -> None:
    async with stage() as on:
        one = await on.upstream('one')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'one 127.0.0.1:{one.port}'), port=port, workers=2)

        async def both_ways() -> tuple[int, int]:
            """By `show info`, and what the backend's row says went to the server and to clients."""
            info, row = await plane.cli.info(), (await plane.cli.stat())['px', 'BACKEND']
            return int(info['TotalBytesOut']), int(row['bin']) + int(row['bout'])

        async with Load(port, 8) as load:
            await flows(load, 200)
        await until(lambda: _agree(both_ways), within=60, what='all workers have told')
        total, _ = await both_ways()
        assert total > 20_000
        info = await plane.cli.info()
        assert 0 <= int(info['Idle_pct']) <= 100
        victim = plane.worker_pids()[0]
        os.kill(victim, signal.SIGKILL)
        await until(lambda: all_back(plane, victim), within=60, what='a successor')
        assert (await both_ways())[0] == total
        await until(lambda: _rested(plane), within=60, what='nothing is sent for a second')


async def _agree(both_ways: Callable[[], Awaitable[tuple[int, int]]]) -> bool:
    total, relayed = await both_ways()
    return total == relayed


async def _rested(plane: DataPlane) -> bool:
    return (await plane.cli.info())['BytesOutRate'] == '0'
