"""Two control plane processes on one fake API server, and a data plane that says exactly what the test lets it say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from controlplane.forward import NOT_LEADER
from tests.integration.harness.ports import Ports
from tests.integration.harness.procs import Child, spawn
from tests.integration.harness.waiting import until
from tests.kube.fakeserver import FakeApiServer
from tests.unit.controlplane.cluster import BACKEND, OWN, endpoint, put_service, put_slice
from tests.unit.controlplane.world import DataPlane, sent_away

WITHIN = 120.0
WEB_1 = f'/v1/backends/{BACKEND}/servers/web-1'


@dataclass(frozen=True)
class Process:
    """A control plane and the way to it."""

    child: Child
    address: str
    client: httpx.AsyncClient

    async def standing(self) -> dict[str, Any]:
        """What it says of itself."""
        try:
            found: dict[str, Any] = (await self.client.get('/readyz')).json()
        except httpx.HTTPError:
            return {'status': 'gone'}
        return found

    async def until(self, status: str) -> None:
        """Wait until it stands so."""

        async def holds() -> bool:
            return bool((await self.standing())['status'] == status)

        await until(holds, within=WITHIN, what=f'{self.child.name} {status}', every=0.05)


@contextlib.asynccontextmanager
async def replica(
    fake: FakeApiServer, name: str, ports: Ports, directory: Path, address: str = ''
) -> AsyncIterator[Process]:
    """A process of its own, at `address` or at any free one, killed at the end if it is still there."""
    address = address or f'127.0.0.1:{ports.take()}'
    words = [
        sys.executable, '-m', 'controlplane', '--store', 'kubernetes', '--listen', address, '--address', address,
        '--kubeconfig', str(fake.kubeconfig(directory / 'kubeconfig')), '--namespace', OWN, '--pod', name, '--lease', '12,9,0.3',
    ]  # fmt: skip
    child = await spawn(words, name=name, directory=directory)
    try:
        async with httpx.AsyncClient(base_url=f'http://{address}', timeout=60) as client:
            yield Process(child, address, client)
    finally:
        await child.stop()


@contextlib.asynccontextmanager
async def two(directory: Path) -> AsyncIterator[tuple[FakeApiServer, Process, Process]]:
    """(API server, who leads, who follows)."""
    ports = Ports()
    try:
        async with FakeApiServer() as fake:
            put_service(fake)
            put_slice(fake, endpoint(1), endpoint(2))
            async with replica(fake, 'first', ports, directory) as first:
                await first.until('ok')
                async with replica(fake, 'second', ports, directory) as second:
                    await second.until('following')
                    yield fake, first, second
    finally:
        ports.close()


async def test_a_leader_killed_in_the_middle_of_a_drain_is_followed_by_one_that_goes_on_with_it(tmp_path: Path) -> None:
    async with two(tmp_path) as (_, first, second):
        plane = DataPlane('dp1')
        await plane.dial(first.address)
        await plane.apply()
        term = plane.term
        asked = await second.client.patch(WEB_1 + '?wait=drained&timeout=0s', json={'adminState': 'drain'})
        assert asked.status_code == 202, asked.text
        operation = asked.headers['location']
        waiting = asyncio.ensure_future(second.client.get(operation + '?wait=drained&timeout=60s'))
        await plane.apply()  # in force, but not drained
        first.child.signal(signal.SIGKILL)
        await first.child.wait(WITHIN)
        with contextlib.suppress(httpx.HTTPError):
            assert (await waiting).status_code == 503  # it does not claim to know
        await plane.closed()
        await second.until('ok')
        await plane.dial(second.address)
        await plane.apply()
        assert plane.term > term
        assert plane.state['backends'][BACKEND]['servers']['web-1']['adminState'] == 'drain'
        found = (await second.client.get(operation)).json()
        assert (found['state'], found['pending']) == ('pending', ['dp1'])
        await plane.drained(BACKEND, 'web-1')
        done = await second.client.get(operation + '?wait=drained&timeout=60s')
        assert done.json()['state'] == 'done'
        await plane.cut()


async def test_a_leader_that_stood_still_leads_no_more_when_it_goes_on(tmp_path: Path) -> None:
    async with two(tmp_path) as (_, first, second):
        plane = DataPlane('dp1')
        await plane.dial(first.address)
        await plane.apply()
        first.child.signal(signal.SIGSTOP)
        await second.until('ok')
        await plane.cut()
        await plane.dial(second.address)
        await plane.apply()
        first.child.signal(signal.SIGCONT)
        answer = await first.client.patch(WEB_1 + '?wait=acked&timeout=50ms', json={'weight': 3})
        assert answer.status_code != 200, answer.text  # it does not say that all have it, for it knows nobody
        await first.until('following')
        code, reason = await sent_away(first.address)
        assert (code, json.loads(reason)) == (NOT_LEADER, {'leader': second.address})
        await plane.cut()


async def test_a_wait_through_a_follower_is_the_leaders(tmp_path: Path) -> None:
    async with two(tmp_path) as (_, first, second):
        plane = DataPlane('dp1')
        await plane.dial(first.address)
        await plane.apply()
        waiting = asyncio.ensure_future(
            second.client.patch(WEB_1 + '?wait=acked&timeout=60s', json={'adminState': 'drain'})
        )
        await plane.apply()
        answer = await waiting
        assert (answer.status_code, answer.json()['state']) == (200, 'done')
        first.child.signal(signal.SIGTERM)
        assert await first.child.wait(WITHIN) in {0, -signal.SIGTERM}
        await second.until('ok')
        await plane.closed()
        await plane.dial(second.address)
        await plane.apply()
        assert plane.state['backends'][BACKEND]['servers']['web-1']['adminState'] == 'drain'
        await plane.cut()
