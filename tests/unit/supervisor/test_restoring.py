"""State files on the disk, as far as backends ask for them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from dataplane.cli.servers import STATE_HEADER
from dataplane.core.changes import Change, RestoreAddresses, RestoreState, SetNamed
from dataplane.core.lookup import Lookup
from dataplane.core.model import Backend, Server, Snapshot
from dataplane.core.naming import Found, Renewed, found_of
from dataplane.supervisor.restoring import restoring


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, level: str, text: str) -> None:
        self.lines.append(f'{level} {text}')


def line(backend: str, server: str, host: str = '10.0.0.1', port: int = 80) -> str:
    return f'3 {backend} 1 {server} {host} 2 0 1 1 100 1 0 2 0 0 0 0 - {port} - 0 0 - - 0'


def write(path: Path, *lines: str) -> str:
    path.write_text('\n'.join(('1', STATE_HEADER, *lines, '')))
    return str(path)


def backend(name: str, path: str, *servers: str, host: str = '10.0.0.1') -> Backend:
    made = tuple(Server(name=one, id=at, host=host, port=80) for at, one in enumerate(servers, 1))
    return Backend(name=name, id=3, servers=made, state_file=path)


def keys(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.backend, change.server) for change in changes if isinstance(change, RestoreState)]


async def test_each_backend_has_what_its_own_file_says_of_it(tmp_path: Path) -> None:
    one = write(tmp_path / 'one', line('a', 'x'), line('b', 'x'), line('c', 'x'), line('a', 'gone'))
    two = write(tmp_path / 'two', line('c', 'x'), line('a', 'y'))
    snapshot = Snapshot(backends=(backend('a', one, 'x', 'y'), backend('b', '', 'x'), backend('c', two, 'x')))
    told = Told()
    assert keys(await restoring(snapshot, told)) == [('a', 'x'), ('c', 'x')]
    assert not told.lines


async def test_a_disabled_backend_and_one_without_servers_need_no_file(tmp_path: Path) -> None:
    missing = str(tmp_path / 'missing')
    snapshot = Snapshot(backends=(replace(backend('a', missing, 'x'), disabled=True), backend('b', missing)))
    told = Told()
    assert await restoring(snapshot, told) == []
    assert not told.lines


async def test_what_cannot_be_used_is_told_and_the_rest_is_used(tmp_path: Path) -> None:
    bad = tmp_path / 'bad'
    bad.write_text('nothing')
    good = write(tmp_path / 'good', line('c', 'x', port=70_000), line('c', 'y'))
    missing = str(tmp_path / 'missing')
    snapshot = Snapshot(
        backends=(backend('a', str(bad), 'x'), backend('b', missing, 'x'), backend('c', good, 'x', 'y'))
    )
    told = Told()
    assert keys(await restoring(snapshot, told)) == [('c', 'y')]
    assert told.lines == [
        f"warning config : [{bad}:1] : Can't get version of the server state file.",
        f"warning config : Can't open server state file '{missing}': No such file or directory.",
        f"warning config : [{good}:3] : server-state application failed for server 'c/x', invalid srv_port value '70000'",
    ]


async def test_a_port_set_at_run_time_lives_on_and_an_address_where_a_name_is_declared(tmp_path: Path) -> None:
    path = write(
        tmp_path / 'f', line('a', 'x', '10.0.0.9', 81), line('b', 'x', '10.0.0.9'), line('b', 'y', 'name.example')
    )
    snapshot = Snapshot(backends=(backend('a', path, 'x'), backend('b', path, 'x', 'y', host='name.example')))
    changes = await restoring(snapshot, Told())
    assert changes[-1] == RestoreAddresses((('a', 'x', '10.0.0.1', 81), ('b', 'x', '10.0.0.9', 80)))
    assert all(isinstance(change, RestoreState) for change in changes[:-1])


async def test_a_file_that_is_none_is_told_and_the_start_goes_on(tmp_path: Path) -> None:
    """A folder, a pipe that nobody writes to, one that somebody will, a device without end, and bytes that are no text."""
    pipe, waiting = tmp_path / 'pipe', tmp_path / 'waiting'
    os.mkfifo(pipe)
    os.mkfifo(waiting)
    writer = os.open(waiting, os.O_RDWR)
    bytes_ = tmp_path / 'bytes'
    bytes_.write_bytes(
        f'1\n{line("b", "s")}\n'.encode() + b'3 b\xff 1 s 10.0.0.1 x 0 1 1 100 1 0 2 0 0 0 0 - 80 - 0 0 - - 0\n'
    )
    paths = (str(tmp_path), str(pipe), str(waiting), '/dev/zero', str(bytes_))
    for path in paths:
        told = Told()
        changes = await restoring(Snapshot(backends=(backend('b', path, 's'),)), told)
        assert len(told.lines) == 1, (path, told.lines)
        assert keys(changes) == ([('b', 's')] if path == str(bytes_) else [])
    os.close(writer)


# -- names that nameservers are asked for ------------------------------------------------------------------------------

APP = Lookup(resolvers='r', name='app.internal')
SERVICE = Lookup(resolvers='r', name='_http._tcp.web')


def asking(lookup: Lookup, host: str = '') -> Server:
    return Server(name='x', id=1, host=host or lookup.name, port=80, lookup=lookup)


def named(host: str, fqdn: str, record: str = '-', port: int = 8_001, admin: int = 0) -> str:
    return f'3 a 1 x {host} 2 {admin} 1 1 100 1 0 2 0 0 0 0 {fqdn} {port} {record} 0 0 - - 0'


@pytest.mark.parametrize(
    'server, text, found',
    [
        (asking(APP), named('10.0.0.1', 'app.internal'), Found(APP.of, '10.0.0.1', 8_001)),
        (asking(APP), named('10.0.0.1', '-'), Found(APP.of, '10.0.0.1', 8_001)),
        (asking(APP), named('-', 'app.internal'), Found(APP.of, '', 8_001)),
        (asking(APP), named('10.0.0.1', 'other.internal'), None),
        (
            asking(APP),
            named('10.0.0.1', 'other.internal', admin=0x40),
            Found(APP.of, '10.0.0.1', 8_001, 'other.internal', renamed=True),
        ),
        (asking(replace(APP, init=('libc', 'none'))), named('10.0.0.1', 'app.internal'), Found(APP.of, '', 8_001)),
        (
            asking(replace(APP, init=('libc', 'last')), '10.0.0.9'),
            named('10.0.0.1', 'app.internal'),
            Found(APP.of, '10.0.0.9', 8_001),
        ),
        (
            asking(SERVICE),
            named('10.0.0.1', 'w1.internal', '_http._tcp.web'),
            Found(SERVICE.of, '10.0.0.1', 8_001, 'w1.internal', renamed=True),
        ),
        (asking(SERVICE), named('10.0.0.1', 'w1.internal', '_http._tcp.other'), None),
        (asking(SERVICE), named('-', '-', '_http._tcp.web'), None),
    ],
)
async def test_what_was_last_known_of_a_name(tmp_path: Path, server: Server, text: str, found: Found | None) -> None:
    path = write(tmp_path / 'state', text)
    snapshot = Snapshot(backends=(Backend(name='a', id=3, servers=(server,), state_file=path),))
    told = Told()
    changes = [change for change in await restoring(snapshot, told) if not isinstance(change, RestoreState)]
    was = found_of(server)
    assert was is not None
    assert changes == ([] if found is None else [SetNamed((Renewed('a', 'x', was, found),))])
    assert not told.lines
