"""Listening sockets: opened, spread, steered, refused by name, and closed without a trace."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import select
import socket
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from dataplane.config.address import parse_bind
from dataplane.core.model import Bind, Frontend
from dataplane.supervisor.listeners import CannotListen, Listener, Listeners

WORKERS = 3


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    made = Listeners(WORKERS)
    yield made
    made.close_all()


def frontend(*binds: Bind, name: str = 'f') -> Frontend:
    return Frontend(name=name, id=1, binds=binds, maxconn=200, where='x.cfg:1')


def tcp(port: int, where: str = 'x.cfg:2') -> Bind:
    return Bind(name='b', host='127.0.0.1', port=port, where=where)


def accepted(listener: Listener, port: int, count: int = 60) -> list[int]:
    """How many of `count` connections came to each worker's socket."""
    clients = [socket.create_connection(('127.0.0.1', port)) for _ in range(count)]
    found = []
    for sock in listener.sockets:
        found.append(0)
        while True:
            try:
                sock.accept()[0].close()
            except BlockingIOError:
                break
            found[-1] += 1
    for client in clients:
        client.close()
    return found


def test_connections_are_spread_and_steered_and_spread_again(listeners: Listeners, port: int) -> None:
    (listener,) = listeners.open_missing([frontend(tcp(port))])
    assert len({listener.of(worker).fileno() for worker in range(WORKERS)}) == WORKERS
    assert all(accepted(listener, port))
    listeners.steer([2, 0])
    assert accepted(listener, port)[1] == 0
    listeners.steer([1])
    assert accepted(listener, port) == [0, 60, 0]
    listeners.steer([])
    assert all(accepted(listener, port))
    listeners.steer([0, 1, 2])
    assert all(accepted(listener, port))


def test_one_address_may_be_listened_on_by_interface(listeners: Listeners, port: int) -> None:
    lines = [replace(tcp(port), interface='lo'), replace(tcp(port), host='0.0.0.0', interface='nosuch0')]
    with pytest.raises(CannotListen, match=r"cannot bind socket \(interface 'nosuch0': No such device\)"):
        listeners.open_missing([frontend(*lines)])
    (listener,) = listeners.open_missing([frontend(lines[0])])
    assert all(accepted(listener, port))
    listener.widen(WORKERS + 1)
    assert all(accepted(listener, port))


def test_a_bind_opened_while_steered_is_steered_too(listeners: Listeners, port: int) -> None:
    listeners.steer([1])
    (listener,) = listeners.open_missing([frontend(tcp(port))])
    assert accepted(listener, port, 10) == [0, 10, 0]


def test_a_group_grows_without_anybody_coming_to_who_does_not_serve_yet(listeners: Listeners, port: int) -> None:
    (listener,) = listeners.open_missing([frontend(tcp(port))])
    waiting = [socket.create_connection(('127.0.0.1', port)) for _ in range(30)]
    listeners.widen(WORKERS + 2)
    assert (listeners.workers, len(listener.sockets)) == (WORKERS + 2, WORKERS + 2)
    assert sum(accepted(listener, port, 0)) == 30, 'what waited, waits where it was'
    found = accepted(listener, port)
    assert all(found[:WORKERS])
    assert found[WORKERS:] == [0, 0]
    listeners.steer(range(WORKERS + 2))
    assert all(accepted(listener, port, 100))
    listeners.widen(WORKERS)
    assert listeners.workers == WORKERS + 2, 'it never shrinks by that'
    for client in waiting:
        client.close()


def test_a_group_that_grew_for_nothing_is_as_it_was(listeners: Listeners, port: int) -> None:
    (listener,) = listeners.open_missing([frontend(tcp(port))])
    listeners.steer([0, 2])
    listeners.widen(WORKERS + 2)
    assert accepted(listener, port)[1] == 0
    listeners.narrow(WORKERS)
    assert (listeners.workers, len(listener.sockets)) == (WORKERS, WORKERS)
    assert accepted(listener, port)[1] == 0
    listeners.steer(range(WORKERS))
    assert all(accepted(listener, port))


def test_one_that_is_shared_has_one_socket_however_many_workers(listeners: Listeners, tmp_path: Path) -> None:
    (listener,) = listeners.open_missing([frontend(Bind(name='u', path=str(tmp_path / 's')))])
    listeners.widen(WORKERS + 1)
    assert len(listener.sockets) == 1
    listeners.narrow(WORKERS)
    assert len(listener.sockets) == 1


def test_a_group_that_cannot_grow_is_named_and_all_are_as_they_were(listeners: Listeners, port: int) -> None:
    (listener,) = listeners.open_missing([frontend(tcp(port))])
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, limits[1]))
    try:
        with pytest.raises(CannotListen) as refused:
            listeners.widen(WORKERS + 3)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert str(refused.value) == (
        f'Binding [x.cfg:2] for frontend f: cannot bind socket (Too many open files) for [127.0.0.1:{port}]'
    )
    assert (listeners.workers, len(listener.sockets)) == (WORKERS, WORKERS)
    assert all(accepted(listener, port))


def test_steering_loses_nothing_that_is_queued(listeners: Listeners, port: int) -> None:
    (listener,) = listeners.open_missing([frontend(tcp(port))])
    waiting = [socket.create_connection(('127.0.0.1', port)) for _ in range(30)]
    listeners.steer([0])
    assert listener.holds_backlog()
    assert sum(accepted(listener, port, 0)) == 30
    assert not listener.holds_backlog()
    for client in waiting:
        client.close()


def test_every_port_in_use_is_named_and_nothing_stays_open(listeners: Listeners, port: int) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(('127.0.0.1', 0))
        other.listen()
        taken = other.getsockname()[1]
        wanted = frontend(tcp(port), tcp(taken, 'x.cfg:3'), replace(tcp(1), host='192.0.2.1', where='x.cfg:4'))
        with pytest.raises(CannotListen) as refused:
            listeners.open_missing([wanted])
    first, second = str(refused.value).splitlines()
    assert first == (
        f'Binding [x.cfg:3] for frontend f: cannot bind socket (Address already in use) for [127.0.0.1:{taken}]'
    )
    assert second.startswith('Binding [x.cfg:4] for frontend f: cannot bind socket (')
    assert listeners.all == ()
    (again,) = listeners.open_missing([frontend(tcp(port))])
    assert again.bind.where == 'x.cfg:2'


def test_what_is_open_stays_and_what_is_unwanted_is_known(listeners: Listeners, port: int) -> None:
    first = frontend(tcp(port))
    (listener,) = listeners.open_missing([first])
    assert listeners.open_missing([first]) == []
    assert listeners.unwanted([first]) == []
    assert listeners.unwanted([replace(first, disabled=True)]) == [listener]
    assert listeners.open_missing([replace(first, binds=(tcp(1),), disabled=True)]) == []
    assert listeners.claim([first]) == []
    assert listeners.claim([replace(first, name='g')]) == [listener]
    assert listener.frontend == 'g'
    listeners.close(listener)
    assert listeners.all == ()


def test_unix_sockets_are_shared_take_their_mode_and_go(listeners: Listeners, tmp_path: Path) -> None:
    path = tmp_path / 's'
    bind = Bind(name='u', path=str(path), mode=0o600, where='x.cfg:5')
    (listener,) = listeners.open_missing([frontend(bind)])
    assert listener.shared
    assert listener.of(0) is listener.of(2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    listeners.steer([0])
    listeners.steer([0, 1, 2])
    with pytest.raises(CannotListen, match='already in use'):
        Listeners(1).open_missing([frontend(bind)])
    listeners.close_all()
    assert not path.exists()


def test_a_path_that_a_successor_has_taken_is_left_to_it(listeners: Listeners, tmp_path: Path) -> None:
    path = tmp_path / 's'
    (listener,) = listeners.open_missing([frontend(Bind(name='u', path=str(path)))])
    path.unlink()
    with socket.socket(socket.AF_UNIX) as successor:
        successor.bind(str(path))
        successor.listen()
        listeners.close(listener)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


@pytest.mark.parametrize('word', ['abns@{}', 'abnsz@{}'])
def test_an_abstract_name_is_listened_on_and_named_as_it_is_written(listeners: Listeners, word: str) -> None:
    (address,) = parse_bind(word.format(f'sluice-listeners-{os.getpid()}'))
    assert address.path is not None
    bind = Bind(name='a', path=address.path, mode=0o600, where='x.cfg:5')
    (listener,) = listeners.open_missing([frontend(bind)])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address.path)
        listener.of(0).accept()[0].close()
    with pytest.raises(CannotListen, match=rf'already in use\) for \[abns@sluice-listeners-{os.getpid()}\]'):
        Listeners(1).open_missing([frontend(bind)])
    listeners.close_all()
    assert listeners.open_missing([frontend(bind)])


def test_a_stale_unix_socket_is_replaced(listeners: Listeners, tmp_path: Path) -> None:
    path = tmp_path / 's'
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    listeners.open_missing([frontend(Bind(name='u', path=str(path)))])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    os.unlink(path)


def test_a_unix_path_that_cannot_be_is_named(listeners: Listeners, tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match='No such file'):
        listeners.open_missing([frontend(Bind(name='u', path=str(tmp_path / 'no' / 's')))])


def test_an_inherited_descriptor_is_shared(listeners: Listeners) -> None:
    with socket.socket() as made:
        made.bind(('127.0.0.1', 0))
        (listener,) = listeners.open_missing([frontend(Bind(name='fd', fd=made.fileno()))])
        assert listener.of(1).getsockname() == made.getsockname()


def test_ipv6_only(listeners: Listeners) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(('::1', 0))
        except OSError:
            pytest.skip('this machine has no IPv6')
        free = probe.getsockname()[1]
    (listener,) = listeners.open_missing([frontend(Bind(name='b', host='::1', port=free, v6only=True))])
    assert listener.key == f'[::1]:{free}'
    assert listener.of(0).getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


class Capabilities(ctypes.Structure):
    """The header of capget(2), and the three sets of the first 32 and of the rest."""

    _fields_ = (('version', ctypes.c_uint32), ('pid', ctypes.c_int), ('sets', ctypes.c_uint32 * 6))


def without_net_admin(call: Callable[[], object]) -> None:
    """Call it in a thread that has not, or no longer, CAP_NET_ADMIN; capabilities are a thread's own."""

    def run() -> None:
        libc, of = ctypes.CDLL(None, use_errno=True), Capabilities(0x20080522, 0)
        sets = ctypes.byref(of, Capabilities.sets.offset)
        assert libc.capget(ctypes.byref(of), sets) == 0
        of.sets[0] &= ~(1 << 12)
        assert libc.capset(ctypes.byref(of), sets) == 0
        call()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()


@pytest.mark.parametrize('bare', [False, True], ids=['as we are', 'without CAP_NET_ADMIN'])
def test_who_is_turned_away_is_refused_and_who_waits_is_accepted(listeners: Listeners, port: int, bare: bool) -> None:
    (listener,) = listeners.open_missing([frontend(tcp(port))])
    waiting = [socket.create_connection(('127.0.0.1', port)) for _ in range(10)]
    if bare:
        without_net_admin(listener.turn_away)
    else:
        listener.turn_away()
    listeners.steer([0])  # a worker dies now: nobody is let in again for it
    listeners.steer(range(WORKERS))
    listener.turn_away()  # twice is as good as once
    with socket.socket() as late:
        late.setblocking(False)
        assert late.connect_ex(('127.0.0.1', port)) == errno.EINPROGRESS
        kept = [sock.accept()[0] for sock in listener.sockets for _ in range(10) if readable(sock)]
        assert len(kept) == len(waiting)
        for client in waiting:
            client.sendall(b'x')
        assert [client.recv(1) for client in kept] == [b'x'] * len(waiting), 'what was accepted goes on'
        listeners.close(listener)
        late.settimeout(30)
        assert select.select([], [late], [], 30)[1]
        assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    for sock in (*waiting, *kept):
        sock.close()


def test_who_comes_to_a_path_that_turns_away_finds_nobody(listeners: Listeners, tmp_path: Path) -> None:
    path = str(tmp_path / 's')
    (listener,) = listeners.open_missing([frontend(Bind(name='b', path=path))])
    with socket.socket(socket.AF_UNIX) as waiting, socket.socket(socket.AF_UNIX) as late:
        waiting.connect(path)
        listener.turn_away()
        with pytest.raises(FileNotFoundError):
            late.connect(path)
        listener.of(0).accept()[0].close()


def readable(sock: socket.socket) -> bool:
    return bool(select.select([sock], [], [], 0)[0])


def test_a_frontend_that_is_closed_is_not_listened_for(listeners: Listeners, port: int) -> None:
    one, other = frontend(tcp(port), name='f'), frontend(name='g')
    listeners.closed.add('f')
    assert listeners.open_missing([one, other]) == []
    assert listeners.claim([one]) == []
    listeners.closed.discard('f')
    [opened] = listeners.open_missing([one])
    assert listeners.unwanted([one]) == []
    listeners.closed.add('f')
    assert listeners.unwanted([one]) == [opened]
