from __future__ import annotations

import os
import socket

import pytest

from dataplane.supervisor.inherited import inherited


def test_what_was_given_stays_open() -> None:
    with socket.socket() as given:
        given.bind(('127.0.0.1', 0))
        with inherited(given.fileno()) as own:
            assert own.getsockname() == given.getsockname()
            assert own.fileno() != given.fileno()
        assert given.getsockname()[1]


def test_what_is_no_stream_socket_is_refused_and_nothing_is_left_open() -> None:
    reading, writing = os.pipe()
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        for fd in (reading, datagrams.fileno(), 98_765):
            before = len(os.listdir('/proc/self/fd'))
            with pytest.raises(OSError, match=r'non-socket|wrong type|Bad file descriptor'):
                inherited(fd)
            assert len(os.listdir('/proc/self/fd')) == before
    os.close(reading)
    os.close(writing)
