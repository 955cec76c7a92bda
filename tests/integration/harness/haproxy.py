"""Debian's HAProxy as an oracle: which server of a backend does it pick for a request?

One process with three frontends: `up` answers everything by itself, so that no server needs to exist, `hold` answers nothing for
a minute, and `f` sends a request to the backend that its header `x-be` names and tells in the answer's `x-server` who was picked.
"""

from __future__ import annotations

import http.client
import shutil
import signal
import socket
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
    """`with RealHaproxy(directory, backends) as real`: in `backends` `{up}` and `{hold}` are those ports."""

    def __init__(self, directory: Path, backends: str) -> None:
        self._ports = Ports()
        self.up, self.hold, self.port = (self._ports.take() for _ in range(3))
        self.backends = backends.replace('{up}', str(self.up)).replace('{hold}', str(self.hold))
        self._held: list[http.client.HTTPConnection] = []
        self.socket = directory / 'haproxy.sock'
        self._file = directory / 'haproxy.cfg'
        self._file.write_text(
            f'global\n    stats socket {self.socket} level admin\n{DEFAULTS}'
            f'frontend up\n    bind 127.0.0.1:{self.up}\n    http-request return status 200\n'
            f'frontend hold\n    bind 127.0.0.1:{self.hold}\n    timeout tarpit 60s\n    http-request tarpit\n'
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
        for client in (self.client, *self._held):
            client.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=_PATIENCE)
        self._ports.close()

    def pick(self, backend: str, target: str = '/', source: str = '', **headers: str) -> str:
        """The server of the backend that it picks for one request, of a client with the address `source`."""
        client = self.client
        if source:
            client = http.client.HTTPConnection('127.0.0.1', self.port, timeout=_PATIENCE, source_address=(source, 0))
        # Not last is the field that is hashed: for `use_domain_only` HAProxy 2.6 looks one byte behind the
        # value's end, and with nothing there takes what an earlier request left.
        client.request('GET', target, headers=headers | {'x-be': backend})
        answer = client.getresponse()
        answer.read()
        if client is not self.client:
            client.close()
        return answer.headers['x-server'] or ''

    def keep(self, backend: str, target: str) -> dict[str, int]:
        """One request more that is not answered while this lasts; how many each server of the backend has then."""
        before = sum(self.busy(backend).values())
        client = http.client.HTTPConnection('127.0.0.1', self.port, timeout=_PATIENCE)
        client.request('GET', target, headers={'x-be': backend})
        self._held.append(client)
        until = time.monotonic() + _PATIENCE
        while sum((now := self.busy(backend)).values()) <= before:
            assert time.monotonic() < until, now
        return now

    def busy(self, backend: str) -> dict[str, int]:
        """How many sessions each server of a backend has."""
        names, *rows = (row.split(',') for row in self.cli('show stat').lstrip('# ').splitlines() if row)
        found = [dict(zip(names, row, strict=True)) for row in rows]
        return {
            row['svname']: int(row['scur']) for row in found if row['pxname'] == backend and row['svname'] != 'BACKEND'
        }

    def cli(self, command: str) -> str:
        """What it answers on its stats socket."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.socket))
            client.sendall(command.encode() + b'\n')
            return b''.join(iter(lambda: client.recv(65_536), b'')).decode()
