"""The statistics page and the exporter over HTTP: `stats enable`, `stats uri`, `use-service prometheus-exporter`.

Also, at the same addresses, the two questions of whoever runs this process (`health.py`), unless a section's own paths are
these. Read-only, and made of the same rows as `show stat`. Behind the configured URI HAProxy's suffixes work: `;csv` and `;json`
for the two machine forms, `;up` and `;no-maint` to hide servers. As in HAProxy without `stats show-legends`, addresses are
not shown: whoever may see the page need not be an operator.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from html import escape
from typing import Final

from aiohttp import web

from dataplane.cli import stat
from dataplane.cli.fields import Form, Value
from dataplane.cli.info import uptime
from dataplane.cli.stat import Kind, Row
from dataplane.core.model import Bind, StatsListener
from dataplane.supervisor import metrics
from dataplane.supervisor.clisocket import CannotListen
from dataplane.supervisor.figures import Figures
from dataplane.supervisor.health import LIVE_PATH, READY_PATH, Condition, Readiness, readiness
from dataplane.supervisor.pacing import gather
from dataplane.supervisor.unixsocket import Place, listen_unix

_BACKLOG: Final = 128
_HEADERS: Final = {
    'Cache-Control': 'no-store',
    'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
    'X-Content-Type-Options': 'nosniff',
}
_COLUMNS: Final = (
    ('Name', 'svname'), ('Status', 'status'), ('Queue', 'qcur'), ('max', 'qmax'), ('Sessions', 'scur'), ('max', 'smax'),
    ('limit', 'slim'), ('total', 'stot'), ('Rate', 'rate'), ('In', 'bin'), ('Out', 'bout'), ('2xx', 'hrsp_2xx'),
    ('4xx', 'hrsp_4xx'), ('5xx', 'hrsp_5xx'), ('Conn. errors', 'econ'), ('Retries', 'wretr'), ('Redispatches', 'wredis'),
    ('Weight', 'weight'), ('Queue ms', 'qtime'), ('Total ms', 'ttime'), ('Since', 'lastchg'),
)  # fmt: skip
_STYLE: Final = """
body{font:14px/1.4 system-ui,sans-serif;margin:1.5em;color:#1b2733;background:#fff}
h1{font-size:1.3em;margin:0 0 .2em}h2{font-size:1.05em;margin:1.4em 0 .3em}
table{border-collapse:collapse;width:100%}
th,td{padding:.2em .5em;text-align:right;border-bottom:1px solid #dde3e8;font-variant-numeric:tabular-nums;white-space:nowrap}
th{background:#f2f5f7;font-weight:600}th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}
.up td:nth-child(2){color:#176f2c}.down td:nth-child(2){color:#b3261e;font-weight:600}
.maint td:nth-child(2){color:#7a4f01}.drain td:nth-child(2){color:#1a56b0}.total td{font-weight:600}
@media(prefers-color-scheme:dark){body{background:#14191e;color:#dfe6ec}th{background:#1f262d}th,td{border-color:#2d363f}
.up td:nth-child(2){color:#6cc787}.down td:nth-child(2){color:#ff8a80}.maint td:nth-child(2){color:#e0b65c}
.drain td:nth-child(2){color:#8ab4f8}a{color:#8ab4f8}}
"""
_CLASSES: Final = {'MAINT': 'maint', 'DRAIN': 'drain', 'NOLB': 'drain', 'DOWN': 'down', 'STOP': 'down'}


class StatsServer:
    """The listeners of all statistics sections. Make it with `serve_stats`."""

    def __init__(self) -> None:
        self._runners: list[web.AppRunner] = []
        self._places: list[Place] = []
        self.addresses: list[tuple[str, int]] = []

    async def start(self, listener: StatsListener, figures: Figures, health: Callable[[], Condition]) -> None:
        """Open one section's addresses. Raises CannotListen."""
        page = _Page(listener, figures, health)
        application = web.Application(client_max_size=1024)
        application.router.add_get('/{path:.*}', page.answer)
        runner = web.AppRunner(application, access_log=None, handle_signals=False, keepalive_timeout=15.0)
        await runner.setup()
        self._runners.append(runner)
        for bind in listener.binds:
            bound = _listen(bind)
            if bind.path is not None:
                self._places.append(Place.of(bind.path))
            await web.SockSite(runner, bound, backlog=bind.backlog or _BACKLOG).start()
            if bound.family != socket.AF_UNIX:
                self.addresses.append(bound.getsockname()[:2])

    async def close(self) -> None:
        """Stop listening, end the connections, and take away the paths that are still this server's."""
        for runner in self._runners:
            await runner.cleanup()
        for place in self._places:
            place.leave()
        self._runners.clear()
        self._places.clear()


async def serve_stats(
    listeners: tuple[StatsListener, ...], figures: Figures, health: Callable[[], Condition]
) -> StatsServer:
    """Open all statistics sections. Raises CannotListen, and then none is open."""
    server = StatsServer()
    try:
        for listener in listeners:
            await server.start(listener, figures, health)
    except CannotListen:
        await server.close()
        raise
    return server


def _listen(bind: Bind) -> socket.socket:
    try:
        if bind.fd is not None:
            return socket.socket(fileno=os.dup(bind.fd))
        if bind.path is not None:
            return listen_unix(bind.path, bind.mode, bind.backlog or _BACKLOG)
        bound = socket.socket(socket.AF_INET6 if ':' in bind.host else socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise CannotListen(f'cannot bind socket ({error.strerror}) [{bind.address}]') from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bind.v6only))
        bound.bind(('' if bind.host == '*' else bind.host, bind.port))
    except OSError as error:
        bound.close()
        raise CannotListen(f'cannot bind socket ({error.strerror}) [{bind.address}]') from error
    return bound


class _Page:
    """What one section answers."""

    def __init__(self, listener: StatsListener, figures: Figures, health: Callable[[], Condition]) -> None:
        self._listener, self._figures, self._health = listener, figures, health

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == self._listener.metrics_path:
            return await self._metrics(request.query.items())
        options = self._options(request.raw_path)
        if options is None and request.path in {LIVE_PATH, READY_PATH}:
            return self._healthy(request.path)
        if options is None:
            return web.Response(status=404, text='Not found.\n', headers=_HEADERS)
        form = Form.JSON if 'json' in options else Form.TEXT
        wanted = stat.StatRequest(form, up='up' in options, no_maint='no-maint' in options)
        rows = stat.select(await gather(self._figures.rows()), wanted)
        if 'csv' in options or 'json' in options:
            written = await gather(stat.parts(rows, wanted, legends=False))
            kind = 'application/json' if form is Form.JSON else 'text/plain'
            return web.Response(text=f'{stat.assemble(written, wanted)}\n', content_type=kind, headers=_HEADERS)
        pieces = await gather(page(rows, self._figures.info(), self._listener.uri))
        return web.Response(text=''.join(pieces), content_type='text/html', headers=_HEADERS)

    def _healthy(self, path: str) -> web.Response:
        found = Readiness.OK if path == LIVE_PATH else readiness(self._health())
        status = 200 if found is Readiness.OK else 503
        return web.json_response({'status': found}, status=status, headers=_HEADERS)

    def _options(self, target: str) -> list[str] | None:
        """The suffixes of a request for the page, None when it is none: the URI may itself end in a query."""
        if not target.startswith('/'):
            target = '/' + target.partition('://')[2].partition('/')[2]
        uri = self._listener.uri
        if not uri or not target.startswith(uri) or target[len(uri) :][:1] not in ('', ';', '?', '&'):
            return None
        return target[len(uri) :].split(';')[1:]

    async def _metrics(self, query: Iterable[tuple[str, str]]) -> web.Response:
        try:
            asked = metrics.wanted(query)
        except ValueError as problem:
            return web.Response(status=400, text=f'{problem}\n', headers=_HEADERS)
        rows = await gather(self._figures.rows())
        pieces = metrics.exposition(rows, self._figures.info(), self._figures.supervision, asked)
        body = ''.join(await gather(pieces)).encode()
        return web.Response(body=body, headers={**_HEADERS, 'Content-Type': metrics.CONTENT_TYPE})


def page(rows: Iterable[Row], info: dict[str, Value], uri: str) -> Iterator[str]:
    """The page, in pieces: a summary, then one table per proxy."""
    node = escape(str(info['node'] or 'this node'))
    link = escape(uri)
    yield (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>{node} - statistics</title><style>{_STYLE}</style></head><body><h1>Statistics of {node}</h1>'
        f'<p>Sluice {escape(str(info["Version"]))}, up {info["Uptime"]}, {info["Nbthread"]} workers. '
        f'{info["CurrConns"]} of {info["Maxconn"]} connections, {info["ConnRate"]} new per second, '
        f'{info["CurrStreams"]} streams, {info["Run_queue"]} waiting. '
        f'As <a href="{link};csv">CSV</a>, <a href="{link};json">JSON</a>; <a href="{link};up">only what is up</a>.</p>\n'
    )
    proxy = ''
    for row in rows:
        if row.proxy != proxy:
            yield ('</table>\n' if proxy else '') + _table_head(row)
            proxy = row.proxy
        yield _table_row(row)
    yield ('</table>' if proxy else '') + '</body></html>\n'


def _table_head(row: Row) -> str:
    about = f' <small>{escape(row.description)}</small>' if row.description else ''
    heads = ''.join(f'<th title="{name}">{title}</th>' for title, name in _COLUMNS)
    return f'<h2>{escape(row.proxy)}{about}</h2><table><tr>{heads}</tr>\n'


def _table_row(row: Row) -> str:
    status = str(row.values['status']).split()[0]
    classes = _CLASSES.get(status, 'up') + ('' if row.kind is Kind.SERVER else ' total')
    cells = ''.join(f'<td>{escape(_shown(name, row.values.get(name, "")))}</td>' for _, name in _COLUMNS)
    return f'<tr class="{classes}">{cells}</tr>\n'


def _shown(name: str, value: Value) -> str:
    if name == 'lastchg' and isinstance(value, int):
        return uptime(value).removeprefix('0d ')
    return f'{value:,}'.replace(',', ' ') if isinstance(value, int) else str(value)
