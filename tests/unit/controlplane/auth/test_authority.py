"""Client certificates over real TLS."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from controlplane.auth import Presented, Tokens, TokensAuthority
from controlplane.domain.refusals import Unauthorized
from controlplane.tls import TlsFiles
from tests.unit.controlplane.auth.files import write
from tests.unit.controlplane.world import ControlPlane, control_plane

LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
TRUSTED, CLIENTS = trustme.CA(), trustme.CA()
TOKENS: dict[str, str] = {}


@pytest.fixture
async def control(tmp_path: Path, store_path: str) -> AsyncIterator[ControlPlane]:
    leaf = TRUSTED.issue_cert('127.0.0.1')
    leaf.private_key_and_cert_chain_pem.write_to_path(tmp_path / 'tls.pem')
    CLIENTS.cert_pem.write_to_path(tmp_path / 'clients.pem')
    TOKENS.update(write(tmp_path / 'tokens', 'r:read'))
    with (tmp_path / 'tokens').open('a') as file:
        file.write('ops.example.com:operate:cert\nfleet:dataplane:cert\n')
    pem = str(tmp_path / 'tls.pem')
    files = TlsFiles(certificate=pem, key=pem, client_ca=str(tmp_path / 'clients.pem'))
    async with control_plane(store_path, tls=files, tokens=str(tmp_path / 'tokens'), trust=client(None)) as found:
        yield found


def client(leaf: trustme.LeafCert | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    TRUSTED.configure_trust(context)
    if leaf is not None:
        leaf.configure_cert(context)
    return context


async def status(control: ControlPlane, leaf: trustme.LeafCert | None, method: str = 'GET', token: str = '') -> int:
    headers = {'Authorization': f'Bearer {token}'} if token else {}
    async with httpx.AsyncClient(verify=client(leaf)) as http:
        path = '/v1/backends' if method == 'GET' else '/v1/backends/app/servers/s1:shutdownSessions'
        return (await http.request(method, f'https://{control.address}{path}', headers=headers)).status_code


async def test_a_certificate_stands_for_a_token(control: ControlPlane) -> None:
    ops = CLIENTS.issue_cert('ops.example.com')
    assert await status(control, ops) == 200
    assert await status(control, ops, 'POST') == 404  # it may; there is no such server
    assert await status(control, None) == 401
    assert await status(control, None, token=TOKENS['r']) == 200
    assert await status(control, CLIENTS.issue_cert('else.example.com')) == 401
    # what is presented with intent counts
    assert await status(control, ops, 'POST', TOKENS['r']) == 403
    assert await status(control, ops, token='guess') == 401
    # a name that is only the common name counts if there is no other
    assert await status(control, CLIENTS.issue_cert('x.example.com', common_name='ops.example.com')) == 401


async def test_a_certificate_of_another_authority_or_time_is_refused(
    control: ControlPlane, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expired = CLIENTS.issue_cert(
        'ops.example.com', not_before=LONG_AGO, not_after=LONG_AGO + datetime.timedelta(days=1)
    )
    for leaf, why in (
        (trustme.CA().issue_cert('ops.example.com'), 'unable to get local issuer certificate'),
        (TRUSTED.issue_cert('ops.example.com'), 'unable to get local issuer certificate'),
        (expired, 'certificate has expired'),
    ):
        with pytest.raises(httpx.TransportError):
            await status(control, leaf)
        assert f'a client certificate was refused: {why} (--client-ca {tmp_path}/clients.pem)' in caplog.text


async def test_a_data_plane_may_dial_with_a_certificate(control: ControlPlane) -> None:
    url = f'wss://{control.address}/v1/push'
    fleet = CLIENTS.issue_cert('fleet')
    async with connect(url, ssl=client(fleet)):
        assert await status(control, fleet) == 403
    for leaf, expected in ((CLIENTS.issue_cert('ops.example.com'), 403), (None, 401)):
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, ssl=client(leaf))
        assert refused.value.response.status_code == expected


async def test_a_certificate_ends_during_its_connection(tmp_path: Path) -> None:
    (tmp_path / 'tokens').write_text('ops:operate:cert\n')
    now = 9.0
    authority = TokensAuthority(Tokens(str(tmp_path / 'tokens')), lambda: now)
    certificate = {'subjectAltName': (('DNS', 'ops'),), 'notAfter': 'Jan  1 00:00:10 1970 GMT'}
    presented = Presented('x', None, certificate)
    assert (await authority.principal(presented)).name == 'ops'
    now = 10.0
    with pytest.raises(Unauthorized, match='expired'):
        await authority.principal(presented)
