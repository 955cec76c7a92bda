"""The certificates and kubeconfigs of one cluster, with a certificate authority of its own."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Pki:
    """Writes into `place`, which nobody else may read."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(mode=0o700)
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(place / 'ca.crt')

    def certificate(self, name: str, user: str, group: str | None = None, names: tuple[str, ...] = ()) -> None:
        """NAME.crt and NAME.key: for a client, Kubernetes' user and group; for a server, the `names` it is reached by."""
        # trustme marks the alternative names critical, and Go refuses them when they are empty
        made = self._ca.issue_cert(*(names or (f'{name}.invalid',)), common_name=user, organization_name=group)
        made.cert_chain_pems[0].write_to_path(self.place / f'{name}.crt')
        made.private_key_pem.write_to_path(self.place / f'{name}.key')

    def service_accounts(self) -> None:
        """The pair of keys that tokens of service accounts are signed and checked with."""
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self.place / 'service-account.key').write_bytes(private)
        (self.place / 'service-account.pub').write_bytes(public)

    def kubeconfig(self, name: str, server: str, path: Path) -> None:
        """A kubeconfig for the client certificate NAME."""
        certificate, key = ({'crt': 'client-certificate-data', 'key': 'client-key-data'}[end] for end in ('crt', 'key'))
        user = {certificate: self._data(f'{name}.crt'), key: self._data(f'{name}.key')}
        write_kubeconfig(path, server, self._data('ca.crt'), name, user)

    def _data(self, file: str) -> str:
        return base64.b64encode((self.place / file).read_bytes()).decode()


def write_kubeconfig(path: Path, server: str, authority: str, name: str, user: dict[str, str]) -> None:
    """A kubeconfig with one context. `authority`: the CA's certificate in base64; `user`: as kubeconfig has it."""
    document = {
        'apiVersion': 'v1',
        'kind': 'Config',
        'current-context': 'test',
        'clusters': [{'name': 'test', 'cluster': {'server': server, 'certificate-authority-data': authority}}],
        'users': [{'name': name, 'user': user}],
        'contexts': [{'name': 'test', 'context': {'cluster': 'test', 'user': name}}],
    }
    path.write_text(json.dumps(document, indent=1))
    path.chmod(0o600)
