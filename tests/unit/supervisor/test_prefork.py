"""Forked workers, in a process of their own that forks them: what they hold, how they end, and that there is no more to them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

_PARENT = """
import json, os, select, signal, socket, sys, threading
from pathlib import Path
from dataplane.core.model import Global, LogTarget
from dataplane.supervisor.prefork import Prefork

def fds(pid):
    found = {}
    for name in os.listdir(f'/proc/{pid}/fd'):
        try:
            found[int(name)] = os.readlink(f'/proc/{pid}/fd/{name}')
        except FileNotFoundError:
            pass  # that of the listing itself
    return found

def hello(process):
    poll = select.poll()
    poll.register(process.channel.fileno(), select.POLLIN)
    assert poll.poll(20_000), 'the worker says nothing'
    return process.channel.receive().message

listening = socket.create_server(('127.0.0.1', 0))
logs = os.dup(2)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
first = Prefork(Global(nbthread=3, log_targets=(LogTarget(address=f'fd@{logs}'),)))
said = {'listening': os.readlink(f'/proc/self/fd/{listening.fileno()}'), 'logs': logs, 'threads': threading.active_count()}
"""


def parent(script: str, **environment: str) -> dict[str, Any]:
    """What a process says that begins as above and goes on with `script`; `said` is what it is to say."""
    argv = [sys.executable, '-c', f'{_PARENT}\n{script}\nprint(json.dumps(said))']
    done = subprocess.run(
        argv, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=120
    )
    assert not done.returncode, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return {**result, 'stderr': done.stderr}


def test_they_hold_their_channel_and_what_log_lines_name_and_nothing_else() -> None:
    said = parent("""
process = first.take()
said['hello'], said['pid'] = hello(process), process.pid
said['fds'] = fds(process.pid)
said['comm'] = Path(f'/proc/{process.pid}/comm').read_text().strip()
said['own'] = fds(os.getpid())
first.close()
process.channel.close()
said['code'] = process.wait()
""")
    assert said['hello'] == {'op': 'hello', 'pid': said['pid']}
    assert said['comm'] == 'sluice-worker'
    assert said['listening'] in said['own'].values()
    assert said['listening'] not in said['fds'].values()
    assert said['fds']['0'] == '/dev/null'
    assert str(said['logs']) in said['fds']
    sockets = [where for where in said['fds'].values() if where.startswith('socket:')]
    # beside the channel a loop has a pair of its own
    assert len(sockets) <= 3
    assert not set(sockets) & set(said['own'].values())
    assert said['code'] == 0


def test_as_many_as_nbthread_says_and_none_when_they_are_taken() -> None:
    said = parent("""
taken = [process for process in (first.take() for _ in range(5)) if process]
said['pids'] = [hello(process)['pid'] for process in taken]
said['known'] = [process.pid for process in taken]
for process in taken:
    process.channel.close()
said['codes'] = [process.wait() for process in taken]
""")
    assert len(set(said['pids'])) == 3
    assert said['pids'] == said['known']
    assert said['codes'] == [0, 0, 0]


def test_those_that_nobody_takes_end_and_nothing_is_left_open() -> None:
    said = parent("""
before = first.take()
said['children'] = len(Path(f'/proc/self/task/{os.getpid()}/children').read_text().split())
before.channel.close()
before.wait()
os.close(before.pidfd)
first.close()
said['left'] = Path(f'/proc/self/task/{os.getpid()}/children').read_text().split()
said['own'] = fds(os.getpid())
said['none'] = first.take() is None
""")
    assert said['children'] == 3
    assert said['left'] == []
    assert said['none']
    assert not any('pidfd' in where for where in said['own'].values())


@pytest.mark.parametrize('ending, code', [('os.kill(process.pid, signal.SIGKILL)', -9), ('pass', 0)])
def test_what_ended_it_is_known(ending: str, code: int) -> None:
    said = parent(f"""
process = first.take()
hello(process)
{ending}
process.channel.close()
said['code'] = process.wait()
first.close()
""")
    assert said['code'] == code


def test_the_parents_death_ends_them() -> None:
    said = parent("""
pipe = os.pipe()
middle = os.fork()
if not middle:
    second = Prefork(Global(nbthread=1))
    process = second.take()
    os.write(pipe[1], str(hello(process)['pid']).encode())
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(middle, 0)
left = int(os.read(pipe[0], 20))
try:
    fd = os.pidfd_open(left)
except ProcessLookupError:
    said['ended'] = True
else:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    said['ended'] = bool(poll.poll(20_000))
first.close()
""")
    assert said['ended']


def test_signals_of_the_group_are_nothing_to_them_from_the_first_moment() -> None:
    said = parent("""
process = first.take()
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
    os.kill(process.pid, number)
said['pid'], said['hello'] = process.pid, hello(process)['pid']
process.channel.close()
said['code'] = process.wait()
first.close()
""")
    assert said['hello'] == said['pid']
    assert said['code'] == 0


def test_what_goes_wrong_in_one_is_told_and_ends_it_there() -> None:
    """It must not go on as a second supervisor: what the parent prints would be there twice."""
    said = parent("""
process = first.take()
hello(process)
process.channel.send({'op': 'join'})
said['code'] = process.wait()
first.close()
""")
    assert said['code'] == 1
    assert "KeyError: 'layout'" in said['stderr']
