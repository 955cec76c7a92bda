"""Where the kernel sends new connections of a SO_REUSEPORT group: classic BPF programs on its sockets, and a sink.

A program on the group answers with an index, in the order of listen(2); it needs no privilege. A filter on a socket, which
lets SYNs be dropped, does on some kernels (CAP_NET_ADMIN). The sink does the same without: one more socket of the group
whose queue, of one place, is taken by a connection of our own. What is steered there finds the queue full, so its SYN is
dropped, and its client tries again after a second; a handshake that has begun belongs to the socket it began on, and ends there.
"""

from __future__ import annotations

import array
import select
import socket
import struct
from collections.abc import Sequence
from typing import Final

Program = list[tuple[int, int, int, int]]
"""Of `struct sock_filter`: code, jump if true, jump if false, value."""

_ATTACH_FILTER: Final = 26
_ATTACH_CBPF: Final = 51
_DETACH_BPF: Final = 68
_ANCILLARY: Final = 0xFFFFF000  # SKF_AD_OFF
_NETWORK: Final = 0xFFF00000  # SKF_NET_OFF: from the IP header on
_LOAD_RANDOM: Final = (0x20, 0, 0, _ANCILLARY + 56)
_LOAD_FLAGS: Final = (0x30, 0, 0, 13)  # the byte of the TCP header (RFC 9293 section 3.1) with the control bits
_LOAD_PORT: Final = {
    socket.AF_INET: (0x28, 0, 0, _NETWORK + 20),
    socket.AF_INET6: (0x28, 0, 0, _NETWORK + 40),
}  # the client's
_MODULO: Final = 0x94
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_SET: Final = 0x45
_RETURN: Final = 0x06
_SYN: Final = 0x02
_WHOLE: Final = 0xFFFFFFFF
_NO_MORE: Final = [_LOAD_FLAGS, (_JUMP_IF_SET, 0, 1, _SYN), (_RETURN, 0, 0, 0), (_RETURN, 0, 0, _WHOLE)]
_PATIENCE_MS: Final = 20  # for a connection to ourselves, which takes some ten microseconds
_WILDCARDS: Final = {'0.0.0.0': '127.0.0.1', '::': '::1'}


def steer(group: socket.socket, workers: Sequence[int]) -> None:
    """Let new connections of the group go to these workers' sockets only, at random."""
    _attach(group, _ATTACH_CBPF, _at_random(workers))


def spread(group: socket.socket) -> None:
    """Let them go to all sockets again. OSError ENOENT: they do."""
    group.setsockopt(socket.SOL_SOCKET, _DETACH_BPF, 0)


def refuse_more(sock: socket.socket) -> None:
    """Drop every SYN that comes to this socket from now on. PermissionError: this kernel lets only CAP_NET_ADMIN do it."""
    _attach(sock, _ATTACH_FILTER, _NO_MORE)


class Sink:
    """The sink of a group whose sockets are `group`, all of them, in the order of listen(2); from now on all new ones go there.

    `workers`: to whose sockets they go until it stands. OSError: it cannot be had, and they go there as before.
    """

    def __init__(self, group: Sequence[socket.socket], workers: Sequence[int]) -> None:
        first, index = group[0], len(group)
        host, port, *scope = first.getsockname()
        own = _WILDCARDS.get(host, host)
        self._socket, self._within = socket.socket(first.family), socket.socket(first.family)
        try:
            self._within.bind((own, 0, *scope))
            self._within.setblocking(False)  # noqa: FBT003 - socket's own signature
            # before the sink is one of the group, else it takes a share of what comes
            _attach(first, _ATTACH_CBPF, _but(self._within, index, workers))
            self._listen(first, (host, port, *scope))
            self._within.connect_ex((own, port, *scope))
            if not _is_readable(self._socket):
                raise OSError('a connection to ourselves does not reach us')
            _attach(first, _ATTACH_CBPF, [(_RETURN, 0, 0, index)])
        except OSError:
            steer(first, workers)  # the sink's place in the group is nobody's in a moment
            self.close()
            raise

    def _listen(self, like: socket.socket, address: object) -> None:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            self._socket.setsockopt(socket.SOL_SOCKET, option, 1)
        if like.family == socket.AF_INET6:
            v6only = like.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
        self._socket.bind(address)  # type: ignore[arg-type]
        self._socket.listen(0)

    def close(self) -> None:
        """After the other sockets of the group: an index that nobody has is anybody's."""
        self._socket.close()
        self._within.close()


def _is_readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(_PATIENCE_MS))


def _attach(sock: socket.socket, option: int, program: Program) -> None:
    """Give a socket a classic BPF program (a `struct sock_fprog`)."""
    code = array.array('B', b''.join(struct.pack('=HBBI', *step) for step in program))
    address, _ = code.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, option, struct.pack('HxxxxxxP', len(program), address))


def _at_random(workers: Sequence[int]) -> Program:
    """One of the workers."""
    program = [_LOAD_RANDOM, (_MODULO, 0, 0, len(workers))]
    for place, worker in enumerate(workers[:-1]):
        program += [(_JUMP_IF_EQUAL, 0, 1, place), (_RETURN, 0, 0, worker)]
    return [*program, (_RETURN, 0, 0, workers[-1])]


def _but(one: socket.socket, index: int, workers: Sequence[int]) -> Program:
    """What comes from `one` goes to that index, all else to one of the workers."""
    port = one.getsockname()[1]
    return [_LOAD_PORT[one.family], (_JUMP_IF_EQUAL, 0, 1, port), (_RETURN, 0, 0, index), *_at_random(workers)]
