"""Everything that can be changed at run time is changed at once, under load, while servers fail and workers are killed.

What must hold afterwards: nobody waits, nothing is in use, all workers know the same, and who was there answers.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal

from tests.integration.harness.load import Load
from tests.integration.harness.planes import DataPlane, Stage, stage
from tests.integration.harness.waiting import until

SECONDS = 8


class Flaky:
    """An HTTP server that now and then closes without a word, or answers 503."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self.inside = self.most = 0
        self.port = 0

    async def __aenter__(self) -> Flaky:
        self._server = await asyncio.start_server(self._serve, '127.0.0.1', 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b'\r\n\r\n')
                await asyncio.sleep(self._rng.uniform(0, 0.01))
                fate = self._rng.random()
                if fate < 0.1:
                    return
                status = b'503 Later' if fate < 0.2 else b'200 OK'
                writer.write(b'HTTP/1.1 ' + status + b'\r\nContent-Length: 2\r\nX-Server: flaky\r\n\r\nok')
                await writer.drain()
        except (OSError, EOFError):
            return
        finally:
            writer.close()


async def torn(on: Stage, servers: list[int], workers: int) -> DataPlane:
    """A plane with every feature that remembers something."""
    port, path = on.ports.take(), on.directory / 'm'
    path.write_text('a file\n')
    lines = '\n'.join(f'    server f{number} 127.0.0.1:{at} maxconn 2 check' for number, at in enumerate(servers))
    sections = f"""frontend px
    bind 127.0.0.1:{port}
    http-request track-sc0 src table seen
    http-request set-map({path}) %[path] %[rand(1000)]
    http-request set-var(proc.last) path
    http-request pause 5 if {{ rand(10) lt 1 }}
    http-request set-header X-Map %[path,map({path},none)]
    default_backend be
backend seen
    stick-table type ip size 20 expire 1s store conn_cnt,http_req_rate(1s),gpc0,conn_cur
backend be
    balance leastconn
    retries 3
    option redispatch
    retry-on all-retryable-errors
    cookie S insert indirect dynamic
    dynamic-cookie-key secret
    stick-table type string len 8 size 50 expire 1s
    stick on path,length
    http-response set-header X-Status %[status]
{lines}
"""
    return await on.data_plane(sections, port=port, workers=workers, queue='5s')


async def _changes(plane: DataPlane, spare: int, over: asyncio.Event, seed: int) -> int:
    """Commands, one after the other, of one operator."""
    rng, done = random.Random(seed), 0
    path = plane.directory / 'm'
    while not over.is_set():
        name = f'be/n{seed}'
        commands = (
            f'add server {name} 127.0.0.1:{spare} maxconn 1; enable server {name}',
            f'disable server {name}; shutdown sessions server {name}; wait 2s srv-removable {name}; del server {name}',
            f'set server be/f{rng.randrange(2)} state {rng.choice(("drain", "maint", "ready"))}',
            f'set server be/f{rng.randrange(2)} state ready; set server be/f{rng.randrange(2)} addr 127.0.0.1 port {spare}',
            f'add map {path} k{rng.randrange(100)} v; del map {path} /{rng.randrange(1000)}',
            f'prepare map {path}',
            f'add map @{rng.randrange(100)} {path} x y',
            f'commit map @{rng.randrange(100)} {path}',
            f'clear map {path}',
            'clear table be; clear table seen; show table be',
            'set table seen key 10.0.0.1 data.gpc0 5; show table seen data.gpc0 gt 1',
            f'set weight be/f0 {rng.randrange(1, 256)}; set maxconn server be/f1 {rng.randrange(1, 4)}',
            'show stat; show servers state; show sess',
            'disable dynamic-cookie backend be; enable dynamic-cookie backend be',
        )
        try:
            await plane.cli(rng.choice(commands), within=30)
        except OSError:
            await asyncio.sleep(0.01)
        done += 1
    return done


async def _kills(plane: DataPlane, over: asyncio.Event) -> None:
    rng = random.Random(3)
    while not over.is_set():
        await asyncio.sleep(rng.uniform(0.3, 1.0))
        pids = plane.worker_pids()
        if len(pids) > 1:
            os.kill(rng.choice(pids), signal.SIGKILL)


async def _reloads(plane: DataPlane, over: asyncio.Event) -> None:
    assert plane.child is not None
    while not over.is_set():
        await asyncio.sleep(0.9)
        plane.child.signal(signal.SIGUSR2)


async def _idle(plane: DataPlane) -> bool:
    rows = await plane.cli('show stat')
    for line in rows.splitlines()[1:]:
        cells = line.split(',')
        if len(cells) > 4 and cells[1] != 'FRONTEND' and (cells[2] not in ('', '0') or cells[4] not in ('', '0')):
            return False
    return len(plane.worker_pids()) == plane.workers


async def test_turmoil_leaves_nothing_behind() -> None:
    async with stage() as on:
        flaky = [await on.enter(Flaky(seed)) for seed in (1, 2)]
        spare = await on.upstream('spare', service=0.003)
        plane = await torn(on, [one.port for one in flaky], workers=3)
        over = asyncio.Event()
        async with Load(plane.port, 24) as load:
            operators = [asyncio.create_task(_changes(plane, spare.port, over, seed)) for seed in range(4)]
            others = [asyncio.create_task(_kills(plane, over)), asyncio.create_task(_reloads(plane, over))]
            await asyncio.sleep(SECONDS)
            over.set()
            done = sum(await asyncio.gather(*operators))
            await asyncio.gather(*others)
            await until(lambda: len(plane.worker_pids()) == plane.workers, within=60, what='all workers are there')
            for number in range(2):
                await plane.cli(f'set server be/f{number} state ready')
            before = len(load.records)
            await until(lambda: len(load.records) > before + 200, within=60, what='traffic goes on')
        assert done > 50
        assert load.statuses()[200] > 200, load.statuses()
        assert set(load.statuses()) <= {0, 200, 502, 503, 504}, load.statuses()
        await until(lambda: _idle(plane), within=60, what='nothing is in use and nobody waits')
        printed = plane.printed()
        for word in ('Traceback', 'is killed', 'Error', 'exited with status'):
            assert word not in printed, printed[max(0, printed.index(word) - 500) :][:3_000]
