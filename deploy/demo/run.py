"""`make run`: both planes and three slow servers on this machine, with something to try. Ctrl-C ends all of it.

Addresses are those of the table in README.md; each can be moved by an environment variable, so that two demos can run side
by side: SLUICE_PROXY_PORT, SLUICE_STATS_PORT, SLUICE_REST_PORT, SLUICE_DEMO_PORTS (three, with commas), SLUICE_RUN_DIR.

Every program runs in a session of its own, so that Ctrl-C reaches only this one, which then ends them in order: first the
data plane, then what it needs. If this program is killed the kernel ends them (PR_SET_PDEATHSIG). What they print goes to
files in the run directory; the end of such a file is shown when its program fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

DEMO = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
PR_SET_PDEATHSIG = 1
START_SECONDS = 30
STOP_SECONDS = 10
# server -> how many requests it can do at once, and how many milliseconds one takes it
SERVERS = {'s1': (1, 30), 's2': (1, 40), 's3': (2, 60)}


class DemoError(Exception):
    """Something a person can mend; its text says what."""


@dataclass(frozen=True)
class Settings:
    """Where everything listens. Ports are on 127.0.0.1."""

    proxy: int
    stats: int
    rest: int
    demo: tuple[int, ...]
    run_dir: Path

    @classmethod
    def from_environment(cls, env: dict[str, str]) -> Self:
        """Raise DemoError naming the variable that makes no sense."""
        demo = env.get('SLUICE_DEMO_PORTS', '9001,9002,9003').split(',')
        if len(demo) != len(SERVERS):
            raise DemoError(f'SLUICE_DEMO_PORTS must be {len(SERVERS)} ports with commas, not {",".join(demo)!r}')
        return cls(
            proxy=_port('SLUICE_PROXY_PORT', env.get('SLUICE_PROXY_PORT', '8080')),
            stats=_port('SLUICE_STATS_PORT', env.get('SLUICE_STATS_PORT', '8404')),
            rest=_port('SLUICE_REST_PORT', env.get('SLUICE_REST_PORT', '8000')),
            demo=tuple(_port('SLUICE_DEMO_PORTS', one) for one in demo),
            run_dir=Path(env.get('SLUICE_RUN_DIR', 'run')),
        )

    def to_environment(self) -> dict[str, str]:
        """What the programs see; sluice.cfg takes its addresses from here."""
        return {
            **os.environ,
            'SLUICE_PROXY_PORT': str(self.proxy),
            'SLUICE_STATS_PORT': str(self.stats),
            'SLUICE_REST_PORT': str(self.rest),
            'SLUICE_RUN_DIR': str(self.run_dir),
        }


def _port(variable: str, text: str) -> int:
    if not text.strip().isdecimal() or not 0 < int(text) < 65536:
        raise DemoError(f'{variable}: {text!r} is not a port')
    return int(text)


def check_ports(settings: Settings) -> None:
    """Name the first port that is taken, before anything is started."""
    movable = {
        settings.proxy: 'SLUICE_PROXY_PORT', settings.stats: 'SLUICE_STATS_PORT', settings.rest: 'SLUICE_REST_PORT',
        **dict.fromkeys(settings.demo, 'SLUICE_DEMO_PORTS'),
    }  # fmt: skip
    for port, variable in movable.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(('127.0.0.1', port))
            except OSError as error:
                raise DemoError(f'127.0.0.1:{port}: {error.strerror}; choose another with {variable}=...') from error


@contextlib.contextmanager
def alone_in(run_dir: Path) -> Iterator[None]:
    """Keep another demo out of the run directory, which it would take the socket and the database of."""
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / 'lock').open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DemoError(f'{run_dir}: another demo runs in it; choose another with SLUICE_RUN_DIR=...') from error
        yield


@dataclass
class Program:
    """One started program and the file its output goes to."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    def why(self) -> str:
        """How it ended, with the end of what it printed."""
        tail = '\n'.join(f'    {line}' for line in self.log.read_text(errors='replace').splitlines()[-15:])
        return f'{self.name} ended with status {self.process.returncode}; the end of {self.log}:\n{tail}'


@dataclass
class Demo:
    """All programs of one demo."""

    settings: Settings
    programs: list[Program] = field(default_factory=list)

    async def start(self, name: str, *command: str) -> None:
        """Start one program; its failure is noticed by `run_until`."""
        log = self.settings.run_dir / f'{name}.log'
        with log.open('wb') as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                env=self.settings.to_environment(),
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self.programs.append(Program(name, process, log))

    async def run_until(self, done: Awaitable[Any], what: str, seconds: float | None = None) -> None:
        """Wait for `done`; raise DemoError when a program ends first or `seconds` are over."""
        wanted = asyncio.ensure_future(done)
        ends = {asyncio.create_task(program.process.wait()): program for program in self.programs}
        try:
            finished, _ = await asyncio.wait({wanted, *ends}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if wanted in finished:
                await wanted
                return
            for task in finished:
                raise DemoError(ends[task].why())
            raise DemoError(f'{what} took more than {seconds} s; see the logs in {self.settings.run_dir}')
        finally:
            for task in (wanted, *ends):
                task.cancel()

    async def stop(self) -> None:
        """End all programs, the last started first: the data plane before the control plane and the servers."""
        for program in reversed(self.programs):
            if program.process.returncode is None:
                program.process.terminate()
                try:
                    await asyncio.wait_for(program.process.wait(), STOP_SECONDS)
                except TimeoutError:
                    print(f'{program.name} did not stop within {STOP_SECONDS} s and is killed', file=sys.stderr)
            # whatever of its session is left, also when it died without looking after its children
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.process.pid, signal.SIGKILL)
            await program.process.wait()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _open(request: urllib.request.Request | str) -> bytes:
    """The body of the answer. Raises OSError when there is none, or when its status says that it failed."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
        body: bytes = answer.read()
        return body


def _put(url: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(
        url, data=json.dumps(body).encode(), method='PUT', headers={'content-type': 'application/json'}
    )
    try:
        _open(request)
    except urllib.error.HTTPError as error:
        raise DemoError(f'PUT {url}: {error.code} {error.read().decode(errors="replace")}') from error


async def answers(url: str, good: Callable[[bytes], bool] = lambda body: True) -> None:
    """Return once `url` answers 200 with something good. There is nothing to wait on but the answer, so it is asked for."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if good(await asyncio.to_thread(_open, url)):
                return
        await asyncio.sleep(0.1)
    raise DemoError(f'{url} did not answer within {START_SECONDS} s')


def _is_up_to_date(body: bytes) -> bool:
    """Has a data plane all that the control plane wants? Asked there, since a request before that would be a failed one."""
    return any(plane['connected'] and plane['lag'] == 0 for plane in json.loads(body)['items'])


async def seed(settings: Settings) -> None:
    """Tell the control plane what there is. Values are absolute: every start begins with the same demo."""
    base = f'http://127.0.0.1:{settings.rest}/v1'
    backend = {
        'balance': 'leastconn',
        'retries': 3,
        'redispatch': 1,
        'timeouts': {'connect': 5000, 'server': 30000, 'queue': 10000},
    }
    await asyncio.to_thread(_put, f'{base}/backends/demo', backend)
    for (name, (slots, _)), port in zip(SERVERS.items(), settings.demo, strict=True):
        server = {'address': '127.0.0.1', 'port': port, 'maxConn': slots, 'adminState': 'ready'}
        await asyncio.to_thread(_put, f'{base}/backends/demo/servers/{name}', server)
    await asyncio.to_thread(_put, f'{base}/routes/demo', {'host': '', 'pathPrefix': '/', 'backend': 'demo'})


def _short(path: Path) -> str:
    """From here, if it is below here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def banner(settings: Settings) -> str:
    """What a person needs to know next."""
    here, demo = _short(BIN), _short(DEMO)
    url = f'http://127.0.0.1:{settings.rest}'
    return f"""
Sluice is running: one control plane, one data plane with 2 workers, three slow servers.

  proxy         http://127.0.0.1:{settings.proxy}/
  REST          {url}/docs
  statistics    http://127.0.0.1:{settings.stats}/  and /metrics
  stats socket  {settings.run_dir}/sluice.sock
  servers       {'  '.join(f'{name} 127.0.0.1:{port}' for name, port in zip(SERVERS, settings.demo, strict=True))}
  logs          {settings.run_dir}/*.log

Three commands to try, in another terminal (the first runs for 10 s; give the others meanwhile):

  $ {here}/python {demo}/load.py http://127.0.0.1:{settings.proxy}/
  $ {here}/sluicectl --url {url} drain demo/s1 --wait
  $ curl -s -X PATCH -H 'content-type: application/json' -d '{{"adminState": "ready"}}' '{url}/v1/backends/demo/servers/s1?wait=acked'

Ctrl-C ends all of it.
"""


async def bring_up(demo: Demo) -> None:
    """Start everything in the order of need, each thing once what it needs answers."""
    settings = demo.settings
    for (name, (slots, milliseconds)), port in zip(SERVERS.items(), settings.demo, strict=True):
        await demo.start(name, sys.executable, str(DEMO / 'server.py'), name, str(port), str(slots), str(milliseconds))
    store = f'sqlite:///{settings.run_dir.resolve()}/sluice.db'
    await demo.start(
        'controlplane', str(BIN / 'sluice-controlplane'), '--store', store, '--listen', f'127.0.0.1:{settings.rest}'
    )
    rest = answers(f'http://127.0.0.1:{settings.rest}/v1/backends')
    await demo.run_until(rest, 'the control plane', START_SECONDS)
    await demo.run_until(seed(settings), 'telling the control plane what there is', START_SECONDS)
    await demo.start('dataplane', str(BIN / 'sluice-dataplane'), '-f', str(DEMO / 'sluice.cfg'))
    told = answers(f'http://127.0.0.1:{settings.rest}/v1/dataplanes', _is_up_to_date)
    await demo.run_until(told, 'the data plane', START_SECONDS)
    await demo.run_until(answers(f'http://127.0.0.1:{settings.proxy}/'), 'the proxy', START_SECONDS)


async def show(demo: Demo, stop: asyncio.Event) -> None:
    """Bring all of it up, say so, and end all of it when `stop` is set or something fails."""
    try:
        up = asyncio.create_task(bring_up(demo))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({up, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)
            return
        await up
        print(banner(demo.settings), flush=True)
        await demo.run_until(stop.wait(), 'the demo')
    finally:
        await demo.stop()


async def main() -> int:
    """Run the demo until SIGINT or SIGTERM; the exit status is 0 then, and 1 when something failed."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    try:
        settings = Settings.from_environment(dict(os.environ))
        check_ports(settings)
        with alone_in(settings.run_dir):
            await show(Demo(settings), stop)
    except (DemoError, OSError) as error:
        print(f'demo: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(asyncio.run(main()))
