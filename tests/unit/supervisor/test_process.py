"""This process among others."""

from __future__ import annotations

import logging
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dataplane.supervisor.process import (
    PRIORITY,
    Forwarder,
    notify,
    raise_descriptor_limit,
    remove_pidfile,
    write_pidfile,
)


def test_pidfile_is_removed_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / 'pid'
    write_pidfile(str(path), 17)
    assert path.read_text() == '17\n'
    remove_pidfile(str(path), 18)
    assert path.exists()
    remove_pidfile(str(path), 17)
    assert not path.exists()
    remove_pidfile(str(path), 17)


def test_a_pidfile_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match='No such file'):
        write_pidfile(str(tmp_path / 'no' / 'pid'), 1)


def test_descriptor_limit_is_raised_to_the_hard_one() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
        raise_descriptor_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
        raise_descriptor_limit()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_records_of_rooms_below_become_lines() -> None:
    lines: list[tuple[str, str]] = []
    logger = logging.getLogger('dataplane.test_process')
    handler = Forwarder(lambda level, text: lines.append((level, text)))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.warning('disk %s', 'full')
    logger.critical('two\nlines')
    try:
        raise ValueError('why')
    except ValueError:
        logger.exception('failed')
    logger.debug('not told')
    assert lines == [('warning', 'disk full'), ('alert', 'two | lines'), ('err', "failed: ValueError('why')")]
    logger.removeHandler(handler)


def test_systemd_is_told_where_it_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('NOTIFY_SOCKET', raising=False)
    notify('READY=1')
    for name, bound in (
        (str(tmp_path / 'n'), str(tmp_path / 'n')),
        (f'@sluice-{os.getpid()}', f'\0sluice-{os.getpid()}'),
    ):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(bound)
            monkeypatch.setenv('NOTIFY_SOCKET', name)
            notify('READY=1')
            assert sock.recv(100) == b'READY=1'
    monkeypatch.setenv('NOTIFY_SOCKET', str(tmp_path / 'gone'))
    notify('STOPPING=1')


GOING_FIRST = """
import os, subprocess, sys
from dataplane.supervisor.process import go_first
os.nice(int(sys.argv[1]))
go_first()
print(os.getpriority(os.PRIO_PROCESS, 0), flush=True)
subprocess.run([sys.executable, "-c", "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"], check=True)
"""


def priorities(*before: str, nice: int = 0) -> list[int]:
    """Those of a process that goes first, and of one that it starts."""
    words = [*before, sys.executable, '-c', GOING_FIRST, str(nice)]
    return [int(line) for line in subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()]


@pytest.mark.skipif(os.geteuid() != 0, reason='only root may be sure to be allowed it')
def test_the_supervisor_goes_first_and_what_it_starts_does_not() -> None:
    assert priorities() == [PRIORITY, 0]


def test_a_priority_that_somebody_chose_stays() -> None:
    assert priorities(nice=3) == [3, 3]


@pytest.mark.skipif(os.geteuid() != 0, reason='there is nothing to take away')
def test_where_that_is_not_allowed_nothing_changes() -> None:
    assert priorities('setpriv', '--bounding-set', '-sys_nice', '--inh-caps', '-sys_nice') == [0, 0]
