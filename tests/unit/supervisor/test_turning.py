from __future__ import annotations

import asyncio
import socket

import pytest

from dataplane.supervisor.turning import TurningResolver

ADDRESSES = ('10.0.0.1', '10.0.0.2', '10.0.0.3')


@pytest.mark.parametrize('turn, first', [(0, 0), (1, 1), (2, 2), (3, 0), (7, 1)])
async def test_each_attempt_begins_with_another_address(monkeypatch: pytest.MonkeyPatch, turn: int, first: int) -> None:
    async def found(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, '', (one, 8000)) for one in ADDRESSES]

    monkeypatch.setattr(asyncio.get_running_loop(), 'getaddrinfo', found)
    got = [one['host'] for one in await TurningResolver(turn).resolve('cp', 8000)]
    assert got == [*ADDRESSES[first:], *ADDRESSES[:first]]


async def test_a_name_without_addresses_is_an_error_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(*_: object, **__: object) -> list[tuple[object, ...]]:
        raise socket.gaierror('no such name')

    monkeypatch.setattr(asyncio.get_running_loop(), 'getaddrinfo', found)
    with pytest.raises(socket.gaierror):
        await TurningResolver(5).resolve('cp', 8000)
