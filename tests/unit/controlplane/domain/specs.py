"""Small values for the tests of the domain."""

from __future__ import annotations

from typing import Any

from controlplane.domain.desired import Desired, Key, Write
from controlplane.domain.version import Version

APP = Key('backend', 'app')
S1, S2, S3, S4 = (Key('server', f's{n}', 'app') for n in range(1, 5))
ROUTE = Key('route', 'r1')
BACKEND: dict[str, Any] = {
    'balance': 'roundrobin',
    'retries': 3,
    'redispatch': 0,
    'fullconn': 0,
    'allbackups': False,
    'timeouts': {'connect': 1, 'server': 1, 'queue': 1, 'tunnel': None},
}
SERVER: dict[str, Any] = {
    'address': '10.0.0.1',
    'port': 80,
    'weight': 1,
    'maxConn': 0,
    'minConn': 0,
    'maxQueue': 0,
    'backup': False,
    'adminState': 'ready',
    'sessionGeneration': 0,
}


def app(*servers: Key) -> Desired:
    """A desired state with backend app and these servers, at 1.2."""
    writes = [Write(APP, BACKEND), *(Write(key, SERVER) for key in servers)]
    return Desired().after(writes, Version(1, 2))
