"""Servers that are reached by a unix socket: how their address is written where others have a host (configuration manual 11.1).

`unix@PATH`, `abns@NAME` or `abnsz@NAME`: no host's name has an `@`. They have no port.
"""

from __future__ import annotations

from typing import Final

PREFIXES: Final = ('unix@', 'abns@', 'abnsz@')
_LENGTH: Final = 108
"""Of an address in the kernel: an `abns@` name fills it up, as HAProxy's do."""


def is_unix(host: str) -> bool:
    """Is it the address of a unix socket?"""
    return host.startswith(PREFIXES)


def unix_path(host: str) -> str:
    """What such a socket is connected to: a path, or NUL and an abstract name."""
    kind, _, name = host.partition('@')
    if kind == 'unix':
        return name
    whole = '\0' + name
    return whole if kind == 'abnsz' else whole + '\0' * (_LENGTH - len(whole.encode('utf-8', 'surrogateescape')))
