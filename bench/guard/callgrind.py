"""One stage under callgrind: the driver is run, and what callgrind dumped at its marks becomes a figure."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.guard import driver
from bench.guard.stages import Stage
from bench.peers import ROOT

_PATIENCE: Final = 300
"""Seconds for one run; it takes 15 on a quiet machine."""

_TOTALS: Final = re.compile(r'^totals: (\d+)$', re.MULTILINE)


class Failed(Exception):
    """A stage could not be counted; says which and why."""


def missing() -> str | None:
    """Why nothing can be counted on this machine; None when it can."""
    return None if shutil.which('valgrind') else 'valgrind is not installed (Debian: apt-get install valgrind)'


def fixed_addresses() -> tuple[str, ...]:
    """The words before a command that switch address randomisation off; none where that is forbidden, as in some containers."""
    words = ('setarch', '-R')
    if shutil.which(words[0]) is None or subprocess.run([*words, 'true'], capture_output=True, check=False).returncode:
        return ()
    return words


def environment(bytecode: Path) -> dict[str, str]:
    """Nothing of the caller's but its PATH: what is counted must not depend on who runs it."""
    return {
        'PATH': os.environ.get('PATH', os.defpath),
        'LC_ALL': 'C.UTF-8',
        'PYTHONHASHSEED': '0',
        'PYTHONPYCACHEPREFIX': str(bytecode),
    }


def count(stage: Stage, directory: Path) -> int:
    """Instructions per request. Works in `directory`, which stages may share. Raises Failed.

    The first run is without callgrind: it says quickly what is wrong, and leaves the bytecode, which callgrind would
    take long to see compiled. A caller who keeps bytecode somewhere has it kept there.
    """
    command = [sys.executable, '-m', driver.__name__, stage.name]
    variables = environment(Path(sys.pycache_prefix or directory / 'bytecode'))
    _run(stage, command, variables)
    out = directory / f'callgrind.{stage.name}'
    options = ['--quiet', '--tool=callgrind', '--dump-before=ctermid', f'--callgrind-out-file={out}']
    _run(stage, [*fixed_addresses(), 'valgrind', *options, *command], variables)
    few, many = (_total(stage, out.with_name(f'{out.name}.{mark}')) for mark in (2, 3))
    return per_request(stage, few, many)


def per_request(stage: Stage, few: int, many: int) -> int:
    """From the instructions of the driver's few and many rounds: what both have in common falls out. Raises Failed."""
    if many <= few:
        raise Failed(f'{stage.name}: {driver.MANY} rounds took {many:,} instructions, {driver.FEW} rounds {few:,}')
    return round((many - few) / ((driver.MANY - driver.FEW) * stage.case.connections))


def _run(stage: Stage, command: Sequence[str], variables: dict[str, str]) -> None:
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=_PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Failed(f'{stage.name}: not done after {_PATIENCE} s') from None
    if done.returncode or done.stdout:
        # a loop reports a defect on stderr and goes on: that, too, is no measurement
        raise Failed(f'{stage.name}: exit status {done.returncode}\n{done.stdout[-3000:]}')


def _total(stage: Stage, dump: Path) -> int:
    try:
        found = _TOTALS.search(dump.read_text(errors='replace'))
    except FileNotFoundError:
        raise Failed(f'{stage.name}: callgrind wrote no {dump.name}: it did not see a mark') from None
    if found is None:
        raise Failed(f'{stage.name}: callgrind wrote no total to {dump.name}')
    return int(found[1])
