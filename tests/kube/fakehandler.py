"""HTTP's half of the fake API server: paths, verbs, selectors, pages, watches, and the faults that strike them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from controlplane.kube import resources
from controlplane.kube.resources import Resource
from tests.kube.fakefaults import FakeWatch, Fault, Seen
from tests.kube.fakeselectors import BadSelector, Selector, selector
from tests.kube.fakestore import FakeStore, Json, Key, Refused, expired

if TYPE_CHECKING:
    from tests.kube.fakeserver import FakeApiServer

KINDS = {
    (kind.group, kind.version, kind.plural): kind for kind in vars(resources).values() if isinstance(kind, Resource)
}
_VERBS = {'POST': 'create', 'PUT': 'update', 'PATCH': 'patch', 'DELETE': 'delete'}


class _Cut(Exception):
    """The connection is cut without an answer."""


class Handler:
    def __init__(self, fake: FakeApiServer) -> None:
        self._fake = fake

    @property
    def _store(self) -> FakeStore:
        return self._fake.store

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answered(request)
        except Refused as error:
            headers = {'Retry-After': str(error.retry_after)} if error.retry_after is not None else {}
            return web.json_response(error.document(), status=error.status, headers=headers)
        except _Cut:
            return _cut(request, web.Response())
        finally:
            self._fake.wake()

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        resource, namespace, name, subresource = _parsed(request.path)
        user = self._fake.auth.user(request.headers.get('Authorization', ''))
        seen = Seen(
            _verb(request, name, subresource), resource, namespace, name, dict(request.query), user.name if user else ''
        )
        self._fake.requests.append(seen)
        self._fake.wake()
        fault = await self._strike(seen)
        if user is None:
            raise Refused(401, 'Unauthorized', 'Unauthorized')
        verb = seen.verb.split('/')[0].replace('apply', 'patch')
        if not self._fake.auth.may(user, verb, resource.group, resource.plural, namespace, name, subresource):
            where = f'in the namespace "{namespace}"' if namespace else 'at the cluster scope'
            message = (
                f'{resource.label} is forbidden: User "{user.name}" cannot {verb} resource "{resource.plural}" {where}'
            )
            raise Refused(403, 'Forbidden', message)
        if resource in self._fake.missing:
            raise Refused(404, 'NotFound', 'the server could not find the requested resource')
        if seen.verb == 'watch':
            return await self._watch(request, seen)
        status, document = await self._done(request, seen, subresource)
        if fault is not None and fault.kind == 'lose':
            raise _Cut
        response = web.json_response(document, status=status)
        if fault is not None and fault.kind == 'half':
            return await _half(request, response)
        return response

    async def _strike(self, seen: Seen) -> Fault | None:
        """Let the oldest fault for this request happen, as far as it happens before the work."""
        fault = next((one for one in self._fake.faults if one.strikes(seen)), None)
        if fault is None:
            return None
        fault.used += 1
        self._fake.wake()
        match fault.kind:
            case 'status':
                reason = fault.reason or {429: 'TooManyRequests', 410: 'Expired', 403: 'Forbidden'}.get(
                    fault.status, ''
                )
                raise Refused(fault.status, reason or 'InternalError', 'injected', retry_after=fault.retry_after)
            case 'reset':
                raise _Cut
            case 'hang':
                await asyncio.Event().wait()
            case 'hold':
                await fault.gate.wait()
            case 'garbage':
                raise web.HTTPOk(text='<html>a proxy in between says hello</html>', content_type='text/html')
            case 'half' | 'lose':
                pass
        return fault

    async def _done(self, request: web.Request, seen: Seen, subresource: str) -> tuple[int, Json]:
        """Every verb but watch."""
        key: Key = (seen.resource, seen.namespace, seen.name)
        raw = await request.read()
        try:
            body = json.loads(raw) if raw else {}
        except ValueError as error:
            raise Refused(400, 'BadRequest', str(error)) from error
        if seen.verb == 'create/token' and seen.resource is resources.SERVICE_ACCOUNTS:
            return 201, self._fake.auth.token_request(self._store.get(key), self._bound(seen, body), body)
        if subresource not in {'', 'status'}:
            raise Refused(404, 'NotFound', 'the server could not find the requested resource')
        manager = seen.query.get('fieldManager') or request.headers.get('User-Agent', 'unknown').split('/')[0]
        status = subresource == 'status'
        match seen.verb.split('/')[0]:
            case 'get':
                return 200, self._store.get(key)
            case 'list':
                return 200, self._listed(seen)
            case 'create' if seen.resource is resources.TOKEN_REVIEWS:
                return 201, self._fake.auth.token_review(body)
            case 'create' if seen.resource is resources.ACCESS_REVIEWS:
                return 201, self._fake.auth.access_review(body)
            case 'create':
                return 201, self._store.create(seen.resource, seen.namespace, body, manager)
            case 'update':
                return 200, self._store.replace(key, body, status, manager)
            case 'apply':
                if not seen.query.get('fieldManager'):
                    raise Refused(422, 'Invalid', 'fieldManager: Required value: is required for apply patch')
                force = seen.query.get('force') == 'true'
                document, made = self._store.apply(key, body, manager, force, status)
                return 201 if made else 200, document
            case 'patch':
                return 200, self._store.merge(key, body, status, manager)
            case 'delete':
                self._store.delete(key, body)
                return 200, {'kind': 'Status', 'apiVersion': 'v1', 'metadata': {}, 'status': 'Success'}
        raise Refused(405, 'MethodNotAllowed', f'{seen.verb} is not allowed')

    def _bound(self, seen: Seen, body: Json) -> Json | None:
        """The pod that a token is to be bound to."""
        bound = (body.get('spec') or {}).get('boundObjectRef')
        if not bound:
            return None
        pod = self._store.get((resources.PODS, seen.namespace, bound['name']))
        if bound.get('uid', pod['metadata']['uid']) != pod['metadata']['uid']:
            raise Refused(409, 'Conflict', 'the UID in the bound object reference does not match the pod')
        return pod

    def _listed(self, seen: Seen) -> Json:
        chosen = _selector(seen)
        version, start = self._at(seen)
        found = [one for one in self._store.at(version, seen.resource, seen.namespace) if chosen(one)]
        limit = int(seen.query.get('limit', 0))
        if seen.query.get('resourceVersion') == '0':
            limit = 0  # as the real one answers from its cache
        page = found[start : start + limit] if limit else found[start:]
        meta: Json = {'resourceVersion': str(version)}
        if limit and start + limit < len(found):
            meta['continue'] = base64.urlsafe_b64encode(f'{version}:{start + limit}'.encode()).decode()
            meta['remainingItemCount'] = len(found) - start - limit
        bare = [{name: value for name, value in one.items() if name not in {'kind', 'apiVersion'}} for one in page]
        kind = f'{seen.resource.kind}List'
        return {'kind': kind, 'apiVersion': seen.resource.api_version, 'metadata': meta, 'items': bare}

    def _at(self, seen: Seen) -> tuple[int, int]:
        """Which version a list is of, and from which object on."""
        token, named = seen.query.get('continue'), seen.query.get('resourceVersion', '')
        if token:
            if named not in {'', '0'}:
                raise Refused(400, 'BadRequest', 'specifying resource version is not allowed when using continue')
            version, start = base64.urlsafe_b64decode(token).decode().split(':')
            return int(version), int(start)
        self._not_too_new(named)
        if seen.query.get('resourceVersionMatch') == 'Exact':
            return int(named), 0
        return self._store.snapshot(seen.resource, seen.namespace), 0

    def _not_too_new(self, named: str) -> None:
        if not named.isdigit() and named:
            raise Refused(400, 'BadRequest', f'Invalid value: {named!r}: must be a version')
        if named and int(named) > self._store.version:
            raise Refused(
                504, 'Timeout', f'Timeout: Too large resource version: {named}, current: {self._store.version}',
                causes=[{'reason': 'ResourceVersionTooLarge', 'message': 'Too large resource version'}], retry_after=1,
            )  # fmt: skip

    async def _watch(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        named = seen.query.get('resourceVersion', '')
        self._not_too_new(named)
        chosen = _selector(seen)
        from_start = named in {'', '0'}
        version = self._store.version if from_start else int(named)
        is_too_old = version < self._store.oldest
        if is_too_old and not self._fake.too_old_in_stream:
            raise expired(f'too old resource version: {version} ({self._store.oldest})')
        watch = FakeWatch(seen, chosen, version, seen.query.get('allowWatchBookmarks') == 'true')
        if is_too_old:
            watch.expire()
        elif from_start:
            for document in self._store.listed(seen.resource, seen.namespace):
                if chosen(document):
                    watch.send({'type': 'ADDED', 'object': document})
        else:
            for change in self._store.since(version, seen.resource):
                watch.tell(change)
        response = web.StreamResponse(headers={'Content-Type': 'application/json'})
        self._fake.watches.append(watch)  # before anything is awaited: no write may fall between history and here
        try:
            await response.prepare(request)
            self._fake.wake()
            async with asyncio.timeout(float(seen.query.get('timeoutSeconds', 1800))):
                return await _stream(request, response, watch, self._fake.wake)
        except TimeoutError:
            await response.write_eof()
            return response
        finally:
            watch.is_open = False
            self._fake.watches.remove(watch)
            self._fake.wake()


async def _stream(
    request: web.Request, response: web.StreamResponse, watch: FakeWatch, wake: Callable[[], None]
) -> web.StreamResponse:
    while True:
        order, value = await watch.next_order()
        match order:
            case 'event':
                await response.write(json.dumps(value).encode() + b'\n')
                watch.sent.append(value)
                wake()
            case 'end':
                await response.write_eof()
                return response
            case 'cut':
                await response.write(b'{"type":"MODIFIED","object":{"metadata":{"name":"cut o')
                if value:
                    await response.write_eof()
                    return response
                return _cut(request, response)
            case 'abort':
                return _cut(request, response)
            case 'freeze':
                watch.frozen = True
                wake()
                while order != 'abort':
                    order, _ = await watch.next_order()
                return _cut(request, response)


def _cut(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return response


async def _half(request: web.Request, whole: web.Response) -> web.StreamResponse:
    body = whole.body
    assert isinstance(body, bytes)
    response = web.StreamResponse(headers={'Content-Type': 'application/json', 'Content-Length': str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    return _cut(request, response)


def _selector(seen: Seen) -> Selector:
    try:
        return selector(seen.query.get('labelSelector', ''), seen.query.get('fieldSelector', ''))
    except BadSelector as error:
        raise Refused(400, 'BadRequest', str(error)) from error


def _parsed(path: str) -> tuple[Resource, str, str, str]:
    """Resource, namespace, name, subresource."""
    parts = [part for part in path.split('/') if part]
    group, version, rest = ('', parts[1], parts[2:]) if parts[:1] == ['api'] and len(parts) > 2 else ('', '', [])
    if parts[:1] == ['apis'] and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    namespace = ''
    if len(rest) > 2 and rest[0] == 'namespaces' and (group, version, rest[2]) in KINDS:
        namespace, rest = rest[1], rest[2:]
    resource = KINDS.get((group, version, rest[0] if rest else ''))
    if resource is None:
        raise Refused(404, 'NotFound', 'the server could not find the requested resource')
    name, subresource = (*rest[1:], '', '')[:2]
    return resource, namespace, name, subresource


def _verb(request: web.Request, name: str, subresource: str) -> str:
    if request.method == 'GET':
        verb = 'get' if name else 'watch' if request.query.get('watch') in {'true', '1'} else 'list'
    elif request.headers.get('Content-Type', '').startswith('application/apply-patch'):
        verb = 'apply'
    else:
        verb = _VERBS.get(request.method, request.method.lower())
    return f'{verb}/{subresource}' if subresource else verb
