"""A client of the API server that shares no code with the product's: raw documents over httpx."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

Document = dict[str, Any]

# plural -> the path its kind lives under
GROUPS: Mapping[str, str] = {
    'backendpolicies': '/apis/sluice.dev/v1alpha1',
    'clusterrolebindings': '/apis/rbac.authorization.k8s.io/v1',
    'clusterroles': '/apis/rbac.authorization.k8s.io/v1',
    'configmaps': '/api/v1',
    'customresourcedefinitions': '/apis/apiextensions.k8s.io/v1',
    'deployments': '/apis/apps/v1',
    'endpointslices': '/apis/discovery.k8s.io/v1',
    'events': '/api/v1',
    'leases': '/apis/coordination.k8s.io/v1',
    'namespaces': '/api/v1',
    'nodes': '/api/v1',
    'poddisruptionbudgets': '/apis/policy/v1',
    'pods': '/api/v1',
    'rolebindings': '/apis/rbac.authorization.k8s.io/v1',
    'roles': '/apis/rbac.authorization.k8s.io/v1',
    'secrets': '/api/v1',
    'serviceaccounts': '/api/v1',
    'serveroverrides': '/apis/sluice.dev/v1alpha1',
    'services': '/api/v1',
}
_PATCHES = {
    'merge': 'application/merge-patch+json',
    'json': 'application/json-patch+json',
    'apply': 'application/apply-patch+yaml',
}


class Refused(Exception):
    """The API server answered with an error."""

    def __init__(self, status: int, document: Document) -> None:
        super().__init__(f'{status} {document.get("reason")}: {document.get("message")}')
        self.status = status
        self.reason = str(document.get('reason'))
        self.message = str(document.get('message'))


@dataclass(frozen=True)
class Address:
    """Where the API server is and what its certificate must be signed by."""

    server: str
    authority: bytes

    def context(self) -> ssl.SSLContext:
        """For clients that trust this authority alone."""
        return ssl.create_default_context(cadata=self.authority.decode())


def address(kubeconfig: Path) -> Address:
    """What a kubeconfig of ours says about the server."""
    cluster = json.loads(kubeconfig.read_text())['clusters'][0]['cluster']
    return Address(cluster['server'], base64.b64decode(cluster['certificate-authority-data']))


class Kube:
    """One identity at the API server."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def call(
        self, method: str, path: str, body: object = None, *, within: float = 15.0, kind: str = 'application/json',
        query: Mapping[str, str] | None = None,
    ) -> Document:  # fmt: skip
        """One request by path. Refused: the answer is an error; httpx.TransportError: there was none."""
        answer = await self._client.request(
            method, path, content=None if body is None else json.dumps(body), timeout=within, params=query,
            headers={'Content-Type': kind},
        )  # fmt: skip
        try:
            document: Document = answer.json()
        except ValueError:
            document = {'message': answer.text}
        if answer.is_error:
            raise Refused(answer.status_code, document)
        return document

    async def get(self, plural: str, name: str, namespace: str | None = None) -> Document:
        """One object."""
        return await self.call('GET', path(plural, namespace, name))

    async def find(self, plural: str, name: str, namespace: str | None = None) -> Document | None:
        """One object, or None."""
        try:
            return await self.get(plural, name, namespace)
        except Refused as refused:
            if refused.status == httpx.codes.NOT_FOUND:
                return None
            raise

    async def list(self, plural: str, namespace: str | None = None, **query: str) -> list[Document]:
        """The items of a list, of all namespaces without `namespace`."""
        items: list[Document] = (await self.call('GET', path(plural, namespace), query=query))['items']
        return items

    async def create(self, plural: str, document: Document, namespace: str | None = None) -> Document:
        """Create an object, in the namespace it names itself unless another is given."""
        namespace = namespace or document['metadata'].get('namespace')
        return await self.call('POST', path(plural, namespace), document)

    async def replace(self, plural: str, document: Document) -> Document:
        """Replace an object."""
        meta = document['metadata']
        return await self.call('PUT', path(plural, meta.get('namespace'), meta['name']), document)

    async def patch(
        self, plural: str, name: str, body: object, namespace: str | None = None, *, how: str = 'merge', sub: str = '',
        **query: str,
    ) -> Document:  # fmt: skip
        """Patch an object or a subresource; `how`: merge, json or apply (which needs fieldManager=...)."""
        where = path(plural, namespace, name) + (f'/{sub}' if sub else '')
        return await self.call('PATCH', where, body, kind=_PATCHES[how], query=query)

    async def delete(self, plural: str, name: str, namespace: str | None = None, **options: Any) -> Document:
        """Delete an object; `options` are DeleteOptions."""
        body = {'kind': 'DeleteOptions', 'apiVersion': 'v1', **options}
        return await self.call('DELETE', path(plural, namespace, name), body)

    async def token(self, account: str, namespace: str, *, audience: str, pod: Document | None = None) -> str:
        """A token of a service account, bound to a pod when one is given: what a projected volume holds."""
        spec: Document = {'audiences': [audience], 'expirationSeconds': 3600}
        if pod is not None:
            meta = pod['metadata']
            spec['boundObjectRef'] = {'kind': 'Pod', 'apiVersion': 'v1', 'name': meta['name'], 'uid': meta['uid']}
        where = path('serviceaccounts', namespace, account) + '/token'
        made = await self.call('POST', where, {'kind': 'TokenRequest', 'apiVersion': 'authentication.k8s.io/v1', 'spec': spec})  # fmt: skip
        found: str = made['status']['token']
        return found

    @asynccontextmanager
    async def watch(self, plural: str, namespace: str | None = None, **query: str) -> AsyncIterator[AsyncIterator[Document]]:  # fmt: skip
        """The raw events of a watch. Refused: the answer itself is an error."""
        wanted = {'watch': 'true', **query}
        async with self._client.stream('GET', path(plural, namespace), params=wanted, timeout=30.0) as answer:
            if answer.is_error:
                await answer.aread()
                raise Refused(answer.status_code, answer.json())
            yield (json.loads(line) async for line in answer.aiter_lines() if line)


def path(plural: str, namespace: str | None = None, name: str | None = None) -> str:
    """The path of a kind's list or of one object."""
    where = f'/namespaces/{namespace}' if namespace and plural != 'namespaces' else ''
    return f'{GROUPS[plural]}{where}/{plural}' + (f'/{name}' if name else '')


def certified(kubeconfig: Path) -> httpx.AsyncClient:
    """A client with the certificate that a kubeconfig of the kit holds."""
    where = address(kubeconfig)
    user = json.loads(kubeconfig.read_text())['users'][0]['user']
    context = where.context()
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(base64.b64decode(user['client-certificate-data']) + base64.b64decode(user['client-key-data']))
        pair.flush()
        context.load_cert_chain(pair.name)
    return httpx.AsyncClient(base_url=where.server, verify=context, trust_env=False)


@asynccontextmanager
async def administrator(kubeconfig: Path) -> AsyncIterator[Kube]:
    """The cluster's administrator."""
    async with certified(kubeconfig) as client:
        yield Kube(client)


@asynccontextmanager
async def bearer(kubeconfig: Path, token: str) -> AsyncIterator[Kube]:
    """Whoever a token belongs to."""
    where = address(kubeconfig)
    headers = {'Authorization': f'Bearer {token}'}
    async with httpx.AsyncClient(
        base_url=where.server, verify=where.context(), trust_env=False, headers=headers
    ) as client:
        yield Kube(client)
