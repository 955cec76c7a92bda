"""Both planes as real processes with TLS between them, and all files of it replaced while they run."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from controlplane.auth import new_token
from tests.integration.harness.planes import Stage, routed, stage
from tests.integration.harness.procs import Child, python, spawn
from tests.integration.harness.waiting import until


@pytest.fixture
async def world() -> AsyncIterator[Stage]:
    async with stage() as made:
        yield made


def replace(path: Path, content: bytes) -> None:
    """As a Secret that changes: all at once."""
    new = path.with_suffix('.new')
    new.write_bytes(content)
    os.replace(new, path)


class Fleet:
    """A control plane with TLS and tokens, and a data plane that follows it; their files are in `path`."""

    def __init__(self, world: Stage) -> None:
        self.world, self.path = world, world.directory
        self.port, self.health = world.ports.take(), world.ports.take()
        self.admin, line = new_token('admin', 'admin')
        self.lines = [line]
        self.authority = trustme.CA()
        self.control: Child | None = None

    def certify(self, authority: trustme.CA) -> None:
        """A new certificate of this authority for the control plane."""
        self.authority = authority
        replace(self.path / 'tls.pem', authority.issue_cert('127.0.0.1').private_key_and_cert_chain_pem.bytes())

    def admit(self) -> None:
        """A new token for the data plane; an older one is worth nothing from now on."""
        token, line = new_token('fleet', 'dataplane')
        replace(self.path / 'tokens', '\n'.join([*self.lines, line, '']).encode())
        replace(self.path / 'token', token.encode())

    def trust(self, authority: trustme.CA) -> None:
        """What the data plane trusts from its next connection on."""
        replace(self.path / 'ca.crt', authority.cert_pem.bytes())

    async def begin(self) -> None:
        self.certify(self.authority)
        self.trust(self.authority)
        self.admit()
        await self.serve()
        link = f'wss://127.0.0.1:{self.port} token-file {self.path}/token ca-file {self.path}/ca.crt'
        port = self.world.ports.take()
        self.plane = await self.world.data_plane(routed(port), port=port, workers=1, control_plane=link)

    async def serve(self) -> None:
        """Start the control plane; stop the one that runs."""
        if self.control is not None:
            await self.control.stop()
        argv = python(
            'controlplane', '--store', f'sqlite:///{self.path}/control.db', '--listen', f'127.0.0.1:{self.port}',
            '--tokens', f'{self.path}/tokens', '--tls-cert', f'{self.path}/tls.pem',
            '--health-listen', f'127.0.0.1:{self.health}',
        )  # fmt: skip
        self.control = await spawn(argv, name='controlplane', directory=self.path)
        self.world.stack.push_async_callback(self.control.stop)
        await until(self._is_ready, within=60, what='the control plane is ready')

    async def _is_ready(self) -> bool:
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f'http://127.0.0.1:{self.health}/readyz')).status_code == 200
        except httpx.TransportError:
            return False

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """One REST call over a new connection."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        headers = {'Authorization': f'Bearer {self.admin}'}
        async with httpx.AsyncClient(verify=context, trust_env=False, timeout=90) as client:
            return await client.request(method, f'https://127.0.0.1:{self.port}{path}', json=body, headers=headers)

    async def is_connected(self) -> bool:
        items = (await self.ask('GET', '/v1/dataplanes')).json()['items']
        return bool(items) and all(item['connected'] for item in items)

    async def acked(self, number: int) -> None:
        """A change is in force on the data plane."""
        answer = await self.ask('PUT', f'/v1/backends/b{number}?wait=acked&timeout=60s', {})
        assert answer.status_code == 200, answer.text

    def links(self) -> int:
        """How often the data plane has been let in."""
        return self.plane.printed().count(': connected')


async def test_certificates_authorities_and_tokens_are_replaced_while_both_run(world: Stage) -> None:
    fleet = Fleet(world)
    await fleet.begin()
    await until(fleet.is_connected, within=60, what='the data plane is connected')
    await fleet.acked(1)

    # another certificate, of another authority: the open link lives on, new connections get the new one
    before, new = fleet.authority, trustme.CA()
    fleet.certify(new)
    await fleet.acked(2)
    assert fleet.links() == 1

    # the control plane restarts: the data plane, which trusts the old authority only, says why it does not come back
    await fleet.serve()
    said = f'its certificate is not trusted (ca-file {world.directory}/ca.crt): unable to get local issuer certificate'
    await until(lambda: said in fleet.plane.printed(), within=60, what='the reason')
    assert not await fleet.is_connected()

    # its file is read again at the next attempt
    fleet.trust(new)
    await until(fleet.is_connected, within=60, what='the data plane is connected again')
    await fleet.acked(3)

    # an unreadable file is named
    fleet.certify(before)
    (world.directory / 'ca.crt').unlink()
    await fleet.serve()
    said = f'ca-file {world.directory}/ca.crt: No such file or directory'
    await until(lambda: said in fleet.plane.printed(), within=60, what='the name of the file')
    fleet.trust(before)
    await until(fleet.is_connected, within=60, what='the data plane is connected once more')

    # a token that is no longer listed, and then the one that is
    replace(world.directory / 'tokens', '\n'.join([*fleet.lines, '']).encode())
    await fleet.serve()
    said = f'it answers 401: it does not know this token (token-file {world.directory}/token)'
    await until(lambda: said in fleet.plane.printed(), within=60, what='whose token it was')
    fleet.admit()
    await until(fleet.is_connected, within=60, what='the data plane is let in again')
    await fleet.acked(4)
