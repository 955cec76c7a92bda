"""Where new connections of a group go, and the sink in which none comes to be."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
from collections.abc import Iterator

import pytest

from dataplane.supervisor import steering
from dataplane.supervisor.steering import Sink

LOOPBACK = {socket.AF_INET: '127.0.0.1', socket.AF_INET6: '::1'}


def listening(host: str, port: int, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        pytest.skip(f'{host}: {error}')
    sock.listen(64)
    sock.setblocking(False)
    return sock


@contextlib.contextmanager
def group(host: str = '127.0.0.1', family: socket.AddressFamily = socket.AF_INET) -> Iterator[list[socket.socket]]:
    """Two workers' sockets."""
    first = listening(host, 0, family)
    sockets = [first, listening(host, first.getsockname()[1], family)]
    yield sockets
    for sock in sockets:
        sock.close()


def accepted(sock: socket.socket) -> list[socket.socket]:
    """All that wait in it."""
    found = []
    while select.select([sock], [], [], 0)[0]:
        found.append(sock.accept()[0])
    return found


def connected(of: socket.socket, count: int) -> list[socket.socket]:
    own = LOOPBACK[socket.AddressFamily(of.family)]
    return [socket.create_connection((own, of.getsockname()[1])) for _ in range(count)]


def late(of: socket.socket) -> socket.socket:
    """One that comes now, whose handshake does not end."""
    sock = socket.socket(of.family)
    sock.setblocking(False)
    assert sock.connect_ex((LOOPBACK[socket.AddressFamily(of.family)], of.getsockname()[1])) == errno.EINPROGRESS
    assert not select.select([], [sock], [], 0.05)[1], 'its SYN was answered'
    return sock


def ended(*sockets: socket.socket) -> None:
    for sock in sockets:
        sock.close()


@pytest.mark.parametrize(
    'host,family',
    [
        ('127.0.0.1', socket.AF_INET), ('0.0.0.0', socket.AF_INET), ('::1', socket.AF_INET6), ('::', socket.AF_INET6),
    ],
)  # fmt: skip
def test_nobody_new_comes_in_and_who_waits_is_kept(host: str, family: socket.AddressFamily) -> None:
    with group(host, family) as sockets:
        waiting = connected(sockets[0], 20)
        sink = Sink(sockets, (0, 1))
        newcomers = [late(sockets[0]) for _ in range(5)]
        kept = [one for sock in sockets for one in accepted(sock)]
        assert len(kept) == 20
        for client in waiting:
            client.sendall(b'x')
        assert [one.recv(1) for one in kept] == [b'x'] * 20
        ended(*sockets)
        sink.close()
        for one in newcomers:  # they try again, and find nobody
            assert select.select([], [one], [], 30)[1]
            assert one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
        ended(*waiting, *kept, *newcomers)


def test_what_was_steered_stays_so_until_the_sink_stands_and_where_it_cannot_be_had() -> None:
    with group('0.0.0.0') as sockets:
        # who listens at the one address to which we would connect gets the connection to ourselves
        nearer = listening('127.0.0.1', sockets[0].getsockname()[1])
        with pytest.raises(OSError, match='does not reach us'):
            Sink(sockets, (1,))
        (ours,) = accepted(nearer)
        ended(nearer, ours)
        clients = connected(sockets[0], 20)
        kept = accepted(sockets[1])
        assert len(kept) == 20
        assert accepted(sockets[0]) == []
        ended(*clients, *kept)


def test_steering_and_spreading() -> None:
    with group() as sockets:
        steering.steer(sockets[0], (1,))
        clients = connected(sockets[0], 20)
        assert not accepted(sockets[0])
        steering.spread(sockets[0])
        with pytest.raises(OSError) as none:  # noqa: PT011 - its errno
            steering.spread(sockets[0])
        assert none.value.errno == errno.ENOENT
        ended(*clients, *accepted(sockets[1]))
        clients = connected(sockets[0], 64)
        spread = [accepted(sock) for sock in sockets]
        assert all(spread)
        ended(*clients, *spread[0], *spread[1])


def test_a_sink_takes_nothing_from_a_group_of_one() -> None:
    first = listening('127.0.0.1', 0)
    sink = Sink([first], (0,))
    client = late(first)
    assert accepted(first) == []
    ended(first, client)
    sink.close()
