"""A data plane among others, as whoever sends clients there sees it: when it says that it is ready, and how it leaves."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from dataclasses import dataclass

import httpx
import pytest

from tests.integration.harness.load import Load, ask
from tests.integration.harness.planes import DataPlane, Stage, listen, routed, stage
from tests.integration.harness.procs import children_of
from tests.integration.harness.waiting import until

STATISTICS = 'listen stats\n    bind 127.0.0.1:{}\n    stats enable\n    stats uri /\n'


@dataclass
class Asked:
    """The health endpoints of one data plane."""

    port: int

    async def said(self, path: str) -> tuple[int, str]:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f'http://127.0.0.1:{self.port}{path}', timeout=30)
        return answer.status_code, answer.json()['status']

    async def is_ready(self) -> bool:
        return await self.said('/readyz') == (200, 'ok')


async def leaving(on: Stage, server_port: int, *extra: str) -> tuple[DataPlane, Asked]:
    port, statistics = on.ports.take(), on.ports.take()
    sections = listen(port, f'u 127.0.0.1:{server_port}') + STATISTICS.format(statistics)
    return await on.data_plane(sections, port=port, extra=extra), Asked(statistics)


async def test_ready_once_a_whole_state_was_pushed_and_then_without_the_control_plane() -> None:
    async with stage() as on:
        port, statistics = on.ports.take(), Asked(on.ports.take())
        control = await on.control_plane()
        await control.kill()
        sections = routed(port) + STATISTICS.format(statistics.port)
        plane = await on.data_plane(sections, port=port, control_plane=control.url)
        assert await statistics.said('/livez') == (200, 'ok')
        assert await statistics.said('/readyz') == (503, 'nothing-pushed')
        await control.start()
        await until(statistics.is_ready, within=60, what='the first state is in force')
        await control.kill()
        assert await statistics.said('/readyz') == (200, 'ok')
        await plane.kill()
        await plane.start()
        assert await statistics.said('/readyz') == (200, 'ok'), 'what was kept on the disk is a whole state'


async def test_without_a_control_plane_it_is_ready_at_once() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        _, statistics = await leaving(on, server.port)
        assert await statistics.said('/readyz') == (200, 'ok')


async def test_during_grace_it_is_not_ready_serves_and_closes_each_connection() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        plane, statistics = await leaving(on, server.port, 'grace 2s')
        reader, writer = await asyncio.open_connection('127.0.0.1', plane.port)
        request = b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
        writer.write(request)
        assert b'close' not in (await reader.readuntil(b'\r\n\r\n')).lower()
        assert plane.child is not None
        plane.child.signal(signal.SIGUSR1)
        await until(lambda: _is(statistics, (503, 'stopping')), within=60, what='it says that it stops')
        assert await statistics.said('/livez') == (200, 'ok')
        info = await plane.cli('show info')
        assert 'Stopping: 1' in info
        writer.write(request)
        left = (await reader.read()).lower()
        assert left.count(b'http/1.1 200') == 1
        assert b'connection: close' in left
        writer.close()
        assert (await ask(plane.port)).status == 200, 'a new connection is accepted'
        assert await plane.child.wait(60) == 0


async def _is(statistics: Asked, wanted: tuple[int, str]) -> bool:
    return await statistics.said('/readyz') == wanted


async def test_a_worker_that_comes_during_grace_says_goodbye_too() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        plane, statistics = await leaving(on, server.port, 'grace 1h')
        assert plane.child is not None
        plane.child.signal(signal.SIGUSR1)
        await until(lambda: _is(statistics, (503, 'stopping')), within=60, what='it says that it stops')
        for pid in plane.worker_pids():
            os.kill(pid, signal.SIGKILL)
        reader, writer = await asyncio.open_connection('127.0.0.1', plane.port)
        writer.write(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        answer = (await reader.read()).lower()
        assert answer.startswith(b'http/1.1 200')
        assert b'connection: close' in answer
        writer.close()


async def test_a_second_signal_ends_the_grace() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        plane, _ = await leaving(on, server.port, 'grace 1h')
        assert plane.child is not None
        plane.child.signal(signal.SIGUSR1)
        plane.child.signal(signal.SIGTERM)
        assert await plane.child.wait(60) == 0


async def test_what_was_answered_before_a_hard_stop_is_logged() -> None:
    """Workers write their logs in batches; the last of them is as true as the others."""
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        sections = listen(port, f'u 127.0.0.1:{server.port}') + '    log stdout format raw local0\n    option httplog\n'
        plane = await on.data_plane(sections, port=port)
        assert plane.child is not None
        await ask(port, '/last')
        plane.child.signal(signal.SIGTERM)
        assert await plane.child.wait(60) == 0
        assert '"GET /last HTTP/1.1"' in plane.printed()


async def test_no_request_is_lost_from_the_signal_to_the_end() -> None:
    """Clients that go on until they are refused: what was accepted is answered, and what is not accepted can go elsewhere."""
    async with stage() as on:
        server = await on.upstream('u')
        plane, statistics = await leaving(on, server.port, 'grace 1s', 'hard-stop-after 10s')
        async with Load(plane.port, 8, pause=0.02) as load:
            await until(lambda: len(load.records) > 200, within=60, what='load')
            assert plane.child is not None
            plane.child.signal(signal.SIGUSR1)
            await until(lambda: _is(statistics, (503, 'stopping')), within=60, what='it says that it stops')
            assert await plane.child.wait(60) == 0
        assert [record for record in load.failed() if not record.error.startswith('refused')] == []


async def test_a_soft_stop_without_any_capability_finishes_what_runs() -> None:
    """As in a container: there the kernel may not let a listener turn anybody away, and it is closed all the same."""
    if os.geteuid() == 0 and shutil.which('setpriv') is None:
        pytest.skip('nothing here starts a program without its capabilities')
    under = ('setpriv', '--bounding-set=-all') if os.geteuid() == 0 else ()
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port, under=under)
        server.hold()
        slow = asyncio.create_task(ask(port))
        await until(lambda: server.inside() == 1, within=60, what='a request is under way')
        assert plane.child is not None
        plane.child.signal(signal.SIGUSR1)
        await until(lambda: refuses(port), within=60, what='it accepts no more')
        server.let_go()
        assert (await slow).status == 200
        assert await plane.child.wait(60) == 0
        assert 'Internal error' not in plane.printed()


async def refuses(port: int) -> bool:
    """Whether nobody listens there any more."""
    try:
        async with asyncio.timeout(0.5):
            _, writer = await asyncio.open_connection('127.0.0.1', port)
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        return False  # it is not answered any more, and soon refused
    writer.close()
    return False


async def test_a_reload_under_way_opens_nothing_once_it_leaves() -> None:
    """The files are read beside the loop, which takes its time: what was true when it began need not be when it is done."""
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port)
        server.hold()
        slow = asyncio.create_task(ask(port))
        await until(lambda: server.inside() == 1, within=10, what='a request is under way')
        path = plane.write()
        text = path.read_text()
        path.unlink()
        os.mkfifo(path)  # whoever reads the configuration waits for a writer
        assert plane.child is not None
        workers = plane.worker_pids()
        plane.child.signal(signal.SIGUSR2)
        await until(
            lambda: set(children_of(plane.pid)) - set(workers), within=10, what='the configuration is being read'
        )
        plane.child.signal(signal.SIGUSR1)
        await until(lambda: refuses(port), within=10, what='it accepts no more')
        await asyncio.to_thread(path.write_text, text)
        await until(lambda: 'Reload' in plane.printed(), within=60, what='the reload is over')
        assert 'Reload refused' in plane.printed()
        assert await refuses(port)
        server.let_go()
        assert (await slow).status == 200
        assert await plane.child.wait(60) == 0
        assert 'Internal error' not in plane.printed()
