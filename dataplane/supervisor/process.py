"""This process among others: pid file, daemon, descriptor limit, systemd's notification, logging of the rooms below."""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Final

PRIORITY: Final = -10
EARLY: Final = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)
"""Signals that would end a process which has no handler for them yet."""
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


def go_first() -> None:
    """Before everybody else of usual priority, where the system allows it: who holds the lock must not be put off (decision 23).

    This thread only; what it starts has the usual priority. Who was started with another one than the usual keeps it.
    """
    if os.getpriority(os.PRIO_PROCESS, 0):
        return
    try:
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    except PermissionError:
        return  # CAP_SYS_NICE is missing, as in most containers: then changes are now and then slower, and nothing else
    os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))


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


def daemonize() -> tuple[int, int]:
    """Go on in the background. Returns the background process' pid, which is 0 there, and this side's end of a pipe.

    The foreground gives its end to `has_started`, the background to `detach` once it serves. Until then what is said on
    `sys.stderr` is seen where it was started; descriptors 0 to 2, which workers inherit, lead nowhere at once.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    os.close(reading)
    os.setsid()
    sys.stderr = open(os.dup(2), 'w', buffering=1, errors='backslashreplace')  # noqa: SIM115 - until `detach`
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    if nothing > 2:
        os.close(nothing)
    return 0, writing


def detach(pipe: int) -> None:
    """The background serves: who waits for that may go, and from now on nothing is said to them."""
    started_at, sys.stderr = sys.stderr, sys.__stderr__
    started_at.close()
    try:
        os.write(pipe, b'.')
    except BrokenPipeError:
        pass  # nobody waits any more
    os.close(pipe)


def has_started(pipe: int) -> bool:
    """Wait until the background serves, or has ended before it did."""
    with open(pipe, 'rb') as told:
        return bool(told.read(1))


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
