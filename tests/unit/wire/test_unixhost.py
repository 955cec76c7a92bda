"""Addresses of unix sockets as hosts."""

from __future__ import annotations

import pytest

from dataplane.wire.unixhost import is_unix, unix_path


@pytest.mark.parametrize(
    'host, path',
    [
        ('unix@/run/app.sock', '/run/app.sock'), ('unix@app.sock', 'app.sock'), ('abnsz@app', '\0app'),
        ('abns@app', '\0app' + '\0' * 104),
    ],
)  # fmt: skip
def test_where_they_lead(host: str, path: str) -> None:
    assert is_unix(host)
    assert unix_path(host) == path


@pytest.mark.parametrize('host', ['', 'app', '127.0.0.1', '::1', 'unix', 'abns.example'])
def test_other_hosts(host: str) -> None:
    assert not is_unix(host)
