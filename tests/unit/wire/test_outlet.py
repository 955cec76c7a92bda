from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataplane.wire.outlet import PIECE, Outlet


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def filled(outlet: Outlet) -> int:
    """Write pieces until there is no room; how many bytes that took."""
    size = 0
    while written := outlet.write(b'x' * 3 * PIECE):
        size += written
    return size


def test_a_full_pipe_takes_nothing_and_the_shared_descriptor_keeps_its_mode(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    size = filled(outlet)
    assert os.get_blocking(pipe[1])
    assert len(os.read(pipe[0], size)) == size
    assert outlet.write(b'line\n') == 5
    outlet.close()


def test_poll_is_not_relied_on(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may have taken the room that poll(2) told of."""
    outlet = Outlet(pipe[1])
    filled(outlet)
    monkeypatch.setattr(Outlet, '_has_room', lambda self: True)
    assert outlet.write(b'line\n') == 0
    outlet.close()


def test_a_pipe_that_cannot_be_opened_anew_is_polled(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    outlet = Outlet(pipe[1])
    with monkeypatch.context() as refused:
        refused.setattr(os, 'open', refuse)
        assert filled(outlet) >= PIECE
        assert outlet.write(b'line\n') == 0
    outlet.close()


def test_a_socket_is_sent_to_without_waiting() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        outlet = Outlet(theirs.fileno())
        assert filled(outlet) >= PIECE
        outlet.close()
        assert theirs.getblocking()


def test_a_file_takes_everything(tmp_path: Path) -> None:
    with (tmp_path / 'log').open('wb') as file:
        outlet = Outlet(file.fileno())
        assert outlet.write(b'x' * 3 * PIECE) == PIECE
        outlet.close()


def test_a_pipe_without_a_reader_raises() -> None:
    reader, writer = os.pipe()
    outlet = Outlet(writer)
    assert outlet.write(b'a') == 1
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        outlet.write(b'a')
    outlet.close()
    os.close(writer)
