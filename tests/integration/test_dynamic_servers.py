"""Servers that come and go on the stats socket, with real processes: under load, and whoever dies meanwhile."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.integration.harness.load import Load, ask
from tests.integration.harness.planes import DataPlane, listen, stage
from tests.integration.harness.procs import python, spawn
from tests.integration.harness.waiting import until


async def all_workers(plane: DataPlane, without: int) -> bool:
    pids = plane.worker_pids()
    return len(pids) == plane.workers and without not in pids


async def test_a_worker_that_is_killed_right_after_is_followed_by_one_that_knows_the_newcomer() -> None:
    async with stage() as on:
        one, two = await on.upstream('one'), await on.upstream('two')
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'one 127.0.0.1:{one.port}'), port=port)
        said = await plane.cli(f'add server px/two 127.0.0.1:{two.port} maxconn 4; enable server px/two')
        victim = plane.worker_pids()[0]
        os.kill(victim, signal.SIGKILL)
        assert said == 'New server registered.\n\n\n'
        await until(lambda: all_workers(plane, victim), within=60, what='the worker is back')
        # without the other one, whoever accepts must know the newcomer
        await plane.cli('disable server px/one')
        owners: set[int] = set()
        for _ in range(200):
            record = await ask(port)
            assert (record.status, record.server) == (200, 'two')
            owners |= {pid for pid, ports in plane.owners().items() if ports}
            if len(two.arrivals) > 40:
                break
        states = await plane.cli.states()
        assert set(states) == {'px/one', 'px/two'}


async def test_servers_are_added_and_removed_under_load_and_no_request_is_lost() -> None:
    async with stage() as on:
        servers = [await on.upstream(f's{number}', service=0.002) for number in range(4)]
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'base 127.0.0.1:{servers[0].port} maxconn 3'), port=port)
        async with Load(port, 16) as load:
            for number, server in enumerate(servers[1:] * 2):
                name = f'px/n{number}'
                said = await plane.cli(f'add server {name} 127.0.0.1:{server.port} maxconn 3; enable server {name}')
                assert said.startswith('New server registered.'), said
                before = len(server.arrivals)
                await until(lambda: len(server.arrivals) > before + 20, within=60, what='it takes traffic')  # noqa: B023
                said = await plane.cli(
                    f'disable server {name}; wait 20s srv-removable {name}; del server {name}', within=60
                )
                assert said.splitlines()[-2] == 'Server deleted.', said
            removed = {server.port: len(server.arrivals) for server in servers[1:]}
            done = len(load.records)
            await until(lambda: len(load.records) > done + 100, within=60, what='traffic goes on')
            assert removed == {server.port: len(server.arrivals) for server in servers[1:]}
        assert not load.failed(), load.failed()[:3]
        assert set(await plane.cli.states()) == {'px/base'}


async def test_a_reload_forgets_who_was_added_and_keeps_its_requests_going() -> None:
    async with stage() as on:
        one, two = await on.upstream('one'), await on.upstream('two', service=0.5)
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f'one 127.0.0.1:{one.port}'), port=port)
        await plane.cli(f'add server px/two 127.0.0.1:{two.port}; enable server px/two; disable server px/one')
        async with Load(port, 4) as load:
            await until(lambda: two.arrivals, within=60, what='requests are under way')
            assert plane.child is not None
            plane.child.signal(signal.SIGUSR2)
            await until(lambda: 'Reloaded' in plane.printed(), within=60, what='it is reloaded')
            await plane.cli('enable server px/one')
            await until(lambda: one.arrivals, within=60, what='the server of the file does the work')
        assert not load.failed(200, 503), load.failed(200, 503)[:3]
        assert set(await plane.cli.states()) == {'px/one'}


@pytest.mark.parametrize('directory', ['', 'server-state-base {directory}'])
async def test_states_that_were_saved_are_true_from_the_first_request_on(directory: str) -> None:
    async with stage() as on:
        one, two = await on.upstream('one'), await on.upstream('two')
        port = on.ports.take()
        text = listen(port, f'one 127.0.0.1:{one.port} weight 7\ntwo 127.0.0.1:{two.port}')
        sections = text.replace('    bind', '    load-server-state-from-file global\n    bind')
        path = on.directory / 'states'
        name = 'states' if directory else str(path)
        extra = (f'server-state-file {name}', *([directory.format(directory=on.directory)] if directory else []))
        plane = await on.data_plane(sections, port=port, extra=extra)
        assert "Can't open server state file" in plane.printed()
        await plane.cli('set server px/one state maint; set weight px/two 4; set weight px/one 3')
        path.write_text(await plane.cli('show servers state'))
        await plane.stop()
        await plane.start()
        assert await plane.cli.states() == {'px/one': (0, 1, 3), 'px/two': (2, 0, 4)}
        for _ in range(10):
            assert (await ask(port)).server == 'two'
        assert not one.arrivals


async def test_a_state_file_that_was_cut_off_is_told_and_not_used(tmp_path: Path) -> None:
    async with stage() as on:
        one = await on.upstream('one')
        port = on.ports.take()
        path = tmp_path / 'states'
        path.write_text('1\n# header\n2 px 1 one 127.0.0.1 0 1 1 1 5 1 0 2 0 0 0 0 - 80 - 0 0 - - 0\n2 px 1 o')
        sections = listen(port, f'one 127.0.0.1:{one.port}')
        sections = sections.replace('    bind', '    load-server-state-from-file global\n    bind')
        plane = await on.data_plane(sections, port=port, extra=(f'server-state-file {path}',))
        assert f'[{path}:4] : corrupted server state file: 4 fields of 25.' in plane.printed()
        assert (await ask(port)).status == 200


async def test_a_bad_address_of_the_master_cli_ends_the_start(tmp_path: Path) -> None:
    file = tmp_path / 'a.cfg'
    file.write_text('global\n')
    argv = python('dataplane.supervisor.main', '-S', '/s,level,king', '-f', str(file))
    child = await spawn(argv, name='dp', directory=tmp_path)
    assert await child.wait(60) == 1
    assert "'level' only supports 'user', 'operator', and 'admin' (got 'king')" in child.report()
