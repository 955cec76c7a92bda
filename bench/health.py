"""What health checks cost the supervisor, and what they do to commits: `python -m bench.health [--servers N] [--seconds S]`.

One data plane with N servers (all one listener on loopback), checked every second, against the same one without checks. First its
CPU is measured while nobody asks anything; then a weight is changed 20 times a second over the stats socket: the round trip shows
the loop's lag, and the exporter says how long commits held the lock.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KINDS = {'none': '', 'connect': 'check inter 1s', 'http': 'check inter 1s'}
ANSWER = b'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nOK'
PAUSE = 'sluice_pause_seconds'
_PAUSE_EVERY = 10
"""Asking the exporter of 2,000 servers takes 15 ms itself, so it is not asked each time."""


@dataclass(frozen=True)
class Figures:
    """CPU of the supervisor in % of one core, round trips and pauses in ms, checks per second as the server saw them."""

    cpu: float
    trips: list[float]
    pauses: list[float]
    checks: float


class Listener(asyncio.Protocol):
    """The server that is checked; counts connections."""

    accepted = 0
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        Listener.accepted += 1

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER)
        self.transport.close()


def configuration(directory: Path, kind: str, servers: int, port: int) -> str:
    option = 'option httpchk\n' if kind == 'http' else ''
    lines = '\n'.join(f' server s{number} 127.0.0.1:{port} {KINDS[kind]}' for number in range(servers))
    return (
        f'global\n nbthread 1\n stats socket {directory}/sock level admin\n'
        'defaults\n mode http\n timeout client 5s\n timeout connect 1s\n timeout server 5s\n'
        f'listen stats\n bind unix@{directory}/stats\n stats enable\n stats uri /\n'
        ' http-request use-service prometheus-exporter if { path /metrics }\n'
        f'frontend f\n bind unix@{directory}/front\n default_backend b\n'
        f'backend b\n balance roundrobin\n {option}{lines}\n'
    )


async def ask(path: Path, text: str) -> str:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(text.encode())
    answer = (await reader.read()).decode()
    writer.close()
    return answer


async def pause(directory: Path) -> float:
    """The last commit's pause, in ms."""
    answer = await ask(directory / 'stats', 'GET /metrics HTTP/1.0\r\n\r\n')
    line = next(line for line in answer.splitlines() if line.startswith(f'{PAUSE} '))
    return float(line.split()[1]) * 1000


def cpu_seconds(pid: int) -> float:
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(') ')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


@asynccontextmanager
async def data_plane(directory: Path, text: str) -> AsyncIterator[int]:
    file = directory / 'sluice.cfg'
    file.write_text(text)
    process = await asyncio.create_subprocess_exec(
        sys.executable, '-m', 'dataplane.supervisor.main', '-f', str(file), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(60):
            while not (directory / 'sock').exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


async def measure(kind: str, servers: int, seconds: float) -> Figures:
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(Listener, '127.0.0.1', 0, backlog=4096)
    port = listening.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with data_plane(directory, configuration(directory, kind, servers, port)) as pid:
            await asyncio.sleep(3)
            began, used, seen = time.monotonic(), cpu_seconds(pid), Listener.accepted
            await asyncio.sleep(seconds)
            took = time.monotonic() - began
            cpu, checks = 100 * (cpu_seconds(pid) - used) / took, (Listener.accepted - seen) / took
            trips, pauses, turn, until = [], [], 0, time.monotonic() + seconds
            while time.monotonic() < until:
                turn += 1
                sent = time.perf_counter()
                await ask(directory / 'sock', f'set weight b/s{turn % servers} {1 + turn % 100}\n')
                trips.append((time.perf_counter() - sent) * 1000)
                if turn % _PAUSE_EVERY == 0:
                    pauses.append(await pause(directory))
                await asyncio.sleep(0.05)
    listening.close()
    return Figures(cpu, trips, pauses, checks)


def share(values: list[float], part: float) -> float:
    """The value that `part` of all are not above."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def main(arguments: Sequence[str] | None = None, out: Callable[[str], object] = print) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--servers', type=int, default=2_000)
    parser.add_argument('--seconds', type=float, default=10)
    options = parser.parse_args(arguments)
    out(f'{"checks":8} {"per s":>7} {"CPU %":>6} {"set weight p50":>15} {"p99":>7} {"pause p50":>10} {"p99":>7}   (ms)')
    for kind in KINDS:
        found = asyncio.run(measure(kind, options.servers, options.seconds))
        out(
            f'{kind:8} {found.checks:7.0f} {found.cpu:6.1f} {share(found.trips, 0.5):15.2f} {share(found.trips, 0.99):7.2f}'
            f' {share(found.pauses, 0.5):10.3f} {share(found.pauses, 0.99):7.3f}'
        )


if __name__ == '__main__':
    main()
