"""Credentials: where they come from, when they are read again, and whom they are shown to."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from controlplane.kube import access
from controlplane.kube.access import CannotAccess, Credentials, Source, found_here, from_kubeconfig, in_cluster
from controlplane.kube.client import Api, ApiError, Unreachable
from controlplane.kube.resources import SERVICES
from tests.kube.fakeserver import FakeApiServer


class Loads:
    """A loader whose findings a test changes; counts how often it was asked."""

    def __init__(self, source: Source) -> None:
        self.source: Source | None = source
        self.count = 0

    async def __call__(self) -> Source:
        self.count += 1
        await asyncio.sleep(0)
        if self.source is None:
            raise CannotAccess('gone')
        return self.source


@dataclass
class Authority:
    ca: trustme.CA
    ca_file: Path
    server: ssl.SSLContext


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    ca = trustme.CA()
    ca_file = tmp_path / 'ca.pem'
    ca.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert('127.0.0.1').configure_cert(context)
    return Authority(ca, ca_file, context)


async def test_a_refused_token_is_read_again_once_and_the_call_made_again(fake: FakeApiServer) -> None:
    fake.auth.required = True
    loads = Loads(Source(fake.url, 'Bearer fake-token'))
    async with Api(Credentials(loads)) as api:
        await api.list_page(SERVICES)
        fake.auth.rotate('fake-token', 'new')
        with pytest.raises(ApiError) as caught:
            await api.list_page(SERVICES)
        assert (caught.value.status, loads.count) == (401, 2)
        loads.source = Source(fake.url, 'Bearer new')
        assert (await api.list_page(SERVICES))['items'] == []
        assert loads.count == 3
        assert len(fake.requests) == 4


async def test_many_refused_at_once_read_once(fake: FakeApiServer) -> None:
    fake.auth.required = True
    loads = Loads(Source(fake.url, 'Bearer fake-token'))
    async with Api(Credentials(loads)) as api:
        await api.list_page(SERVICES)
        fake.auth.rotate('fake-token', 'new')
        loads.source = Source(fake.url, 'Bearer new')
        await asyncio.gather(*(api.list_page(SERVICES) for _ in range(10)))
        assert loads.count == 2


async def test_a_loader_that_fails_leaves_the_refusal_as_it_was(fake: FakeApiServer) -> None:
    fake.auth.required = True
    loads = Loads(Source(fake.url, 'Bearer wrong'))
    async with Api(Credentials(loads)) as api:
        with pytest.raises(ApiError, match='401'):
            await api.list_page(SERVICES)
        loads.source = None
        with pytest.raises(ApiError, match='401'):
            await api.list_page(SERVICES)
    async with Api(Credentials(loads)) as api:
        with pytest.raises(Unreachable, match='gone'):
            await api.list_page(SERVICES)


async def test_old_credentials_are_read_again_and_kept_when_that_fails(fake: FakeApiServer) -> None:
    loads = Loads(Source(fake.url, 'Bearer a'))
    credentials = Credentials(loads, max_age_s=0.0)
    first = await credentials.current()
    loads.source = Source(fake.url, 'Bearer b')
    assert (await credentials.current()).authorization == 'Bearer b'
    loads.source = None
    assert (await credentials.current()).authorization == 'Bearer b'
    assert first.authorization == 'Bearer a'


async def test_the_same_credentials_are_the_same_object(authority: Authority) -> None:
    loads = Loads(Source('https://127.0.0.1:1', 'Bearer a', str(authority.ca_file)))
    credentials = Credentials(loads)
    first = await credentials.current()
    assert await credentials.renew(first) is first
    loads.source = replace(loads.source or Source(''), authorization='Bearer b')
    second = await credentials.renew(first)
    assert second.tls is first.tls
    trustme.CA().cert_pem.write_to_path(str(authority.ca_file))
    assert (await credentials.renew(second)).tls is not first.tls


async def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    bad = tmp_path / 'bad.pem'
    bad.write_text('no certificate')
    for name in (str(bad), str(tmp_path / 'none.pem')):
        with pytest.raises(CannotAccess, match='certificates for'):
            await Credentials(Loads(Source('https://127.0.0.1:1', '', name))).current()


async def test_the_server_is_known_by_its_authority(authority: Authority, tmp_path: Path) -> None:
    async with FakeApiServer(tls=authority.server) as fake:
        async with Api(from_kubeconfig(str(fake.kubeconfig(tmp_path / 'good', ca_file=str(authority.ca_file))))) as api:
            assert (await api.list_page(SERVICES))['items'] == []
        other = tmp_path / 'other.pem'
        trustme.CA().cert_pem.write_to_path(str(other))
        async with Api(from_kubeconfig(str(fake.kubeconfig(tmp_path / 'bad', ca_file=str(other))))) as api:
            with pytest.raises(Unreachable):
                await api.list_page(SERVICES)
            authority.ca.cert_pem.write_to_path(str(other))
            assert (await api.list_page(SERVICES))['items'] == []


async def test_a_kubeconfigs_token_is_used_and_read_again(fake: FakeApiServer, tmp_path: Path) -> None:
    fake.auth.required = True
    path = fake.kubeconfig(tmp_path / 'config', token='fake-token')
    async with Api(from_kubeconfig(str(path))) as api:
        await api.list_page(SERVICES)
        fake.auth.rotate('fake-token', 'new')
        fake.kubeconfig(path, token='new')
        await api.list_page(SERVICES)
    assert {seen.user for seen in fake.seen('list')} == {'fake-admin', ''}


async def test_an_exec_plugin_is_asked(fake: FakeApiServer, tmp_path: Path) -> None:
    fake.auth.required = True
    answer = {
        'apiVersion': 'client.authentication.k8s.io/v1',
        'kind': 'ExecCredential',
        'status': {'token': 'fake-token'},
    }
    config = json.loads(fake.kubeconfig(tmp_path / 'config').read_text())
    config['users'][0]['user'] = {
        'exec': {
            'apiVersion': 'client.authentication.k8s.io/v1', 'command': sys.executable,
            'args': ['-c', f'print({json.dumps(answer)!r})'], 'interactiveMode': 'Never',
        }
    }  # fmt: skip
    (tmp_path / 'config').write_text(json.dumps(config))
    async with Api(from_kubeconfig(str(tmp_path / 'config'))) as api:
        await api.list_page(SERVICES)
    assert fake.requests[-1].user == 'fake-admin'


@pytest.mark.parametrize('text', ['', '{}', '[', 'current-context: x', '{"clusters": 1}'])
async def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'config'
    path.write_text(text)
    with pytest.raises(CannotAccess, match=str(path)):
        await from_kubeconfig(str(path)).current()


async def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotAccess, match='nowhere'):
        await from_kubeconfig(str(tmp_path / 'nowhere')).current()


async def test_a_pod_has_its_own_access(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the library's own file names moved, since those of a pod are at the root of the file system."""
    token = tmp_path / 'token'
    token.write_text('fake-token\n')
    config = sys.modules.get('kubernetes_asyncio.config.incluster_config') or __import__(
        'kubernetes_asyncio.config.incluster_config', fromlist=['x']
    )
    monkeypatch.setattr(config, 'SERVICE_TOKEN_FILENAME', str(token))
    monkeypatch.setattr(config, 'SERVICE_CERT_FILENAME', str(authority.ca_file))
    async with FakeApiServer(tls=authority.server) as fake:
        fake.auth.required = True
        monkeypatch.setenv('KUBERNETES_SERVICE_HOST', '127.0.0.1')
        monkeypatch.setenv('KUBERNETES_SERVICE_PORT', str(fake.port))
        monkeypatch.setenv('HTTPS_PROXY', 'http://127.0.0.1:1')  # is not for the API server
        async with Api(found_here()) as api:
            await api.list_page(SERVICES)
            fake.auth.rotate('fake-token', 'new')
            token.write_text('new')
            await api.list_page(SERVICES)


async def test_outside_of_a_pod_there_is_no_access_of_a_pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv('KUBERNETES_SERVICE_HOST', raising=False)
    with pytest.raises(CannotAccess, match='no pod'):
        await in_cluster().current()
    monkeypatch.setenv('KUBECONFIG', str(tmp_path / 'mine'))
    with pytest.raises(CannotAccess, match='mine'):
        await found_here().current()


async def test_a_loader_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> Source:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(access, '_LOADING_S', 0.01)
    with pytest.raises(CannotAccess, match='not there'):
        await Credentials(never).current()
