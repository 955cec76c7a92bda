from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from controlplane.__main__ import cluster_settings, main, parser, settings
from controlplane.app import CannotStart, open_socket, open_store
from controlplane.tls import TlsFiles


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-m', 'controlplane', *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def arguments(*words: str, **environment: str) -> argparse.Namespace:
    return parser(environment).parse_args(words)


def test_settings_come_from_the_command_line_before_the_environment() -> None:
    found = settings(arguments('--listen', '[::1]:9', SLUICE_STORE='memory:', SLUICE_LISTEN='x:1', SLUICE_TOKENS='f'))
    assert (found.store, found.host, found.port, found.tokens) == ('memory:', '::1', 9, 'f')


@pytest.mark.parametrize(
    'words,complaint',
    [
        ([], '--store'),
        (['--store', 'memory:', '--listen', '8000'], "--listen '8000' is not HOST:PORT"),
        (['--store', 'memory:', '--listen', 'a:70000'], '--listen'),
        (['--store', 'memory:', '--removal-percent', '101'], '--removal-percent'),
        (['--store', 'memory:', '--health-listen', '8000'], "--health-listen '8000' is not HOST:PORT"),
        (['--store', 'memory:', '--tls-key', 'k'], '--tls-key is of no use without --tls-cert'),
        (['--store', 'memory:', '--client-ca', 'c'], '--client-ca is of no use without --tls-cert'),
        (['--store', 'memory:', '--tls-cert', 'c', '--client-ca', 'c'], '--client-ca is of no use without --tokens'),
    ],
)
def test_wrong_settings_are_named(words: list[str], complaint: str) -> None:
    with pytest.raises(CannotStart, match=complaint):
        settings(arguments(*words))


def test_off_loopback_it_listens_only_with_tokens() -> None:
    with pytest.raises(CannotStart, match=r'refusing to listen on 0\.0\.0\.0:0 without --tokens'):
        open_socket('0.0.0.0', 0, alone=True)
    with open_socket('0.0.0.0', 0) as found:
        assert found.getsockname()[1] > 0


def test_the_key_may_be_in_the_file_of_the_certificate() -> None:
    found = settings(arguments('--store', 'memory:', '--tls-cert', 'c', '--health-listen', '[::]:8001'))
    assert found.tls == TlsFiles(certificate='c', key='c')
    assert found.health == ('::', 8001)


def test_accounts_of_data_planes_are_separated_by_commas() -> None:
    given = arguments(POD_NAMESPACE='sluice', SLUICE_DATAPLANE_ACCOUNTS='sluice:dataplane, edge:dp')
    found = cluster_settings(given, {}, 8000)
    assert found.accounts == ('sluice:dataplane', 'edge:dp')
    assert found.audience == 'sluice'
    with pytest.raises(CannotStart, match="--dataplane-accounts: 'c' is not NAMESPACE:NAME"):
        cluster_settings(arguments('--namespace', 'x', '--dataplane-accounts', 'a:b,c'), {}, 8000)


@pytest.mark.parametrize('text', ['postgres:///x', 'sqlite:///', 'x'])
def test_an_unknown_store_is_named(text: str) -> None:
    with pytest.raises(CannotStart, match=text):
        open_store(text)


def test_a_new_token_is_printed_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['--new-token', 'ops:operate']) == 0
    assert 'ops:operate:sha256$' in capsys.readouterr().out
    assert main(['--new-token', 'ops']) == 1
    assert 'ops: is not NAME:ROLE' in capsys.readouterr().err


def test_a_port_in_use_is_named_and_exits_1() -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        done = run('--store', 'memory:', '--listen', f'127.0.0.1:{port}')
    assert done.returncode == 1
    assert done.stderr == f'sluice-controlplane: cannot listen on 127.0.0.1:{port}: Address already in use\n'


def test_what_cannot_be_used_is_named_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listen = ['--listen', '127.0.0.1:0']
    assert main(['--store', f'sqlite:///{tmp_path}/nowhere/db', *listen]) == 1
    assert 'nowhere/db: unable to open' in capsys.readouterr().err
    assert main(['--store', 'memory:', '--tokens', f'{tmp_path}/none', *listen]) == 1
    assert 'the tokens file cannot be used' in capsys.readouterr().err
    assert main(['--store', 'memory:', '--log-level', 'loud', *listen]) == 1
    assert 'loud' in capsys.readouterr().err


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_it_runs_until_a_signal_and_ends_well(number: int, tmp_path: Path) -> None:
    command = [sys.executable, '-m', 'controlplane', '--store', f'sqlite:///{tmp_path}/db', '--listen', '127.0.0.1:0']
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, 'PYTHONUNBUFFERED': '1'})
    assert process.stderr is not None
    first = process.stderr.readline()
    assert 'term 1, listening on 127.0.0.1:' in first
    process.stderr.readline()  # uvicorn has its signal handlers by now
    process.send_signal(number)
    rest = process.stderr.read()
    assert 'Traceback' not in rest
    assert process.wait(20) == 0
    assert [path.name for path in tmp_path.iterdir()] == ['db'], 'the store was closed: nothing of its log is left'
    process.stderr.close()
