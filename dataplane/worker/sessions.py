"""What is known of a request under way, as a row for `show sess`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataplane.core.layout import NOBODY

if TYPE_CHECKING:
    from dataplane.worker.client import Client
    from dataplane.worker.context import Context
    from dataplane.worker.exchange import Exchange


def session_id(worker: int, number: int) -> str:
    """A stream's name: unique over the workers, and in a worker's life."""
    return f'0x{worker + 1:04x}{number:012x}'


def session_row(context: Context, client: Client, exchange: Exchange, now: int) -> dict[str, Any]:
    """One request; ages in ms, sizes in bytes, names and numbers as the tables in force have them."""
    tables, story = context.desk.tables, exchange.story
    frontend, backend = tables.frontends.get(story.frontend), tables.backends.get(exchange.backend)
    server = tables.servers.get(exchange.server)
    return {
        'id': session_id(context.worker, exchange.number),
        'number': exchange.number,
        'worker': context.worker,
        'proto': 'tcpv6' if ':' in client.address else 'tcpv4',
        'src': f'{client.address}:{client.port}',
        'local': f'{client.local_address}:{client.local_port}',
        'frontend': frontend.name if frontend is not None else '',
        'frontend_id': frontend.id if frontend is not None else 0,
        'backend': story.backend_name if exchange.backend != NOBODY else '<NONE>',
        'backend_id': backend.id if backend is not None else 0,
        'server': story.server_name if exchange.server != NOBODY else '<none>',
        'server_id': server.id if server is not None else 0,
        'server_addr': f'{server.host}:{server.port}' if server is not None else '',
        'age_ms': now - exchange.began,
        'wall': story.wall,
        'state': exchange.stage.name,
        'retries': story.retries,
        'requests': client.requests,
        'request': story.line,
        'received': story.received,
        'sent': story.sent,
        'times': [story.request_ms, story.wait_ms, story.connect_ms, story.response_ms],
    }
