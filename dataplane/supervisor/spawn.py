"""Starting a worker process: which program, with what it inherits and what it must not hear; how a child ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

import dataplane
from dataplane.core.model import Global
from dataplane.supervisor.roster import State
from dataplane.wire.framing import Channel

PROGRAM: Final = 'dataplane.worker.main'
NOT_FOR_WORKERS: Final = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(eq=False, slots=True)
class Worker:
    """One process. `channel` is closed when its death is known; `due`: by when it is to have left, 0 for whenever it likes."""

    number: int
    process: subprocess.Popen[bytes]
    pidfd: int
    channel: Channel
    started: float
    state: State = State.STARTING
    due: float = 0.0

    @property
    def pid(self) -> int:
        """Process id; also the thread id it takes the board's lock with."""
        return self.process.pid


def spawn(settings: Global, rings: int) -> tuple[subprocess.Popen[bytes], int, Channel]:
    """Start a worker; its lines for rings go to `rings`.

    Returns its process, a pidfd of it, and this side of the channel to it. Raises OSError, and none runs then.
    """
    channel, theirs = Channel.pair()
    # what is sent to the whole process group must not end a worker before it can say that it ignores it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, NOT_FOR_WORKERS)
    process = None
    try:
        process = subprocess.Popen(
            [sys.executable, '-m', PROGRAM, '--fd', str(theirs.fileno()), '--rings', str(rings)],
            pass_fds=(theirs.fileno(), rings, *_log_fds(settings)),
            stdin=subprocess.DEVNULL,
            env=child_environment(),
        )
        pidfd = os.pidfd_open(process.pid)
    except OSError:
        channel.close()
        if process is not None:
            process.kill()
            process.wait()
        raise
    finally:
        theirs.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process, pidfd, channel


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


def _log_fds(settings: Global) -> tuple[int, ...]:
    """Descriptors that log lines name, which the workers write to as well."""
    wanted = {int(target.address[3:]) for target in settings.log_targets if target.address.startswith('fd@')}
    return tuple(sorted(wanted - {0, 1, 2}))
