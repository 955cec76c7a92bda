"""Commands as a person types them, against a control plane over real sockets. Each runs in a thread, as its own process would."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from controlplane.kube.resources import LEASES
from sluicectl import show
from sluicectl.__main__ import cli
from sluicectl.client import Client
from sluicectl.credentials import Failed
from tests.kube.fakeserver import FakeApiServer
from tests.unit.controlplane.cluster import BACKEND, endpoint, put_service, put_slice, standing
from tests.unit.controlplane.world import ControlPlane, DataPlane, control_plane


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with control_plane(f'sqlite:///{tmp_path}/sluice.db') as found:
        await found.put_app()
        yield found


def typed(control: ControlPlane, *words: str) -> asyncio.Future[Result]:
    url = f'http://{control.address}'
    return asyncio.ensure_future(asyncio.to_thread(CliRunner().invoke, cli, ['--url', url, *words]))


async def connected(control: ControlPlane, name: str = 'dp1') -> DataPlane:
    plane = DataPlane(name)
    await plane.dial(control.address)
    await plane.apply()
    return plane


async def test_lists(control: ControlPlane) -> None:
    plane = await connected(control)
    shown = await typed(control, 'backends')
    assert shown.exit_code == 0
    assert shown.output.split('\n')[1].split()[:3] == ['app', 'roundrobin', '2']
    for words in (['servers'], ['servers', 'app']):
        shown = await typed(control, *words)
        assert [line.split()[0] for line in shown.output.splitlines()] == ['SERVER', 'app/s1', 'app/s2']
        assert '\x1b' not in shown.output
    shown = await typed(control, 'dataplanes')
    assert shown.output.splitlines()[1].split()[:4] == ['dp1', 'yes', '1.2', '0']
    await plane.cut()


async def test_json_is_the_document(control: ControlPlane) -> None:
    shown = await typed(control, '-o', 'json', 'servers', 'app')
    assert [server['name'] for server in json.loads(shown.stdout)] == ['s1', 's2']
    after = await typed(control, 'servers', 'app', '-o', 'json')
    assert after.stdout == shown.stdout


def test_what_was_set_on_a_data_planes_socket_is_shown_beside_what_is_wanted() -> None:
    status = {
        'inFlight': 0, 'queued': 0, 'drainedOn': [], 'states': {'dp1': 'DRAIN', 'dp2': 'MAINT'},
        'localOverrides': {'dp1': {'state': 'drain', 'weight': '3'}},
    }  # fmt: skip
    server = {'backend': 'app', 'name': 's1', 'address': '::1', 'port': 1, 'weight': 1, 'maxConn': 7, 'version': '1.2'}
    for wanted, shown in (
        ('ready', 'ready (drain, weight 3 set on dp1, MAINT on dp2)'),
        ('maint', 'maint (drain, weight 3 set on dp1)'),
    ):
        console = Console(file=io.StringIO(), width=200)
        show.servers(console, [{**server, 'adminState': wanted, 'status': status}])
        assert isinstance(console.file, io.StringIO)
        assert f' {shown}  ' in console.file.getvalue()


@pytest.mark.parametrize(
    'wanted, reported, shown',
    [
        ('ready', {'dp1': 'UP', 'dp2': 'no check'}, 'ready'),
        ('ready', {'dp1': 'MAINT', 'dp2': 'no check'}, 'ready (MAINT on dp1)'),
        ('drain', {'dp1': 'DRAIN'}, 'drain'),
        ('maint', {}, 'maint'),
    ],
)
def test_a_ready_server_that_is_kept_out_elsewhere_says_so(wanted: str, reported: dict[str, str], shown: str) -> None:
    status = {'inFlight': 0, 'queued': 0, 'drainedOn': [], 'states': reported}
    server = {'backend': 'app', 'name': 's1', 'address': '::1', 'port': 1, 'weight': 1, 'maxConn': 7, 'version': '1.2'}
    console = Console(file=io.StringIO(), width=200)
    show.servers(console, [{**server, 'adminState': wanted, 'status': status}])
    assert isinstance(console.file, io.StringIO)
    assert f' {shown}  ' in console.file.getvalue()


async def test_drain_and_wait(control: ControlPlane) -> None:
    plane = await connected(control)
    asked = typed(control, 'drain', 'app/s1', '--wait', '--timeout', '20s')
    await plane.apply()
    assert not asked.done()
    await plane.drained('app', 's1')
    shown = await asked
    assert shown.exit_code == 0, shown.output
    assert 'server app/s1: set adminState=drain at 1.3: done' in shown.output
    assert '  dp1: done' in shown.output
    enabled = typed(control, '-o', 'json', 'enable', 'app/s1', '--wait')
    await plane.apply()
    assert json.loads((await enabled).stdout)['state'] == 'done'
    await plane.cut()


async def test_an_unreachable_data_plane_is_exit_code_3(control: ControlPlane) -> None:
    plane = await connected(control)
    await plane.cut()
    await control.until(lambda: not control.plane.sequencer.convergence.planes['dp1'].connected)
    shown = await typed(control, 'disable', 'app/s1', '--wait', '--timeout', '100ms')
    assert shown.exit_code == 3
    assert 'unreachable: dp1' in shown.output


async def test_being_overtaken_is_exit_code_4(control: ControlPlane) -> None:
    plane = await connected(control)
    asked = typed(control, 'drain', 'app/s1', '--wait', '--timeout', '20s')
    await plane.apply()
    await control.client.patch('/v1/backends/app/servers/s1', json={'adminState': 'ready'})
    assert (await asked).exit_code == 4
    await plane.cut()


async def test_without_waiting_the_server_is_shown(control: ControlPlane) -> None:
    shown = await typed(control, 'disable', 'app/s1')
    assert shown.exit_code == 0
    assert 'maint' in shown.output
    before: Any = json.loads((await typed(control, '-o', 'json', 'servers', 'app')).stdout)[0]
    assert (await typed(control, 'shutdown-sessions', 'app/s1')).exit_code == 0
    after: Any = json.loads((await typed(control, '-o', 'json', 'servers', 'app')).stdout)[0]
    assert after['sessionGeneration'] > before['sessionGeneration']


async def test_operations_and_events(control: ControlPlane) -> None:
    await typed(control, 'drain', 'app/s1')
    listed = await typed(control, '-o', 'json', 'operations')
    newest = json.loads(listed.stdout)[0]
    assert newest['verb'] == 'set adminState=drain'
    assert 'set adminState=drain' in (await typed(control, 'operations')).output
    assert 'app/s1' in (await typed(control, 'operations', newest['id'])).output
    shown = await typed(control, 'events')
    assert [line.split()[0] for line in shown.output.splitlines()] == ['1.2', '1.3']
    assert shown.output.splitlines()[1].endswith('set adminState=drain  server app/s1')
    lines = (await typed(control, '-o', 'json', 'events', '--after', '1.2')).stdout.splitlines()
    assert [json.loads(line)['version'] for line in lines] == ['1.3']
    assert 'no longer kept' in (await typed(control, 'events', '--after', '0.1')).output


async def test_events_are_followed(control: ControlPlane) -> None:
    client = Client(f'http://{control.address}', None)
    stream = client.events('1.2', follow=True)
    first = asyncio.ensure_future(asyncio.to_thread(next, stream))
    await control.client.patch('/v1/backends/app/servers/s1', json={'weight': 3})
    async with asyncio.timeout(30):
        assert (await first)['verb'] == 'set weight=3'
    await asyncio.to_thread(stream.close)  # type: ignore[attr-defined]
    client.close()


async def test_interrupted_it_ends_without_a_word(control: ControlPlane) -> None:
    words = [sys.executable, '-m', 'sluicectl', '--url', f'http://{control.address}', 'events', '-f', '--after', '1.1']
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert b'put backend' in await asyncio.wait_for(process.stdout.readline(), 20)
    process.send_signal(signal.SIGINT)
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, said) == (130, b'')


async def test_what_is_refused_is_said(control: ControlPlane) -> None:
    shown = await typed(control, 'drain', 'app/s9')
    assert isinstance(shown.exception, Failed)
    assert str(shown.exception) == 'There is no such thing: There is no server app/s9.'
    for words in (['drain', 'app'], ['drain', 'app/a b'], ['drain', 'app/s1', '--timeout', 'soon'], ['nope']):
        assert (await typed(control, *words)).exit_code == 2


def test_nobody_there_is_said() -> None:
    with pytest.raises(Failed, match=r'http://127\.0\.0\.1:1 cannot be reached'):
        Client('http://127.0.0.1:1', None).items('/v1/backends')


class Answered(httpx.HTTPTransport):
    """The network, and every status that came over it."""

    def __init__(self, told: Callable[[int], None]) -> None:
        super().__init__()
        self._told = told

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        self._told(answer.status_code)
        return answer


async def test_while_no_control_plane_leads_what_sets_values_is_asked_again() -> None:
    loop = asyncio.get_running_loop()
    statuses: asyncio.Queue[int] = asyncio.Queue()

    def told(status: int) -> None:
        loop.call_soon_threadsafe(statuses.put_nowait, status)

    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1))
        nobody = fake.fail('create', LEASES, status=500, times=None)
        async with standing(fake, 'a') as one:
            client = Client(f'http://{one.address}', None, Answered(told))
            with pytest.raises(Failed, match='No control plane leads'):
                await asyncio.to_thread(client.call, 'POST', '/v1/dataplanes:release')
            path = f'/v1/backends/{BACKEND}/servers/web-1'
            asked = asyncio.ensure_future(asyncio.to_thread(client.call, 'PATCH', path, json={'adminState': 'drain'}))
            assert [await statuses.get(), await statuses.get()] == [503, 503]
            nobody.remove()
            assert (await asked)['adminState'] == 'drain'
            client.close()
