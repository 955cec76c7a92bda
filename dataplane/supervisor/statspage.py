"""Statistics over HTTP, for sections that are nothing else: the page, and the exporter (`use-service prometheus-exporter`).

Also, at the same addresses, the two questions of whoever runs this process (`health.py`), unless a section's own paths are
these. What is answered is said in pagedesk.py; here is who listens for it, so that figures can be had also while
workers are busy. In a proxy that has traffic, too, its workers ask instead (workerpages.py).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from aiohttp import http_exceptions, web

from dataplane.core.answers import ErrorPage
from dataplane.core.model import Bind, StatsListener
from dataplane.supervisor.clisocket import CannotListen
from dataplane.supervisor.doorkeeper import Doorkeeper
from dataplane.supervisor.figures import Figures
from dataplane.supervisor.health import LIVE_PATH, READY_PATH, Condition, Readiness, readiness
from dataplane.supervisor.inherited import inherited
from dataplane.supervisor.pageask import Asked, Told
from dataplane.supervisor.pagedesk import HEADERS, PageDesk
from dataplane.supervisor.tcpsocket import bound
from dataplane.supervisor.unixsocket import Place, listen_unix

_BACKLOG: Final = 128
_BODY: Final = 16_384
"""Bytes of a form that are read, HAProxy's buffer: some hundred servers."""
_IDLE: Final = 15.0
"""Seconds between two requests of a connection."""
_HEADERS: Final = dict(HEADERS)
_NO_SERVER: Final = (
    b'<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n'
)
_NO_SERVER_FIELDS: Final = [('cache-control', 'no-cache'), ('content-type', 'text/html')]
_FRAMING: Final = ('connection', 'content-length', 'transfer-encoding')
_LOG: Final = logging.getLogger('dataplane.pages')


class StatsServer:
    """The listeners of all statistics sections. Make it with `serve_stats`."""

    def __init__(self) -> None:
        self._runners: list[web.AppRunner] = []
        self._servers: list[asyncio.Server] = []
        self._keepers: list[Doorkeeper] = []
        self._places: list[Place] = []
        self.addresses: list[tuple[str, int]] = []

    async def start(
        self, listener: StatsListener, figures: Figures, desk: PageDesk, health: Callable[[], Condition]
    ) -> None:
        """Open one section's addresses. Raises CannotListen."""
        application = web.Application(client_max_size=_BODY)
        application.on_response_prepare.append(_unnamed)
        runner = web.AppRunner(application, handle_signals=False)
        loop = asyncio.get_running_loop()

        def make() -> asyncio.BaseProtocol:
            # as the server's own factory, which passes None on as well
            return _Visitor(_server_of(runner), loop=loop, keepalive_timeout=_IDLE, access_log=None, logger=_LOG)  # type: ignore[arg-type]

        keeper = Doorkeeper(loop, make, lambda: _server_of(runner).connections)
        page = _Page(listener, figures, desk, health, keeper)
        application.router.add_route('*', '/{path:.*}', page.answer)
        await runner.setup()
        self._runners.append(runner)
        self._keepers.append(keeper)
        for bind in listener.binds:
            sock = _listen(bind)
            if bind.path is not None:
                self._places.append(Place.of(bind.path))
            listening = await loop.create_server(keeper, sock=sock, backlog=bind.backlog or _BACKLOG)
            self._servers.append(listening)
            if sock.family != socket.AF_UNIX:
                self.addresses.append(sock.getsockname()[:2])

    async def close(self) -> None:
        """Stop listening, end the connections, and take away the paths that are still this server's."""
        for keeper in self._keepers:
            keeper.close()
        for server in self._servers:
            server.close()
        for runner in self._runners:
            await runner.cleanup()
        for place in self._places:
            place.leave()
        self._keepers.clear()
        self._servers.clear()
        self._runners.clear()
        self._places.clear()


async def serve_stats(
    listeners: tuple[StatsListener, ...], figures: Figures, desk: PageDesk, health: Callable[[], Condition]
) -> StatsServer:
    """Open all statistics sections. Raises CannotListen, and then none is open."""
    server = StatsServer()
    try:
        for listener in listeners:
            await server.start(listener, figures, desk, health)
    except CannotListen:
        await server.close()
        raise
    return server


def _server_of(runner: web.AppRunner) -> web.Server:
    server = runner.server
    assert server is not None, 'the runner was set up before it is asked for connections'
    return server


def _listen(bind: Bind) -> socket.socket:
    try:
        if bind.fd is not None:
            return inherited(bind.fd)
        if bind.path is not None:
            return listen_unix(bind.path, bind.mode, bind.backlog or _BACKLOG)
        return bound(bind.host, bind.port, v6only=bind.v6only, interface=bind.interface, transparent=bind.transparent)
    except OSError as error:
        raise CannotListen(f'cannot bind socket ({error.strerror}) [{bind.address}]') from error


class _Page:
    """What one section answers."""

    def __init__(
        self, listener: StatsListener, figures: Figures, desk: PageDesk, health: Callable[[], Condition], keeper: Doorkeeper
    ) -> None:  # fmt: skip
        self._began, self._figures, self._desk, self._health, self._keeper = listener, figures, desk, health, keeper

    @property
    def _listener(self) -> StatsListener:
        """The section as it is now: everything but its addresses may be changed by a reload."""
        known = self._figures.tables.snapshot.stats_listeners
        return next((one for one in known if one.name == self._began.name), self._began)

    async def answer(self, request: web.Request) -> web.Response:
        """A request has come."""
        with self._keeper.serving(request.protocol):
            return await self._answered(request)

    async def _answered(self, request: web.Request) -> web.Response:
        listener, reads = self._listener, request.method in ('GET', 'HEAD')
        if request.path == listener.metrics_path:
            return _written(await self._desk.exposition(await _asked(request)))
        own = listener.page is not None and listener.page.uri.partition('?')[0] == request.path
        if reads and request.path in {LIVE_PATH, READY_PATH} and not own:
            return self._healthy(request.path)
        if listener.metrics_path == '':
            return _written(await self._desk.exposition(await _asked(request)))
        told = None
        if listener.page is not None:
            asked = await _asked(request, granted=bool(listener.page.admin))
            told = await self._desk.answer(asked, listener.page, listener.name)
        return _unserved(listener.unserved) if told is None else _written(told)

    def _healthy(self, path: str) -> web.Response:
        found = Readiness.OK if path == LIVE_PATH else readiness(self._health())
        status = 200 if found is Readiness.OK else 503
        return web.json_response({'status': found}, status=status, headers=_HEADERS)


class _Visitor(web.RequestHandler):
    """One connection. Whatever is wrong with what came is for its client to know, not for a log that anybody could fill with it."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to what is no request, or could not be answered; the connection closes after it."""
        gone = isinstance(exc, ConnectionError) or request.writer.output_size > 0
        if not gone and not isinstance(exc, http_exceptions.HttpProcessingError):
            _LOG.error('%s failed.', request.path, exc_info=exc)
        if gone:
            raise ConnectionError('nobody can be told any more') from exc
        answer = _Unnamed(status=status, text=f'{HTTPStatus(status).phrase}.\n', headers=_HEADERS)
        answer.force_close()
        return answer


class _Unnamed(web.Response):
    """An answer that comes before the application knows of its request, whose `_unnamed` is not asked."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.pop('Server', None)


class _AsWritten(web.Response):
    """An answer with the fields it was made with, and its length, and no others."""

    def __init__(self, status: int, reason: str | None, fields: list[tuple[str, str]], body: bytes) -> None:
        super().__init__(status=status, reason=reason, headers=fields, body=body)
        self._names = {name.lower() for name, _ in fields} | set(_FRAMING)

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        for name in {name for name in self.headers if name.lower() not in self._names}:
            del self.headers[name]


def _written(told: Told) -> web.Response:
    return web.Response(status=told.status, body=told.body, headers=dict(told.fields))


def _unserved(page: ErrorPage | None) -> web.Response:
    """What a section without servers says to everything else, by its `errorfile` for that where it has one."""
    if page is None or not page.closing:
        return _AsWritten(503, None, _NO_SERVER_FIELDS, _NO_SERVER)
    head, _, body = page.closing.partition(b'\r\n\r\n')
    first, *lines = head.decode('latin-1').split('\r\n')
    _, status, reason = f'{first}  '.split(' ', 2)
    parts = (line.partition(':') for line in lines)
    fields = [(name, value.strip()) for name, _, value in parts if name.lower() not in _FRAMING]
    return _AsWritten(int(status), reason.strip(), fields, body)


async def _unnamed(_: web.Request, response: web.StreamResponse) -> None:
    """Nobody is told what this is made with, nor which version of it."""
    response.headers.pop('Server', None)


async def _asked(request: web.Request, *, granted: bool = False) -> Asked:
    body: bytes | None = b''
    if request.method == 'POST':
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            body = None
    said = request.headers
    return Asked(
        method=request.method,
        target=request.raw_path,
        host=said.get('Host', ''),
        authorization=said.get('Authorization', ''),
        origin=said.get('Origin', ''),
        referer=said.get('Referer', ''),
        fetch_site=said.get('Sec-Fetch-Site', ''),
        accept_encoding=said.get('Accept-Encoding', ''),
        body=body,
        granted=granted,
        address=request.remote or 'a unix socket',
    )
