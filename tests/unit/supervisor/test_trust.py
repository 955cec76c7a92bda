from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web

from dataplane.core.outbound import ControlPlane
from dataplane.supervisor.trust import Credentials, explained, is_in_the_clear, read

LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
AUTHORITY = trustme.CA()


@asynccontextmanager
async def served(leaf: trustme.LeafCert, answer: int = 200, clients: trustme.CA | None = None) -> AsyncIterator[str]:
    """The URL of a server with this certificate that answers each request so; it asks `clients` for certificates."""

    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=answer)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        clients.configure_trust(context)
    application = web.Application()
    application.router.add_route('*', '/{path:.*}', handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, '127.0.0.1', 0, ssl_context=context).start()
    try:
        yield f'https://127.0.0.1:{runner.addresses[0][1]}'
    finally:
        await runner.cleanup()


async def dialled(settings: ControlPlane) -> str:
    """Why the link could not be opened, in words."""
    credentials = read(settings)
    async with aiohttp.ClientSession() as session:
        try:
            await session.ws_connect(settings.url, headers=credentials.headers, ssl=credentials.trust)
        except (aiohttp.ClientError, OSError) as error:
            return explained(error, settings)
    return 'it could'


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    AUTHORITY.cert_pem.write_to_path(tmp_path / 'ca.crt')
    return str(tmp_path / 'ca.crt')


async def test_why_a_certificate_is_not_trusted(ca_file: str) -> None:
    expired = AUTHORITY.issue_cert('127.0.0.1', not_before=LONG_AGO, not_after=LONG_AGO + datetime.timedelta(days=1))
    for leaf, why in (
        (expired, 'certificate has expired'),
        (trustme.CA().issue_cert('127.0.0.1'), 'unable to get local issuer certificate'),
        (AUTHORITY.issue_cert('elsewhere'), "IP address mismatch, certificate is not valid for '127.0.0.1'."),
    ):
        async with served(leaf) as url:
            said = await dialled(ControlPlane(url=url, ca_file=ca_file))
            assert said == f'its certificate is not trusted (ca-file {ca_file}): {why}'
    async with served(AUTHORITY.issue_cert('127.0.0.1')) as url:
        said = await dialled(ControlPlane(url=url))
        assert said.startswith('its certificate is not trusted (the authorities of the system): ')


async def test_what_an_answer_means(ca_file: str, tmp_path: Path) -> None:
    (tmp_path / 'token').write_text('t\n')
    leaf, file = AUTHORITY.issue_cert('127.0.0.1'), str(tmp_path / 'token')
    for status, said in (
        (401, f'it answers 401: it does not know this token (token-file {file})'),
        (403, f'it answers 403: this token may not dial the link (token-file {file})'),
        (503, 'it answers 503'),
    ):
        async with served(leaf, status) as url:
            assert await dialled(ControlPlane(url=url, ca_file=ca_file, token_file=file)) == said


async def test_who_does_not_listen_is_named_without_a_word_of_tls() -> None:
    with socket.socket() as nobody:
        nobody.bind(('127.0.0.1', 0))
        port = nobody.getsockname()[1]
        said = await dialled(ControlPlane(url=f'http://127.0.0.1:{port}'))
    assert said.startswith(f'127.0.0.1:{port} cannot be reached: ')
    assert 'ssl' not in said


async def test_a_client_certificate_is_presented(ca_file: str, tmp_path: Path) -> None:
    clients = trustme.CA()
    client, leaf = clients.issue_cert('dp'), AUTHORITY.issue_cert('127.0.0.1')
    client.cert_chain_pems[0].write_to_path(tmp_path / 'dp.crt')
    client.private_key_pem.write_to_path(tmp_path / 'dp.key')
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / 'dp.pem')
    async with served(leaf, 403, clients) as url:
        both = ControlPlane(url=url, ca_file=ca_file, cert_file=f'{tmp_path}/dp.crt', key_file=f'{tmp_path}/dp.key')
        assert await dialled(both) == 'it answers 403: this token may not dial the link'
        assert (await dialled(ControlPlane(url=url, ca_file=ca_file, cert_file=f'{tmp_path}/dp.pem'))).startswith(
            'it answers'
        )
        assert 'it answers' not in await dialled(ControlPlane(url=url, ca_file=ca_file))


def test_every_file_is_read_anew(ca_file: str, tmp_path: Path) -> None:
    token = tmp_path / 'token'
    token.write_text('first\n')
    settings = ControlPlane(url='wss://x', ca_file=ca_file, token_file=str(token))
    before = read(settings)
    assert before.headers == {'Authorization': 'Bearer first'}
    token.write_text('second')
    trustme.CA().cert_pem.write_to_path(ca_file)
    after = read(settings)
    assert after.token == 'second'
    assert isinstance(before.trust, ssl.SSLContext)
    assert isinstance(after.trust, ssl.SSLContext)
    assert before.trust.get_ca_certs(binary_form=True) != after.trust.get_ca_certs(binary_form=True)
    assert read(ControlPlane(url='ws://x')) == Credentials('', True)


def test_a_file_that_cannot_be_used_is_named_with_the_reason(ca_file: str, tmp_path: Path) -> None:
    def files(**content: bytes) -> dict[str, str | bytes]:
        return dict(content)

    pem = AUTHORITY.issue_cert('x').private_key_and_cert_chain_pem.bytes()
    other = AUTHORITY.issue_cert('x').private_key_pem.bytes()
    for settings, said in (
        ({'ca_file': '/none'}, 'ca-file /none: No such file or directory'),
        (files(ca_file=b'x'), f'ca-file {tmp_path}/ca_file: no certificate or crl found'),
        ({'token_file': '/none'}, 'token-file /none: No such file or directory'),
        (files(token_file=b'\n\n'), f'token-file {tmp_path}/token_file: its first line is empty'),
        (
            files(token_file=b'a\x00b'),
            f'token-file {tmp_path}/token_file: its first line holds characters that no token has',
        ),
        (
            files(token_file=b'\xff\xfe'),
            f'token-file {tmp_path}/token_file: its first line holds characters that no token has',
        ),
        ({'cert_file': '/none'}, 'cert-file /none: No such file or directory'),
        (files(cert_file=b'x'), f'cert-file {tmp_path}/cert_file: no certificate, or no key, can be read from it'),
        (
            files(cert_file=pem, key_file=other),
            f'cert-file {tmp_path}/cert_file with key-file {tmp_path}/key_file: key values mismatch',
        ),
    ):
        given: dict[str, str] = {}
        for name, content in settings.items():
            given[name] = content if isinstance(content, str) else str(tmp_path / name)
            if isinstance(content, bytes):
                (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match='-file ') as caught:
            read(ControlPlane(url='wss://x', **given))
        assert str(caught.value) == said


@pytest.mark.parametrize(
    'url,token,clear',
    [
        ('ws://10.0.0.1:8000', 't', True),
        ('http://cp', 't', True),
        ('http://cp', None, False),
        ('wss://cp', 't', False),
        ('https://cp', 't', False),
        ('ws://127.0.0.1:8000', 't', False),
        ('http://localhost', 't', False),
        ('http://[::1]:1', 't', False),
        ('http://127.0.0.1.example', 't', True),
    ],
)
def test_a_token_in_the_clear_is_noticed(url: str, token: str | None, clear: bool) -> None:
    assert is_in_the_clear(ControlPlane(url=url, token_file=token)) is clear
