"""`make bench` builds before it measures, and only then."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.architecture.source import ROOT

pytestmark = pytest.mark.skipif(shutil.which('make') is None, reason='there is no make here')


def _make(*words: str) -> str:
    """What make prints; not as a part of the make that runs the tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(('MAKE', 'MFLAGS'))}
    command = ['make', '--no-print-directory', *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def _steps(*words: str) -> str:
    """What make would run; nothing is run."""
    return _make('--always-make', '--dry-run', *words)


@pytest.mark.parametrize('asked', ['--help', '-h', '--list', '--list --quick'])
def test_a_question_compiles_nothing(asked: str) -> None:
    steps = _steps('bench', f'BENCH={asked}')
    assert f'-m bench {asked}' in steps
    assert 'SLUICE_COMPILE' not in steps
    assert ' compile' not in steps


def test_a_measurement_compiles_first() -> None:
    steps = _steps('bench', 'BENCH=--quick')
    assert 0 <= steps.index('SLUICE_COMPILE=1') < steps.index('-m bench --quick')


def test_every_name_in_the_list_has_its_words_in_one_column() -> None:
    lines = _make('help').splitlines()
    assert len({len(line) - len(line.split(maxsplit=2)[2]) for line in lines}) == 1, lines
