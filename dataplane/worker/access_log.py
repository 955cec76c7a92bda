"""The access log: lines are collected per target and written in batches, and never does the loop wait for a reader.

Streams (`stdout`, `stderr`, `fd@N`) are written in pieces of at most PIPE_BUF, which are atomic on a pipe; they are shared
with other processes, and wire/outlet.py sees to it that none of these can make a write wait.
Datagrams (UDP, unix) go one per line, a batch at a time; no name is looked up. Lines for rings go to the supervisor. What does not fit into a target's bounded buffer, or whose
socket refuses, is dropped and counted in C.DROPPED_LOGS.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Protocol

from dataplane.core.counters import C
from dataplane.core.model import Global, LogTarget
from dataplane.core.rings import PREFIX
from dataplane.core.sampling import Sampling
from dataplane.wire.outlet import PIECE, Outlet
from dataplane.wire.ringing import packed
from dataplane.wire.syslog import LEVELS, Framing, Stamps, level_at
from dataplane.worker.httplog import Dates

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Container, MutableSequence, Sequence

    from dataplane.core.layout import Layout

BUFFER_LIMIT: Final = 1 << 20
_DELAY: Final = 0.01
_RETRY: Final = 0.05
_STREAMS: Final = {'stdout': 1, 'stderr': 2}
_LEVEL: Final = 'info'


class Sink(Protocol):
    """Where the messages of one address go."""

    def flush(self) -> bool:
        """Write what can be written now; True when something is left."""

    def add(self, message: bytes) -> bool:
        """Take one message; False when it must be dropped."""

    def lost(self) -> int:
        """Messages that were taken and then refused by the system, since the last time this was asked."""

    def close(self) -> int:
        """Give back what was opened. Returns how many messages were not written."""


class StreamSink:
    """A descriptor that takes lines; regular files always take them, pipes and terminals when poll(2) says so."""

    def __init__(self, fd: int) -> None:
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._outlet = Outlet(fd)

    def add(self, message: bytes) -> bool:
        """Keep one line for the next flush."""
        if self._size + len(message) >= BUFFER_LIMIT:
            return False
        self._lines.append(message + b'\n')
        self._size += len(message) + 1
        return True

    def flush(self) -> bool:
        """Write pieces of whole lines while there is room."""
        while self._lines:
            if not self._write_piece():
                return True
        return False

    def _write_piece(self) -> bool:
        """Write whole lines, or part of a long one; False when there is no room."""
        piece = self._lines.popleft()
        while self._lines and len(piece) + len(self._lines[0]) <= PIECE:
            piece += self._lines.popleft()
        try:
            written = self._outlet.write(piece)
        except OSError:
            written = 0  # nobody reads it any more: the buffer fills up, and what comes then is dropped
        self._size -= written
        if written < len(piece):
            self._lines.appendleft(piece[written:])
        return written > 0

    def lost(self) -> int:
        """None: a line waits until there is room."""
        return 0

    def close(self) -> int:
        """The descriptor is not ours, what was opened for it is; the lines are lost."""
        self._outlet.close()
        lost = len(self._lines)
        self._lines.clear()
        self._size = 0
        return lost


class _Packets:
    """What goes in packets: kept until the next flush; what finds no room then is lost, as in syslog."""

    def __init__(self) -> None:
        self._messages: list[bytes] = []
        self._size = 0
        self._lost = 0

    def add(self, message: bytes) -> bool:
        """Keep one message for the next flush."""
        if self._size + len(message) >= BUFFER_LIMIT:
            return False
        self._messages.append(message)
        self._size += len(message)
        return True

    def lost(self) -> int:
        """Messages the kernel refused."""
        lost, self._lost = self._lost, 0
        return lost

    def _taken(self) -> list[bytes]:
        messages, self._messages, self._size = self._messages, [], 0
        return messages


class DatagramSink(_Packets):
    """A syslog socket: UDP, or a unix datagram socket. What the kernel refuses is lost, as in syslog.

    Sent in batches, one call each: sent one by one between requests they cost 7.8 % of a request's time, mostly to wake who reads.
    """

    def __init__(self, family: socket.AddressFamily, address: str | tuple[str, int]) -> None:
        super().__init__()
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.settimeout(0)
        self._address = address

    def flush(self) -> bool:
        """Send everything; nothing is kept for another try."""
        for message in self._taken():
            try:
                self._socket.sendto(message, self._address)
            except OSError:
                self._lost += 1
        return False

    def close(self) -> int:
        """Close the socket; the messages that were not flushed are lost."""
        self._socket.close()
        return len(self._messages)


class RingSink(_Packets):
    """A ring, which the supervisor keeps: lines go there in packets, and what finds no room on the way is lost."""

    def __init__(self, name: str, channel: socket.socket) -> None:
        super().__init__()
        self._name = name.encode()
        self._channel = channel

    def flush(self) -> bool:
        """Send everything; nothing is kept for another try."""
        for packet, count in packed(self._name, self._taken()):
            try:
                self._channel.send(packet)
            except OSError:
                self._lost += count
        return False

    def close(self) -> int:
        """The channel is not ours; lines that were not flushed are lost."""
        return len(self._messages)


def open_sink(address: str) -> Sink:
    """The sink of a LogTarget's address. Raises OSError or ValueError naming it."""
    if address in _STREAMS:
        return StreamSink(_STREAMS[address])
    if address.startswith('fd@'):
        return StreamSink(int(address[3:]))
    if address.startswith('/'):
        return DatagramSink(socket.AF_UNIX, address)
    host, _, port = address.rpartition(':')
    if not port.isdigit():
        raise ValueError(f'log address {address!r} is neither a stream, a path nor IP:PORT')
    ip = ip_address(host.strip('[]'))
    return DatagramSink(socket.AF_INET6 if ip.version == 6 else socket.AF_INET, (str(ip), int(port)))


class AccessLog:
    """All targets of this worker. One per worker; `adopt` follows the `global` section. `rings` leads to them, None: nowhere."""

    def __init__(
        self, loop: AbstractEventLoop, cells: MutableSequence[int], layout: Layout, worker: int,
        rings: socket.socket | None = None,
    ) -> None:  # fmt: skip
        self._loop = loop
        self._rings = rings
        self._cells = cells
        self._dropped = layout.process_counters(worker) + C.DROPPED_LOGS
        self._sinks: dict[str, Sink | None] = {}
        # by id of the target, which is kept beside: to hash it takes 0.7 us of each line
        self._framings: dict[int, tuple[LogTarget, Framing | None]] = {}
        self._leveled: dict[tuple[int, int], tuple[LogTarget, Framing | None]] = {}
        self._samples: dict[int, tuple[LogTarget, int]] = {}
        self._settings = Global()
        self._scheduled = False
        self._closed = False
        self._stamps = Stamps()
        self.dates = Dates()

    def adopt(self, settings: Global, named: Container[str]) -> None:
        """Follow the log settings of a configuration that came into force; what leads to an address not `named` is closed."""
        self._settings = settings
        self._framings.clear()
        self._leveled.clear()
        self._samples.clear()
        for address in [address for address in self._sinks if address not in named]:
            self._shut(self._sinks.pop(address))

    def write(self, targets: Sequence[LogTarget], text: str, data: str = '-') -> None:
        """Log one line of level `info` to every target that wants it; `data`: structured data, for RFC 5424."""
        now = time.time()
        for target in targets:
            if target.sample is not None and not self._sampled(target, target.sample):
                continue
            known = self._framings.get(id(target))
            if known is None:
                known = self._framings[id(target)] = target, self._framing(target, _LEVEL)
            self._put(target, known[1], text, data, now)

    def write_at(self, targets: Sequence[LogTarget], text: str, level: int, data: str = '-') -> None:
        """Log one line of a level of its own, by its index (`set-log-level`); -1: of the usual one."""
        if level < 0:
            self.write(targets, text, data)
            return
        now = time.time()
        for target in targets:
            if target.sample is None or self._sampled(target, target.sample):
                key = (id(target), level)
                known = self._leveled.get(key)
                if known is None:
                    known = self._leveled[key] = target, self._framing(target, LEVELS[level])
                self._put(target, known[1], text, data, now)

    def _sampled(self, target: LogTarget, sampling: Sampling) -> bool:
        """Is it the turn of this message? Each worker counts its own."""
        known = self._samples.get(id(target))
        number = 0 if known is None else known[1] + 1
        self._samples[id(target)] = target, number
        return sampling.takes(number)

    def _put(self, target: LogTarget, framing: Framing | None, text: str, data: str, now: float) -> None:
        if framing is not None:
            message = framing.frame(text, now, data).encode('utf-8', 'surrogateescape')
            self._send(target, message[: target.length - 1])

    def _framing(self, target: LogTarget, level_of: str) -> Framing | None:
        """The framing for a target, None when its level leaves such lines out."""
        level = level_at(level_of, target.level, target.min_level)
        if level is None:
            return None
        host = self._settings.log_send_hostname
        if target.format == 'rfc5424' and host is None:
            host = self._settings.node or socket.gethostname()
        tag = target.tag or self._settings.log_tag
        return Framing(target.format, target.facility, level, tag, os.getpid(), host, self._stamps)

    def _send(self, target: LogTarget, message: bytes) -> None:
        address = target.address
        if address not in self._sinks:
            self._sinks[address] = self._open(address)
        sink = self._sinks[address]
        if sink is None or not sink.add(message):
            self._cells[self._dropped] += 1
        elif not self._scheduled and not self._closed:
            self._scheduled = True
            self._loop.call_later(_DELAY, self.flush)

    def _open(self, address: str) -> Sink | None:
        """The sink, or None when it cannot be opened: the log must never end the traffic; its lines count as dropped."""
        if address.startswith(PREFIX):
            return None if self._rings is None else RingSink(address.removeprefix(PREFIX), self._rings)
        try:
            return open_sink(address)
        except (OSError, ValueError):
            return None

    def flush(self) -> None:
        """Write what can be written now, and try the rest again soon."""
        self._scheduled = False
        if self._closed:
            return
        left = False
        for sink in self._sinks.values():
            if sink is not None:
                left |= sink.flush()
                self._cells[self._dropped] += sink.lost()
        if left:
            self._scheduled = True
            self._loop.call_later(_RETRY, self.flush)

    def close(self) -> None:
        """Write what can be written without waiting, count the rest as dropped, close the sockets."""
        self._closed = True
        for sink in self._sinks.values():
            self._shut(sink)
        self._sinks.clear()

    def _shut(self, sink: Sink | None) -> None:
        if sink is not None:
            sink.flush()
            self._cells[self._dropped] += sink.lost() + sink.close()
