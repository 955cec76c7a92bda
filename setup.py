"""What pyproject.toml cannot say: with SLUICE_COMPILE=1 in the environment the wheel's hot rooms are compiled.

From the same sources, which the wheel also holds: they are what runs wherever it is built without a compiler. What is
compiled by which compiler, what is not and what it brings is in docs/decisions/0016-a-compiled-twin.md.
"""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import Extension, setup  # type: ignore[import-untyped]

CORE = ('counters', 'hashes', 'model', 'retry', 'state', 'stream', 'tables', 'termination')
INTERPRETED = ('__init__', 'collector', 'main', 'sides')
SHARED = 'dataplane.native.shared'
"""Where Cython keeps what all its modules need: without it each is a megabyte of C, and takes five times as long to compile."""
DIRECTIVES = {'language_level': 3, 'annotation_typing': False, 'wraparound': False, 'initializedcheck': False}


def typed() -> list[Path]:
    """The modules that compute on cells, for Cython: those with their C types in a .pxd file, and what exists compiled only."""
    beside = sorted(path.with_suffix('.py') for path in Path('dataplane').rglob('*.pxd'))
    return [*beside, *sorted(Path('dataplane/native').glob('*.pyx'))]


def rooms() -> list[str]:
    """Every other module that a request passes through, for mypyc."""
    worker = sorted(Path('dataplane/worker').glob('*.py'))
    core = [Path('dataplane/core', f'{name}.py') for name in CORE]
    modules = [Path('dataplane/wire/syslog.py'), Path('dataplane/rules/hashes.py'), *core, *worker]
    return [str(path) for path in modules if path.stem not in INTERPRETED and path not in typed()]


def extensions() -> list[Extension]:
    """All of them."""
    from Cython.Build import cythonize
    from mypyc.build import mypycify

    names = [(path.with_suffix('').as_posix().replace('/', '.'), str(path)) for path in typed()]
    native = cythonize(  # type: ignore[no-untyped-call]
        [*(Extension(name, [path]) for name, path in names), Extension(SHARED, ['build/cython/shared.c'])],
        build_dir='build/cython', shared_utility_qualified_name=SHARED, compiler_directives=DIRECTIVES,
    )  # fmt: skip
    return [*native, *mypycify(rooms(), opt_level='3', group_name='sluice')]


setup(
    ext_modules=extensions() if os.environ.get('SLUICE_COMPILE') == '1' else [],
    options={'build_ext': {'parallel': os.cpu_count()}},
)
