"""What pyproject.toml cannot say: with SLUICE_COMPILE=1 in the environment the wheel's hot rooms are compiled by mypyc.

From the same sources, which the wheel also holds: they are what runs wherever it is built without a compiler. What is
compiled, what is not and what it brings is in docs/decisions/0016-a-compiled-twin.md.
"""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import setup  # type: ignore[import-untyped]

CORE = (
    'counters',
    'heap',
    'index',
    'layout',
    'limit',
    'line',
    'plane',
    'pump',
    'retry',
    'state',
    'stream',
    'termination',
)
INTERPRETED = ('__init__', 'collector', 'main', 'sides')


def rooms() -> list[str]:
    """Every module that a request passes through."""
    balance, worker = sorted(Path('dataplane/core/balance').glob('*.py')), sorted(Path('dataplane/worker').glob('*.py'))
    modules = [Path('dataplane/wire/syslog.py'), *(Path('dataplane/core', f'{name}.py') for name in CORE)]
    return [str(path) for path in (*modules, *balance, *worker) if path.stem not in INTERPRETED]


if os.environ.get('SLUICE_COMPILE') == '1':
    from mypyc.build import mypycify

    setup(ext_modules=mypycify(rooms(), opt_level='3', group_name='sluice'))
else:
    setup()
