"""`python -m bench.barrier`: how long each of many commits holds the lock, and how long a worker waits for it, under load.

This process is the supervisor of a data plane with two workers and changes weights in it, one server's or all of them at
once, each change after the last one was applied by all. Beside the load a third process takes the lock now and then
(observer.py). The pause is what the supervisor itself measures at every commit: lock taken to lock given back.
Exit code 1: the 99th percentile of the pause is above a millisecond.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import uvloop

from bench import wrk
from bench.cases import Case
from bench.children import Child, free_port
from bench.peers import ROOT
from dataplane.core.changes import SetWeight
from dataplane.supervisor.dataplane import DataPlane
from dataplane.supervisor.listeners import Listeners
from dataplane.supervisor.options import Options
from dataplane.supervisor.process import go_first, raise_descriptor_limit
from dataplane.supervisor.publish import Applied
from dataplane.supervisor.sources import Sources

MOST_P99_US: Final = 1_000
LOAD_S: Final = 3_600
"""For ever, as far as this is concerned: the load is ended when the last commit is applied."""

_LOAD: Final = Case('barrier', 'browser-like headers, 1 KiB')
_CONFIGURATION: Final = """
global
    nbthread 2
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen bench
    bind 127.0.0.1:{port}
    balance {algorithm}
{servers}
"""


class Stopped(Exception):
    """The data plane takes SIGTERM and SIGINT as its end: there is nobody left to commit to."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m bench.barrier', description=__doc__)
    parser.add_argument('--commits', type=int, default=10_000, help='for each number of servers (10000)')
    parser.add_argument('--servers', type=int, default=1_000, help='servers of the backend (1000)')
    parser.add_argument('--algorithm', default='leastconn', help='balance (leastconn)')
    parser.add_argument('--idle', action='store_true', help='without load')
    return parser.parse_args()


def shares(values: Sequence[float]) -> str:
    ordered = sorted(values)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    return f'p50 {at(0.5):,.0f}   p99 {at(0.99):,.0f}   p99.9 {at(0.999):,.0f}   max {ordered[-1]:,.0f} us   ({len(ordered):,})'


@contextlib.asynccontextmanager
async def data_plane(file: Path) -> AsyncIterator[DataPlane]:
    """One as `sluice-dataplane -f FILE` would start it, in this process."""
    raise_descriptor_limit()
    go_first()
    sources = Sources.of(Options(files=[str(file)]), os.environ)
    loaded = sources.read()
    listeners = Listeners(loaded.snapshot.globals.nbthread)
    listeners.open_missing(loaded.snapshot.frontends)
    plane = DataPlane(asyncio.get_running_loop(), sources, loaded, listeners, software='bench', quiet=True)
    try:
        await plane.start()
        gc.collect()
        gc.freeze()
        yield plane
        plane.hard_stop()
        await plane.stopped()
    finally:
        await plane.close()


@contextlib.asynccontextmanager
async def running(*words: str, fds: Sequence[int] = ()) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program beside this one; ended with the block where it has not ended by itself."""
    pipe = asyncio.subprocess.PIPE
    environ = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}
    child = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, pass_fds=fds, env=environ)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def commits(plane: DataPlane, count: int, servers: int) -> list[Applied]:
    """So many, each of them a weight for each of so many servers."""
    publisher = plane._publisher  # noqa: SLF001 - what it says of each commit is what is measured here
    done = []
    for number in range(count):
        changes = [SetWeight('bench', f's{server}', 1 + number % 2) for server in range(servers)]
        done.append(await publisher.submit(changes, source='bench'))
    return done


async def measure(plane: DataPlane, options: argparse.Namespace, load: Sequence[str]) -> bool:
    """Print what `commits` took. Was the pause short enough?"""
    board = plane._board  # noqa: SLF001 - the observer needs the lock itself
    at, good = board.layout, True
    observer = (sys.executable, '-m', 'bench.barrier.observer', str(board.fd), json.dumps(at.maxima))
    for servers in (1, options.servers):
        async with contextlib.AsyncExitStack() as stack:
            loading = await stack.enter_async_context(running(*load)) if load else None
            watching = await stack.enter_async_context(running(*observer, fds=(board.fd,)))
            assert watching.stdout is not None
            await watching.stdout.readline()  # it has started: what it does not see is not measured
            done = await commits(plane, options.commits, servers)
            said, _ = await watching.communicate(b'')
            if watching.returncode:
                raise RuntimeError(f'the observer ended with status {watching.returncode}')
            if loading is not None and loading.returncode is not None:
                raise RuntimeError(f'the load ended before the last commit, with status {loading.returncode}')
        pauses = [applied.pause_us for applied in done]
        good = good and sorted(pauses)[int(len(pauses) * 0.99)] <= MOST_P99_US
        print(
            f'{options.commits:,} commits of {servers:,} of {options.servers:,} servers, {len(done[0].workers)} workers'
        )
        print(f'  pause: the lock held by a commit      {shares(pauses)}')
        print(f'  the supervisor waiting for the lock   {shares([applied.wait_us for applied in done])}')
        print(f'  a worker waiting for the lock         {shares(json.loads(said))}', flush=True)
    return good


async def run(options: argparse.Namespace, directory: Path, origin: int) -> bool:
    port, file = free_port(), directory / 'haproxy.cfg'
    servers = '\n'.join(f'    server s{number} 127.0.0.1:{origin}' for number in range(options.servers))
    file.write_text(_CONFIGURATION.format(port=port, algorithm=options.algorithm, servers=servers))
    load: Sequence[str] = ()
    if not options.idle:
        script = directory / 'load.lua'
        script.write_text(wrk.script(_LOAD))
        load = wrk.command('wrk', _LOAD, port, LOAD_S, str(script))
    async with data_plane(file) as plane:
        measuring, stopped = (
            asyncio.ensure_future(measure(plane, options, load)),
            asyncio.ensure_future(plane.stopped()),
        )
        try:
            await asyncio.wait((measuring, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not measuring.done():
                raise Stopped
            return measuring.result()
        finally:
            for task in (measuring, stopped):
                task.cancel()
            await asyncio.gather(measuring, stopped, return_exceptions=True)


def main() -> int:
    options = arguments()
    if not options.idle and shutil.which('wrk') is None:
        print('wrk is not installed (Debian: apt-get install wrk); --idle measures without load', file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix='sluice-barrier-') as name:
        port = free_port()
        words = [sys.executable, '-m', 'bench.origin', str(port)]
        origin = Child(words, frozenset(os.sched_getaffinity(0)), Path(name), {'PYTHONPATH': str(ROOT)})
        try:
            origin.listening(port)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return 0 if runner.run(run(options, Path(name), port)) else 1
        except Stopped:
            print('the data plane was stopped before the last commit', file=sys.stderr)
            return 130
        finally:
            origin.stop()


if __name__ == '__main__':
    raise SystemExit(main())
