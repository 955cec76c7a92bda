"""The supervisor's log: formats, targets, readers that do not read."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dataplane.core.model import Backend, Global, LogTarget
from dataplane.supervisor.logs import Log, say


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def log_to(*targets: LogTarget, node: str = 'n1', send: str | None = None) -> Log:
    return Log(Global(log_targets=targets, node=node, log_tag='tag', log_send_hostname=send), quiet=True)


@pytest.mark.parametrize(
    'form, wanted',
    [
        ('raw', r'text'),
        ('short', r'<5>text'),
        ('priority', r'<133>text'),
        ('timed', r'<5>\d{4}-\d\d-\d\dT[\d:.]{15}[+-]\d\d:\d\d text'),
        ('iso', r'\d{4}-\d\d-\d\dT[\d:.]{15}[+-]\d\d:\d\d text'),
        ('rfc5424', r'<133>1 \S+ h tag \d+ - - text'),
        ('rfc3164', r'<133>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d h tag\[\d+\]: text'),
    ],
)
def test_formats(pipe: tuple[int, int], form: str, wanted: str) -> None:
    log = log_to(LogTarget(address=f'fd@{pipe[1]}', format=form), send='h')
    log('notice', 'text')
    assert re.fullmatch(wanted + '\n', os.read(pipe[0], 1_000).decode())


def test_levels(pipe: tuple[int, int]) -> None:
    log = log_to(LogTarget(address=f'fd@{pipe[1]}', format='short', level='notice', min_level='warning'))
    log('info', 'not wanted')
    log('emerg', 'raised')
    log('notice', 'as it is')
    assert os.read(pipe[0], 1_000) == b'<4>raised\n<5>as it is\n'


def test_length_is_cut(pipe: tuple[int, int]) -> None:
    log_to(LogTarget(address=f'fd@{pipe[1]}', format='raw', length=80))('alert', 'x' * 500)
    assert os.read(pipe[0], 1_000) == b'x' * 79 + b'\n'


def test_datagrams_and_a_syslog_that_is_away(tmp_path: Path) -> None:
    path = str(tmp_path / 'log')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(('127.0.0.1', 0))
        port = udp.getsockname()[1]
        log = log_to(LogTarget(address=f'127.0.0.1:{port}', format='raw'), LogTarget(address=path, format='raw'))
        log('alert', 'one')
        assert udp.recv(100) == b'one'
        assert log.dropped == 1
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
            unix.bind(path)
            log('alert', 'two')
            assert unix.recv(100) == b'two'
        assert udp.recv(100) == b'two'
        log.adopt(Global())
        log('alert', 'nobody wants this')
        log.close()


def test_lines_about_a_backend_go_where_it_says(pipe: tuple[int, int], tmp_path: Path) -> None:
    own = LogTarget(address=str(tmp_path / 'own'), format='raw')
    mine, silent = Backend(name='b', id=2, log_targets=(own,)), Backend(name='s', id=3)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
        unix.bind(own.address)
        log = log_to(LogTarget(address=f'fd@{pipe[1]}', format='raw'))
        log.of(mine, 'notice', 'of its own')
        log.of(silent, 'notice', 'of one that says nothing')
        log.of(replace(silent, pushed=True), 'notice', 'of a pushed one')
        log.adopt(Global(), [mine])
        log.of(mine, 'notice', 'as before')
        assert [unix.recv(100) for _ in range(2)] == [b'of its own', b'as before']
        log.close()
    assert os.read(pipe[0], 1_000) == b'of a pushed one\n'


def test_a_syslog_that_does_not_read_holds_nothing_up(tmp_path: Path) -> None:
    path = str(tmp_path / 'log')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
        unix.bind(path)
        log = log_to(LogTarget(address=path, format='raw'))
        for number in range(2_000):
            log('alert', f'{number:04d}')
        taken = 2_000 - log.dropped
        assert 0 < taken < 2_000
        assert [unix.recv(100) for _ in range(taken)] == [b'%04d' % number for number in range(taken)]
        log('alert', 'again')
        assert unix.recv(100) == b'again'
        log.close()


async def test_a_reader_that_does_not_read_holds_nothing_up_and_gets_it_later(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[0], False)
    log = log_to(LogTarget(address=f'fd@{pipe[1]}', format='raw'))
    log.start(asyncio.get_running_loop())
    for number in range(3_000):
        log('alert', f'{number:050d}')
    assert log.dropped == 0
    got = b''
    while got.count(b'\n') < 3_000:
        try:
            got += os.read(pipe[0], 1 << 20)
        except BlockingIOError:
            await asyncio.sleep(0.005)
    assert got == b''.join(b'%050d\n' % number for number in range(3_000))
    log.close()


def test_what_is_kept_is_bounded(pipe: tuple[int, int]) -> None:
    log = log_to(LogTarget(address=f'fd@{pipe[1]}', format='raw'))
    for _ in range(8_000):
        log('alert', 'x' * 50)
    assert log.dropped > 0
    log.close()


def test_a_target_whose_reader_is_gone(pipe: tuple[int, int]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    log = log_to(LogTarget(address=f'fd@{writer}', format='raw'), LogTarget(address=f'fd@{pipe[1]}', format='raw'))
    log('alert', 'still')
    assert os.read(pipe[0], 100) == b'still\n'
    assert log.dropped == 1
    os.close(writer)


async def test_nothing_is_tried_again_where_nobody_can_ever_read() -> None:
    reader, writer = os.pipe()
    log = log_to(LogTarget(address=f'fd@{writer}', format='raw'))
    log.start(asyncio.get_running_loop())
    os.close(reader)
    log('alert', 'lost')
    assert (log.dropped, log._retry) == (1, None)
    log.close()
    os.close(writer)


def test_stderr_as_haproxy_writes_it(capfd: pytest.CaptureFixture[str]) -> None:
    log = Log(Global())
    for level in ('emerg', 'warning', 'notice'):
        log(level, 'text')
    say('ALERT', 'one\ntwo')
    pid = os.getpid()
    assert capfd.readouterr().err.splitlines() == [
        f'[ALERT]    ({pid}) : text',
        f'[WARNING]  ({pid}) : text',
        f'[NOTICE]   ({pid}) : text',
        f'[ALERT]    ({pid}) : one',
        f'[ALERT]    ({pid}) : two',
    ]


def test_what_becomes_of_a_server_is_no_alert_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    log, backend = Log(Global()), Backend(id=2, name='b')
    for level in ('emerg', 'alert', 'notice'):
        log.of(backend, level, 'text')
    pid = os.getpid()
    assert capfd.readouterr().err.splitlines() == [f'[ALERT]    ({pid}) : text', *[f'[WARNING]  ({pid}) : text'] * 2]


def test_every_line_is_told_as_well() -> None:
    log, told = log_to(), list[tuple[str, str]]()
    log('notice', 'before anybody listens')
    log.told = lambda level, text: told.append((level, text))
    log('alert', 'something')
    assert told == [('alert', 'something')]


def test_what_is_no_text_is_told_as_well_as_it_can_be(pipe: tuple[int, int], capfd: pytest.CaptureFixture[str]) -> None:
    log = Log(Global(log_targets=(LogTarget(address=f'fd@{pipe[1]}', format='raw'),)))
    log('warning', 'a name \udcff of a file')
    assert os.read(pipe[0], 1_000) == b'a name ? of a file\n'
    assert capfd.readouterr().err.endswith(' : a name ? of a file\n')
