"""The two planes as real processes, started as a person would start them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.integration.harness.cli import Cli
from tests.integration.harness.owners import connections_of
from tests.integration.harness.ports import Ports
from tests.integration.harness.procs import Child, children_of, python, spawn
from tests.integration.harness.upstream import Upstream
from tests.integration.harness.waiting import until

_START = 60.0
_HEAD = """global
    nbthread {workers}
    maxconn 4000
    node {name}
    stats socket {directory}/{name}.sock level admin
    state-dir {directory}/{name}.state
    isolation-timeout 1s
    {extra}
defaults
    mode http
    option redispatch
    timeout client 30s
    timeout server 30s
    timeout connect 2s
    timeout queue {queue}
"""


def listen(port: int, servers: str, backend: str = 'px') -> str:
    """A `listen` section with its `server` lines (one a line, as in the manual)."""
    lines = '\n'.join(f'    server {line.strip()}' for line in servers.strip().splitlines())
    return f'listen {backend}\n    bind 127.0.0.1:{port}\n{lines}\n'


def routed(port: int) -> str:
    """A frontend that sends requests where the control plane's routes say."""
    return f'frontend www\n    bind 127.0.0.1:{port}\n    use-routes\n'


@dataclass
class DataPlane:
    """One data plane. Its configuration is in `text`; `port` is the one its tests talk to. `under`: what starts the program;
    `options`: further words of its command line.
    """

    directory: Path
    name: str
    port: int
    sections: str
    workers: int = 2
    queue: str = '3s'
    control_plane: str | None = None
    child: Child | None = None
    extra: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    under: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    cli: Cli = field(init=False)

    def __post_init__(self) -> None:
        self.cli = Cli(self.directory / f'{self.name}.sock')

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        assert self.child is not None, f'{self.name} was not started'
        return self.child.pid

    def write(self) -> Path:
        """Write the configuration file."""
        extra = (*self.extra, *([f'control-plane {self.control_plane}'] if self.control_plane else []))
        head = _HEAD.format(
            workers=self.workers, name=self.name, directory=self.directory, extra='\n    '.join(extra), queue=self.queue
        )
        path = self.directory / f'{self.name}.cfg'
        path.write_text(head + self.sections)
        return path

    async def start(self) -> None:
        """Start it, and return when its stats socket answers and all workers are there."""
        argv = [*self.under, *python('dataplane.supervisor.main', *self.options, '-f', str(self.write()))]
        self.child = await spawn(argv, name=self.name, directory=self.directory, environment=self.environment)
        await until(self._is_up, within=_START, what=f'{self.name} is up')

    async def _is_up(self) -> bool:
        assert self.child is not None
        if self.child.returncode is not None:
            raise AssertionError(self.child.report())
        return len(self.worker_pids()) == self.workers and await self.cli.ready()

    async def reload(self, number: signal.Signals = signal.SIGUSR2) -> str:
        """Write the file, signal, and return what was said about it."""
        self.write()
        said = len(self.printed())
        assert self.child is not None
        self.child.signal(number)
        return await until(
            lambda: text if 'Reload' in (text := self.printed()[said:]) else '', within=60, what='the reload is over'
        )

    async def stop(self) -> None:
        """SIGTERM and wait."""
        if self.child is not None:
            await self.child.stop()

    async def kill(self) -> None:
        """SIGKILL the supervisor (its workers end with it) and wait."""
        assert self.child is not None
        self.child.signal(signal.SIGKILL)
        await self.child.wait(30)

    def worker_pids(self) -> list[int]:
        """Process ids of the workers that are running (a zombie is not), oldest first."""
        assert self.child is not None
        if self.child.returncode is not None:
            return []
        return [pid for pid in children_of(self.child.pid) if _runs(pid)]

    def owners(self) -> dict[int, set[int]]:
        """By worker process: the client ports of the connections it has accepted on `port`."""
        return {pid: connections_of(pid, self.port) for pid in self.worker_pids()}

    def printed(self) -> str:
        """Everything it has printed."""
        assert self.child is not None
        return self.child.printed.read_text(errors='replace')


@dataclass
class ControlPlane:
    """One control plane with a SQLite store that outlives its restarts."""

    directory: Path
    port: int
    child: Child | None = None
    options: tuple[str, ...] = ()
    _client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self._client = httpx.AsyncClient(verify=False, trust_env=False)

    @property
    def url(self) -> str:
        """Where its REST interface is."""
        return f'http://127.0.0.1:{self.port}'

    async def start(self) -> None:
        """Start it, and return when it answers."""
        store = f'sqlite:///{self.directory}/control.db'
        argv = python('controlplane', '--store', store, '--listen', f'127.0.0.1:{self.port}', *self.options)
        self.child = await spawn(argv, name='controlplane', directory=self.directory)
        await until(self._is_up, within=_START, what='the control plane is up')

    async def _is_up(self) -> bool:
        assert self.child is not None
        if self.child.returncode is not None:
            raise AssertionError(self.child.report())
        try:
            return (await self.request('GET', '/v1/backends')).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def stop(self) -> None:
        """SIGTERM and wait; the end of this control plane in this test."""
        await self._client.aclose()
        if self.child is not None:
            await self.child.stop()

    async def kill(self) -> None:
        """SIGKILL and wait."""
        assert self.child is not None
        self.child.signal(signal.SIGKILL)
        await self.child.wait(30)

    async def request(self, method: str, path: str, body: object = None, within: float = 90.0) -> httpx.Response:
        """One REST call."""
        return await self._client.request(method, f'{self.url}{path}', json=body, timeout=within)

    async def must(self, method: str, path: str, body: object = None, within: float = 90.0) -> Any:
        """One REST call that must succeed with 200, 201 or 204; returns its document."""
        response = await self.request(method, path, body, within)
        assert response.status_code in {200, 201, 204}, f'{method} {path}: {response.status_code} {response.text}'
        return response.json() if response.content else None

    async def publish(self, backend: str, servers: dict[str, Upstream], wait: str = '', **spec: Any) -> None:
        """Make (or replace) a backend whose servers are these, `maxConn` for each from `spec` if it is given."""
        each = {key: spec.pop(key) for key in ('maxConn',) if key in spec}
        body = {
            **spec,
            'servers': {name: {'address': '127.0.0.1', 'port': of.port, **each} for name, of in servers.items()},
        }
        await self.must('PUT', f'/v1/backends/{backend}{wait}', body)

    async def patch(self, server: str, query: str = '', **spec: Any) -> httpx.Response:
        """PATCH of 'backend/server'."""
        backend, _, name = server.partition('/')
        return await self.request('PATCH', f'/v1/backends/{backend}/servers/{name}{query}', spec)


class Stage:
    """Everything of one test; what was started is surely ended, and what it printed is shown when the test fails."""

    def __init__(self, directory: Path, ports: Ports, stack: AsyncExitStack) -> None:
        self.directory = directory
        self.ports = ports
        self.stack = stack
        self.children: list[DataPlane | ControlPlane] = []

    async def upstream(self, name: str, service: Any = 0.005) -> Upstream:
        """A counting server."""
        return await self.stack.enter_async_context(Upstream(name, service))

    async def enter(self, manager: Any) -> Any:
        """Enter a context that is left when the test is over."""
        return await self.stack.enter_async_context(manager)

    async def data_plane(
        self, sections: str, *, name: str = 'dp', port: int, start: bool = True, **options: Any
    ) -> DataPlane:
        """A data plane, started."""
        plane = DataPlane(self.directory, name, port, sections, **options)
        self.children.append(plane)
        self.stack.push_async_callback(plane.stop)
        if start:
            await plane.start()
        return plane

    async def control_plane(self, *options: str) -> ControlPlane:
        """A control plane, started."""
        plane = ControlPlane(self.directory, self.ports.take(), options=options)
        self.children.append(plane)
        self.stack.push_async_callback(plane.stop)
        await plane.start()
        return plane

    def report(self) -> str:
        """What all processes printed."""
        return '\n'.join(plane.child.report() for plane in self.children if plane.child is not None)


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """A stage in a directory of its own (short, since it holds unix sockets)."""
    directory = Path(tempfile.mkdtemp(prefix='sluice-'))
    try:
        with Ports() as ports:
            made = Stage(directory, ports, AsyncExitStack())
            try:
                async with made.stack:
                    yield made
            except BaseException:
                print(made.report())
                raise
    finally:
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


def _runs(pid: int) -> bool:
    """False for a process that is gone or has ended and was not waited for."""
    try:
        text = Path(f'/proc/{pid}/stat').read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(')')[2].split()[0] not in {'Z', 'X'}


def stop(pid: int) -> None:
    """SIGSTOP, and return once the process stands still."""
    os.kill(pid, signal.SIGSTOP)
    while Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'T':
        os.sched_yield()
