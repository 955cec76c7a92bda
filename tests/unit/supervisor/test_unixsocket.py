"""Listening unix sockets: nothing that lives is pushed aside, nothing dead is in the way."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from dataplane.supervisor.unixsocket import Place, listen_unix


def refusal(path: Path) -> OSError:
    with pytest.raises(OSError, match=r'\[Errno \d+\]') as refused:
        listen_unix(str(path), None, 1)
    return refused.value


def test_it_is_there_with_its_mode_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / 's'
    with listen_unix(str(path), 0o600, 1), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert os.listdir(tmp_path) == ['s']


def test_what_a_dead_process_left_is_replaced(tmp_path: Path) -> None:
    path, beside = tmp_path / 's', tmp_path / f's.{os.getpid()}.tmp'
    for left in (path, beside):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(left))
    with listen_unix(str(path), None, 1), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert os.listdir(tmp_path) == ['s']


def test_one_that_listens_is_refused_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / 's'
    with listen_unix(str(path), None, 1) as living:
        assert refusal(path).errno == errno.EADDRINUSE
        living.accept()[0].close()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            living.accept()[0].close()
    assert os.listdir(tmp_path) == ['s']


def test_one_whose_backlog_is_full_lives(tmp_path: Path) -> None:
    path = tmp_path / 's'
    with listen_unix(str(path), None, 0), socket.socket(socket.AF_UNIX) as waiting:
        waiting.connect(str(path))
        assert refusal(path).errno == errno.EADDRINUSE


def test_another_kind_of_socket_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 's'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(path))
        assert refusal(path).errno == errno.EADDRINUSE


def test_what_cannot_be_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / 'd').mkdir()
    assert refusal(tmp_path / 'no' / 's').errno == errno.ENOENT
    assert refusal(tmp_path / 'd').errno in {errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY}
    assert os.listdir(tmp_path) == ['d']


def test_a_place_is_left_once_and_only_by_whom_it_belongs_to(tmp_path: Path) -> None:
    path = str(tmp_path / 's')
    with listen_unix(path, None, 1):
        old = Place.of(path)
    with listen_unix(path, None, 1):
        new = Place.of(path)
        old.leave()
        assert os.path.exists(path)
        new.leave()
        assert not os.path.exists(path)
        new.leave()


@pytest.mark.parametrize('name', ['\0sluice-test-{}', '\0sluice-test-{}'.ljust(100, '\0')])
def test_abstract_names_are_in_no_directory(name: str) -> None:
    name = name.format(os.getpid())
    with listen_unix(name, 0o600, 4):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(name)
        with pytest.raises(OSError, match='in use'):
            listen_unix(name, None, 4)
        Place.of(name).leave()
    with listen_unix(name, None, 4):
        pass
