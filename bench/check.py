"""Is what the proxy answers right? Samples over connections of their own: status, length, hash."""

from __future__ import annotations

import hashlib
import http.client
import threading

from bench.cases import Case, headers, payload

TIMEOUT = 20.0


class Wrong(Exception):
    """A proxy answered something else than the origin did."""


def ask(connection: http.client.HTTPConnection, case: Case, path: str, body: bytes = b'') -> tuple[bytes, int]:
    """The body, and how many bytes the whole answer had; Wrong for anything but a complete 200."""
    try:
        connection.request('POST' if body else 'GET', path, body or None, dict(headers(case)))
        response = connection.getresponse()
        head = sum(len(name) + len(value) + 4 for name, value in response.getheaders())
        data = response.read()
    except (OSError, http.client.HTTPException) as failed:
        raise Wrong(f'{path}: {type(failed).__name__} {failed}'.strip()) from failed
    if response.status != 200:
        raise Wrong(f'{path}: status {response.status}')
    status_line = len(f'HTTP/1.1 {response.status} {response.reason}\r\n\r\n')
    return data, status_line + head + len(data)


def same(path: str, got: bytes, wanted: bytes) -> None:
    if len(got) != len(wanted):
        raise Wrong(f'{path}: {len(got)} bytes instead of {len(wanted)}')
    if hashlib.sha256(got).digest() != hashlib.sha256(wanted).digest():
        raise Wrong(f'{path}: the bytes differ')


class Checker:
    """Checks one proxy for one case."""

    def __init__(self, case: Case, port: int) -> None:
        self._case = case
        self._port = port
        self._upload = payload(case.upload)
        self._wanted = str(case.upload).encode() if case.upload else payload(case.body)

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection('127.0.0.1', self._port, timeout=TIMEOUT)

    def once(self, requests: int = 1) -> int:
        """So many requests, over one connection where it is kept; the size of an answer on the wire."""
        connection, size = self._connection(), 0
        try:
            for _ in range(requests):
                got, size = ask(connection, self._case, self._case.path, self._upload)
                same(self._case.path, got, self._wanted)
                if self._upload:
                    got, _ = ask(connection, self._case, '/hash', self._upload)
                    same('/hash', got, hashlib.sha256(self._upload).hexdigest().encode())
        finally:
            connection.close()
        return size

    def forwarded(self) -> None:
        """Does option forwardfor say who asked?"""
        connection = self._connection()
        try:
            got, _ = ask(connection, self._case, '/forwarded')
        finally:
            connection.close()
        same('/forwarded', got, b'127.0.0.1')


class Sampler:
    """`with Sampler(checker) as sampler`: samples while the load runs; then `sampler.wrong` is the first failure."""

    def __init__(self, checker: Checker, every: float = 0.3) -> None:
        self._checker = checker
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.taken = 0
        self.wrong: Exception | None = None

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._thread.join(2 * TIMEOUT)

    def _sample(self) -> None:
        try:
            while not self._over.wait(self._every):
                self._checker.once()
                self.taken += 1
        except Exception as wrong:  # noqa: BLE001 - whatever ended the sampling, the case was not checked and has failed
            self.wrong = wrong
