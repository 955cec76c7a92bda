"""A data plane that has never met a control plane starts, while there is none, from the snapshot that one wrote in Kubernetes."""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from controlplane.kube.bootstrap import KEY
from controlplane.kube.resources import CONFIG_MAPS, ENDPOINT_SLICES
from tests.integration.harness.load import Load
from tests.integration.harness.planes import DataPlane, Stage, routed, stage
from tests.integration.harness.upstream import Upstream
from tests.integration.harness.waiting import until
from tests.integration.test_replicas import WEB_1, Process, replica
from tests.kube.fakeserver import FakeApiServer
from tests.unit.controlplane.cluster import BACKEND, endpoint, put_service

HOST = 'web.example.com'
SNAPSHOT = 'sluice-controlplane-snapshot'


def own_address() -> str:
    """An address of this machine that is not its loopback, which endpoints may not have. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(('192.0.2.1', 9))
        except OSError as error:
            pytest.skip(f'this machine has no address but its loopback: {error}')
        address: str = probe.getsockname()[0]
        return address


def put_servers(fake: FakeApiServer, *servers: Upstream) -> None:
    """The servers as pods web-1, web-2, ..., each in a slice of its own, since a slice has one number for a port."""
    for number, server in enumerate(servers, start=1):
        fake.put(
            ENDPOINT_SLICES, 'shop',
            {
                'metadata': {'name': f'web-{number}', 'labels': {'kubernetes.io/service-name': 'web'}}, 'addressType': 'IPv4',
                'ports': [{'name': 'http', 'port': server.port, 'protocol': 'TCP'}],
                'endpoints': [{**endpoint(number), 'addresses': [server.host]}],
            },
        )  # fmt: skip


def snapshot(fake: FakeApiServer) -> tuple[str, bytes]:
    """The ConfigMap: the version it says, and the file that the kubelet makes of it."""
    found = next((one for one in fake.all(CONFIG_MAPS) if one['metadata']['name'] == SNAPSHOT), None)
    if found is None:
        return '', b''
    return found['data']['version'], base64.b64decode(found['binaryData'][KEY])


@contextlib.asynccontextmanager
async def written(fake: FakeApiServer, on: Stage) -> AsyncIterator[tuple[Process, list[Upstream]]]:
    """A control plane that leads, and has two servers of which web-1 drains in its snapshot."""
    address = own_address()
    servers = [await on.enter(Upstream(f'web-{number}', host=address)) for number in (1, 2)]
    put_service(fake, hosts=[HOST])
    put_servers(fake, *servers)
    async with replica(fake, 'first', on.ports, on.directory) as control:
        await control.until('ok')
        answer = await control.client.patch(WEB_1, json={'adminState': 'drain'})
        assert answer.status_code == 200, answer.text

        async def is_written() -> bool:
            return bool(snapshot(fake)[0] == (await control.client.get('/v1/dataplanes')).json()['head'])

        await until(is_written, within=60, what='the snapshot is written', every=0.1)
        yield control, servers


async def served(plane: DataPlane, servers: list[Upstream]) -> None:
    """It sends everything to web-2, since web-1 drains."""
    async with Load(plane.port, 4, HOST, pause=0.02) as load:
        await until(lambda: len(load.records) >= 50, within=60, what='requests are answered')
    assert load.failed() == []
    assert {record.server for record in load.records} == {'web-2'}
    assert servers[0].arrivals == []


async def test_a_new_data_plane_without_a_control_plane_serves_what_was_pushed_last() -> None:
    async with stage() as on, FakeApiServer() as fake:
        async with written(fake, on) as (control, servers):
            _, content = snapshot(fake)
        assert control.child.returncode is not None, 'it is gone'
        file = on.directory / KEY
        file.write_bytes(content)
        extra, port = (f'bootstrap-file {file}',), on.ports.take()
        url = f'http://{control.address}'
        plane = await on.data_plane(routed(port), port=port, control_plane=url, extra=extra)
        await served(plane, servers)
        rows = await plane.cli.states()
        assert {name for name in rows if name.startswith(BACKEND)} == {f'{BACKEND}/web-1', f'{BACKEND}/web-2'}

        # a control plane is back: it goes on from there, and the drain that was asked for before goes on with it
        async with replica(fake, 'second', on.ports, on.directory, control.address) as successor:
            await successor.until('ok')

            async def is_at_the_head() -> bool:
                found = (await successor.client.get('/v1/dataplanes')).json()
                return [(row['id'], row['version']) for row in found['items']] == [('dp', found['head'])]

            await until(is_at_the_head, within=60, what='the data plane is at the head', every=0.1)
            await served(plane, servers)


@pytest.mark.parametrize('content', [b'', b'\x1f\x8bnonsense', b'{"format": 1}'])
async def test_a_snapshot_that_cannot_be_used_is_said_and_nothing_is_served_of_it(content: bytes) -> None:
    async with stage() as on:
        file = on.directory / KEY
        file.write_bytes(content)
        port = on.ports.take()
        nobody = f'http://127.0.0.1:{on.ports.take()}'
        plane = await on.data_plane(routed(port), port=port, control_plane=nobody, extra=(f'bootstrap-file {file}',))
        assert f'{file}: not used: ' in plane.printed()
        assert await plane.cli.states() == {}
