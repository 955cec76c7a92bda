"""REST call to applied: a control plane, a real data plane with two workers, and PATCH with ?wait=acked."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAUSE_S = 0.02  # between two calls: the machine is to be half idle
START_S = 30.0
CONFIGURATION = """
global
    nbthread 2
    node {name}
    control-plane http://{address}
    state-dir {directory}/{name}
    stats socket {directory}/{name}.sock mode 600 level admin
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
frontend bench
    bind 127.0.0.1:{port}
    use-routes
"""


class Rest:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection('127.0.0.1', port, timeout=30)

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        content = None if body is None else json.dumps(body)
        self._http.request(method, path, content, {'Content-Type': 'application/json'} if content else {})
        answer = self._http.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def close(self) -> None:
        self._http.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port: int = probe.getsockname()[1]
        return port


def configured(directory: Path, name: str, address: str) -> Path:
    """The configuration of a data plane of two workers, which dials the control plane at `address`."""
    path = directory / f'{name}.cfg'
    path.write_text(CONFIGURATION.format(directory=directory, name=name, address=address, port=free_port()))
    return path


@contextlib.contextmanager
def child(directory: Path, name: str, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of ours; what it prints goes to a file in `directory`."""
    with (directory / f'{name}.log').open('wb') as log:
        process = subprocess.Popen([sys.executable, '-m', *argv], cwd=ROOT, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def until_connected(rest: Rest, directory: Path) -> None:
    """Until the data plane is connected and has both workers."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            _, found = rest.call('GET', '/v1/dataplanes')
            if any(plane['connected'] and plane['lag'] == 0 for plane in found['items']):
                return
        rest.close()
        time.sleep(0.1)
    logs = '\n'.join(path.read_text(errors='replace')[-2000:] for path in directory.glob('*.log'))
    raise SystemExit(f'bench.push: the data plane did not connect within {START_S:g} s\n{logs}')


def measure_rest(calls: int, directory: Path) -> list[float]:
    """Milliseconds from sending each PATCH to its answer, which says that all workers have applied it."""
    port = free_port()
    address = f'127.0.0.1:{port}'
    configuration = configured(directory, 'bench', address)
    store = ('--store', f'sqlite:///{directory}/rest.db', '--listen', address)
    with (
        child(directory, 'control', 'controlplane', *store),
        child(directory, 'data', 'dataplane.supervisor.main', '-f', str(configuration)),
    ):
        rest = Rest(port)
        until_connected(rest, directory)
        servers = {f's{n}': {'address': '127.0.0.1', 'port': 9_000 + n} for n in range(1, 11)}
        status, answer = rest.call('PUT', '/v1/backends/app?wait=acked', {'servers': servers})
        if status != 200:
            raise SystemExit(f'bench.push: the backend was not made: {status} {answer}')
        return [one_call(rest, number) for number in range(calls)]


def one_call(rest: Rest, number: int) -> float:
    time.sleep(PAUSE_S)
    began = time.perf_counter()
    path = f'/v1/backends/app/servers/s{number % 10 + 1}?wait=acked&timeout=10s'
    status, answer = rest.call('PATCH', path, {'weight': number // 10 % 200 + 2})
    passed = (time.perf_counter() - began) * 1e3
    if status != 200 or [plane['workers'] for plane in answer['dataplanes']] != [[0, 1]]:
        raise SystemExit(f'bench.push: {path} answered {status}: {answer}')
    return passed
