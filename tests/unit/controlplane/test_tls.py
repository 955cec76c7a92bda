from __future__ import annotations

import asyncio
import datetime
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme
from websockets.asyncio.client import connect

from controlplane.app import CannotStart, read_tls
from controlplane.tls import Certificates, TlsFiles, read
from tests.integration.harness.waiting import until
from tests.unit.controlplane.world import ControlPlane, DataPlane, control_plane

LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)


@dataclass
class Place:
    """Where a control plane's files are. `authority` signs what is written there."""

    path: Path
    authority: trustme.CA

    @property
    def files(self) -> TlsFiles:
        return TlsFiles(certificate=str(self.path / 'tls.crt'), key=str(self.path / 'tls.key'))

    def write(self, authority: trustme.CA | None = None, **more: object) -> None:
        """A new certificate, each file replaced at once."""
        leaf = (authority or self.authority).issue_cert('127.0.0.1', 'localhost', **more)  # type: ignore[arg-type]
        for name, text in (
            ('tls.crt', b''.join(blob.bytes() for blob in leaf.cert_chain_pems)),
            ('tls.key', leaf.private_key_pem.bytes()),
        ):
            (self.path / f'{name}.new').write_bytes(text)
            os.replace(self.path / f'{name}.new', self.path / name)

    def trust(self, *authorities: trustme.CA) -> ssl.SSLContext:
        """A client that trusts these (default: the one that is in force)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for authority in authorities or (self.authority,):
            authority.configure_trust(context)
        return context


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path, trustme.CA())
    found.write()
    return found


async def serial(address: str, context: ssl.SSLContext) -> str:
    """The serial number of the certificate that a new connection is shown."""
    host, _, port = address.partition(':')
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    found = writer.get_extra_info('peercert')
    writer.close()
    return str(found['serialNumber'])


@pytest.fixture
async def control(place: Place, store_path: str) -> AsyncIterator[ControlPlane]:
    async with control_plane(store_path, tls=place.files, trust=place.trust()) as found:
        yield found


async def test_new_connections_get_the_new_certificate_and_open_ones_live_on(
    place: Place, control: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level('INFO')
    await control.put_app()
    plane = DataPlane('dp1')
    plane.socket = await connect(f'wss://{control.address}/v1/push', ssl=place.trust())
    await plane.hello()
    await plane.apply()
    before = await serial(control.address, place.trust())
    assert await serial(control.address, place.trust()) == before

    other = trustme.CA()
    place.write(other)
    after = await serial(control.address, place.trust(other))
    assert after != before
    with pytest.raises(ssl.SSLCertVerificationError):
        await serial(control.address, place.trust())
    assert 'certificates were read again' in caplog.text
    # by the connections that were open: a push and its acknowledgement, and REST
    asked = asyncio.ensure_future(control.client.patch('/v1/backends/app/servers/s1?wait=acked', json={'weight': 7}))
    await plane.apply()
    assert (await asked).status_code == 200
    await plane.cut()


async def test_files_that_cannot_be_used_are_named_and_the_last_good_ones_stay(
    place: Place, control: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    before = await serial(control.address, place.trust())
    certificate, key = place.path / 'tls.crt', place.path / 'tls.key'
    good = certificate.read_bytes(), key.read_bytes()
    cases = (
        (certificate, b'nonsense', f'{certificate}: holds no PEM block of the kind "certificate"'),
        (
            key,
            trustme.CA().issue_cert('x').private_key_pem.bytes(),
            f'{certificate} with the key {key}: key values mismatch',
        ),
        (key, good[1][:200], f'{certificate} with the key {key}: no certificate, or no key, can be read from it'),
    )
    for path, text, said in cases:
        path.write_bytes(text)
        for _ in range(3):
            assert await serial(control.address, place.trust()) == before
        assert caplog.text.count(f'certificates stay as they were: {said}') == 1, caplog.text
        certificate.write_bytes(good[0])
        key.write_bytes(good[1])
    certificate.unlink()
    assert await serial(control.address, place.trust()) == before
    assert f'certificates stay as they were: {certificate}: No such file or directory' in caplog.text
    place.write()
    assert await serial(control.address, place.trust()) != before


async def test_a_certificate_and_its_key_may_be_replaced_one_after_the_other(
    place: Place, control: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    before = await serial(control.address, place.trust())
    leaf = place.authority.issue_cert('127.0.0.1')
    (place.path / 'tls.crt').write_bytes(leaf.cert_chain_pems[0].bytes())
    assert await serial(control.address, place.trust()) == before
    (place.path / 'tls.key').write_bytes(leaf.private_key_pem.bytes())
    assert await serial(control.address, place.trust()) != before
    assert caplog.text.count('stay as they were') == 1


async def test_an_expired_certificate_is_said_and_refused_by_clients(
    place: Place, control: ControlPlane, caplog: pytest.LogCaptureFixture
) -> None:
    place.write(not_before=LONG_AGO, not_after=LONG_AGO + datetime.timedelta(days=1))
    # with sockets that block, which send the alert that says why
    with pytest.raises(httpx.ConnectError, match='certificate has expired'):
        await asyncio.to_thread(httpx.get, f'https://{control.address}/healthz', verify=place.trust())
    assert f'clients will refuse the certificate in {place.path}/tls.crt: certificate has expired' in caplog.text
    said = f'a client refused the certificate in {place.path}/tls.crt: '
    await until(lambda: said in caplog.text, within=30, what='the complaint')
    assert 'alert certificate expired' in caplog.text


async def test_what_cannot_be_used_at_the_start_is_why_it_does_not(place: Place, tmp_path: Path) -> None:
    (tmp_path / 'ca').write_text('nothing in here')
    for files, said in (
        (TlsFiles(certificate='/none', key='/none'), 'TLS cannot be used: /none: No such file or directory'),
        (TlsFiles(certificate=place.files.certificate, key='/none'), '/none: No such file or directory'),
        (TlsFiles(certificate=place.files.certificate, key=place.files.key, client_ca='/none'), '/none: No such file'),
        (
            TlsFiles(certificate=place.files.certificate, key=place.files.key, client_ca=str(tmp_path / 'ca')),
            f'{tmp_path}/ca: holds no PEM block of the kind "certificate"',
        ),
    ):
        with pytest.raises(CannotStart, match=said):
            read_tls(files)
    assert read_tls(None) is None


def test_a_key_with_a_password_is_not_asked_for(place: Place, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(Path(place.files.key).read_bytes(), None)
    locked = form.BestAvailableEncryption(b'secret')
    text = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, locked)
    (tmp_path / 'locked').write_bytes(text)
    with pytest.raises(ValueError, match='locked: the key is encrypted'):
        read(TlsFiles(certificate=place.files.certificate, key=str(tmp_path / 'locked')))


async def test_whoever_speaks_no_tls_or_an_old_one_is_sent_away(place: Place, control: ControlPlane) -> None:
    async with httpx.AsyncClient() as plain:
        with pytest.raises(httpx.TransportError):
            await plain.get(f'http://{control.address}/healthz')
    old = place.trust()
    old.set_ciphers('ALL:@SECLEVEL=0')
    with pytest.warns(DeprecationWarning, match='TLSv1_1'):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match='TLSv1_1'):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await serial(control.address, old)
    assert (await control.client.get('/healthz')).status_code == 200


async def test_no_session_outlives_a_change_of_authorities(place: Place) -> None:
    certificates = Certificates(place.files)
    first = certificates._current
    place.write()
    certificates.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    assert certificates._current is not first


def test_the_same_complaint_is_made_once_a_minute(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    times = iter((0.0, 1.0, 59.9, 60.0, 61.0))
    certificates = Certificates(place.files, lambda: next(times))
    for _ in range(5):
        certificates._complain(ssl.SSLError(1, 'x'))
    assert caplog.text.count('a handshake failed') == 2
