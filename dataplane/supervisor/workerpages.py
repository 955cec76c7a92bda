"""Statistics pages, and what the exporter says, that workers ask for: where they are addresses of a proxy with traffic.

The answer is made whole here and goes to the worker in a memfd. What the worker says of the request is believed: it has read it,
and has asked the proxy's rules.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from dataplane.rules.actions import EXPORTER
from dataplane.supervisor.pageask import Asked, Told
from dataplane.wire.framing import memfd_of

if TYPE_CHECKING:
    from dataplane.core.tables import Tables
    from dataplane.rules.statspage import StatsPage
    from dataplane.supervisor.pagedesk import PageDesk
    from dataplane.wire.framing import Message

_REASONS: Final = {
    200: 'OK',
    303: 'See Other',
    400: 'Bad Request',
    401: 'Unauthorized',
    404: 'Not Found',
    500: 'Internal Server Error',
    503: 'Service Unavailable',
}
Send = Callable[[int, 'Message', Sequence[int]], None]
_LOG: Final = logging.getLogger('dataplane.pages')
_FAILED: Final = Told(500, (('Content-Type', 'text/plain'),), b'This page could not be drawn.\n')
_GONE: Final = Told(404, (('Content-Type', 'text/plain'),), b'This page is no more.\n')


class WorkerPages:
    """One per supervisor. `send(worker, message, fds)` sends."""

    def __init__(
        self,
        desk: PageDesk,
        tables: Callable[[], Tables],
        send: Send,
    ) -> None:
        self._desk, self._tables, self._send = desk, tables, send

    async def answer(self, worker: int, message: Message) -> None:
        """Answer what a worker asks."""
        try:
            told = await self._answer(message)
        except Exception:  # noqa: BLE001 - logged, and the client is told
            # a page that cannot be drawn is a defect, and no reason to end the traffic of everybody
            _LOG.exception('%s failed.', message['service'] or f'The statistics page of {message["proxy"]}')
            told = _FAILED
        try:
            self._tell(worker, message['question'], told or _GONE)
        except OSError as error:
            # no descriptor is left for it
            _LOG.warning('A page cannot be handed to worker %d: %s', worker, error)
            await no_pages(self._send, worker, message)

    async def _answer(self, message: Message) -> Told | None:
        if message['service'] == EXPORTER:
            return await self._desk.exposition(_asked(message))
        page = self._page(message['proxy'], backend=message['backend'])
        return None if page is None else await self._desk.answer(_asked(message), page, message['proxy'])

    def _tell(self, worker: int, question: int, told: Told) -> None:
        fd = memfd_of('page', _written(told))
        try:
            self._send(worker, {'op': 'paged', 'question': question, 'status': told.status}, (fd,))
        finally:
            os.close(fd)

    def _page(self, name: str, *, backend: bool) -> StatsPage | None:
        """The page as it is now: the worker may have asked under tables that are gone."""
        tables = self._tables()
        index = tables.backend_of(name) if backend else tables.frontend_of(name)
        if index is None:
            return None
        return (tables.backends if backend else tables.frontends)[index].rules.page


def _asked(message: Message) -> Asked:
    fields, body = message['fields'], message['body']
    return Asked(
        method=message['method'],
        target=message['target'],
        host=fields.get('host', ''),
        authorization=fields.get('authorization', ''),
        origin=fields.get('origin', ''),
        referer=fields.get('referer', ''),
        fetch_site=fields.get('sec-fetch-site', ''),
        accept_encoding=fields.get('accept-encoding', ''),
        body=None if body is None else body.encode('latin-1'),
        granted=message['granted'],
        address=message['address'],
    )


def _written(told: Told) -> bytes:
    """The answer as it goes over the wire."""
    lines = [
        f'HTTP/1.1 {told.status} {_REASONS[told.status]}',
        *(f'{name.lower()}: {value}' for name, value in told.fields),
    ]
    head = '\r\n'.join((*lines, f'content-length: {len(told.body)}', '', ''))
    return head.encode('latin-1', 'replace') + told.body


async def no_pages(send: Send, worker: int, message: Message) -> None:
    """The answer to a worker until there is anybody who could draw a page."""
    send(worker, {'op': 'paged', 'question': message['question'], 'status': 503}, ())
