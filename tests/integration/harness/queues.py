"""How much of what was written to a loopback connection its peer has not read yet, as the kernel tells (sock_diag(7))."""

from __future__ import annotations

import asyncio
import socket
import struct

_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST = 1
_NO_COOKIE = 0xFFFF_FFFF
_ALL_STATES = 0xFFFF_FFFF
_QUEUES_AT = 16 + 4 + 48 + 4

Address = tuple[str, int]


def queues(local: Address, remote: Address) -> tuple[int, int]:
    """Bytes that wait in the socket that is `local` and connected to `remote`: unread, unsent; none when it is gone."""
    ends = struct.pack(
        '>HH4s12x4s12x', local[1], remote[1], socket.inet_aton(local[0]), socket.inet_aton(remote[0])
    ) + struct.pack('=III', 0, _NO_COOKIE, _NO_COOKIE)
    query = struct.pack('=BBBBI', socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ALL_STATES) + ends
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as netlink:
        netlink.send(struct.pack('=IHHII', 16 + len(query), _BY_FAMILY, _REQUEST, 1, 0) + query)
        answer = netlink.recv(4_096)
    if struct.unpack_from('=IH', answer)[1] != _BY_FAMILY:
        return 0, 0
    unread, unsent = struct.unpack_from('=II', answer, _QUEUES_AT)
    return unread, unsent


async def taken(writer: asyncio.StreamWriter) -> None:
    """Return when the peer has read everything that was written to it, or the connection has ended.

    Sent and acknowledged is not read: the peer's own queue must be empty as well.
    """
    sock = writer.get_extra_info('socket')
    here, there = sock.getsockname(), sock.getpeername()
    while not writer.transport.is_closing():
        if not (writer.transport.get_write_buffer_size() or queues(here, there)[1] or queues(there, here)[0]):
            return
        await asyncio.sleep(0)
