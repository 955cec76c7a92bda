"""This process among others: pid file, daemon, descriptor limit, systemd's notification, logging of the rooms below."""

from __future__ import annotations

import logging
import os
import resource
import socket
from collections.abc import Callable

_LEVELS = {logging.DEBUG: 'debug', logging.INFO: 'info', logging.WARNING: 'warning', logging.ERROR: 'err'}


class Forwarder(logging.Handler):
    """Records of the standard logging go to the supervisor's own log."""

    def __init__(self, log: Callable[[str, str], None]) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record as one line."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f'{text}: {record.exc_info[1]!r}'
        self._log(_LEVELS.get(record.levelno, 'alert'), text.replace('\n', ' | '))


def raise_descriptor_limit() -> None:
    """As many descriptors as the system allows: every connection needs one, and an upstream connection another."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def write_pidfile(path: str, pid: int) -> None:
    """Raises OSError."""
    with open(path, 'w', encoding='ascii') as file:
        file.write(f'{pid}\n')


def remove_pidfile(path: str, pid: int) -> None:
    """Take the pid file away if it is still this process'."""
    try:
        with open(path, encoding='ascii') as file:
            if file.read().strip() != str(pid):
                return
        os.unlink(path)
    except OSError:
        # gone, or not ours to remove; nobody is helped by an error at the end
        return


def daemonize() -> int:
    """Go on in the background. Returns the background process' pid in the parent, and 0 in the background."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    if nothing > 2:
        os.close(nothing)
    return 0


def notify(state: str) -> None:
    """Tell systemd (sd_notify, Type=notify) where it asked for it by NOTIFY_SOCKET; anywhere else nothing happens."""
    address = os.environ.get('NOTIFY_SOCKET')
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendto(state.encode(), '\0' + address[1:] if address.startswith('@') else address)
        except OSError as error:
            logging.getLogger(__name__).warning('NOTIFY_SOCKET %s: %s', address, error)
