"""Child processes that end with the test, whatever happens to it.

Each child leads its own session, so that everything it started can be signalled with it, and asks the kernel to be killed when
the test process dies. What it prints goes to a file, which `report` quotes when something went wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_PR_SET_PDEATHSIG = 1
_TAIL = 4_000


def _die_with_parent() -> None:
    """Between fork and exec in the child."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """One running process. Make it with `spawn`."""

    def __init__(self, process: asyncio.subprocess.Process, name: str, printed: Path) -> None:
        self._process = process
        self.name = name
        self.printed = printed
        self.pid = process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit status, None while it runs, negative for a signal."""
        return self._process.returncode

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone; nothing happens when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def wait(self, within: float) -> int:
        """Wait for its end and return the exit status. TimeoutError after `within` seconds."""
        async with asyncio.timeout(within):
            return await self._process.wait()

    async def stop(self, grace: float = 15.0) -> None:
        """SIGTERM, and after `grace` seconds SIGKILL, for it and everything in its session that is still there."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await self.wait(grace)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        await self._process.wait()

    def report(self) -> str:
        """Name, exit status and the last it printed."""
        text = self.printed.read_text(errors='replace') if self.printed.exists() else ''
        return f'{self.name} (pid {self.pid}, exit status {self.returncode}) printed:\n{text[-_TAIL:]}'


async def spawn(
    argv: Sequence[str], *, name: str, directory: Path, environment: Mapping[str, str] | None = None
) -> Child:
    """Start `argv` with the repository on the module path; what it prints is appended to `directory`/`name`.log."""
    printed = directory / f'{name}.log'
    with printed.open('ab') as sink:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env={**os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONUNBUFFERED': '1', **(environment or {})},
            cwd=directory,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    return Child(process, name, printed)


def python(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module with the interpreter of the tests."""
    return [sys.executable, '-m', module, *arguments]


def children_of(pid: int) -> list[int]:
    """Process ids whose parent is `pid`, in the order the kernel lists them."""
    found: list[int] = []
    for task in Path(f'/proc/{pid}/task').iterdir():
        found += [int(child) for child in (task / 'children').read_text().split()]
    return found
