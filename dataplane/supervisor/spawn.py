"""Starting a worker process: which program, with what it inherits and what it must not hear; how a child ended.

Workers of the start are forked before there is a loop (`dataplane.supervisor.prefork`), those that come later are programs of
their own: a process with a loop, tasks and connections is nothing to fork.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple

import dataplane
from dataplane.core.model import Global
from dataplane.supervisor.roster import State
from dataplane.wire.framing import Channel

PROGRAM: Final = 'dataplane.worker.main'
NOT_FOR_WORKERS: Final = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Process(NamedTuple):
    """A worker process, a pidfd of it, this side of the channel to it, and how to wait for its exit status (below 0: a signal)."""

    pid: int
    pidfd: int
    channel: Channel
    wait: Callable[[], int]


@dataclass(eq=False, slots=True)
class Worker:
    """One process. Its channel is closed when its death is known; `due`: by when it is to have left, 0 for whenever it likes."""

    number: int
    process: Process
    started: float
    state: State = State.STARTING
    due: float = 0.0

    @property
    def pid(self) -> int:
        """Process id; also the thread id it takes the board's lock with."""
        return self.process.pid

    @property
    def pidfd(self) -> int:
        """What can be signalled and watched without meaning another process."""
        return self.process.pidfd

    @property
    def channel(self) -> Channel:
        """This side of the channel to it."""
        return self.process.channel


@contextmanager
def channelled() -> Iterator[tuple[Channel, socket.socket]]:
    """Both ends of the channel to a worker that is started inside: ours, which stays open unless that raises OSError, and its own.

    What is sent to the whole process group meanwhile must not end a worker before it can say that it ignores it.
    """
    channel, theirs = Channel.pair()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, NOT_FOR_WORKERS)
    try:
        yield channel, theirs
    except OSError:
        channel.close()
        raise
    finally:
        theirs.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def spawn(settings: Global) -> Process:
    """Start a worker as a program of its own. Raises OSError, and none runs then."""
    with channelled() as (channel, theirs):
        process = subprocess.Popen(
            [sys.executable, '-m', PROGRAM, '--fd', str(theirs.fileno())],
            pass_fds=(theirs.fileno(), *log_fds(settings)),
            stdin=subprocess.DEVNULL,
            env=child_environment(),
        )
        try:
            pidfd = os.pidfd_open(process.pid)
        except OSError:
            process.kill()
            process.wait()
            raise
    return Process(process.pid, pidfd, channel, process.wait)


def child_environment() -> dict[str, str]:
    """The environment of a child that runs this same code."""
    environment = dict(os.environ)
    house = os.path.dirname(os.path.dirname(os.path.abspath(dataplane.__file__)))
    environment['PYTHONPATH'] = os.pathsep.join(filter(None, (house, environment.get('PYTHONPATH'))))
    return environment


def how_it_ended(code: int) -> str:
    """A child's exit status (below 0: the signal that ended it) in words, to go behind its name."""
    if code < 0:
        return f'was ended by signal {-code} ({signal.Signals(-code).name})'
    return f'exited with status {code}'


def log_fds(settings: Global) -> tuple[int, ...]:
    """Descriptors that log lines name, which the workers write to as well."""
    wanted = {int(target.address[3:]) for target in settings.log_targets if target.address.startswith('fd@')}
    return tuple(sorted(wanted - {0, 1, 2}))
