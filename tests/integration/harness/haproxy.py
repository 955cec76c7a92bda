"""Debian's HAProxy as an oracle: which server of a backend does it pick for a request?

One process with two frontends: `up` answers everything by itself, so that no server needs to exist, and `f` sends a request to
the backend that its header `x-be` names and tells in the answer's `x-server` who was picked.
"""

from __future__ import annotations

import http.client
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType

import pytest

from tests.integration.harness.ports import Ports

needs_haproxy = pytest.mark.skipif(shutil.which('haproxy') is None, reason='HAProxy is not installed')

DEFAULTS = """
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
"""
_PATIENCE = 10.0


class RealHaproxy:
    """`with RealHaproxy(directory, backends) as real`: `backends` is text in which `{up}` is the port that answers."""

    def __init__(self, directory: Path, backends: str) -> None:
        self._ports = Ports()
        self.up, self.port = self._ports.take(), self._ports.take()
        self.backends = backends.replace('{up}', str(self.up))
        self.socket = directory / 'haproxy.sock'
        self._file = directory / 'haproxy.cfg'
        self._file.write_text(
            f'global\n    stats socket {self.socket} level admin\n{DEFAULTS}'
            f'frontend up\n    bind 127.0.0.1:{self.up}\n    http-request return status 200\n'
            f'frontend f\n    bind 127.0.0.1:{self.port}\n    use_backend %[req.hdr(x-be)]\n'
            '    http-response set-header x-server %s\n'
            f'{self.backends}'
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RealHaproxy:
        # one thread: round robin is exact only then
        self._process = subprocess.Popen(['haproxy', '-db', '-f', self._file], stderr=subprocess.PIPE)
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                self.client = http.client.HTTPConnection('127.0.0.1', self.port, timeout=_PATIENCE)
                self.client.connect()
            except ConnectionRefusedError:
                if time.monotonic() > until or self._process.poll() is not None:
                    self._process.kill()
                    raise AssertionError(self._process.communicate()[1].decode()) from None
                time.sleep(0.02)
            else:
                return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process is not None
        self.client.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=_PATIENCE)
        self._ports.close()

    def pick(self, backend: str, target: str = '/', **headers: str) -> str:
        """The server of the backend that it picks for one request."""
        self.client.request('GET', target, headers={'x-be': backend} | headers)
        answer = self.client.getresponse()
        answer.read()
        return answer.headers['x-server'] or ''
