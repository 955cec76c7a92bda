"""Packets between the supervisor and a worker: a JSON object each, with descriptors beside it.

They travel over an AF_UNIX SOCK_SEQPACKET pair, so a packet arrives whole or not at all and the end of file is the
other side's death. What does not fit into a packet travels in a memfd whose descriptor goes along: large messages as
JSON (either side), and objects as a run of pickles (supervisor to worker only, who trust each other: the worker is the
supervisor's own child and runs the same code).

What must hold:

1. Nothing here waits. What the kernel does not take at once is kept, in order, with its own copies of the descriptors,
   until `flush`; more than `MAX_KEPT` packets kept is an error (the other side does not read any more).
2. Whoever receives a packet owns its descriptors; whoever sends one keeps theirs.
3. A malformed packet is a ValueError that says what was wrong with it, never a packet.
"""

from __future__ import annotations

import array
import json
import mmap
import os
import pickle
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

MAX_PACKET: Final = 64 * 1024
MAX_LARGE: Final = 64 * 1024 * 1024
MAX_DESCRIPTORS: Final = 200
MAX_KEPT: Final = 4_096
_LARGE: Final = '*large*'
_INT: Final = array.array('i').itemsize

Message = dict[str, Any]


class Packet(NamedTuple):
    """A received message. The receiver owns `fds`."""

    message: Message
    fds: tuple[int, ...]


class Channel:
    """One end of the socket pair. Not an event loop's business: the owner watches `fileno()` and calls in."""

    __slots__ = ('_kept', '_sock')

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)  # noqa: FBT003 - socket's own signature
        self._sock = sock
        self._kept: deque[tuple[bytes, tuple[int, ...]]] = deque()

    @classmethod
    def pair(cls) -> tuple[Channel, socket.socket]:
        """Make a connected pair: this side's channel, and the socket that the other process inherits."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), theirs

    def fileno(self) -> int:
        """Return the descriptor to watch, -1 once closed."""
        return self._sock.fileno()

    @property
    def pending(self) -> int:
        """Packets the kernel has not taken yet; while there are some, call `flush` when the socket is writable."""
        return len(self._kept)

    def send(self, message: Message, fds: Iterable[int] = ()) -> bool:
        """Send a packet or keep it in order. Returns whether nothing is kept. OSError: the other side is gone."""
        data = json.dumps(message, separators=(',', ':')).encode()
        given = tuple(fds)
        if len(given) > MAX_DESCRIPTORS:
            raise ValueError(f'{len(given)} descriptors in one packet, at most {MAX_DESCRIPTORS} fit')
        if len(data) <= MAX_PACKET:
            return self._put(data, given)
        carrier = memfd_of('message', data)
        try:
            return self._put(json.dumps({_LARGE: len(data)}).encode(), (carrier, *given))
        finally:
            os.close(carrier)

    def _put(self, data: bytes, fds: tuple[int, ...]) -> bool:
        if not self._kept and self._write(data, fds):
            return True
        if len(self._kept) >= MAX_KEPT:
            raise BlockingIOError(f'{MAX_KEPT} packets are waiting: the other side does not read')
        self._kept.append((data, tuple(os.dup(fd) for fd in fds)))
        return False

    def _write(self, data: bytes, fds: tuple[int, ...]) -> bool:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else []
        try:
            self._sock.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)
        except (BlockingIOError, InterruptedError):
            return False
        return True

    def flush(self) -> bool:
        """Send what was kept, as far as it goes. Returns whether nothing is kept any more."""
        while self._kept:
            data, fds = self._kept[0]
            if not self._write(data, fds):
                return False
            self._kept.popleft()
            _close_all(fds)
        return True

    def receive(self) -> Packet | None:
        """Return the next packet, or None when there is none now. EOFError: the other side is gone."""
        room = socket.CMSG_SPACE((MAX_DESCRIPTORS + 1) * _INT)
        try:
            data, ancillary, flags, _ = self._sock.recvmsg(MAX_PACKET + 1, room, socket.MSG_CMSG_CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return None
        except ConnectionResetError as gone:
            raise EOFError('the other side is gone') from gone
        fds = _descriptors(ancillary)
        if not data:
            _close_all(fds)
            raise EOFError('the other side closed the channel')
        try:
            return _packet(data, fds, flags)
        except ValueError:
            _close_all(fds)
            raise

    def close(self) -> None:
        """Close this end and give up what was kept. Closing twice is harmless."""
        for _, fds in self._kept:
            _close_all(fds)
        self._kept.clear()
        self._sock.close()


def _packet(data: bytes, fds: tuple[int, ...], flags: int) -> Packet:
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        raise ValueError('packet: truncated')
    message = _object(data)
    if _LARGE not in message:
        return Packet(message, fds)
    size = message[_LARGE]
    if not isinstance(size, int) or not 0 <= size <= MAX_LARGE or not fds:
        raise ValueError(f'packet: bad size of a large message: {size!r}')
    body = os.pread(fds[0], size, 0)
    if len(body) != size:
        raise ValueError(f'packet: large message of {size} bytes has only {len(body)}')
    large = _object(body)
    os.close(fds[0])
    return Packet(large, fds[1:])


def _object(data: bytes) -> Message:
    try:
        message = json.loads(data)
    except ValueError as wrong:
        raise ValueError(f'packet: not JSON: {wrong}') from wrong
    if not isinstance(message, dict):
        raise ValueError(f'packet: not an object but {type(message).__name__}')
    return message


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, ...]:
    fds = array.array('i')
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % _INT])
    return tuple(fds)


def _close_all(fds: Iterable[int]) -> None:
    for fd in fds:
        os.close(fd)


def memfd_of(name: str, data: bytes) -> int:
    """A memfd with these bytes. The caller closes it."""
    fd = os.memfd_create(f'sluice-{name}', os.MFD_CLOEXEC)
    with open(fd, 'wb', closefd=False) as file:
        file.write(data)
    return fd


def pack(parts: Iterable[object]) -> int:
    """Pickle `parts` one after the other into a memfd, shared references kept between them. The caller closes it."""
    fd = parts_memfd()
    for _ in packing(fd, parts):
        pass
    return fd


def parts_memfd() -> int:
    """A memfd for `packing`. The caller closes it."""
    return os.memfd_create('sluice-parts', os.MFD_CLOEXEC)


def packing(fd: int, parts: Iterable[object]) -> Iterator[None]:
    """As `pack`, one part per step, so that the writer may do other things between."""
    with open(fd, 'wb', closefd=False) as file:
        pickler = pickle.Pickler(file, pickle.HIGHEST_PROTOCOL)
        for part in parts:
            pickler.dump(part)
            yield


def unpack(fd: int) -> Iterator[Any]:
    """Yield the parts of a memfd made by `pack`, one `next()` each, so that the reader may do other things between.

    Takes the descriptor over and has closed it when it returns, so that nothing is lost where nobody ever iterates. Only for
    memfds from the supervisor: unpickling runs what the other side wrote.
    """
    try:
        size = os.fstat(fd).st_size
        # mapped, not read: the file offset is shared with everybody who was sent this memfd
        mapped = mmap.mmap(fd, size, prot=mmap.PROT_READ) if size else None
    finally:
        os.close(fd)
    return _parts(mapped, size) if mapped is not None else iter(())


def _parts(mapped: mmap.mmap, size: int) -> Iterator[Any]:
    with mapped:
        unpickler = pickle.Unpickler(mapped)  # noqa: S301 - same trust domain, see above
        while mapped.tell() < size:
            yield unpickler.load()
