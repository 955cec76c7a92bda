"""What the supervisor itself has to say: lines to the log targets of the `global` section, those about a backend to its own; all to stderr.

Nothing here waits for a reader: descriptors are shared with other processes and written through wire/outlet.py. Datagrams are
sent at once, and no name is looked up. What cannot be written is kept, up to a bound, and then dropped and counted in `dropped`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from typing import Final

from dataplane.core.model import Backend, Global, LogTarget
from dataplane.core.rings import EVENTS, PREFIX
from dataplane.core.sampling import Sampling
from dataplane.wire.outlet import Outlet
from dataplane.wire.syslog import Framing, Stamps, level_at

_STREAMS: Final = {'stdout': 1, 'stderr': 2}
_TAGS: Final = {'emerg': 'ALERT', 'alert': 'ALERT', 'notice': 'NOTICE', 'info': 'NOTICE'}
_BACKEND_TAGS: Final = {'emerg': 'ALERT'}
"""Of lines about backends: to stderr HAProxy says whatever becomes of a server as a warning, and only that none is left as an alert."""
_KEPT: Final = 4_096
_RETRY: Final = 0.05
_OWN: Final = PREFIX + EVENTS


def _to_nobody(level: str, text: str) -> None:
    """Nobody else wants to hear it."""
    del level, text


class Log:
    """The supervisor's log. `quiet` (-q): nothing goes to stderr. Without a loop (before the start) nothing is retried."""

    def __init__(self, settings: Global, *, quiet: bool = False) -> None:
        self.dropped = 0
        self.told: Callable[[str, str], None] = _to_nobody
        """Is told every line, with its level, before anything is written."""
        self.kept: Callable[[str, str], None] = _to_nobody
        """Takes lines for rings: the ring's name, and the line."""
        self._settings = settings
        self._quiet = quiet
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kept: dict[int, deque[bytes]] = {}
        self._outlets: dict[int, Outlet] = {}
        self._sockets: dict[str, socket.socket] = {}
        self._samples: dict[LogTarget, int] = {}
        self._stamps = Stamps()
        self._retry: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write what could not be written again later, from now on."""
        self._loop = loop
        self._flush()

    def adopt(self, settings: Global, backends: Iterable[Backend] = ()) -> None:
        """Follow a configuration that came into force; sockets to what neither `global` nor a backend names any more are closed."""
        targets = [*settings.log_targets, *(target for backend in backends for target in backend.log_targets)]
        self._settings = settings
        self._samples.clear()
        for address in self._sockets.keys() - {target.address for target in targets}:
            self._sockets.pop(address).close()

    def __call__(self, level: str, text: str) -> None:
        """Log one line to every target of `global` that wants it, and to stderr."""
        self._tell(level, text, self._settings.log_targets, _TAGS)

    def of(self, backend: Backend, level: str, text: str) -> None:
        """The same with a line about a backend or one of its servers: to its own targets, but for a pushed one, which has none."""
        targets = self._settings.log_targets if backend.pushed else backend.log_targets
        self._tell(level, text, targets, _BACKEND_TAGS)

    def _tell(self, level: str, text: str, targets: Iterable[LogTarget], tags: Mapping[str, str]) -> None:
        self.told(level, text)
        if not self._quiet:
            tag = f'[{tags.get(level, "WARNING")}]'
            self._put(2, f'{tag:<10} ({os.getpid()}) : {text}\n'.encode(errors='replace'))
        for target in targets:
            if target.sample is None or self._sampled(target, target.sample):
                self._to(target, level, text)
        self._flush()

    def _sampled(self, target: LogTarget, sampling: Sampling) -> bool:
        """Is it the turn of this message? The supervisor counts its own."""
        number = self._samples[target] = self._samples.get(target, -1) + 1
        return sampling.takes(number)

    def _to(self, target: LogTarget, level: str, text: str) -> None:
        severity = level_at(level, target.level, target.min_level)
        if severity is None:
            return
        line = self._framing(target, severity).frame(text, time.time()).encode('utf-8', 'replace')[: target.length - 1]
        if target.address in _STREAMS or target.address.startswith('fd@'):
            fd = _STREAMS.get(target.address)
            self._put(int(target.address[3:]) if fd is None else fd, line + b'\n')
        elif target.address.startswith(PREFIX):
            if target.address != _OWN:  # where every event is anyway
                self.kept(target.address.removeprefix(PREFIX), line.decode('utf-8', 'replace'))
        else:
            self._send(target.address, line)

    def _framing(self, target: LogTarget, level: str) -> Framing:
        settings = self._settings
        host = settings.log_send_hostname
        if target.format == 'rfc5424' and host is None:
            host = settings.node or socket.gethostname()
        return Framing(target.format, target.facility, level, settings.log_tag, os.getpid(), host, self._stamps)

    def _put(self, fd: int, line: bytes) -> None:
        kept = self._kept.setdefault(fd, deque())
        if fd not in self._outlets:
            self._outlets[fd] = Outlet(fd)
        if len(kept) >= _KEPT:
            self.dropped += 1
        else:
            kept.append(line)

    def _send(self, address: str, line: bytes) -> None:
        try:
            sock = self._sockets.get(address)
            if sock is None:
                sock = self._sockets[address] = _connected(address)
            sock.send(line)
        except (OSError, ValueError):
            # a syslog that is away is no reason to stop; it is looked for again with the next line
            self.dropped += 1
            lost = self._sockets.pop(address, None)
            if lost is not None:
                lost.close()

    def _flush(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        left = [fd for fd in self._kept if not self._written(fd)]
        if left and self._loop is not None:
            self._retry = self._loop.call_later(_RETRY, self._flush)

    def _written(self, fd: int) -> bool:
        """Write lines while there is room. Returns whether nothing is left; what nobody can ever read any more is dropped."""
        kept, outlet = self._kept[fd], self._outlets[fd]
        while kept:
            try:
                written = outlet.write(kept[0])
            except OSError:
                self.dropped += len(kept)
                kept.clear()
                outlet.close()  # it is looked at anew with the next line
                return True
            if not written:
                return False
            rest = kept.popleft()[written:]
            if rest:
                kept.appendleft(rest)
        return True

    def close(self) -> None:
        """Write what can be written without waiting and close the sockets."""
        self._flush()
        if self._retry is not None:
            self._retry.cancel()
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()
        for outlet in self._outlets.values():
            outlet.close()


def _connected(address: str) -> socket.socket:
    if address.startswith('/'):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        where: str | tuple[str, int] = address
    else:
        host, _, port = address.rpartition(':')
        ip = ip_address(host.strip('[]'))
        sock = socket.socket(socket.AF_INET6 if ip.version == 6 else socket.AF_INET, socket.SOCK_DGRAM)
        where = str(ip), int(port)
    sock.setblocking(False)  # noqa: FBT003 - socket's own signature
    try:
        sock.connect(where)
    except OSError:
        sock.close()
        raise
    return sock


def say(level: str, text: str) -> None:
    """A line on stderr before there is a log, as HAProxy writes it: `[ALERT]    (PID) : text`."""
    for line in text.splitlines():
        sys.stderr.write(f'{f"[{level}]":<10} ({os.getpid()}) : {line}\n')
