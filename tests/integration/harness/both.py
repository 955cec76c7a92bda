"""The same lines of a haproxy.cfg for the real HAProxy, as a process, and for one worker's traffic in this very one."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from dataplane.config import load
from dataplane.core.model import Snapshot
from tests.integration.harness.proxy import snapshot


def behind(text: str) -> Snapshot:
    """The one backend of a file, behind the harness' own frontend."""
    (backend,) = load([('test.cfg', text)], {}, cores=1).snapshot.backends
    return replace(snapshot(()), backends=(replace(backend, name='be', id=3),))


def listening(port: int, log: int, lines: str, servers: str, server_timeout: str = '5s') -> str:
    """A `listen` on this port that logs to that one, with more `lines` and its `servers`."""
    return f"""
listen x
    bind 127.0.0.1:{port}
    mode http
    option httplog
    option dontlognull
    log 127.0.0.1:{log} local0
    timeout client 20s
    timeout server {server_timeout}
    timeout connect 1s
    balance roundrobin
    {lines}
{servers}
"""


@contextmanager
def log_socket() -> Iterator[socket.socket]:
    """Where datagrams of a log arrive."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
        log.bind(('127.0.0.1', 0))
        log.setblocking(False)
        yield log


@contextmanager
def running(*words: str) -> Iterator[None]:
    """A program, killed at the end."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def accepts(port: int) -> bool:
    """Does somebody listen?"""
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0
