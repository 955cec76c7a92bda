"""The checker in virtual time: agents, probes that say more than up or down, trackers, and observed traffic."""

from __future__ import annotations

import asyncio
from typing import Any

from dataplane.config.checkdraft import ProbeDraft
from dataplane.core.changes import SetAdmin, SetTarget
from dataplane.core.checks import AgentCheck, Layer, Observe, OnError, Pace, ProbeKind
from dataplane.core.counters import C
from dataplane.core.observe import Event, noted
from dataplane.core.state import OpState
from tests.unit.health.scene import DRAIN, MAINT, READY, scene, server
from tests.unit.health.servers import serving
from tests.unit.health.virtual import run


def agent(port: int, **settings: Any) -> AgentCheck:
    return AgentCheck(pace=Pace(inter=1_000, rise=1, fall=1), port=port, **settings)


def test_an_agent_sets_state_weight_limit_and_health() -> None:
    async def work() -> None:
        async with serving() as up, serving() as told:
            told.first = True
            asked = server(up.port, weight=10, agent=agent(told.port))
            async with scene(asked) as world:

                async def say(words: bytes) -> tuple[str, int, int]:
                    told.says = words
                    await asyncio.sleep(1.05)
                    record = world.record()
                    return world.status(), record.uweight, record.maxconn

                assert await say(b'up 50%\n') == ('UP', 5, 0)
                assert await say(b'drain weight:20\n') == ('DRAIN (agent)', 20, 0)
                assert await say(b'maint maxconn:7\n') == ('MAINT', 20, 7)
                assert await say(b'ready down #broken\n') == ('DOWN (agent)', 20, 7)
                assert await say(b'') == ('DOWN (agent)', 20, 7)  # silence is no word
                assert await say(b'100%\n') == ('DOWN (agent)', 10, 7)
                assert await say(b'up\n') == ('UP', 10, 7)
                before = len(world.batches)
                assert await say(b'up ready 100% maxconn:7\n') == ('UP', 10, 7)
                assert len(world.batches) == before  # nothing new is no revision
                told.hangs = True
                await asyncio.sleep(3)
                assert world.status() == 'UP'  # who cannot be asked has not said that it is down

    run(work())


def test_an_agent_is_asked_what_the_file_or_the_stats_socket_says() -> None:
    async def work() -> None:
        async with serving() as up, serving() as told:
            told.says = b'up\n'
            async with scene(server(up.port, agent=agent(told.port, send=b'state?\n'))) as world:
                await asyncio.sleep(0.9)
                assert told.heard == [b'state?\n']
                await world.submit([SetTarget('be', 's1', agent=True, send=b'how?\n')], source='cli')
                await asyncio.sleep(1)
                assert told.heard[-1] == b'how?\n'

    run(work())


def test_404_stops_a_server_softly_and_only_one_that_runs() -> None:
    async def work() -> None:
        draft = ProbeDraft(kind=ProbeKind.HTTP, disable_on_404=True)
        async with serving() as up:
            async with scene(server(up.port), probe=draft.compiled({}, log_checks=True)) as world:
                await asyncio.sleep(0.5)
                up.says = b'HTTP/1.1 404 Not Found\r\n\r\n'
                await asyncio.sleep(1)
                assert (world.state(), world.status()) == (OpState.STOPPING, 'NOLB')
                assert (
                    'conditionally succeeded, reason: Layer7 check conditionally passed, code: 404' in world.lines[-1]
                )
                up.says = b'HTTP/1.1 500 No\r\n\r\n'
                await asyncio.sleep(2)
                assert world.status() == 'DOWN'
                up.says = b'HTTP/1.1 404 Not Found\r\n\r\n'
                await asyncio.sleep(12)
                assert world.status() == 'DOWN'

    run(work())


def test_send_state_says_what_the_server_is() -> None:
    async def work() -> None:
        draft = ProbeDraft(kind=ProbeKind.HTTP, send_state=True)
        async with serving() as up:
            async with scene(server(up.port, weight=3), probe=draft.compiled({}, log_checks=False)):
                await asyncio.sleep(1.2)
                said = [line for heard in up.heard for line in heard.split(b'\r\n') if b'server-state' in line]
                place = f'address=127.0.0.1; port={up.port}; name=be/s1; node=n1; weight=3/3; scur=0/0; qcur=0'
                assert said == [f'x-haproxy-server-state: UP{n}; {place}'.encode() for n in (' 1/3', '')]

    run(work())


def test_who_tracks_follows() -> None:
    async def work() -> None:
        async with serving() as up:
            follower = server(up.port, 's2', 2, check=None, track=('be', 's1'))
            third = server(up.port, 's3', 3, check=None, track=('be', 's2'))
            async with scene(server(up.port), follower, third) as world:
                await asyncio.sleep(0.5)
                assert [world.status(f's{n}') for n in (1, 2, 3)] == ['UP', 'UP', 'UP']
                await world.submit([SetTarget('be', 's1', port=1)], source='test')
                await asyncio.sleep(2)
                assert [world.status(f's{n}') for n in (1, 2, 3)] == ['DOWN', 'DOWN', 'DOWN']
                await world.submit([SetAdmin('be', 's1', MAINT)], source='cli')
                assert [world.status(f's{n}') for n in (1, 2, 3)] == ['MAINT', 'MAINT (via be/s1)', 'MAINT (via be/s2)']
                await world.submit([SetAdmin('be', 's1', READY)], source='cli')
                await world.submit([SetAdmin('be', 's1', DRAIN)], source='cli')
                assert [world.state(f's{n}') for n in (1, 2, 3)] == [OpState.RUNNING] * 3
                assert world.record('s3').effective is DRAIN

    run(work())


def observed(on_error: OnError, limit: int = 5) -> Observe:
    return Observe(layer=Layer.LAYER4, limit=limit, on_error=on_error)


def test_errors_of_the_traffic_count_as_checks() -> None:
    async def work() -> None:
        async with serving() as up:
            servers = [server(up.port, way.value, n, observe=observed(way)) for n, way in enumerate(OnError, 1)]
            async with scene(*servers) as world:
                await asyncio.sleep(1.5)
                cells, at = world.plane.cells, world.plane.layout
                assert {world.status(way.value) for way in OnError} == {'UP'}
                for way in OnError:
                    for worker in (0, 1, 0, 1, 1):
                        cell = at.server_counters(worker, world.record(way.value).index) + C.OBSERVED
                        cells[cell] = noted(cells[cell], Event.UNREACHABLE, good=False)
                await asyncio.sleep(0.06)
                texts = {way.value: world.status(way.value) for way in OnError}
                assert texts == {
                    'fastinter': 'UP', 'fail-check': 'UP 2/3', 'sudden-death': 'UP 1/3', 'mark-down': 'DOWN',
                }  # fmt: skip
                reason = world.record('mark-down').health.reason
                assert reason.startswith(
                    ', reason: Health analyze, info: "Detected 5 consecutive errors, last one was: L4 unsuccessful connection"'
                )
                # all are asked again at fastinter
                seen = up.accepted
                await asyncio.sleep(0.2)
                assert up.accepted >= seen + 4

    run(work())
