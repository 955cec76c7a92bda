"""The running parts of a cluster: started from scripts that start them again by hand, waited for, killed, ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.cluster.kit.packages import CannotHave

_TAIL = 15


def running(written: Path) -> bool:
    """Does the process still run that this file names? It holds a process id and that process's start time, so that a
    number used again is not taken for it."""
    try:
        pid, started = written.read_text().split()
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except (OSError, ValueError):
        return False
    return fields[19] == started and fields[0] != 'Z'


def owners(work: Path) -> list[Path]:
    """The files that name the processes to end: the node's first one, with which all in it end, or else every part."""
    node = work / 'node.pid'
    return [node] if node.exists() else sorted((work / 'run').glob('*.pid'))


def inside(work: Path, directory: Path | None = None) -> list[str]:
    """What to put before a command so that it runs on the node: nothing where there is only a control plane, nor on the
    node itself. The command runs in `directory`, or else where the caller is."""
    if not (work / 'node.pid').exists() or Path('/proc/1/comm').read_text() == 'pause\n':
        return []
    pid = (work / 'node.pid').read_text().split()[0]
    return ['nsenter', '--target', pid, '--net', '--mount', '--pid', '--ipc', f'--wdns={directory or Path.cwd()}', '--']


class Parts:
    """The parts of the cluster in `work`, as whoever starts them sees them."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str | Path) -> None:
        """Start a part. run/NAME.sh is what starts it; it writes run/NAME.pid and appends to run/NAME.log."""
        base = self._work / 'run' / name
        script = base.with_suffix('.sh')
        words = ' \\\n  '.join(str(word) for word in command)
        script.write_text(
            f"#!/bin/sh\necho $$ $(cut -d' ' -f22 /proc/$$/stat) >{base}.pid\nexec >>{base}.log 2>&1 </dev/null\n"
            f'exec {words}\n'
        )
        script.chmod(0o755)
        self._processes[name] = subprocess.Popen([script], start_new_session=True, cwd=self._work)

    def wait(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        """Until `ready`. CannotHave: a part has ended, or time is over; with the end of its log."""
        deadline = time.monotonic() + seconds
        while not ready():
            dead = [part for part, process in self._processes.items() if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                which = dead[0] if dead else name
                what = 'ended' if dead else f'is not ready after {seconds:.0f} s'
                raise CannotHave(f'{which} {what}; its log ends:\n{self._tail(which)}')
            time.sleep(0.05)

    def _tail(self, name: str) -> str:
        log = self._work / 'run' / f'{name}.log'
        return '\n'.join(log.read_text(errors='replace').splitlines()[-_TAIL:]) if log.exists() else ''


def kill(work: Path, name: str) -> None:
    """SIGKILL for one part of a running cluster; returns when it is gone."""
    written = work / 'run' / f'{name}.pid'
    pid = written.read_text().split()[0]
    subprocess.run([*inside(work), '/bin/kill', '-9', pid], check=True)
    _until_gone(work, name, pid)


def stop(work: Path, name: str) -> None:
    """SIGTERM for one part, as an orderly restart does; returns when it is gone."""
    pid = (work / 'run' / f'{name}.pid').read_text().split()[0]
    subprocess.run([*inside(work), '/bin/kill', '-15', pid], check=True)
    _until_gone(work, name, pid)


def _until_gone(work: Path, name: str, pid: str) -> None:
    """Wait by the word of the namespace that the process lives in."""
    deadline = time.monotonic() + 60
    while subprocess.run([*inside(work), '/bin/kill', '-0', pid], capture_output=True, check=False).returncode == 0:
        state = subprocess.run(
            [*inside(work), 'cat', f'/proc/{pid}/stat'], capture_output=True, text=True, check=False
        ).stdout
        if state.rpartition(')')[2].split()[:1] == ['Z']:
            return  # its parent, whoever started the cluster, has not waited for it yet
        if time.monotonic() > deadline:
            raise CannotHave(f'{name} does not end')
        time.sleep(0.02)


def start_again(work: Path, name: str) -> None:
    """Start a part that was killed or stopped; does not wait for it to be ready."""
    subprocess.run([*inside(work), 'setsid', '--fork', str(work / 'run' / f'{name}.sh')], check=True)


def end(work: Path, *, keep_logs: bool = False) -> None:
    """End everything in `work`, and remove it with its cgroups. With `keep_logs` WORK-logs keeps what was printed.

    Only processes that were written down there end, and what the kernel ends with the node's first process. Nothing in a
    work directory is worth an orderly goodbye. CannotHave: something does not end.
    """
    if not (work / 'run').exists():
        return
    files = owners(work)
    for written in files:
        if running(written):
            os.kill(int(written.read_text().split()[0]), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while still := [written.stem for written in files if running(written)]:
        if time.monotonic() > deadline:
            raise CannotHave(f'these do not end: {", ".join(still)}')
        time.sleep(0.02)
    _remove_groups(work)
    if keep_logs:
        shutil.copytree(work / 'run', f'{work}-logs', dirs_exist_ok=True)
    shutil.rmtree(work)


def remove_or_name(directory: Path) -> None:
    """Remove a directory that a cluster was in, or say which logs are still there."""
    left = list(directory.iterdir())
    if left:
        print(f'kit: logs are in {", ".join(map(str, left))}', file=sys.stderr)
    else:
        directory.rmdir()


def run_to_its_end(command: Sequence[str], **how: Any) -> int:
    """Run a command in a session of its own and return its exit status; SIGTERM and SIGINT to us end all of it, and then
    us, with everything that `finally` has to do."""

    def told(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    process = subprocess.Popen(command, start_new_session=True, **how)
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def group(work: Path) -> str:
    """The name of the cgroup, in every hierarchy, that a node's pods live below."""
    return 'sluice' + str(work).replace('/', '-')


def _remove_groups(work: Path) -> None:
    """A dead pod's processes leave their cgroup a moment after they are gone, so this is tried for some seconds."""
    deadline = time.monotonic() + 5
    while tops := list(Path('/sys/fs/cgroup').glob(f'*/{group(work)}')):
        for top in tops:
            for here, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(here)
                except OSError:
                    continue  # not empty yet; tried again
        if time.monotonic() > deadline:
            raise CannotHave(f'cgroups do not go away: {", ".join(map(str, tops))}')
        time.sleep(0.05)
