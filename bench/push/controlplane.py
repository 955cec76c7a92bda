"""A control plane that changes its own servers at a rate: what bench.push measures.

It is the real one - REST, link, sequencer, SQLite on a disk - in a process of its own. A change is submitted as a REST handler
or an informer submits it, and its time ends when the last data plane has acknowledged it. Prints its address, then, when
all data planes are there and the time is over, one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from controlplane.api.verbs import one
from controlplane.app import Running, Settings, authority_of, open_socket, open_store, running, server_of
from controlplane.collector import collecting
from controlplane.domain.desired import Desired, Key, Write
from controlplane.domain.log import RING
from controlplane.domain.operations import Operation, Progressed, Target
from controlplane.domain.sequencer import Decision, Verb

BACKEND: dict[str, Any] = {
    'balance': 'roundrobin', 'retries': 3, 'redispatch': 0, 'fullconn': 0, 'allbackups': False,
    'timeouts': {'connect': 5_000, 'server': 30_000, 'queue': 5_000, 'tunnel': None},
}  # fmt: skip
SERVER: dict[str, Any] = {
    'address': '10.0.0.1', 'port': 80, 'weight': 1, 'maxConn': 4, 'minConn': 0, 'maxQueue': 0, 'backup': False,
    'adminState': 'ready', 'sessionGeneration': 0,
}  # fmt: skip
SETTLE_S = 2.0  # of load that is not counted, after the log's ring is full: until then memory grows
FILLING = 1_000  # changes per second at least, while it is filled


@dataclass
class Measured:
    """Milliseconds from a change's submission to its last ack, and what the process held and used meanwhile."""

    latencies: list[float] = field(default_factory=list)
    unfinished: int = 0
    resident_mib: list[float] = field(default_factory=list)


def resident_mib() -> float:
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmRSS:'):
            return int(line.split()[1]) / 1024
    raise OSError('/proc/self/status has no VmRSS')


class Load:
    """Changes at a rate per second, in groups every 10 ms, as bursts of endpoints come."""

    def __init__(self, plane: Running, servers: int, *, urgent: bool) -> None:
        self._plane, self._servers, self._urgent = plane, servers, urgent
        self._number = 0
        self._under_way: set[asyncio.Task[None]] = set()
        self.measured = Measured()

    async def fill(self) -> None:
        """One backend with all servers."""
        app = Key('backend', 'app')
        writes = [Write(app, BACKEND), *(Write(Key('server', f's{n}', 'app'), SERVER) for n in range(self._servers))]
        decision = Decision(tuple(writes), tuple(Target(write.key, write.spec) for write in writes))
        await self._plane.sequencer.submit(Verb('fill', 'fill', 'bench'), lambda _: decision)

    async def run(self, seconds: float, rate: int, *, counted: bool) -> None:
        """Load for so long, then until every change is acknowledged or 10 s are over."""
        loop = asyncio.get_running_loop()
        began, done = loop.time(), 0
        while (passed := loop.time() - began) < seconds:
            for _ in range(done, int(passed * rate)):
                task = asyncio.ensure_future(self._change(counted=counted))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            done = int(passed * rate)
            await asyncio.sleep(0.01)
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=10)
            self.measured.unfinished += len(late)

    async def _change(self, *, counted: bool) -> None:
        number = self._number = self._number + 1
        key = Key('server', f's{number % self._servers}', 'app')
        weight = number // self._servers % 250 + 2

        def decide(desired: Desired) -> Decision:
            return one(key, {**desired.require(key), 'weight': weight}, values={'weight': weight})

        began = time.perf_counter()
        verb = Verb(f'c{number}', 'set weight', 'bench', urgent=self._urgent)
        operation = await self._plane.sequencer.submit(verb, decide)
        await self._acknowledged(operation)
        if counted:
            self.measured.latencies.append((time.perf_counter() - began) * 1e3)

    async def _acknowledged(self, operation: Operation) -> None:
        moved = asyncio.Event()
        stop = self._plane.sequencer.convergence.watch(operation, moved.set)
        while operation.state is Progressed.PENDING:
            moved.clear()
            await moved.wait()
        stop()


async def all_connected(plane: Running, count: int) -> None:
    """Until `count` data planes hold the head."""
    sequencer = plane.sequencer
    moved = asyncio.Event()
    stop = sequencer.convergence.listen(moved.set)
    async with asyncio.timeout(60):
        while sum(p.acked == sequencer.log.head for p in sequencer.convergence.planes.values()) < count:
            moved.clear()
            await moved.wait()
    stop()


async def measure(plane: Running, options: argparse.Namespace) -> dict[str, Any]:
    load = Load(plane, options.servers, urgent=options.urgent)
    await load.fill()
    await all_connected(plane, options.planes)
    filling = max(FILLING, options.rate)
    await load.run(RING / filling, filling, counted=False)
    await load.run(SETTLE_S, options.rate, counted=False)
    before, cpu, began = plane.hub.figures(), time.process_time(), time.perf_counter()
    load.measured.resident_mib.append(resident_mib())
    for _ in range(2):
        await load.run(options.seconds / 2, options.rate, counted=True)
        load.measured.resident_mib.append(resident_mib())
    passed = time.perf_counter() - began
    after = plane.hub.figures()
    return {
        'latencies': load.measured.latencies,
        'unfinished': load.measured.unfinished,
        'resident_mib': load.measured.resident_mib,
        'seconds': passed,
        'cpu_percent': 100 * (time.process_time() - cpu) / passed,
        'pushed': {name: after[name] - before[name] for name in before},
    }


async def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        settings = Settings(store=f'sqlite:///{directory}/sluice.db', port=0)
        with open_socket(settings.host, settings.port) as listener:
            async with running(settings, open_store(settings.store)) as plane:
                server = server_of(plane, authority_of(settings), None, settings.recheck_s)
                serving = asyncio.ensure_future(server.serve([listener]))
                print(f'127.0.0.1:{listener.getsockname()[1]}', flush=True)
                try:
                    async with collecting(lambda: plane.sequencer.log.head):
                        print(json.dumps(await measure(plane, options)), flush=True)
                finally:
                    server.should_exit = True
                    await serving


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ('planes', 'rate', 'servers'):
        parser.add_argument(f'--{name}', type=int, required=True)
    parser.add_argument('--seconds', type=float, required=True)
    parser.add_argument('--directory', required=True)
    parser.add_argument('--urgent', action='store_true')
    parser.add_argument('--profile', help='file for cProfile')
    return parser.parse_args()


if __name__ == '__main__':
    chosen = arguments()
    if chosen.profile:
        import cProfile

        with cProfile.Profile() as profile:
            uvloop.run(main(chosen))
        profile.dump_stats(chosen.profile)
    else:
        uvloop.run(main(chosen))
    sys.exit(0)
