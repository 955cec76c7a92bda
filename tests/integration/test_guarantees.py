"""What the control plane promises of its data planes (docs/protocol.md), each promise tried on real processes.

Between the planes stands a proxy that delays, doubles, cuts and half-opens the link.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dataplane.wire.state import State
from tests.integration.harness.load import Load, Record, ask
from tests.integration.harness.planes import stage
from tests.integration.harness.procs import python, spawn
from tests.integration.harness.turmoil import check_causal, logged, spec_of, turmoil, watch_weights
from tests.integration.harness.waiting import until
from tests.integration.harness.worlds import BACKEND, Version, World, history, world

CONNECTIONS = 16


@asynccontextmanager
async def built(names: str = 'a b', **options: Any) -> AsyncIterator[World]:
    async with stage() as on:
        yield await world(on, names, **options)


async def flows(load: Load, requests: int = 100) -> None:
    wanted = len(load.records) + requests
    await until(lambda: len(load.records) >= wanted, within=60, what='traffic flows')


async def test_g1_one_total_order_per_term_without_gaps() -> None:
    async with built(data_planes=2) as at:
        began = await at.head()
        await turmoil(at, 150)
        head = await at.head()
        versions = await logged(at, began, head)
        assert versions == [(head[0], seq) for seq in range(began[1] + 1, head[1] + 1)]
        states: dict[Version, State] = {}
        for link in at.links:
            steps = history(link)
            assert steps[-1].after == head
            for step in steps:
                assert states.setdefault(step.after, step.state) == step.state, f'two states at {step.after}'


async def test_g2_every_state_is_the_fold_of_a_prefix() -> None:
    async with built() as at:
        seen: list[tuple[int, int]] = []
        watching = asyncio.create_task(watch_weights(at, seen))

        def moved() -> bool:
            steps = history(at.link)
            return len(steps) > 8 and len(set(seen)) > 5 and any(not step.is_snapshot for step in steps)

        await turmoil(at, 60, until_too=moved)
        watching.cancel()
        steps = history(at.link)
        assert all(one == other for one, other in seen), 'the servers were seen between two states'
        assert seen == sorted(seen), 'the data plane was seen to go back'
        wanted = {server['name']: server['weight'] for server in (await at.control.must('GET', '/v1/servers'))['items']}
        states = await at.plane.cli.states()
        assert {name: states[f'{BACKEND}/{name}'][2] for name in wanted} == wanted
        assert {
            name: spec['weight'] for name, spec in steps[-1].state['backends'][BACKEND]['servers'].items()
        } == wanted


async def test_g3_no_request_is_decided_under_a_mix_of_revisions() -> None:
    """Traffic is swung from server to server by states, by replacing servers, by the route: each is one event for all workers."""
    async with built('a b c d e f g h', workers=3, service=0.001) as at:
        order = {name: place for place, name in enumerate(at.servers)}
        put = f'/v1/backends/{BACKEND}?wait=acked&confirm=true'

        def only(ready: str, names: str) -> dict[str, Any]:
            body = spec_of({name: at.servers[name] for name in names})
            for name, spec in body['servers'].items():
                spec['adminState'] = 'ready' if name == ready else 'maint'
            return body

        await at.control.must('PUT', put, only('a', 'abcdef'))
        async with at.load(CONNECTIONS) as load:
            for ready in 'abcdef':
                await at.control.must('PUT', put, only(ready, 'abcdef'))
                await flows(load)
            await at.control.must('PUT', put, only('g', 'g'))
            await flows(load)
            await at.control.must('PUT', '/v1/backends/other?wait=acked', only('h', 'h'))
            await at.control.must('PUT', '/v1/routes/all?wait=acked', {'backend': 'other'})
            await flows(load)
        assert not load.failed(), load.failed()[:3]
        assert check_causal(load.records, order) == len(order) - 1
        assert {record.server for record in load.records} == set(order)


async def test_g4_redelivery_is_harmless_and_nothing_goes_back() -> None:
    async with built() as at:
        at.link.double = True
        await at.control.patch(f'{BACKEND}/a', '?wait=acked', adminState='maint')
        await shut_down(at, 'b', '?wait=acked')
        await at.control.patch(f'{BACKEND}/a', '?wait=acked', adminState='ready', weight=2)
        at.servers['b'].hold()
        at.servers['a'].hold()
        asked = [asyncio.create_task(ask(at.plane.port, f'/{number}')) for number in range(6)]
        await until(lambda: all(server.busy for server in at.servers.values()), within=60, what='sessions on both')
        revision, connection = await at.plane.cli.states(), at.link.passed[-1].connection
        old = [
            row.message for row in at.link.passed if row.way == 'down' and row.message['type'] in {'event', 'snapshot'}
        ]
        before = len(at.link.messages('up', 'ack'))
        for message in [*old, *reversed(old)]:
            at.link.inject(message)
        await until(
            lambda: len(at.link.messages('up', 'ack')) >= before + len(old),
            within=60,
            what='all are acknowledged again',
        )
        assert await at.plane.cli.states() == revision
        for server in at.servers.values():
            server.let_go()
        records = await asyncio.gather(*asked)
        assert [record.status for record in records] == [200] * 6, 'a shutdown that was redelivered ended a new session'
        acks = [(message['term'], message['seq']) for message in at.link.messages('up', 'ack')]
        assert acks == sorted(acks)
        assert not at.link.messages('up', 'nack')
        assert at.link.passed[-1].connection == connection, 'the link was left'
        history(at.link)


async def shut_down(at: World, server: str, query: str = '') -> Any:
    return await at.control.must('POST', f'/v1/backends/{BACKEND}/servers/{server}:shutdownSessions{query}')


async def test_g5_frames_of_an_older_term_are_refused() -> None:
    async with built() as at:
        await at.control.patch(f'{BACKEND}/a', '?wait=acked', adminState='drain')
        await at.control.patch(f'{BACKEND}/a', '?wait=acked', adminState='ready')
        (drain, *_) = [row.message for row in at.link.passed if row.message['type'] == 'event'][-2:]
        term, seq = await at.head()
        async with at.load(4) as load:
            # The data plane hears of a higher term: the one control plane there is has become the old one.
            at.link.inject({'type': 'lease', 'term': term + 10, 'lease_ms': 60_000})
            before = at.link.passed[-1].connection
            at.link.inject({**drain, 'seq': seq + 1, 'prev_seq': seq})
            await until(
                lambda: any(row.connection > before for row in at.link.passed),
                within=60,
                what='the link is dialled anew',
            )
            hello = next(row.message for row in at.link.passed if row.connection > before)
            assert (hello['type'], hello['term_seen']) == ('hello', term + 10)
            assert (hello['term'], hello['seq']) == (term, seq), 'the frame of the older term was obeyed'
            # The control plane outranks what the data plane has seen, and is obeyed again.
            await until(at.converged, within=60, what='the data plane follows the new term')
            assert (await at.head())[0] > term + 10
            response = await at.control.patch(f'{BACKEND}/a', '?wait=acked', adminState='maint')
            assert response.status_code == 200
        assert not load.failed(), load.failed()[:3]
        await at.plane.stop()
        hellos = len(at.link.messages('up', 'hello'))
        await at.plane.start()
        await until(lambda: len(at.link.messages('up', 'hello')) > hellos, within=60, what='it dials again')
        hello = at.link.messages('up', 'hello')[-1]
        assert hello['term_seen'] > term + 10, 'the fence did not outlive the process'


async def test_g6_an_answer_that_all_have_done_it_is_true() -> None:
    async with built(data_planes=2) as at:
        gone = at.planes[1].name
        at.links[1].half_open()
        response = await at.control.patch(f'{BACKEND}/a', '?wait=acked&timeout=1s', adminState='drain')
        assert response.status_code == 202
        assert gone in response.json()['pending'] + response.json()['unreachable']
        at.links[1].refuse = True
        at.links[1].mend()
        at.links[1].cut()
        await until(lambda: is_unreachable(at, gone), within=60, what='the control plane misses it')
        response = await at.control.patch(f'{BACKEND}/a', '?wait=drained&timeout=1s', adminState='drain')
        assert (response.status_code, response.json()['unreachable']) == (202, [gone])
        assert await sluicectl(at, 'drain', f'{BACKEND}/a', '--wait', '--timeout', '1s') == 3
        operation = response.headers['Location']
        # It was cut off, carried traffic all the time, and comes back.
        assert (await ask(at.planes[1].port)).status == 200
        at.links[1].refuse = False
        done = await at.control.must('GET', f'{operation}?wait=drained&timeout=60s')
        assert done['state'] == 'done'
        await check_superseded(at)
        # Who says goodbye is no longer waited for; who is killed is.
        await at.planes[0].kill()
        response = await at.control.patch(f'{BACKEND}/b', '?wait=acked&timeout=1s', weight=9)
        assert (response.status_code, response.json()['unreachable']) == (202, [at.planes[0].name])
        await at.planes[1].stop()
        rows = (await at.control.must('GET', '/v1/dataplanes'))['items']
        assert [row['id'] for row in rows] == [at.planes[0].name]


async def is_unreachable(at: World, name: str) -> bool:
    rows = (await at.control.must('GET', '/v1/dataplanes'))['items']
    return any(row['id'] == name and not row['connected'] for row in rows)


async def check_superseded(at: World) -> None:
    """A drain that cannot end because a request hangs is overtaken by somebody who enables the server."""
    await at.control.patch(f'{BACKEND}/a', '?wait=acked', adminState='ready')
    await at.control.patch(f'{BACKEND}/b', '?wait=acked', adminState='maint')
    at.servers['a'].hold()
    asked = asyncio.create_task(ask(at.plane.port))
    await until(lambda: at.servers['a'].busy, within=60, what='a request hangs')
    waiting = asyncio.create_task(at.control.patch(f'{BACKEND}/a', '?wait=drained&timeout=60s', adminState='drain'))
    await until(lambda: drains(at), within=60, what='the drain is under way')
    await at.control.patch(f'{BACKEND}/a', adminState='ready')
    response = await waiting
    assert response.status_code == 409
    assert response.headers['content-type'] == 'application/problem+json'
    at.servers['a'].let_go()
    assert (await asked).status == 200


async def drains(at: World) -> bool:
    server = await at.control.must('GET', f'/v1/backends/{BACKEND}/servers/a')
    return bool(server['adminState'] == 'drain')


async def sluicectl(at: World, *arguments: str) -> int:
    child = await spawn(
        python('sluicectl', *arguments),
        name='sluicectl',
        directory=at.on.directory,
        environment={'SLUICE_URL': at.control.url},
    )
    code = await child.wait(60)
    print(child.report(), file=sys.stderr)
    return code


async def test_g7_losing_the_control_plane_changes_nothing_for_traffic() -> None:
    async with built() as at:
        await at.control.patch(f'{BACKEND}/a', '?wait=acked', adminState='drain')
        async with at.load(CONNECTIONS) as load:
            await flows(load)
            for _ in range(3):
                await at.control.kill()
                await flows(load, 200)
                await at.control.start()
                await at.settle()
                await flows(load, 200)
            await at.control.kill()
            await flows(load, 200)
        assert not load.failed(), load.failed()[:3]
        assert {record.server for record in load.records} == {'b'}
        # It restarts alone and goes on where it was: same servers, same route, same drain.
        await at.plane.kill()
        await at.plane.start()
        async with at.load(CONNECTIONS) as load:
            await flows(load, 200)
        assert not load.failed(), load.failed()[:3]
        assert {record.server for record in load.records} == {'b'}
        await at.control.start()
        await at.settle()
        response = await at.control.patch(f'{BACKEND}/a', '?wait=acked', adminState='ready')
        assert response.status_code == 200


async def test_g8_nothing_new_is_sent_to_a_drained_server_and_its_queue_keeps_its_order() -> None:
    async with built(maxConn=1, timeouts={'queue': 20_000}) as at:
        a, b = at.servers['a'], at.servers['b']
        a.hold()
        b.hold()
        first = [asyncio.create_task(ask(at.plane.port, f'/first{number}')) for number in range(2)]
        await until(lambda: len(a.busy) == len(b.busy) == 1, within=60, what='both servers are full')
        queue: list[asyncio.Task[Record]] = []
        for number in range(12):
            queue.append(asyncio.create_task(ask(at.plane.port, f'/{number:02}')))
            await until(lambda: queued(at, len(queue)), within=60, what='it waits')
        response = await at.control.patch(f'{BACKEND}/a', '?wait=acked', adminState='drain')
        assert response.status_code == 200
        drained_at = len(a.arrivals)
        a.let_go()
        b.let_go()
        records = await asyncio.gather(*first, *queue)
        assert [record.status for record in records] == [200] * 14
        assert len(a.arrivals) == drained_at == 1, 'a request was sent to a drained server'
        order = [arrival.target for arrival in b.arrivals if 'first' not in arrival.target]
        assert order == sorted(order), 'the queue lost its order'
        async with at.load(CONNECTIONS) as load:
            await flows(load, 200)
        assert len(a.arrivals) == drained_at
        assert not load.failed()


async def queued(at: World, count: int) -> bool:
    stat = await at.plane.cli.stat()
    return sum(int(row['qcur'] or 0) for (backend, _), row in stat.items() if backend == BACKEND) == count


async def test_g9_no_session_of_before_a_shutdown_lives_after_its_ack() -> None:
    async with built(workers=3) as at:
        a, b = at.servers['a'], at.servers['b']
        for server in (a, b):
            server.hold()
        asked = [asyncio.create_task(ask(at.plane.port, f'/{number}')) for number in range(24)]
        await until(lambda: len(a.busy) + len(b.busy) == 24, within=60, what='all are in the servers')
        assert len(a.busy) > 0
        others = b.inside()
        await shut_down(at, 'a', '?wait=acked')
        assert a.inside() == 0, 'a session lives on'
        assert b.inside() == others, 'sessions of another server were ended'
        for server in (a, b):
            server.let_go()
        records = await asyncio.gather(*asked)
        assert sum(record.status == 200 for record in records) == others
        assert {record.status for record in records} <= {200, 500, 502, 503, 0}
        async with at.load(CONNECTIONS) as load:
            await flows(load)
        assert not load.failed(), load.failed()[:3]
        assert {record.server for record in load.records} == {'a', 'b'}
        ack = at.link.messages('up', 'ack')[-1]
        assert ack['killed'] == 24 - others, json.dumps(ack)
