"""Reloads with another `nbthread`: workers come and go, and nobody's connection is refused, reset or forgotten."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path

from tests.integration.harness.load import Load, Record, ask
from tests.integration.harness.owners import connections_of
from tests.integration.harness.planes import DataPlane, Stage, listen, stage, stop
from tests.integration.harness.upstream import Upstream
from tests.integration.harness.waiting import until

CALLERS = 8
PAUSE = 0.005
"""Seconds; a new worker, which needs the machine to start, is waited for all the time."""
_PATIENT = 'isolation-timeout 20s'
"""Who is replaced for standing still, on a machine that has other things to do, loses what these tests count."""


class Callers:
    """Clients that open a connection for each request, one after the other with a short pause. Start with `async with`."""

    def __init__(self, port: int) -> None:
        self.records: list[Record] = []
        self.refused: list[OSError] = []
        self._port, self._ending = port, False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Callers:
        self._tasks = [asyncio.create_task(self._call()) for _ in range(CALLERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending = True
        await asyncio.gather(*self._tasks)

    async def _call(self) -> None:
        while not self._ending:
            try:
                self.records.append(await ask(self._port))
            except OSError as error:
                self.refused.append(error)
            await asyncio.sleep(PAUSE)

    async def go_on(self, count: int = 200) -> None:
        """Return when so many more have been answered."""
        wanted = len(self.records) + count
        await until(lambda: len(self.records) >= wanted, within=60, what='traffic flows')

    def failed(self) -> list[Record]:
        return [record for record in self.records if record.status != 200]


def workers_of(plane: DataPlane) -> list[int]:
    """Process ids of the workers, whatever they do; the process that reads a configuration is none."""
    return [pid for pid in plane.worker_pids() if _name(pid) == 'sluice-worker']


def _name(pid: int) -> str:
    try:
        return Path(f'/proc/{pid}/comm').read_text().strip()
    except OSError:
        return ''


async def there_are(plane: DataPlane, count: int) -> list[int]:
    return await until(
        lambda: pids if len(pids := workers_of(plane)) == count else [], within=60, what=f'there are {count} workers'
    )


async def resized(plane: DataPlane, count: int) -> None:
    plane.workers = count
    assert 'Reloaded' in await plane.reload()


async def all_serve(plane: DataPlane, callers: Callers) -> None:
    """Every worker accepts: those that came, too."""
    seen = set[int]()
    pids = set(workers_of(plane))

    def look() -> bool:
        seen.update(pid for pid, ports in plane.owners().items() if ports)
        return pids <= seen

    await callers.go_on()
    await until(look, within=60, what='connections come to all workers', every=0.001)


async def two(on: Stage, *, workers: int, extra: tuple[str, ...] = ()) -> tuple[DataPlane, Upstream, Upstream, int]:
    """A data plane with a server that answers, and behind another port one that answers when it is let go."""
    quick, held = await on.upstream('quick'), await on.upstream('held')
    held.hold()
    port, other = on.ports.take(), on.ports.take()
    sections = listen(port, f'quick 127.0.0.1:{quick.port} maxconn 20')
    sections += listen(other, f'held 127.0.0.1:{held.port}', backend='slow')
    return await on.data_plane(sections, port=port, workers=workers, extra=(_PATIENT, *extra)), quick, held, other


async def spread(plane: DataPlane, held: Upstream, port: int) -> list[asyncio.Task[Record]]:
    """Requests under way in every worker, none of which is answered yet."""
    asked: list[asyncio.Task[Record]] = []

    def inside() -> bool:
        return held.inside() == len(asked)

    while not all(connections_of(pid, port) for pid in workers_of(plane)):
        asked += [asyncio.create_task(ask(port, within=200)) for _ in range(8)]
        await until(inside, within=60, what='they are all under way')
    return asked


async def test_nobody_notices_while_workers_come_and_go() -> None:
    """1 -> 3 -> 2 -> 1 -> 3 under load by new connections and by kept ones, with long responses in flight."""
    async with stage() as on:
        plane, _, held, other = await two(on, workers=1)
        (first,) = workers_of(plane)
        async with Callers(plane.port) as callers, Load(plane.port, 8, pause=0.02) as load:
            await callers.go_on()
            await resized(plane, 3)
            await there_are(plane, 3)
            await all_serve(plane, callers)
            asked = await spread(plane, held, other)
            for count in (2, 1):
                await resized(plane, count)
                await callers.go_on()
            assert len(workers_of(plane)) == 3, 'who has something in flight stays'
            new = asyncio.create_task(ask(other, within=200))
            await until(lambda: held.inside() == len(asked) + 1, within=60, what='a new one is under way')
            assert len(connections_of(first, other)) >= 1
            held.let_go()
            answers = await asyncio.gather(*asked, new)
            assert {(answer.status, answer.server) for answer in answers} == {(200, 'held')}
            assert await there_are(plane, 1) == [first]
            await callers.go_on()
            await resized(plane, 3)
            await there_are(plane, 3)
            await all_serve(plane, callers)
        assert not callers.refused, callers.refused[:3]
        assert not callers.failed(), callers.failed()[:3]
        assert not load.failed(), load.failed()[:3]
        printed = plane.printed()
        assert printed.count('is not needed any more') == printed.count('has left') == 2
        assert 'alert' not in printed.lower()


async def test_a_worker_that_is_killed_while_others_come_loses_its_own_connections_only() -> None:
    async with stage() as on:
        plane, *_ = await two(on, workers=2)
        victim = workers_of(plane)[0]
        async with Callers(plane.port) as callers:
            await callers.go_on()
            plane.workers = 4
            reload = asyncio.create_task(plane.reload())
            await until(lambda: len(workers_of(plane)) > 2, within=60, what='others are started')
            stop(victim)
            lost = connections_of(victim, plane.port)
            os.kill(victim, signal.SIGKILL)
            newest = workers_of(plane)[-1]
            os.kill(newest, signal.SIGKILL)
            assert 'Reloaded' in await reload
            await until(
                lambda: len(pids := workers_of(plane)) == 4 and not {victim, newest} & set(pids),
                within=60,
                what='all are there',
            )
            await all_serve(plane, callers)
        assert not callers.refused, callers.refused[:3]
        assert {record.client_port for record in callers.failed()} <= lost, callers.failed()[:3]


async def test_the_last_that_stays_may_be_killed_while_the_others_are_to_retire() -> None:
    """Nobody retires before one of those that stay serves; what was in the queue of the dead is its successor's."""
    async with stage() as on:
        plane, *_ = await two(on, workers=3)
        async with Callers(plane.port) as callers:
            await callers.go_on()
            victim = int((await plane.cli('show threads')).partition('pid=')[2].split()[0])
            stop(victim)
            lost = connections_of(victim, plane.port)
            plane.workers = 1
            reload = asyncio.create_task(plane.reload())
            os.kill(victim, signal.SIGKILL)
            assert 'Reloaded' in await reload
            (left,) = await there_are(plane, 1)
            assert left != victim
            await callers.go_on()
        assert not callers.refused, callers.refused[:3]
        assert {record.client_port for record in callers.failed()} <= lost, callers.failed()[:3]


async def test_who_retires_is_told_of_every_change_until_it_has_left() -> None:
    async with stage() as on:
        plane, _, held, other = await two(on, workers=3)
        asked = await spread(plane, held, other)
        await resized(plane, 1)
        assert len(workers_of(plane)) == 3
        assert (await plane.cli.stat())['slow', 'held']['scur'] == str(len(asked)), 'all are counted'
        await plane.cli('shutdown sessions server slow/held')
        answers = await asyncio.gather(*asked)
        assert {answer.status for answer in answers} <= {502, 503}
        await there_are(plane, 1)
        stat = await plane.cli.stat()
        assert (stat['slow', 'held']['scur'], stat['slow', 'held']['stot']) == ('0', str(len(asked)))


async def test_queues_states_weights_tables_and_counters_are_what_they_were() -> None:
    async with stage() as on:
        one, two_ = await on.upstream('one'), await on.upstream('two')
        one.hold()
        port = on.ports.take()
        sections = listen(port, f'one 127.0.0.1:{one.port} maxconn 1\ntwo 127.0.0.1:{two_.port}')
        sections += 'backend t\n    stick-table type string size 100 store gpc0,conn_cur\n'
        sections = sections.replace('    bind', '    http-request track-sc0 path table t\n    bind')
        plane = await on.data_plane(sections, port=port, workers=3, queue='200s', extra=(_PATIENT,))
        await plane.cli('set server px/two state drain')
        await plane.cli('set weight px/one 7')
        await plane.cli('set table t key kept data.gpc0 42')
        asked = []
        for number in range(12):
            asked.append(asyncio.create_task(ask(port, f'/{number}', within=200)))
            await until(lambda: _waiting(plane, len(asked) - 1, one), within=60, what='it waits in its turn')
        for count in (1, 3, 2):  # who leaves with waiting ones is called back
            await resized(plane, count)
            stat, states = await plane.cli.stat(), await plane.cli.states()
            assert stat['px', 'BACKEND']['qcur'] == '11'
            assert stat['px', 'one']['weight'] == '7'
            assert stat['px', 'two']['status'].startswith('DRAIN')
            assert states['px/one'][2] == 7
            shown = await plane.cli('show table t')
            assert re.search(r'key=kept .*gpc0=42', shown)
            assert shown.count(' use=1 ') == 12
        one.let_go()
        answers = await asyncio.gather(*asked)
        assert {(answer.status, answer.server) for answer in answers} == {(200, 'one')}
        assert [arrival.target for arrival in one.arrivals] == [f'/{number}' for number in range(12)], 'in their order'
        assert one.most == 1
        await until(lambda: _untracked(plane), within=60, what='nothing is tracked any more')


async def _waiting(plane: DataPlane, count: int, server: Upstream) -> bool:
    return server.inside() == 1 and (await plane.cli.stat())['px', 'BACKEND']['qcur'] == str(count)


async def _untracked(plane: DataPlane) -> bool:
    return ' use=1 ' not in await plane.cli('show table t')


async def test_a_worker_that_is_needed_again_while_it_leaves_is_called_back() -> None:
    async with stage() as on:
        plane, _, held, other = await two(on, workers=2)
        asked = await spread(plane, held, other)
        before = workers_of(plane)
        async with Callers(plane.port) as callers:
            await resized(plane, 1)
            await callers.go_on()
            await resized(plane, 2)
            assert workers_of(plane) == before
            await all_serve(plane, callers)
            held.let_go()
            assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
            await callers.go_on()
            assert workers_of(plane) == before
        assert not callers.refused
        assert not callers.failed()


async def test_hard_stop_after_ends_who_takes_too_long_to_leave() -> None:
    async with stage() as on:
        plane, _, held, other = await two(on, workers=2, extra=('hard-stop-after 1s',))
        asked = await spread(plane, held, other)
        async with Callers(plane.port) as callers:
            await resized(plane, 1)
            await there_are(plane, 1)
            await callers.go_on()
        assert not callers.refused
        assert not callers.failed()
        assert 'hard-stop-after' in plane.printed()
        kept = len(connections_of(workers_of(plane)[0], other))
        held.let_go()
        answers = [answer.status for answer in await asyncio.gather(*asked)]
        assert answers.count(200) == kept
        assert answers.count(0) == len(asked) - kept


async def test_an_idle_client_of_who_retires_may_ask_once_more_and_is_told_to_go() -> None:
    async with stage() as on:
        plane, *_ = await two(on, workers=2)
        request = b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
        clients = []
        while not all(plane.owners().values()):
            reader, writer = await asyncio.open_connection('127.0.0.1', plane.port)
            writer.write(request)
            assert b'close' not in (await reader.readuntil(b'\r\n\r\n')).lower()
            clients.append((reader, writer))
        first = workers_of(plane)
        await resized(plane, 1)
        told = 0
        for _, writer in clients:
            writer.write(request)
        for reader, _ in clients:
            await reader.readuntil(b'\n')  # what is left of the first answer's body
            head = (await reader.readuntil(b'\r\n\r\n')).lower()
            assert head.startswith(b'http/1.1 200')
            told += b'connection: close' in head
        assert told
        (left,) = await there_are(plane, 1)
        assert left in first
        for _, writer in clients:
            writer.close()


async def test_a_unix_socket_goes_on_with_whoever_is_there() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        path, port = on.directory / 'front.sock', on.ports.take()
        sections = listen(port, f'u 127.0.0.1:{server.port}').replace('    bind', f'    bind unix@{path}\n    bind')
        plane = await on.data_plane(sections, port=port, workers=1, extra=(_PATIENT,))
        ending, answers = False, 0

        async def call() -> None:
            nonlocal answers
            while not ending:
                reader, writer = await asyncio.open_unix_connection(str(path))
                writer.write(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
                assert (await reader.read()).startswith(b'HTTP/1.1 200 ')
                writer.close()
                answers += 1

        calls = [asyncio.create_task(call()) for _ in range(4)]
        for count in (3, 1, 2):
            await resized(plane, count)
            seen = answers
            await until(lambda seen=seen: answers > seen + 50, within=60, what='it is answered')  # type: ignore[misc]
        ending = True
        await asyncio.gather(*calls)


async def test_binds_that_come_and_go_with_workers_are_served_by_all() -> None:
    async with stage() as on:
        server = await on.upstream('u')
        port, other = on.ports.take(), on.ports.take()
        text = listen(port, f'u 127.0.0.1:{server.port}')
        plane = await on.data_plane(text, port=port, workers=3, extra=(_PATIENT,))
        async with Callers(port) as callers:
            await resized(plane, 1)
            await there_are(plane, 1)
            plane.sections = text.replace('    bind', f'    bind 127.0.0.1:{other}\n    bind')
            await resized(plane, 1)
            async with Callers(other) as others:
                await others.go_on()
                await resized(plane, 2)
                await others.go_on()
                await resized(plane, 4)
                await there_are(plane, 4)
                await others.go_on()
            plane.sections = text
            await resized(plane, 2)
            await callers.go_on()
        for group in (callers, others):
            assert not group.refused, group.refused[:3]
            assert not group.failed(), group.failed()[:3]


async def test_a_soft_stop_does_not_wait_for_workers_that_are_still_to_come() -> None:
    async with stage() as on:
        plane, *_ = await two(on, workers=1)
        assert plane.child is not None
        plane.workers = 3
        plane.write()
        plane.child.signal(signal.SIGUSR2)
        await until(lambda: len(workers_of(plane)) > 1, within=60, what='others are started')
        plane.child.signal(signal.SIGUSR1)
        assert await plane.child.wait(60) == 0
