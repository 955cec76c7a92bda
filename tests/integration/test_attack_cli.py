"""`sluicectl` as its own process, where it has no terminal, no room and no sense."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.harness.procs import ROOT, python
from tests.unit.controlplane.world import ControlPlane, control_plane

_ENVIRONMENT = {'PATH': os.environ['PATH'], 'PYTHONPATH': str(ROOT)}


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with control_plane(f'sqlite:///{tmp_path}/sluice.db') as found:
        await found.put_app()
        yield found


def _run(address: str, words: tuple[str, ...], stdout: str, environment: dict[str, str]) -> tuple[int, str]:
    argv = python('sluicectl', '--url', f'http://{address}', *words)
    with open(stdout, 'w') as sink:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=20,
            check=False,
        )
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize('words', [('servers',), ('-o', 'json', 'servers'), ('events',)], ids=' '.join)
async def test_an_answer_that_cannot_be_written_is_one_line_and_exit_1(
    control: ControlPlane, words: tuple[str, ...]
) -> None:
    code, said = await asyncio.to_thread(_run, control.address, words, '/dev/full', _ENVIRONMENT)
    assert (code, said) == (1, 'sluicectl: the answer cannot be written: No space left on device\n')


async def test_a_token_that_cannot_be_one_is_named_without_being_shown(control: ControlPlane) -> None:
    environment = {**_ENVIRONMENT, 'SLUICE_TOKEN': 'geheim\udcff'}
    code, said = await asyncio.to_thread(_run, control.address, ('servers',), os.devnull, environment)
    assert (code, said) == (1, 'sluicectl: the token holds characters that no token has\n')
