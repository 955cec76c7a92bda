"""Processes that the bench starts: pinned, their words kept, ended by pid with all their descendants."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench import cputime


class DidNotStart(Exception):
    """A program ended, or did not listen in time; says what it printed."""


@contextlib.contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """What is started inside inherits these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """Below the range that outgoing connections take their ports from, so that none of them can take it meanwhile."""
    lowest = int(Path('/proc/sys/net/ipv4/ip_local_port_range').read_text().split()[0])
    for _ in range(1000):
        port = random.randrange(min(10_000, lowest - 1000), lowest)
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
            return port
    raise DidNotStart(f'no free port below {lowest}')


def end_descendants() -> None:
    """Whatever this process started and did not end, e.g. because Ctrl-C came between a start and its `try`."""
    for pid in cputime.tree(os.getpid())[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Child:
    """One program and its descendants; its own session, so that Ctrl-C reaches the bench alone, which then ends it."""

    def __init__(
        self, command: Sequence[str], cores: frozenset[int], folder: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self.command = command
        self._said = folder / 'output.txt'
        with pinned(cores), self._said.open('wb') as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **(environ or {})}, cwd=folder, start_new_session=True,
            )  # fmt: skip
        self.pid = self._process.pid

    def said(self) -> str:
        return self._said.read_text(errors='replace').strip()

    def listening(self, port: int | None, seconds: float = 20.0) -> int:
        """Waits until the port takes connections; None: the port is the first line it prints."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise DidNotStart(f'{self.command[0]} ended with {self._process.returncode}: {self.said()[-500:]}')
            if port is None and (first := self.said().split('\n')[0]).isdigit():
                port = int(first)
            if port is not None:
                with contextlib.suppress(ConnectionRefusedError), socket.create_connection(('127.0.0.1', port), 1):
                    return port
            time.sleep(0.02)
        raise DidNotStart(f'{self.command[0]} does not listen after {seconds:.0f} s: {self.said()[-500:]}')

    def wait(self, seconds: float) -> str:
        """What it printed, once it has ended; subprocess.TimeoutExpired when it has not."""
        self._process.wait(seconds)
        return self.said()

    def stop(self) -> None:
        """SIGTERM and two seconds; then SIGKILL to whatever of it is left."""
        family = cputime.tree(self.pid) if self._process.poll() is None else [self.pid]
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        for pid in family[1:]:
            # a descendant outlives its parent only when that did not end it; its session tells it from a reused pid
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(pid) == self.pid:
                    os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
