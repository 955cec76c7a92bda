"""The emergency door: with the control plane gone, servers are still taken out, on the data plane's own socket; and what
becomes of that when the control plane is back (docs/protocol.md)."""

from __future__ import annotations

from typing import Any

from tests.integration.harness.planes import DataPlane, stage
from tests.integration.harness.procs import Child, python, spawn
from tests.integration.harness.waiting import until
from tests.integration.harness.worlds import BACKEND, World, world


async def socket(plane: DataPlane, *words: str) -> Child:
    """`sluice-socket`, as a person types it, to its end."""
    argv = python('dataplane.supervisor.socketclient', '-s', str(plane.directory / f'{plane.name}.sock'), *words)
    child = await spawn(argv, name='socket', directory=plane.directory)
    await child.wait(60)
    return child


async def overrides(at: World, server: str) -> Any:
    """What the control plane says was set on data planes' own sockets."""
    return (await at.control.must('GET', f'/v1/backends/{BACKEND}/servers/{server}'))['status']['localOverrides']


async def test_a_drain_while_the_control_plane_is_gone_is_shown_when_it_is_back_and_ends_where_it_was_asked_for() -> (
    None
):
    async with stage() as on:
        at = await world(on, 'a b', data_planes=2)
        a, first = at.servers['a'], at.planes[0]
        async with at.load(8) as load:
            await until(lambda: len(a.arrivals) > 20, within=60, what='traffic flows')
            await at.control.kill()
            child = await socket(first, 'set', 'server', f'{BACKEND}/a', 'state', 'drain')
            assert child.returncode == 0, child.report()
            waited = await socket(first, 'wait', '20s', 'srv-removable', f'{BACKEND}/a')
            assert 'Only servers in maintenance mode' in waited.report()  # draining is not maintenance
            arrived, wanted = len(a.arrivals), len(load.records) + 100
            await until(lambda: len(load.records) > wanted, within=60, what='traffic goes on')
            assert len(a.arrivals) == arrived, 'a request came to a server that drains'

            # back: shown, and neither side has taken the other's wish away
            await at.control.start()
            await at.settle()
            shown = {'dp0': {'state': 'drain'}}

            async def is_shown() -> bool:
                return bool(await overrides(at, 'a') == shown)

            await until(is_shown, within=60, what='the control plane shows it', every=0.1)
            server = await at.control.must('GET', f'/v1/backends/{BACKEND}/servers/a')
            assert server['adminState'] == 'ready'
            rows = {
                row['id']: row['localOverrides'] for row in (await at.control.must('GET', '/v1/dataplanes'))['items']
            }
            assert rows == {'dp0': [{'backend': BACKEND, 'server': 'a', 'state': 'drain'}], 'dp1': []}
            assert len(a.arrivals) == arrived

            # what is pushed neither ends nor hides it
            for wish in ('maint', 'ready'):
                answer = await at.control.patch(f'{BACKEND}/a', '?wait=acked', adminState=wish)
                assert answer.status_code == 200, answer.text
                assert await overrides(at, 'a') == shown
            wanted = len(load.records) + 100
            await until(lambda: len(load.records) > wanted, within=60, what='traffic goes on')
            assert len(a.arrivals) == arrived, 'the control plane ended a drain that it had not asked for'

            # it ends where it was asked for
            child = await socket(first, f'set server {BACKEND}/a state ready')
            assert child.returncode == 0, child.report()
            await until(lambda: len(a.arrivals) > arrived + 10, within=60, what='it takes traffic again')
            shown = {}
            await until(is_shown, within=60, what='nothing is shown any more', every=0.1)
        assert not load.failed(), load.failed()[:3]


async def test_a_weight_set_meanwhile_is_in_force_until_the_control_plane_changes_it() -> None:
    async with stage() as on:
        at = await world(on, 'a b')
        await at.control.kill()
        child = await socket(at.plane, f'set weight {BACKEND}/a 0; set maxconn server {BACKEND}/b 3')
        assert child.returncode == 0, child.report()
        await at.control.start()
        await at.settle()

        async def told() -> bool:
            return bool(
                (await overrides(at, 'a'), await overrides(at, 'b'))
                == ({'dp0': {'weight': '0'}}, {'dp0': {'maxconn': '3'}})
            )

        await until(told, within=60, what='the control plane shows them', every=0.1)
        answer = await at.control.patch(f'{BACKEND}/a', '?wait=acked', weight=5)
        assert answer.status_code == 200, answer.text
        assert (await at.plane.cli.states())[f'{BACKEND}/a'][2] == 5

        async def only_b() -> bool:
            return bool((await overrides(at, 'a'), len(await overrides(at, 'b'))) == ({}, 1))

        await until(only_b, within=60, what='only the limit is left', every=0.1)
