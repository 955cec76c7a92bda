"""Connections to a statistics section: how many, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dataplane.supervisor.doorkeeper import Doorkeeper
from tests.integration.harness.waiting import until


class Guest(asyncio.Protocol):
    """A connection that answers nothing by itself."""

    def __init__(self, known: list[Guest]) -> None:
        self.transport: asyncio.Transport | None = None
        self._known = known

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._known.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._known.remove(self)


class House:
    """A section whose connections are those of `guests`."""

    def __init__(self, *, most: int = 256, patience: float = 60.0) -> None:
        self.guests: list[Guest] = []
        loop = asyncio.get_running_loop()
        self.keeper = Doorkeeper(
            loop, lambda: Guest(self.guests), lambda: list(self.guests), most=most, patience=patience, every=0.01
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        server = await asyncio.get_running_loop().create_server(self.keeper, '127.0.0.1', 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            self.keeper.close()
            server.close()

    async def has(self, number: int) -> None:
        await until(lambda: len(self.guests) == number, within=30, what=f'{number} are connected')


async def test_the_one_that_was_silent_for_longest_makes_room() -> None:
    house = House(most=3)
    async with house.open() as port:
        streams = []
        for number in range(1, 4):
            streams.append(await asyncio.open_connection('127.0.0.1', port))
            await house.has(number)
        with house.keeper.serving(house.guests[0]):
            streams.append(await asyncio.open_connection('127.0.0.1', port))
            assert await asyncio.wait_for(streams[1][0].read(), 30) == b''
            await house.has(3)
        for _, writer in streams:
            writer.close()
        await house.has(0)


async def test_a_thousand_that_come_at_once_are_no_more_than_there_may_be() -> None:
    house = House(most=20)
    async with house.open() as port:
        streams = [await asyncio.open_connection('127.0.0.1', port) for _ in range(200)]
        last = streams[-1]
        await until(lambda: 0 < len(house.guests) <= 20, within=30, what='the others were closed')
        assert not last[0].at_eof()
        for _, writer in streams:
            writer.close()
        await house.has(0)


async def test_nobody_stays_who_says_nothing() -> None:
    house = House(patience=0.05)
    async with house.open() as port:
        reader, writer = await asyncio.open_connection('127.0.0.1', port)
        assert await asyncio.wait_for(reader.read(), 30) == b''
        await house.has(0)
        writer.close()
