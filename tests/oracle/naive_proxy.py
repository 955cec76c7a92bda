"""The proxy one would write in an afternoon: aiohttp.web in front, ClientSession behind. An oracle, not a product.

Both it and the real one must answer alike where the RFCs leave no choice; the bench compares their speed as well.
"""

from __future__ import annotations

from typing import Final

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from multidict import CIMultiDict
from yarl import URL

_HOP_BY_HOP: Final = frozenset((
    'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
    'proxy-authenticate', 'proxy-authorization',
))  # fmt: skip
_OWN_FIELDS: Final = ('Accept', 'Accept-Encoding', 'User-Agent', 'Content-Type')


def _end_to_end(fields: CIMultiDict[str]) -> CIMultiDict[str]:
    """A copy of `fields` without those that are for one hop only."""
    nominated = {name.strip().lower() for value in fields.getall('Connection', ()) for name in value.split(',')}
    kept = CIMultiDict(fields)
    for name in set(kept):
        if name.lower() in _HOP_BY_HOP | nominated - {'host', 'content-length'}:
            del kept[name]
    return kept


class NaiveProxy:
    """`async with NaiveProxy(upstream_port) as proxy`: it listens on `proxy.port` of loopback."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self.port = 0

    async def __aenter__(self) -> NaiveProxy:
        self._session = ClientSession(
            connector=TCPConnector(limit=0), auto_decompress=False, cookie_jar=DummyCookieJar(),
            skip_auto_headers=_OWN_FIELDS, timeout=ClientTimeout(total=30),
        )  # fmt: skip
        application = web.Application(client_max_size=1 << 30)
        application.router.add_route('*', '/{tail:.*}', self._serve)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, '127.0.0.1', 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._session.close()
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        url = URL(f'http://127.0.0.1:{self._upstream}{request.raw_path}', encoded=True)
        body = await request.read()
        fields = _end_to_end(CIMultiDict(request.headers))
        async with self._session.request(
            request.method, url, headers=fields, data=body or None, allow_redirects=False
        ) as answer:
            response = web.StreamResponse(
                status=answer.status, reason=answer.reason, headers=_end_to_end(CIMultiDict(answer.headers))
            )
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
            return response
