"""The workers of the start: forked, not started as programs, so that what all need is imported once.

A start with two workers costs three fifths of the processor time that way, and a worker shares with the supervisor what neither
changes (decision 32). What must hold:

1. It happens before there is a loop, a thread, a board or a connection. Nothing of what the supervisor makes later is in a
   worker but what comes through its channel.
2. A forked worker holds no descriptor but its channel, 0 to 2, and those that log lines name: a listening socket that stayed
   open in a worker would take connections for nobody once the supervisor has closed it.
3. It never returns into what its parent was doing.
4. One that is not taken ends when `close` is called, as does every worker whose channel is closed.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import sys
import traceback
from collections import deque
from collections.abc import Collection
from functools import partial
from typing import Final, NoReturn

from dataplane.core.model import Global
from dataplane.supervisor.spawn import Process, channelled, log_fds
from dataplane.worker.main import run

_FAILED: Final = 1


class Prefork:
    """Forked workers that nobody has taken yet; they wait for what there is to join."""

    def __init__(self, settings: Global) -> None:
        self._waiting: deque[Process] = deque()
        keep = log_fds(settings)
        sys.stdout.flush()
        sys.stderr.flush()
        # what is frozen is never looked at by a collection: neither is a page copied for its sake, nor one of the supervisor's
        # objects collected in a worker, where its descriptor may be another's by then
        gc.collect()
        gc.freeze()
        for _ in range(settings.nbthread):
            try:
                self._waiting.append(_forked(keep))
            except OSError:
                # too many processes or descriptors at the moment: those that are missing are started when they are wanted, which tells
                break

    def __repr__(self) -> str:
        return f'<Prefork {[process.pid for process in self._waiting]}>'

    def take(self) -> Process | None:
        """One that is the caller's from now on; None when there is none left."""
        return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        """End those that nobody has taken."""
        while self._waiting:
            process = self._waiting.popleft()
            signal.pidfd_send_signal(process.pidfd, signal.SIGKILL)
            process.wait()
            os.close(process.pidfd)
            process.channel.close()


def _forked(keep: Collection[int]) -> Process:
    with channelled() as (channel, theirs):
        pid = os.fork()
        if not pid:
            _serve(theirs, keep)
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            os.kill(pid, signal.SIGKILL)
            _wait(pid)
            raise
    return Process(pid, pidfd, channel, partial(_wait, pid))


def _serve(channel: socket.socket, keep: Collection[int]) -> NoReturn:
    """Be a worker, and end as one."""
    status = _FAILED
    try:
        sys.stderr = sys.__stderr__
        fd = channel.detach()
        _close_all_but({fd, *keep})
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        status = run(fd)
    except BaseException:  # noqa: BLE001 - whatever it is, it must not unwind into the supervisor's frames
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _close_all_but(kept: Collection[int]) -> None:
    """Close every descriptor from 3 on that is not one of these."""
    low = 3
    for fd in sorted(fd for fd in kept if fd >= low):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
