from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dataplane.core.model import Level, StatsSocket
from dataplane.supervisor.clisocket import CliServer
from dataplane.supervisor.socketclient import main
from tests.inprocess import Plane


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[str]:
    """The stats socket of a data plane without processes."""
    plane = Plane()
    made = CliServer(
        plane.verbs(), settings=lambda: plane.ledger.tables.snapshot.globals, uptime=plane.figures.uptime_s
    )
    await made.start((StatsSocket(path=str(tmp_path / 's'), mode=0o600, level=Level.ADMIN),))
    yield str(tmp_path / 's')
    await made.close()


async def run(*words: str, path: str) -> int:
    return await asyncio.to_thread(main, words, {'SLUICE_SOCKET': path})


async def test_a_command_is_asked_and_its_answer_printed(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run('show', 'version', path=path) == 0
    assert capsys.readouterr() == ('1.2.3\n', '')
    assert await run('set', 'server', 'px/s1', 'state', 'drain', path=path) == 0
    assert capsys.readouterr() == ('\n', '')
    assert await run('-s', path, 'show servers state px', path='nowhere') == 0
    assert ' s1 ' in capsys.readouterr().out


@pytest.mark.parametrize(
    'words, said',
    [
        ('set server px/nobody state drain', 'No such server.\n'),
        ('set server px/s1 state asleep', "'set server <srv> state' expects"),
        ('nonsense', 'Unknown command'),
        ('show version; set server px/nobody state drain', '1.2.3\n\nNo such server.\n'),
    ],
)
async def test_what_is_refused_is_said_with_status_1(
    path: str, words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(words, path=path) == 1
    assert said in capsys.readouterr().out


async def test_a_warning_is_no_refusal(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run('set server px/s1 addr 127.0.0.1', path=path) == 0
    assert capsys.readouterr().out == 'nothing changed\n'


async def test_without_words_each_line_of_the_input_is_asked(
    path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('sys.stdin', io.StringIO('show version\n\nget weight px/s1\n'))
    assert await run(path=path) == 0
    assert capsys.readouterr().out == '1.2.3\n10 (initial 10)\n'


@pytest.mark.parametrize('words', [['-s'], ['-x', 'show', 'info']])
def test_wrong_usage_is_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words, {}) == 2
    assert 'usage: sluice-socket' in capsys.readouterr().err


def test_nobody_at_the_socket_is_status_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['-s', str(tmp_path / 'none'), 'show', 'info'], {}) == 3
    assert capsys.readouterr().err == f'sluice-socket: {tmp_path}/none: No such file or directory\n'
