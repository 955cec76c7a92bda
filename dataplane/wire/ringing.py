"""Lines for rings on their way from workers to the supervisor: one packet of a socketpair has some lines of one ring.

All workers write to one end, which they are given; whole packets (SOCK_SEQPACKET), so that nothing of two workers mixes. Nobody waits:
what finds no room is the sender's to drop.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from typing import Final

MOST: Final = 32_768
"""Bytes of a packet, as far as it has more than one line."""
LARGEST: Final = 1 << 17
"""Bytes of any packet: a line has at most 64 KiB."""
_BUFFER: Final = 1 << 20


def pair() -> tuple[socket.socket, socket.socket]:
    """The supervisor's end and the workers'. Neither waits."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end, which in ((ours, socket.SO_RCVBUF), (theirs, socket.SO_SNDBUF)):
        end.setblocking(False)  # noqa: FBT003 - socket's own signature
        end.setsockopt(socket.SOL_SOCKET, which, _BUFFER)
    return ours, theirs


def packed(name: bytes, lines: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Packets with these lines of the ring of that name, and how many lines each has. NUL stands between, which no line has."""
    part, size = [name], len(name)
    for line in lines:
        if len(part) > 1 and size + len(line) >= MOST:
            yield b'\0'.join(part), len(part) - 1
            part, size = [name], len(name)
        part.append(line.replace(b'\0', b' '))
        size += len(line) + 1
    if len(part) > 1:
        yield b'\0'.join(part), len(part) - 1


def unpacked(packet: bytes) -> tuple[bytes, list[bytes]]:
    """The ring's name, and its lines."""
    name, *lines = packet.split(b'\0')
    return name, lines
