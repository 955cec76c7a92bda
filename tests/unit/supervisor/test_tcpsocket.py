"""Bound sockets: what the kernel says of them is what was asked for, and what it refuses is told with what was asked for."""

from __future__ import annotations

import errno
import socket

import pytest

from dataplane.supervisor.tcpsocket import bound

FOREIGN = '198.51.100.7'
"""An address of nobody (RFC 5737)."""


def test_any_address_of_ipv4_or_the_one_that_is_named() -> None:
    for host, wanted in (('', '0.0.0.0'), ('*', '0.0.0.0'), ('127.0.0.1', '127.0.0.1'), ('::1', '::1')):
        with bound(host, 0) as sock:
            assert sock.getsockname()[0] == wanted
            assert sock.getsockname()[1]


def test_both_families_or_one(port: int) -> None:
    with bound('::', port, v6only=True), bound('0.0.0.0', port):
        pass
    with bound('::', port, v6only=False) as both:
        both.listen()
        socket.create_connection(('127.0.0.1', port)).close()


def test_a_group_shares_a_port_and_nobody_else_does(port: int) -> None:
    with bound('127.0.0.1', port, shared=True) as one, bound('127.0.0.1', port, shared=True):
        one.listen()
        with pytest.raises(OSError, match='in use') as told:
            bound('127.0.0.1', port)
    assert told.value.errno == errno.EADDRINUSE


def test_an_interface() -> None:
    with bound('0.0.0.0', 0, interface='lo') as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b'\0') == b'lo'
    with pytest.raises(OSError, match="interface 'nosuch0': No such device"):
        bound('0.0.0.0', 0, interface='nosuch0')


def test_an_address_of_somebody_else() -> None:
    with pytest.raises(OSError, match='Cannot assign requested address'):
        bound(FOREIGN, 0)
    if _may_administer_the_network():
        with bound(FOREIGN, 0, transparent=True) as sock:
            assert sock.getsockname()[0] == FOREIGN
    else:
        with pytest.raises(PermissionError, match="'transparent': Operation not permitted"):
            bound(FOREIGN, 0, transparent=True)


def _may_administer_the_network() -> bool:
    with socket.socket() as sock:
        try:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TRANSPARENT, 1)
        except PermissionError:
            return False
    return True


def test_nothing_stays_open_of_what_could_not_be_bound(port: int) -> None:
    with socket.create_server(('127.0.0.1', port)), pytest.raises(OSError, match='in use'):
        bound('127.0.0.1', port)
    socket.create_server(('127.0.0.1', port)).close()
