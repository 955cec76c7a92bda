"""How the API server is reached and who we are there: from a kubeconfig, or from what every pod is given.

The library's loaders read the files (contexts, exec plugins, OIDC, certificates). What it does with them afterwards is not
used: its token of a pod is not stripped, its certificates are read once, and its sessions obey HTTP_PROXY, which in a pod
leads requests for the API server astray. So the loader runs again whenever that may give something new: in a pod every
minute (tokens there are replaced before they end, about hourly), and anywhere when a request was answered 401 or the
server's certificate was not accepted. Files are read and TLS contexts made in a thread; a context costs 40 ms.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

IN_CLUSTER_MAX_AGE_S: Final = 60.0
_LOADING_S: Final = 30.0  # an exec plugin may ask its own server


class CannotAccess(Exception):
    """The kubeconfig or the pod's own files cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a loader found: where the server is, and the names of files. `authorization`: a header's value or ''."""

    host: str
    authorization: str = ''
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify: bool = True
    server_name: str | None = None
    proxy: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What a request needs. `tls` is None for plain HTTP; it is the same object for as long as its files are the same."""

    host: str
    authorization: str
    tls: ssl.SSLContext | None
    server_name: str | None
    proxy: str | None


Loader = Callable[[], Awaitable[Source]]


class Credentials:
    """The present Access. `max_age_s`: load again when it is older; None: only when `renew` is called."""

    def __init__(self, load: Loader, max_age_s: float | None = None) -> None:
        self._load = load
        self._max_age_s = max_age_s
        self._loading = asyncio.Lock()
        self._access: Access | None = None
        self._loaded_at = 0.0
        self._material = b''

    async def current(self) -> Access:
        """CannotAccess: there is nothing to use. What was loaded before stays in use when loading again fails."""
        access = self._access
        if access is not None and not self._is_old():
            return access
        async with self._loading:
            if self._access is not None and not self._is_old():
                return self._access
            try:
                return await self._reload()
            except CannotAccess:
                if self._access is None:
                    raise
                # a token that is being replaced may be unreadable for a moment; the old one is good for minutes more
                self._loaded_at = asyncio.get_running_loop().time()
                return self._access

    async def renew(self, stale: Access) -> Access:
        """After `stale` was refused: load again, once for all who come with the same. CannotAccess: it failed."""
        async with self._loading:
            if self._access is not None and self._access is not stale:
                return self._access
            return await self._reload()

    def _is_old(self) -> bool:
        return self._max_age_s is not None and asyncio.get_running_loop().time() - self._loaded_at > self._max_age_s

    async def _reload(self) -> Access:
        before = self._access
        try:
            async with asyncio.timeout(_LOADING_S):
                source = await self._load()
                tls, material = await asyncio.to_thread(_tls, source, before.tls if before else None, self._material)
        except TimeoutError as error:
            raise CannotAccess(f'credentials were not there after {_LOADING_S:.0f} s') from error
        self._material = material
        access = Access(source.host.rstrip('/'), source.authorization, tls, source.server_name, source.proxy)
        self._loaded_at = asyncio.get_running_loop().time()
        if access != before:
            self._access = access
        assert self._access is not None
        return self._access


def _tls(source: Source, before: ssl.SSLContext | None, material: bytes) -> tuple[ssl.SSLContext | None, bytes]:
    """A context for `source` and a digest of what it was made of; `before` when that is `material` still."""
    if not source.host.startswith('https:'):
        return None, b''
    try:
        digest = hashlib.sha256(repr((source.verify, source.ca_file is None)).encode())
        for name in (source.ca_file, source.cert_file, source.key_file):
            digest.update(b'\0' if name is None else Path(name).read_bytes())
        if before is not None and digest.digest() == material:
            return before, material
        context = ssl.create_default_context(cafile=source.ca_file)
        if source.cert_file:
            context.load_cert_chain(source.cert_file, source.key_file)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise CannotAccess(f'certificates for {source.host} cannot be used: {error}') from error
    if not source.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context, digest.digest()


def from_kubeconfig(path: str | None = None, context: str | None = None) -> Credentials:
    """A kubeconfig file (several: separated by ':'). None: as kubectl finds it, $KUBECONFIG or ~/.kube/config."""
    named = path or os.environ.get('KUBECONFIG') or str(Path('~/.kube/config').expanduser())

    async def load() -> Source:
        # here, not above: half a second and 40 MB, which only those who use Kubernetes should pay
        from kubernetes_asyncio.client import Configuration
        from kubernetes_asyncio.config import load_kube_config

        found = Configuration()
        try:
            await load_kube_config(named, context, found, persist_config=False)
        except Exception as error:
            # whatever the files of users and the plugins they name may provoke, of some dozen types
            raise CannotAccess(f'kubeconfig {named} cannot be used: {error!r}') from error
        return _source(found)

    return Credentials(load)


def in_cluster() -> Credentials:
    """What every pod with a ServiceAccount token is given."""

    def read() -> Source:
        from kubernetes_asyncio.client import Configuration
        from kubernetes_asyncio.config import ConfigException, load_incluster_config

        found = Configuration()
        try:
            load_incluster_config(found)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError) as error:
            raise CannotAccess(f'this is no pod with access to the API server: {error}') from error
        return _source(found)

    async def load() -> Source:
        return await asyncio.to_thread(read)

    return Credentials(load, IN_CLUSTER_MAX_AGE_S)


def found_here(kubeconfig: str | None = None) -> Credentials:
    """The file named, else a pod's own access inside a pod, else kubectl's usual kubeconfig."""
    if kubeconfig is None and 'KUBERNETES_SERVICE_HOST' in os.environ:
        return in_cluster()
    return from_kubeconfig(kubeconfig)


def fixed(host: str, token: str = '') -> Credentials:
    """A plain address and a token that never changes: for tests and for `kubectl proxy`."""

    async def load() -> Source:
        return Source(host, f'Bearer {token}' if token else '')

    return Credentials(load)


def _source(found: object) -> Source:
    """From the library's configuration object, which has no types."""
    keys: dict[str, str] = getattr(found, 'api_key', {})
    return Source(
        host=str(getattr(found, 'host', '')),
        authorization=keys.get('BearerToken', '').strip(),
        ca_file=getattr(found, 'ssl_ca_cert', None),
        cert_file=getattr(found, 'cert_file', None),
        key_file=getattr(found, 'key_file', None),
        verify=bool(getattr(found, 'verify_ssl', True)),
        server_name=getattr(found, 'tls_server_name', None),
        proxy=getattr(found, 'proxy', None),
    )
