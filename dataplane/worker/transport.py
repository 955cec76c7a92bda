"""What the system knows of a TCP connection: `struct tcp_info` (linux/tcp.h), of which the first fields are the same everywhere."""

from __future__ import annotations

import socket
import struct
from typing import Final

_HEAD: Final = 8
_WORDS: Final = struct.Struct('24I')
_PLACES: Final = {
    'unacked': 4, 'sacked': 5, 'lost': 6, 'retrans': 7, 'fackets': 8, 'rtt': 15, 'rttvar': 16, 'reordering': 20,
}  # fmt: skip
"""Where a value stands among the words behind the first eight bytes; times in microseconds."""


def tcp_info(sock: socket.socket, name: str) -> int | None:
    """A value of the connection by its name; None of a unix socket, and of a connection that is gone."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _HEAD + _WORDS.size)
    except OSError:  # what is asked of a connection that is gone has no answer
        return None
    return _WORDS.unpack_from(info, _HEAD)[_PLACES[name]] if len(info) >= _HEAD + _WORDS.size else None


def is_local(address: str) -> bool | None:
    """Is it one of this system's own addresses: could something listen there? None where there is no address."""
    if not address:
        return None
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
