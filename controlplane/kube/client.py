"""A thin client of the API server: plain documents in and out, a time limit on every call.

Not the library's: a typed event for a slice of a hundred endpoints costs it 15 times what reading the JSON does, and its
watch neither backs off nor lists again (docs/decisions says more). What is known of versions, events and retries is the
informer's; this only asks and says truly what came back.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import aiohttp
import yarl

from controlplane.kube.access import Access, CannotAccess, Credentials
from controlplane.kube.errors import ApiError, Json, KubeError, Unreachable, from_answer
from controlplane.kube.lines import Lines, LineTooLong
from controlplane.kube.resources import Resource

__all__ = ['Api', 'ApiError', 'Json', 'KubeError', 'Unreachable']

CALL_S: Final = 10.0
LIST_S: Final = 60.0
_CONNECT_S: Final = 5.0
_USER_AGENT: Final = 'sluice-controlplane'
_JSON: Final = 'application/json'
_MERGE: Final = 'application/merge-patch+json'
_APPLY: Final = 'application/apply-patch+yaml'
_FAULTS: Final = (aiohttp.ClientError, OSError, TimeoutError)  # of a connection; aiohttp's timeouts are TimeoutErrors


class Api:
    """One API server. `call_s`: seconds for every call that is not given its own limit; lists have `list_s` a page.

    Every method but `watch` raises ApiError (the server said no) or Unreachable (no usable answer; the call may have taken
    effect). A request answered 401 is sent once more with new credentials, when there are any. A GET, PUT or DELETE on a kept
    connection that turns out to be closed is sent once more by the HTTP library: 409 and 404 may be answers to our own success.
    """

    def __init__(self, credentials: Credentials, *, call_s: float = CALL_S, list_s: float = LIST_S) -> None:
        self._credentials = credentials
        self._call_s = call_s
        self._list_s = list_s
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; watches end with Unreachable. Closing twice is harmless."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def get(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        subresource: str = '',
        timeout_s: float | None = None,
    ) -> Json:
        """Return one object."""
        return await self._call('GET', resource.path(namespace, name, subresource), timeout_s=timeout_s)

    async def list_page(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        limit: int = 500,
        continue_: str | None = None,
        resource_version: str | None = None,
        label_selector: str = '',
        field_selector: str = '',
        timeout_s: float | None = None,
    ) -> Json:
        """Return one page of a list. `metadata.continue` of the answer, when not empty, is the next page's `continue_`.

        `limit` 0: everything at once. With `resource_version` '0' the server may answer from a cache and ignores the limit.
        ApiError 410: the first page was too long ago.
        """
        query = {
            'limit': str(limit) if limit else '',
            'continue': continue_ or '',
            'resourceVersion': resource_version or '',
            'labelSelector': label_selector,
            'fieldSelector': field_selector,
        }
        limit_s = self._list_s if timeout_s is None else timeout_s
        return await self._call('GET', resource.path(namespace), query=query, timeout_s=limit_s)

    async def create(
        self,
        resource: Resource,
        namespace: str | None,
        body: Json,
        *,
        name: str | None = None,
        subresource: str = '',
        field_manager: str = '',
        timeout_s: float | None = None,
    ) -> Json:
        """POST an object (`apiVersion` and `kind` are filled in), a review, or to a `subresource` of `name`."""
        body = body if subresource else _typed(resource, body)
        path = resource.path(namespace, name, subresource)
        return await self._call('POST', path, body, query={'fieldManager': field_manager}, timeout_s=timeout_s)

    async def replace(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Json,
        *,
        subresource: str = '',
        field_manager: str = '',
        timeout_s: float | None = None,
    ) -> Json:
        """PUT the whole object. With `metadata.resourceVersion` in it: ApiError 409 Conflict when it changed since."""
        path = resource.path(namespace, name, subresource)
        query = {'fieldManager': field_manager}
        return await self._call('PUT', path, _typed(resource, body), query=query, timeout_s=timeout_s)

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Json,
        *,
        subresource: str = '',
        field_manager: str = '',
        timeout_s: float | None = None,
    ) -> Json:
        """Merge `body` into the object (RFC 7396: null removes, a list replaces a list)."""
        path = resource.path(namespace, name, subresource)
        query = {'fieldManager': field_manager}
        return await self._call('PATCH', path, body, query=query, content=_MERGE, timeout_s=timeout_s)

    async def patch_status(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        status: Json,
        *,
        field_manager: str = '',
        timeout_s: float | None = None,
    ) -> Json:
        """Merge `status` into the object's status; nothing else of it changes."""
        body = {'status': status}
        return await self.patch(
            resource, namespace, name, body, subresource='status', field_manager=field_manager, timeout_s=timeout_s
        )

    async def apply(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Json,
        *,
        field_manager: str,
        force: bool = False,
        subresource: str = '',
        timeout_s: float | None = None,
    ) -> Json:
        """Server-side apply: `body` is all that `field_manager` wants; what it wanted before and not now is removed.

        The object is made when it is not there. ApiError 409: a field is another manager's, and `force` is not given.
        """
        body = _typed(resource, body)
        body['metadata'] = {'name': name, **body.get('metadata', {})}
        query = {'fieldManager': field_manager, 'force': 'true' if force else ''}
        path = resource.path(namespace, name, subresource)
        return await self._call('PATCH', path, body, query=query, content=_APPLY, timeout_s=timeout_s)

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_period_s: int | None = None,
        propagation: str | None = None,
        timeout_s: float | None = None,
    ) -> Json:
        """Delete an object. ApiError 409: it is not the one of this `uid` or `resource_version` any more."""
        body: Json = {'apiVersion': 'v1', 'kind': 'DeleteOptions'}
        if uid or resource_version:
            known = {'uid': uid, 'resourceVersion': resource_version}
            body['preconditions'] = {key: value for key, value in known.items() if value}
        if grace_period_s is not None:
            body['gracePeriodSeconds'] = grace_period_s
        if propagation is not None:
            body['propagationPolicy'] = propagation
        return await self._call('DELETE', resource.path(namespace, name), body, timeout_s=timeout_s)

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        timeout_s: float,
        label_selector: str = '',
        field_selector: str = '',
        opened: Callable[[], None] | None = None,
    ) -> AsyncGenerator[Json, None]:
        """Every event after `resource_version`, raw: {'type': ADDED|MODIFIED|DELETED|BOOKMARK|ERROR, 'object': {...}}.

        Ends when the server ends it, after about `timeout_s` seconds. Silence is the caller's to limit (bound each step and
        `aclose`, or use contextlib.aclosing). `opened` is called when the server has agreed. ApiError: refused. Unreachable: lost; a line cut off is never handed over.
        """
        query = {
            'watch': 'true',
            'allowWatchBookmarks': 'true',
            'resourceVersion': resource_version,
            'timeoutSeconds': str(max(1, round(timeout_s))),
            'labelSelector': label_selector,
            'fieldSelector': field_selector,
        }
        lines = Lines()
        try:
            async with self._answer('GET', resource.path(namespace), None, query, _JSON, self._call_s) as response:
                if opened is not None:
                    opened()
                async for data in response.content.iter_any():
                    for line in lines.feed(data):
                        yield _event(line)
        except LineTooLong as error:
            raise Unreachable(f'watch of {resource.label}: {error}') from error
        except _FAULTS as error:
            raise Unreachable(f'watch of {resource.label} was lost: {_said(error)}') from error
        if lines.begun:
            raise Unreachable(f'watch of {resource.label} ended within an event, after {lines.begun} bytes of it')

    async def _call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content: str = _JSON,
        timeout_s: float | None = None,
    ) -> Json:
        limit_s = self._call_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(limit_s):
                async with self._answer(method, path, body, query or {}, content, limit_s) as response:
                    data = await response.read()
        except TimeoutError as error:
            raise Unreachable(f'{method} {path}: no answer within {limit_s:g} s') from error
        except _FAULTS as error:
            raise Unreachable(f'{method} {path}: {_said(error)}') from error
        try:
            document = json.loads(data)
        except ValueError as error:
            raise Unreachable(f'{method} {path}: the answer is not JSON') from error
        if not isinstance(document, dict):
            raise Unreachable(f'{method} {path}: the answer is no document')
        return document

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, body: Json | None, query: Mapping[str, str], content: str, limit_s: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer that is a success, its body still to be read; its head comes within `limit_s`."""
        data = None if body is None else json.dumps(body, separators=(',', ':')).encode()
        asked = {key: value for key, value in query.items() if value}
        for attempt in (1, 2):
            access = await self._current()
            try:
                async with asyncio.timeout(limit_s):
                    response = await self._request(access, method, path, data, asked, content)
            except aiohttp.ClientConnectorCertificateError:  # the cluster's authority may be a new one
                if attempt == 2 or not await self._renewed(access):
                    raise
                continue
            async with response:
                if 200 <= response.status < 300:
                    yield response
                    return
                async with asyncio.timeout(limit_s):
                    said = await response.read()
            error = from_answer(response.status, said, response.headers.get('Retry-After'))
            if response.status != 401 or attempt == 2 or not await self._renewed(access):
                raise error

    async def _request(
        self, access: Access, method: str, path: str, data: bytes | None, query: Mapping[str, str], content: str
    ) -> aiohttp.ClientResponse:
        headers = {'Accept': _JSON, 'User-Agent': _USER_AGENT}
        if access.authorization:
            headers['Authorization'] = access.authorization
        if data is not None:
            headers['Content-Type'] = content
        return await self._connections().request(
            method,
            yarl.URL(access.host + path, encoded=True).with_query(query),
            data=data,
            headers=headers,
            ssl=access.tls or True,
            server_hostname=access.server_name,
            proxy=access.proxy,
            allow_redirects=False,  # our token is for this server only
        )

    async def _current(self) -> Access:
        try:
            return await self._credentials.current()
        except CannotAccess as error:
            raise Unreachable(str(error)) from error

    async def _renewed(self, stale: Access) -> bool:
        """Load credentials again. False: they are the same, or cannot be had."""
        try:
            return await self._credentials.renew(stale) is not stale
        except CannotAccess:
            return False

    def _connections(self) -> aiohttp.ClientSession:
        if self._closed:
            raise Unreachable('this client is closed')
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # no limit: watches keep theirs for minutes, and with many namespaces no number would be enough
                connector=aiohttp.TCPConnector(limit=0, socket_factory=_socket),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,  # HTTP_PROXY in a pod is for the world outside, not for the API server
            )
        return self._session


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _typed(resource: Resource, body: Json) -> Json:
    return {'apiVersion': resource.api_version, 'kind': resource.kind, **body}


def _event(line: bytes) -> Json:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise Unreachable('a watch sent a line that is not JSON') from error
    if (
        not isinstance(event, dict)
        or not isinstance(event.get('type'), str)
        or not isinstance(event.get('object'), dict)
    ):
        raise Unreachable('a watch sent a line that is no event')
    return event


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket that notices within 45 s that the other side is gone, also while nothing is sent."""
    family, kind, proto = address[:3]
    made = socket.socket(family, kind, proto)
    for option, value in (
        (socket.TCP_KEEPIDLE, 15),
        (socket.TCP_KEEPINTVL, 10),
        (socket.TCP_KEEPCNT, 3),
        (socket.TCP_USER_TIMEOUT, 45_000),
        (socket.TCP_NODELAY, 1),
    ):
        made.setsockopt(socket.IPPROTO_TCP, option, value)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return made
