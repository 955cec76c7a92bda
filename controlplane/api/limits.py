"""ASGI: a body arrives whole, as JSON, within its size and time - or it is answered here and goes no further."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse

from controlplane.domain.problems import MEDIA_TYPE, problem

MAX_BODY = 1024 * 1024
BODY_SECONDS = 30.0
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class _Refused(Exception):
    """`slug` and `detail` of the problem."""


class BodyLimit:
    """Reads bodies of at most `limit` bytes within `seconds`."""

    def __init__(self, app: App, limit: int = MAX_BODY, seconds: float = BODY_SECONDS) -> None:
        self._app, self._limit, self._seconds = app, limit, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope['type'] != 'http' or scope['method'] in {'GET', 'HEAD'}:
            await self._app(scope, receive, send)
            return
        headers = dict(scope['headers'])
        try:
            body = await self._body(headers, receive)
            kind = headers.get(b'content-type', b'').split(b';')[0].strip().lower()
            if body and kind != b'application/json' and not kind.endswith(b'+json'):
                raise _Refused(
                    'unsupported-media-type', f'Content-Type is {kind.decode("latin-1")!r}, not application/json.'
                )
        except _Refused as refused:
            status, document = problem(*refused.args)
            # the rest of the body is not read, so nothing can follow it on this connection
            await JSONResponse(document, status, {'Connection': 'close'}, MEDIA_TYPE)(scope, receive, send)
            return
        replayed = False

        async def replay() -> MutableMapping[str, Any]:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {'type': 'http.request', 'body': body, 'more_body': False}

        await self._app(scope, replay, send)

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        length = headers.get(b'content-length', b'0')
        too_large = _Refused('too-large', f'A body may have at most {self._limit} bytes.')
        if not length.isdigit() or int(length) > self._limit:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self._seconds):
                while True:
                    message = await receive()
                    if message['type'] == 'http.disconnect':
                        raise _Refused('bad-request', 'The body ended early.')
                    body += message.get('body', b'')
                    if len(body) > self._limit:
                        raise too_large
                    if not message.get('more_body', False):
                        return bytes(body)
        except TimeoutError:
            raise _Refused('timeout', f'The body did not arrive within {self._seconds:g} s.') from None
