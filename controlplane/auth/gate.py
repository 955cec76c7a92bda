"""ASGI: nothing passes without its principal. What does not pass is answered here, with a problem document."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

from controlplane.auth.authority import Authority, Presented
from controlplane.auth.needs import needed
from controlplane.auth.principal import Principal
from controlplane.domain.access import Access
from controlplane.domain.problems import MEDIA_TYPE, problem
from controlplane.domain.refusals import Denied, Forbidden, Misdirected, ReviewsUnavailable, Unauthorized

log = logging.getLogger('sluice.auth')

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# none of these says more than that it lives, is ready, and what its interface is
OPEN = frozenset({'/healthz', '/livez', '/readyz', '/docs', '/openapi.json'})
MAX_TOKEN = 16 * 1024
SLUGS: dict[type[Denied], str] = {
    Unauthorized: 'unauthorized',
    Forbidden: 'forbidden',
    Misdirected: 'misdirected',
    ReviewsUnavailable: 'reviews-unavailable',
}
_TOKEN = re.compile(r'[!-~]+')  # no space, no control character, nothing beyond ASCII


class Gate:
    """Lets a request through with these in `scope['state']`:

    `principal`; `permit(accesses)`, for routers that find out only later what is asked for; and for a link `stands()`, which
    tells whether its credential is still good.
    """

    def __init__(self, app: App, authority: Authority) -> None:
        self._app, self._authority = app, authority

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope['type'] not in {'http', 'websocket'} or (scope['type'] == 'http' and scope['path'] in OPEN):
            await self._app(scope, receive, send)
            return
        try:
            await self._judge(scope)
        except Denied as denied:
            await self._refuse(denied, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _judge(self, scope: Scope) -> None:
        state = scope.setdefault('state', {})
        presented = _presented(scope['headers'], state.get('certificate'))
        if scope['type'] == 'websocket' and any(name == b'origin' for name, _ in scope['headers']):
            raise Forbidden('The link is for data planes, not for web pages (Origin is set).')
        principal = await self._authority.principal(presented)
        if scope['type'] == 'websocket':
            await self._authority.permit_link(principal)
            state['stands'] = functools.partial(self._stands, presented)
        else:
            await self._authority.permit(principal, needed(scope['method'], scope['path']))
        state['principal'] = principal
        state['permit'] = functools.partial(self._permit, principal)

    async def _permit(self, principal: Principal, accesses: Sequence[Access]) -> None:
        await self._authority.permit_accesses(principal, accesses)

    async def _stands(self, presented: Presented) -> bool:
        """Whether a link that was let in would be let in again. What cannot be found out now leaves it alone."""
        try:
            await self._authority.permit_link(await self._authority.principal(presented))
        except ReviewsUnavailable as unavailable:
            log.info('a link goes on unreviewed: %s', unavailable)
        except Denied as denied:
            log.warning('a link is ended: %s', denied)
            return False
        return True

    @staticmethod
    async def _refuse(denied: Denied, scope: Scope, receive: Receive, send: Send) -> None:
        asked = f'{scope.get("method", "link")} {scope["path"]!r:.200}'
        log.log(logging.ERROR if isinstance(denied, ReviewsUnavailable) else logging.INFO, '%s: %s', asked, denied)
        status, document = problem(SLUGS[type(denied)], str(denied))
        more = {}
        if isinstance(denied, Unauthorized):
            more = {'WWW-Authenticate': 'Bearer'}
        elif isinstance(denied, ReviewsUnavailable):
            more = {'Retry-After': str(denied.retry_s)}
        if scope['type'] == 'websocket':
            await receive()  # the handshake, which the answer takes the place of
        await JSONResponse(document, status, more, MEDIA_TYPE)(scope, receive, send)


def _presented(rows: Sequence[tuple[bytes, bytes]], certificate: Any) -> Presented:
    """What the headers say, if they say it once: of two that contradict each other somebody behind may believe the other."""
    headers: dict[bytes, str] = {}
    for name, value in rows:
        if name in headers and name in {b'host', b'authorization', b'origin'}:
            raise Unauthorized(f'There is more than one {name.decode()} header.')
        headers[name] = value.decode('latin-1')
    host, origin = headers.get(b'host', ''), headers.get(b'origin')
    if origin is not None and origin.partition('://')[2] != host:
        # a browser sends certificates, and reaches loopback, on behalf of any page
        raise Forbidden('This is not for web pages of other origins.')
    if b'authorization' not in headers:
        return Presented(host, None, certificate)
    scheme, _, token = headers[b'authorization'].partition(' ')
    token = token.strip(' ')
    if scheme.lower() != 'bearer' or len(token) > MAX_TOKEN or not _TOKEN.fullmatch(token):
        raise Unauthorized('Give a known token as "Authorization: Bearer TOKEN".')
    return Presented(host, token, certificate)
