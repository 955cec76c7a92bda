from __future__ import annotations

import asyncio
import datetime
import os
from pathlib import Path

import httpx
import pytest
import trustme
from click.testing import CliRunner, Result

from controlplane.tls import TlsFiles
from sluicectl.__main__ import cli
from sluicectl.client import Client, Files
from sluicectl.credentials import Bearer, Failed, trust
from tests.unit.controlplane.auth.files import write
from tests.unit.controlplane.world import control_plane

LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)


def typed(*words: str, **environment: str) -> asyncio.Future[Result]:
    return asyncio.ensure_future(asyncio.to_thread(CliRunner().invoke, cli, words, env=environment))


async def test_over_tls_with_a_token_file(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / 'ca.crt')
    pem, ca_file, token_file = (str(tmp_path / name) for name in ('tls.pem', 'ca.crt', 'token'))
    authority.issue_cert('127.0.0.1').private_key_and_cert_chain_pem.write_to_path(pem)
    tokens = write(tmp_path / 'tokens', 'r:read')
    (tmp_path / 'token').write_text(tokens['r'] + '\n')
    files = TlsFiles(certificate=pem, key=pem)
    store = f'sqlite:///{tmp_path}/db'
    async with control_plane(store, tls=files, tokens=str(tmp_path / 'tokens')) as control:
        url = ('--url', f'https://{control.address}')
        shown = await typed(*url, '--ca-file', ca_file, '--token-file', token_file, 'backends')
        assert shown.exit_code == 0, shown.output
        shown = await typed(*url, 'backends', SLUICE_CA_FILE=ca_file, SLUICE_TOKEN_FILE=token_file)
        assert shown.exit_code == 0, shown.output
        # what is typed counts more than the environment
        shown = await typed(*url, '--token-file', token_file, 'backends', SLUICE_CA_FILE=ca_file, SLUICE_TOKEN='guess')
        assert shown.exit_code == 0, shown.output
        shown = await typed(*url, '--token', tokens['r'], 'backends', SLUICE_CA_FILE=ca_file, SLUICE_TOKEN_FILE='/none')
        assert shown.exit_code == 0, shown.output
        shown = await typed(*url, '--token', 'x', '--token-file', token_file, '--ca-file', ca_file, 'backends')
        assert str(shown.exception) == 'give a token or a token file, not both'
        shown = await typed(*url, '--token-file', token_file, 'backends')
        assert 'its certificate is not trusted (the authorities that come with this program' in str(shown.exception)
        other = tmp_path / 'other.crt'
        trustme.CA().cert_pem.write_to_path(other)
        shown = await typed(*url, '--ca-file', str(other), '--token-file', token_file, 'backends')
        reason = f'its certificate is not trusted ({other}): unable to get local issuer certificate'
        assert str(shown.exception) == f'https://{control.address} cannot be reached: {reason}'
        expired = authority.issue_cert(
            '127.0.0.1', not_before=LONG_AGO, not_after=LONG_AGO + datetime.timedelta(days=1)
        )
        expired.private_key_and_cert_chain_pem.write_to_path(f'{pem}.new')
        os.replace(f'{pem}.new', pem)
        shown = await typed(*url, '--ca-file', ca_file, '--token-file', token_file, 'backends')
        assert str(shown.exception).endswith(f'({ca_file}): certificate has expired')


async def test_a_client_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / 'ca.crt')
    authority.issue_cert('127.0.0.1').private_key_and_cert_chain_pem.write_to_path(tmp_path / 'tls.pem')
    client = authority.issue_cert('ops')
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / 'ops.pem')
    client.cert_chain_pems[0].write_to_path(tmp_path / 'ops.crt')
    client.private_key_pem.write_to_path(tmp_path / 'ops.key')
    (tmp_path / 'tokens').write_text('ops:operate:cert\n')
    pem, ca_file = f'{tmp_path}/tls.pem', f'{tmp_path}/ca.crt'
    files = TlsFiles(certificate=pem, key=pem, client_ca=ca_file)
    async with control_plane(f'sqlite:///{tmp_path}/db', tls=files, tokens=f'{tmp_path}/tokens') as control:
        base = ('--url', f'https://{control.address}', '--ca-file', ca_file)
        for words in (
            ['--cert-file', f'{tmp_path}/ops.pem'],
            ['--cert-file', f'{tmp_path}/ops.crt', '--key-file', f'{tmp_path}/ops.key'],
        ):
            shown = await typed(*base, *words, 'backends')
            assert shown.exit_code == 0, shown.output
        assert 'It is not known who asks' in str((await typed(*base, 'backends')).exception)


def test_a_token_file_is_read_for_each_request(tmp_path: Path) -> None:
    path, seen = tmp_path / 'token', []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers['authorization'])
        return httpx.Response(200, json={'items': []})

    client = Client('http://x', None, httpx.MockTransport(answer), Files(token=str(path)))
    for token in ('first', 'second'):
        path.write_text(f'{token}\nmore\n')
        client.items('/v1/backends')
    assert seen == ['Bearer first', 'Bearer second']
    for text, why in (('\n', 'its first line is empty'), ('a\x01', 'holds characters that no token has')):
        path.write_text(text)
        with pytest.raises(Failed, match=why):
            client.items('/v1/backends')
    path.unlink()
    with pytest.raises(Failed, match=f'{path}: No such file'):
        client.items('/v1/backends')
    client.close()


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / 'x').write_text('x')
    for arguments, why in (
        (('/none', None, None), '/none: No such file'),
        ((str(tmp_path / 'x'), None, None), f'{tmp_path}/x: no certificate or crl found'),
        ((None, '/none', None), '/none: No such file'),
        ((None, str(tmp_path / 'x'), None), f'{tmp_path}/x: no certificate, or no key'),
        ((None, None, 'k'), 'a key file is of no use'),
    ):
        with pytest.raises(Failed, match=why):
            trust(*arguments)
    assert trust(None, None, None) is True
    with pytest.raises(Failed, match='characters'):
        Bearer('ä', None)
