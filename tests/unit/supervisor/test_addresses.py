"""Addresses of servers as they are shown."""

from __future__ import annotations

import pytest

from dataplane.core.model import Server
from dataplane.supervisor.addresses import address, host


@pytest.mark.parametrize(
    'given, port, shown',
    [
        ('127.0.0.1', 80, ('127.0.0.1:80', '127.0.0.1')), ('::1', 0, ('[::1]:0', '::1')), ('app', 8, ('app:8', 'app')),
        ('unix@/run/app', 0, ('unix', '-')), ('abns@app', 0, ('unix', '-')),
    ],
)  # fmt: skip
def test_addresses(given: str, port: int, shown: tuple[str, str]) -> None:
    server = Server(name='s', id=1, host=given, port=port)
    assert (address(server), host(server)) == shown
