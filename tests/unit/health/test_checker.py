"""The checker in virtual time: when checks are made, and what they do to servers in the ledger."""

from __future__ import annotations

import asyncio

from dataplane.core.changes import AdoptFile, ForceHealth, SetAdmin, SetTarget, SwitchCheck
from dataplane.core.checks import InitState, Pace, Probe, ServerCheck
from dataplane.core.health import Verdict
from dataplane.core.model import Backend, Global, Origin, Server, Snapshot
from dataplane.core.state import OpState
from tests.unit.health.scene import DRAIN, MAINT, PACE, READY, scene, server
from tests.unit.health.servers import serving
from tests.unit.health.virtual import run


def test_intervals_and_states_of_a_server_that_fails_and_returns() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        async with serving() as up:
            async with scene(server(up.port)) as world:
                await asyncio.sleep(0.5)
                assert (world.state(), world.status(), up.accepted) == (OpState.RUNNING, 'UP', 1)
                await asyncio.sleep(4)
                assert up.accepted == 5
                await world.submit([SetTarget('be', 's1', port=1)], source='test')  # nobody listens there
                began = loop.time()
                texts: list[str] = []
                while world.state() is OpState.RUNNING:
                    await asyncio.sleep(0.05)
                    if (text := world.status()) not in texts[-1:]:
                        texts.append(text)
                assert texts == ['UP', 'UP 2/3', 'UP 1/3', 'DOWN']
                # half a second to the next check, then two at fastinter
                assert 0.8 <= loop.time() - began <= 1.0
                await world.submit([SetTarget('be', 's1', port=up.port)], source='test')
                texts.clear()
                began = loop.time()
                while world.state() is not OpState.RUNNING:
                    await asyncio.sleep(0.05)
                    if (text := world.status()) not in texts[-1:]:
                        texts.append(text)
                assert texts == ['DOWN', 'DOWN 1/2', 'UP']
                assert 5.0 <= loop.time() - began <= 5.3
                assert world.record().downs == 1

    run(work())


def test_first_checks_are_spread_over_the_interval() -> None:
    async def work() -> None:
        async with serving() as up:
            slow = ServerCheck(pace=Pace(inter=1_000))
            servers = [server(up.port, f's{number}', number, check=slow) for number in range(1, 5)]
            async with scene(*servers):
                seen = []
                for _ in range(4):
                    await asyncio.sleep(0.2)
                    seen.append(up.accepted)
                    await asyncio.sleep(0.05)
                assert seen == [1, 2, 3, 4]

    run(work())


def test_max_spread_checks_brings_them_closer_and_spread_checks_moves_them_about() -> None:
    async def work() -> None:
        async with serving() as up:
            servers = [server(up.port, f's{number}', number) for number in range(1, 5)]
            async with scene(*servers, max_spread_checks=100, spread_checks=50):
                await asyncio.sleep(0.1)
                assert up.accepted == 4
                await asyncio.sleep(0.39)
                assert up.accepted == 4
                await asyncio.sleep(1.2)
                assert up.accepted >= 8

    run(work())


def test_init_state_down_is_down_until_a_check_passes() -> None:
    async def work() -> None:
        async with serving() as up:
            begins = ServerCheck(pace=PACE, init_state=InitState.FULLY_DOWN)
            down = ServerCheck(pace=PACE, init_state=InitState.DOWN)
            async with scene(server(up.port, check=begins), server(up.port, 's2', 2, check=down)) as world:
                assert [world.state(name) for name in ('s1', 's2')] == [OpState.STOPPED] * 2
                await asyncio.sleep(0.6)
                assert (world.status('s1'), world.status('s2')) == ('UP', 'UP')

    run(work())


async def test_results_of_one_moment_are_one_revision() -> None:
    servers = [server(1, f's{number}', number) for number in range(1, 31)]
    async with scene(*servers, max_spread_checks=1) as world:
        async with asyncio.timeout(20):
            while {world.state(f's{number}') for number in range(1, 31)} != {OpState.STOPPED}:  # noqa: ASYNC110 - the ledger tells
                await asyncio.sleep(0.01)
        assert sum(world.batches) == 30
        assert len(world.batches) < 15


def test_maintenance_rests_the_check_and_leaving_it_begins_anew() -> None:
    async def work() -> None:
        async with serving() as up:
            async with scene(server(up.port)) as world:
                await asyncio.sleep(0.5)
                await world.submit([SetAdmin('be', 's1', MAINT)], source='cli')
                seen = up.accepted
                await asyncio.sleep(5)
                assert (up.accepted, world.status()) == (seen, 'MAINT')
                await world.submit([SetTarget('be', 's1', port=1)], source='cli')
                await world.submit([SetAdmin('be', 's1', READY)], source='cli')
                assert (world.state(), world.status()) == (OpState.RUNNING, 'UP 1/3')
                await asyncio.sleep(1.1)
                assert world.status() == 'DOWN'  # one failure

    run(work())


def test_maintenance_and_back_between_two_checks_is_obeyed_all_the_same() -> None:
    async def work() -> None:
        async with scene(server(1)) as world:
            await asyncio.sleep(0.1)
            assert world.status() == 'DOWN'
            await world.submit([SetAdmin('be', 's1', MAINT)], source='cli')
            await world.submit([SetAdmin('be', 's1', READY)], source='cli')
            assert world.status() == 'UP 1/3'
            await asyncio.sleep(6)
            assert world.status() == 'DOWN'

    run(work())


def test_a_wish_of_the_control_plane_and_health_are_kept_apart() -> None:
    async def work() -> None:
        async with serving() as up:
            async with scene(server(up.port)) as world:
                await asyncio.sleep(0.5)
                await world.submit([SetAdmin('be', 's1', DRAIN, Origin.PUSH)], source='push')
                assert world.status() == 'DRAIN'
                await world.submit([SetTarget('be', 's1', port=1)], source='cli')
                await asyncio.sleep(2)
                assert (world.status(), world.record().effective) == ('DOWN', DRAIN)
                await world.submit([SetAdmin('be', 's1', READY, Origin.PUSH)], source='push')
                assert (world.status(), world.state()) == ('DOWN', OpState.STOPPED)  # ready, and still down
                await world.submit([SetAdmin('be', 's1', DRAIN, Origin.PUSH)], source='push')
                await world.submit([SetTarget('be', 's1', port=up.port)], source='cli')
                await asyncio.sleep(8)
                assert (world.status(), world.state()) == ('DRAIN', OpState.RUNNING)
                await world.submit([SetAdmin('be', 's1', READY, Origin.PUSH)], source='push')
                assert world.status() == 'UP'

    run(work())


def test_the_stats_socket_decides_until_the_next_results() -> None:
    async def work() -> None:
        async with serving() as up:
            async with scene(server(up.port)) as world:
                await asyncio.sleep(0.5)
                await world.submit([ForceHealth('be', 's1', Verdict.DOWN)], source='cli')
                assert world.status() == 'DOWN'
                await asyncio.sleep(1)
                assert world.status() in ('DOWN 1/2', 'UP')
                await asyncio.sleep(1)
                assert world.status() == 'UP'
                await world.submit([SwitchCheck('be', 's1', enabled=False)], source='cli')
                assert world.status() == 'no check'
                await world.submit([ForceHealth('be', 's1', Verdict.STOPPING)], source='cli')
                await world.submit([SwitchCheck('be', 's1', enabled=True)], source='cli')
                assert world.state() is OpState.STOPPING
                await asyncio.sleep(1.1)
                assert world.status() == 'UP'

    run(work())


def test_a_reload_keeps_what_was_found_and_ends_what_is_gone() -> None:
    async def work() -> None:
        async with serving() as up:
            async with scene(server(up.port), server(1, 's2', 2)) as world:
                await asyncio.sleep(1.5)
                assert (world.status('s1'), world.status('s2')) == ('UP', 'DOWN')

                async def load(*servers: Server) -> None:
                    backend = Backend(name='be', id=2, servers=servers)
                    await world.submit(
                        [AdoptFile(Snapshot(globals=Global(nbthread=2), backends=(backend,)))], source='r'
                    )

                slower = ServerCheck(pace=Pace(inter=3_000, rise=4, fall=4))
                await load(server(up.port, check=slower), server(1, 's2', 2))
                assert (world.status('s1'), world.status('s2')) == ('UP', 'DOWN')
                await load(server(up.port, check=None), server(1, 's3', 3))
                assert (world.status('s1'), world.status('s3')) == ('no check', 'UP 1/3')
                assert len(world.checker.watches) == 1
                await load()
                assert not world.checker.watches

    run(work())


def test_log_health_checks_tells_of_what_moves() -> None:
    async def work() -> None:
        async with serving() as up:
            async with scene(server(up.port), probe=Probe(log_checks=True)) as world:
                await asyncio.sleep(3.5)
                await world.submit([SetTarget('be', 's1', port=1)], source='test')
                await asyncio.sleep(1.5)
                texts = [line.partition(', check duration')[0] + line[line.index(', status') :] for line in world.lines]
                refused = 'Health check for server be/s1 failed, reason: Layer4 connection problem, info: "Connection refused"'
                assert texts == [
                    'Health check for server be/s1 succeeded, reason: Layer4 check passed, status: 3/3 UP.',
                    f'{refused}, status: 2/3 UP.',
                    f'{refused}, status: 1/3 UP.',
                    f'{refused}, status: 0/2 DOWN.',
                ]
                assert world.record().health.reason == ''

    run(work())
