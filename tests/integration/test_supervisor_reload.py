"""Reload by signal: the file comes in by the door all changes use, and no connection is lost."""

from __future__ import annotations

import asyncio
import os
import resource
import signal

import pytest

from tests.integration.harness.load import Load, ask
from tests.integration.harness.planes import DataPlane, listen, stage
from tests.integration.harness.procs import children_of
from tests.integration.harness.waiting import until

reload = DataPlane.reload


@pytest.mark.parametrize('number', [signal.SIGUSR2, signal.SIGHUP])
async def test_a_server_is_added_and_one_removed_under_load(number: signal.Signals) -> None:
    async with stage() as on:
        one, two = await on.upstream('one'), await on.upstream('two')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'one 127.0.0.1:{one.port} maxconn 3'), port=port)
        workers = plane.worker_pids()
        async with Load(port, 16, pause=0.02) as load:
            await until(lambda: len(one.arrivals) > 50, within=60, what='traffic flows')
            plane.sections = listen(port, f'two 127.0.0.1:{two.port} maxconn 3')
            assert 'Reloaded' in await reload(plane, number)
            one.forget()
            await until(lambda: len(two.arrivals) > 100, within=60, what='the new server does the work')
            assert not one.arrivals
        assert not load.failed(), load.failed()[:3]
        assert plane.worker_pids() == workers
        assert ('px', 'one') not in await plane.cli.stat()


async def test_binds_come_and_go_without_a_lost_connection() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        old, new = on.ports.take(), on.ports.take()
        text = listen(old, f'u 127.0.0.1:{server.port}')
        plane = await on.data_plane(text, port=old)
        async with Load(old, 8, pause=0.02) as load:
            await until(lambda: len(load.records) > 50, within=60, what='traffic flows')
            plane.sections = text.replace('    bind', f'    bind 127.0.0.1:{new}\n    bind')
            assert 'Reloaded' in await reload(plane)
            assert (await ask(new)).status == 200
            assert (await ask(old)).status == 200
        assert not load.failed()
        async with Load(new, 8, pause=0.02) as load:
            await until(lambda: len(load.records) > 50, within=60, what='traffic flows on the new port')
            plane.sections = text.replace(str(old), str(new))
            assert 'Reloaded' in await reload(plane)
            await until(lambda: _is_closed(old), within=60, what='the old port is closed')
        assert not load.failed()


async def _is_closed(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection('127.0.0.1', port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def test_a_bind_moves_to_another_frontend() -> None:
    async with stage() as on:
        one, two = await on.upstream('one'), await on.upstream('two')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'one 127.0.0.1:{one.port}', backend='first'), port=port)
        assert (await ask(port)).server == 'one'
        plane.sections = listen(port, f'two 127.0.0.1:{two.port}', backend='second')
        assert 'Reloaded' in await reload(plane)
        assert (await ask(port)).server == 'two'


async def test_a_bad_file_is_told_and_the_running_configuration_kept() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port, taken = on.ports.take(), on.ports.take()
        text = listen(port, f'u 127.0.0.1:{server.port}')
        plane = await on.data_plane(text, port=port)
        plane.sections = text + '    no-such-keyword 1\n'
        said = await reload(plane)
        assert 'no-such-keyword' in said
        assert f'{plane.name}.cfg:' in said
        assert 'Reload refused' in said
        plane.sections = text
        busy = await asyncio.start_server(lambda _r, w: w.close(), '127.0.0.1', taken, reuse_port=True)
        async with busy:
            plane.sections = text.replace('    bind', f'    bind 127.0.0.1:{taken}\n    bind')
            said = await reload(plane)
        assert f'127.0.0.1:{taken}' in said
        assert 'Reload refused' in said
        assert (await ask(port)).status == 200
        plane.sections = text
        assert 'Reloaded' in await reload(plane)


async def test_what_was_set_at_run_time_survives_a_reload_that_does_not_change_it() -> None:
    async with stage() as on:
        one, two = await on.upstream('one'), await on.upstream('two')
        port = on.ports.take()
        text = listen(port, f'one 127.0.0.1:{one.port}\ntwo 127.0.0.1:{two.port}')
        plane = await on.data_plane(text, port=port)
        await plane.cli('set server px/one state drain')
        await plane.cli('set weight px/two 7')
        assert 'Reloaded' in await reload(plane)
        states = await plane.cli.states()
        assert states['px/two'][2] == 7
        one.forget()
        assert (await ask(port)).server == 'two'
        assert not one.arrivals


async def test_a_newcomer_does_not_begin_with_the_figures_of_one_that_left() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port, other = on.ports.take(), on.ports.take()
        text = listen(port, f'u 127.0.0.1:{server.port}')
        plane = await on.data_plane(text + listen(other, f'u 127.0.0.1:{server.port}', backend='old'), port=port)
        for _ in range(5):
            assert (await ask(other)).status == 200
        await until(lambda: _requests(plane, 'old', '5'), within=60, what='they are counted')
        # indexes of what left are free for the change after the next one
        for number in range(3):
            plane.sections = text + f'    maxconn {1000 + number}\n'
            assert 'Reloaded' in await reload(plane)
        plane.sections = text + listen(other, f'u 127.0.0.1:{server.port}', backend='new')
        assert 'Reloaded' in await reload(plane)
        stat = await plane.cli.stat()
        assert ('old', 'FRONTEND') not in stat
        for name in ('FRONTEND', 'u', 'BACKEND'):
            assert {stat['new', name][field] for field in ('stot', 'bin', 'bout', 'hrsp_2xx', 'smax')} <= {'0', ''}, (
                name
            )
        assert (await ask(other)).status == 200
        await until(lambda: _requests(plane, 'new', '1'), within=60, what='it counts for itself')
        assert (await plane.cli.stat())['px', 'FRONTEND']['stot'] == '0'


async def _requests(plane: DataPlane, proxy: str, count: str) -> bool:
    stat = await plane.cli.stat()
    return stat[proxy, 'FRONTEND']['req_tot'] == stat[proxy, 'BACKEND']['hrsp_2xx'] == count


async def test_reloads_leave_no_descriptor_and_no_process_behind() -> None:
    async with stage() as on:
        server, port, other = await on.upstream('u'), on.ports.take(), on.ports.take()
        text = listen(port, f'u 127.0.0.1:{server.port}')
        more = f'frontend f\n    bind 127.0.0.1:{other}\n    default_backend px\n'
        plane = await on.data_plane(text, port=port)
        processes = [plane.pid, *plane.worker_pids()]

        async def turn() -> None:
            for sections in (text + more, text):
                plane.sections = sections
                assert 'Reloaded' in await reload(plane)

        await turn()
        await until(lambda: len(children_of(plane.pid)) == 2, within=60, what='its readers have ended')
        before = {pid: _descriptors(pid) for pid in processes}
        for _ in range(3):
            await turn()
        await until(
            lambda: {pid: _descriptors(pid) for pid in processes} == before, within=60, what='all is given back'
        )
        assert children_of(plane.pid) == processes[1:]


def _descriptors(pid: int) -> int:
    return len(os.listdir(f'/proc/{pid}/fd'))


async def test_without_a_descriptor_left_a_reload_is_refused_and_all_goes_on() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'u 127.0.0.1:{server.port}'), port=port)
        used = len(os.listdir(f'/proc/{plane.pid}/fd'))
        limits = resource.prlimit(plane.pid, resource.RLIMIT_NOFILE)
        for room in range(6):
            resource.prlimit(plane.pid, resource.RLIMIT_NOFILE, (used + room, limits[1]))
            await reload(plane)
            assert (await ask(port)).status == 200
        assert 'Reload refused' in plane.printed()
        resource.prlimit(plane.pid, resource.RLIMIT_NOFILE, limits)
        assert 'Reloaded' in await reload(plane)
        assert (await ask(port)).status == 200
