"""ASGI: what only the leader can answer is passed on to it; the rest a follower answers by itself.

A follower knows what is wanted, but not what the data planes say of it, nor the versions. So everything under `/v1/` and
`/v3/` goes to the leader while it can be reached. When it cannot, reading backends, servers and routes is answered here, from
the same objects in Kubernetes, and says so (`Sluice-Answered-By: follower`); whatever else is asked is 503 `no-leader`: try again soon.
A request is passed on once: what comes to a follower from another one is not passed on again.

The client's own credential goes along, and the leader judges it anew. A link is not passed on: its data plane is told where
to dial (`NOT_LEADER`, with the leader's address).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Protocol

import httpx
from starlette.responses import JSONResponse

from controlplane.domain.problems import MEDIA_TYPE, problem

log = logging.getLogger('sluice.forward')

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

NOT_LEADER: Final = 4421  # the data plane's end has the same number
FORWARDED: Final = b'sluice-forwarded'
_READABLE: Final = re.compile(r'/v1/(backends|servers|routes)(/|\Z)|/v3/services/haproxy/runtime/backends/')
_HOPS: Final = frozenset({
    b'connection', b'keep-alive', b'proxy-connection', b'te', b'transfer-encoding', b'upgrade', b'proxy-authorization',
    b'proxy-authenticate', b'content-length', b'expect', b'date', FORWARDED,
})  # fmt: skip
_UNSPELT: Final = re.compile(rb'[^!-~]')  # what a target should have spelt as %XX
_TIMES: Final = httpx.Timeout(connect=2.0, read=630.0, write=30.0, pool=10.0)  # a wait lasts up to ten minutes


class Standing(Protocol):
    """What this control plane is at the moment."""

    @property
    def leads(self) -> bool:
        """Whether it is the leader."""
        ...

    @property
    def leader(self) -> str:
        """HOST:PORT of the leader; '': not known, or it is this one."""
        ...

    def reading(self) -> Any:
        """Services from which a follower answers what is read; None: it does not know enough."""
        ...


class Leader:
    """The way to the leader. `ca_file`: who signs its certificate, None: it speaks plain HTTP; `name` is in that certificate."""

    def __init__(self, ca_file: str | None, name: str, tls: bool) -> None:
        self._ca_file, self._name, self._scheme = ca_file, name, 'https' if tls else 'http'
        self._client: httpx.AsyncClient | None = None
        self._of, self._stamp = '', None if ca_file is None else _stamp(ca_file)
        self._retired: list[httpx.AsyncClient] = []

    async def send(self, address: str, scope: Scope, body: bytes, who: str) -> httpx.Response:
        """The answer, whose body is still to be read and closed. httpx.HTTPError, OSError: there is none."""
        client = await self._to(address)
        headers = [(name, value) for name, value in scope['headers'] if name not in _HOPS]
        headers.append((FORWARDED, who.encode('ascii', 'replace')))
        path = scope.get('raw_path') or scope['path'].encode()
        query = b'?' + scope['query_string'] if scope['query_string'] else b''
        target = _UNSPELT.sub(lambda found: b'%%%02X' % found[0][0], path.split(b'?', maxsplit=1)[0] + query)
        url = httpx.URL(f'{self._scheme}://{address}', raw_path=target)
        extensions = {'sni_hostname': self._name} if self._name and self._scheme == 'https' else {}
        request = client.build_request(scope['method'], url, headers=headers, content=body, extensions=extensions)
        return await client.send(request, stream=True)

    async def _to(self, address: str) -> httpx.AsyncClient:
        """One client per leader, and a new one when who signs its certificate is another."""
        now = None if self._ca_file is None else _stamp(self._ca_file)
        if self._client is None or self._of != address:
            await self.close()
            self._stamp, self._client, self._of = now, await self._made(), address
        elif now != self._stamp:
            self._stamp = now
            try:
                fresh = await self._made()
            except OSError as error:
                log.error('who signs the certificate of the leader stays as it was: %s: %s', self._ca_file, error)
            else:
                self._retired.append(self._client)  # an answer may still be under way there
                self._client = fresh
        return self._client

    async def _made(self) -> httpx.AsyncClient:
        verify: ssl.SSLContext | bool = self._scheme == 'https'
        if self._scheme == 'https' and self._ca_file is not None:
            verify = await asyncio.to_thread(ssl.create_default_context, cafile=self._ca_file)
        return httpx.AsyncClient(verify=verify, timeout=_TIMES, trust_env=False)

    async def close(self) -> None:
        """Close all connections."""
        clients, self._client, self._retired = [self._client, *self._retired], None, []
        for client in clients:
            if client is not None:
                await client.aclose()


def _stamp(path: str) -> tuple[int, int, int] | None:
    """Something that differs when the file does; None: it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


class Forward:
    """Wraps the application; `who` names this control plane to the other one."""

    def __init__(self, app: App, standing: Standing, leader: Leader, who: str) -> None:
        self._app, self._standing, self._leader, self._who = app, standing, leader, who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if self._standing.leads or not scope['path'].startswith(('/v1/', '/v3/')):
            await self._app(scope, receive, send)
        elif scope['type'] == 'websocket':
            await self._elsewhere(receive, send)
        else:
            await self._pass_on(scope, receive, send)

    async def _elsewhere(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({'type': 'websocket.accept'})
        reason = json.dumps({'leader': self._standing.leader}) if self._standing.leader else 'no control plane leads'
        await send({'type': 'websocket.close', 'code': NOT_LEADER, 'reason': reason[:120]})

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = self._standing.leader
        is_passed_on = any(name == FORWARDED for name, _ in scope['headers'])
        if not address or is_passed_on:
            await self._alone(scope, receive, send, 'no control plane leads')
            return
        # what a GET carries means nothing (RFC 9110, 9.3.1), and its size is not limited before this
        body = b'' if scope['method'] in {'GET', 'HEAD'} else await _whole(receive)
        try:
            answer = await self._leader.send(address, scope, body, self._who)
        except (httpx.HTTPError, OSError) as error:
            log.info('%s %s could not be passed on to %s: %r', scope['method'], scope['path'], address, error)
            await self._alone(
                scope, _again(body, receive) if body else receive, send, f'{address}, which leads, does not answer'
            )
            return
        try:
            await _relay(answer, receive, send)
        finally:
            await answer.aclose()

    async def _alone(self, scope: Scope, receive: Receive, send: Send, why: str) -> None:
        """Answer what can be answered without a leader."""
        services = self._standing.reading()
        if scope['method'] in {'GET', 'HEAD'} and _READABLE.match(scope['path']) and services is not None:
            scope.setdefault('state', {})['services'] = services

            async def marked(message: MutableMapping[str, Any]) -> None:
                if message['type'] == 'http.response.start':
                    headers = [(name, value) for name, value in message['headers'] if name.lower() != b'etag']
                    message = {**message, 'headers': [*headers, (b'sluice-answered-by', b'follower')]}
                await send(message)

            await self._app(scope, receive, marked)
            return
        status, document = problem(
            'no-leader', f'Ask again in a moment: {why}. What was asked for may have been done or not.'
        )
        await JSONResponse(document, status, {'Retry-After': '1'}, MEDIA_TYPE)(scope, receive, send)


async def _whole(receive: Receive) -> bytes:
    """The body, whose size is limited before this."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get('body', b'')
        if message['type'] != 'http.request' or not message.get('more_body', False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read already once more."""
    given = False

    async def replay() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {'type': 'http.request', 'body': body, 'more_body': False}

    return replay


async def _relay(answer: httpx.Response, receive: Receive, send: Send) -> None:
    """Pass an answer on as it comes, until it or its reader ends."""
    headers = [
        (name, value) for name, value in answer.headers.raw if name.lower() not in _HOPS - {b'content-length', b'date'}
    ]

    async def passing() -> None:
        await send({'type': 'http.response.start', 'status': answer.status_code, 'headers': headers})
        async for chunk in answer.aiter_raw():
            await send({'type': 'http.response.body', 'body': chunk, 'more_body': True})
        await send({'type': 'http.response.body', 'body': b'', 'more_body': False})

    async def leaving() -> None:
        while (await receive())['type'] != 'http.disconnect':
            pass

    tasks = [asyncio.ensure_future(passing()), asyncio.ensure_future(leaving())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            # its head is out: what is left is to end it so that its reader sees that it is not whole
            raise ConnectionError(f'the leader went away within its answer: {result!r}') from result
