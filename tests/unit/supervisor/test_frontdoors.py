"""`disable|enable|shutdown frontend` over real listening sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from dataplane.cli.session import Complaint
from dataplane.core.model import Bind, Frontend, Snapshot
from dataplane.core.tables import Tables
from dataplane.supervisor.frontdoors import Door, FrontDoors
from dataplane.supervisor.listeners import Listener, Listeners


class Accepting:
    """Workers that accept where they are told to."""

    def __init__(self) -> None:
        self.on: list[str] = []

    def listen(self, listeners: Sequence[Listener]) -> None:
        self.on += [listener.key for listener in listeners]

    async def unlisten(self, listeners: Sequence[Listener]) -> None:
        await asyncio.sleep(0)
        for listener in listeners:
            self.on.remove(listener.key)


class Scene:
    """One frontend that is listened on."""

    def __init__(self, port: int) -> None:
        self.frontend = Frontend(name='fe', id=2, binds=(Bind(name='b', host='127.0.0.1', port=port),), maxconn=10)
        self.known = [self.frontend]
        self.port, self.listeners, self.workers = port, Listeners(1), Accepting()
        self.lines: list[tuple[str, str]] = []
        self.stopping = False
        self.turn = asyncio.Lock()
        self.workers.listen(self.listeners.open_missing([self.frontend]))
        self.doors = FrontDoors(
            self.listeners,
            self.workers,
            self.changing,
            lambda: Tables(1, Snapshot(), frontends=dict(enumerate(self.known))),
            lambda level, text: self.lines.append((level, text)),
        )

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        async with self.turn:
            if self.stopping:
                raise Complaint('This data plane is stopping.')
            yield

    def is_open(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(('127.0.0.1', self.port)) == 0


@pytest.fixture
def scene() -> Iterator[Scene]:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(('127.0.0.1', 0))
        port = holder.getsockname()[1]
    made = Scene(port)
    yield made
    made.listeners.close_all()


async def complaint_of(work: object) -> str:
    with pytest.raises(Complaint) as complaint:
        await work  # type: ignore[misc]
    return complaint.value.answer.text


async def test_disabled_and_enabled(scene: Scene) -> None:
    doors, frontend = scene.doors, scene.frontend
    assert doors.state(frontend) is Door.OPEN
    assert await complaint_of(doors.enable(frontend)) == 'All sockets are already enabled.'
    await doors.disable(frontend)
    assert (doors.state(frontend), scene.is_open(), scene.workers.on) == (Door.PAUSED, False, [])
    assert await complaint_of(doors.disable(frontend)) == 'All sockets are already disabled.'
    await doors.enable(frontend)
    assert (doors.state(frontend), scene.is_open(), scene.workers.on) == (Door.OPEN, True, [f'127.0.0.1:{scene.port}'])
    assert scene.lines == [('notice', 'Paused frontend fe.'), ('notice', 'Resumed frontend fe.')]


@pytest.mark.parametrize('paused', [False, True])
async def test_shut_down_it_stays_so(scene: Scene, paused: bool) -> None:
    doors, frontend = scene.doors, scene.frontend
    if paused:
        await doors.disable(frontend)
    await doors.shutdown(frontend)
    assert (doors.state(frontend), scene.is_open()) == (Door.STOP, False)
    assert await complaint_of(doors.shutdown(frontend)) == 'Frontend was already shut down.'
    assert await complaint_of(doors.disable(frontend)) == 'Frontend was previously shut down, cannot disable.'
    assert await complaint_of(doors.enable(frontend)) == 'Frontend was previously shut down, cannot enable.'
    assert scene.lines[-1] == ('notice', 'Proxy fe stopped.')


async def test_an_address_that_somebody_took_meanwhile(scene: Scene) -> None:
    doors, frontend = scene.doors, scene.frontend
    await doors.disable(frontend)
    with socket.socket() as other:
        other.bind(('127.0.0.1', scene.port))
        other.listen()
        text = await complaint_of(doors.enable(frontend))
        assert text == 'Failed to resume frontend, check logs for precise cause (port conflict?).'
        assert doors.state(frontend) is Door.PAUSED
        level, line = scene.lines[-1]
        assert (level, 'cannot bind socket' in line) == ('alert', True)
    await doors.enable(frontend)
    assert scene.is_open()


async def test_nothing_is_opened_while_stopping(scene: Scene) -> None:
    await scene.doors.disable(scene.frontend)
    scene.stopping = True
    assert await complaint_of(scene.doors.enable(scene.frontend)) == 'This data plane is stopping.'
    assert not scene.is_open()


async def test_shut_down_while_it_waits_to_be_enabled(scene: Scene) -> None:
    """It was paused when it was asked for, and no more when its turn came."""
    doors, frontend = scene.doors, scene.frontend
    await doors.disable(frontend)
    async with scene.turn:
        enabling = asyncio.ensure_future(doors.enable(frontend))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(doors.shutdown(frontend))
        await asyncio.sleep(0)
    assert await complaint_of(enabling) == 'Frontend was previously shut down, cannot enable.'
    await closing
    assert (doors.state(frontend), scene.is_open(), scene.workers.on) == (Door.STOP, False, [])


async def test_what_a_reload_made_of_it_meanwhile_is_opened(scene: Scene) -> None:
    doors, frontend = scene.doors, scene.frontend
    await doors.disable(frontend)
    async with scene.turn:
        enabling = asyncio.ensure_future(doors.enable(frontend))
        await asyncio.sleep(0)
        scene.known = [replace(frontend, binds=(Bind(name='b', host='127.0.0.1', port=0),))]
    await enabling
    assert scene.workers.on == ['127.0.0.1:0']
    assert not scene.is_open()


async def test_gone_while_it_waits_to_be_enabled(scene: Scene) -> None:
    await scene.doors.disable(scene.frontend)
    async with scene.turn:
        enabling = asyncio.ensure_future(scene.doors.enable(scene.frontend))
        await asyncio.sleep(0)
        scene.known = []
    assert await complaint_of(enabling) == 'No such frontend.'
    assert scene.workers.on == []


def test_a_frontend_that_the_file_disables(scene: Scene) -> None:
    off = Frontend(name='off', id=3, binds=(), maxconn=1, disabled=True)
    assert scene.doors.state(off) is Door.STOP
