"""What rules may ask of a transaction and few do: facts about it, and figures of proxies and servers (`dataplane.rules.view`).

What there is nothing of here (TLS, errors of a connection that has none) is None, as for a connection without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dataplane.core import line, weight
from dataplane.core.counters import C, per_second
from dataplane.core.layout import NOBODY, UNLIMITED
from dataplane.core.state import OpState
from dataplane.rules.fetches.transport import SEGMENTS, TIMES
from dataplane.rules.samples import parse_address
from dataplane.worker.clock import now_ms
from dataplane.worker.transport import is_local

if TYPE_CHECKING:
    from dataplane.rules.samples import Sample
    from dataplane.worker.context import Context
    from dataplane.worker.transaction import Transaction


def figure_of(at: Transaction, name: str, proxy: str, server: str) -> int | None:
    """A number about a proxy or server; None where there is none of that name."""
    story = at.exchange.story
    return figure_at(
        at.context, name, proxy, server, (story.frontend, story.backend, story.backend_name, at.exchange.server)
    )


def figure_at(context: Context, name: str, proxy: str, server: str, own: Own) -> int | None:
    """The same; `own` are those that are meant where none is named."""
    tables, (frontend, backend, backend_name, own_server) = context.desk.tables, own
    if name in _SERVER_FIGURES:
        index = tables.server_of(proxy or backend_name, server) if server else own_server
        return None if index is None or index == NOBODY else _SERVER_FIGURES[name](context, index)
    if name in _BACKEND_FIGURES:
        index = tables.backend_of(proxy) if proxy else backend
        return None if index is None or index == NOBODY else _BACKEND_FIGURES[name](context, index)
    if name in _FRONTEND_FIGURES:
        index = tables.frontend_of(proxy) if proxy else frontend
        return None if index is None else _FRONTEND_FIGURES[name](context, index)
    return None


def _backend_id(at: Transaction) -> int:
    backend = at.context.desk.tables.backends.get(at.exchange.story.backend)
    return at.frontend.id if backend is None else backend.id


def _server_id(at: Transaction) -> int | None:
    story = at.exchange.story
    server = at.context.desk.tables.servers.get(story.server) if story.reached else None
    return None if server is None else server.id


def _end(at: Transaction, which: int) -> Sample | None:
    ends = at.exchange.ends()
    return None if ends is None else parse_address(ends[which][0])


def _port(at: Transaction, which: int) -> Sample | None:
    ends = at.exchange.ends()
    return None if ends is None else ends[which][1]


def _client_info(name: str) -> Callable[[Transaction], Sample | None]:
    return lambda at: at.client_info(name)


def _server_info(name: str) -> Callable[[Transaction], Sample | None]:
    return lambda at: at.exchange.server_info(name)


def _facts() -> dict[str, Callable[[Transaction], Sample | None]]:
    """All facts by name. A function, since types of these classes are not known yet where modules import each other."""
    return {
        'be_id': _backend_id,
        'srv_name': lambda at: at.exchange.story.server_name.encode() if at.exchange.story.reached else None,
        'srv_id': _server_id,
        'prio_class': lambda at: at.exchange.klass,
        'prio_offset': lambda at: at.exchange.offset,
        'fc_http_major': lambda _: 1,
        'bc_http_major': lambda _: 1,
        '%f': lambda at: at.frontend.name.encode(),
        '%ft': lambda at: at.frontend.name.encode(),
        '%b': lambda at: at.exchange.story.backend_name.encode() or at.frontend.name.encode(),
        '%s': lambda at: at.exchange.story.server_name.encode(),
        '%ac': lambda at: at.context.figures.all_connections(),
        '%fc': lambda at: at.context.figures.connections(at.exchange.story.frontend),
        'asked_method': lambda at: at.exchange.story.method,
        'asked_uri': lambda at: at.exchange.story.target,
        'bc_src': lambda at: _end(at, 0),
        'bc_src_port': lambda at: _port(at, 0),
        'bc_dst': lambda at: _end(at, 1),
        'bc_dst_port': lambda at: _port(at, 1),
        'fc_src': lambda at: at.own_end(peer=True),
        'fc_src_port': lambda at: at.own_port(peer=True) or None,
        'fc_dst': lambda at: at.own_end(peer=False),
        'fc_dst_port': lambda at: at.own_port(peer=False) or None,
        **{f'fc_{name}': _client_info(name) for name in (*TIMES, *SEGMENTS)},
        **{f'bc_{name}': _server_info(name) for name in TIMES},
        'fc_nb_streams': lambda _: 1,
        'bc_nb_streams': lambda at: None if at.exchange.ends() is None else 1,
        'bc_err': lambda at: None if at.exchange.ends() is None else 0,
        'bc_err_str': lambda at: None if at.exchange.ends() is None else b'Success',
        'uptime': lambda _: (now_ms() - _STARTED) // 1_000,
        'bc_srv_queue': lambda at: at.exchange.story.ahead[0],
        'bc_be_queue': lambda at: at.exchange.story.ahead[1],
        'res.body_size': lambda at: at.answer_size(),
        'src_is_local': lambda at: is_local(at.source()),
        'dst_is_local': lambda at: is_local(at.destination()),
        'fc_src_is_local': lambda at: is_local(at.own_address(peer=True)),
        'fc_dst_is_local': lambda at: is_local(at.own_address(peer=False)),
        'bc_reused': lambda at: at.exchange.is_reused(),
        'cur_client_timeout': lambda at: at.exchange.client_patience() or 0,
        'cur_server_timeout': lambda at: at.exchange.timeouts.server or 0,
        'cur_connect_timeout': lambda at: at.exchange.timeouts.connect or 0,
        'cur_queue_timeout': lambda at: at.exchange.timeouts.queue or 0,
        'cur_tarpit_timeout': lambda at: at.exchange.timeouts.tarpit or 0,
        'cur_tunnel_timeout': lambda at: at.exchange.timeouts.tunnel or 0,
        'cur_max_retries': lambda at: at.exchange.retries,
        'txn.conn_retries': lambda at: at.exchange.story.retries,
        'txn.redispatched': lambda at: at.exchange.story.redispatched,
        'server_status': lambda at: at.server_status or None,
        'req.slots': lambda at: len(at.slots['req']),
        'res.slots': lambda at: len(at.slots['res']),
        'uses_proxy_fields': lambda at: at.uses_proxy_fields(),
    }


Figure = Callable[['Context', int], int]
Own = tuple[int, int, str, int]
"""Indexes of a frontend, of a backend with its name, and of a server; NOBODY: none."""
_STARTED: Final = now_ms()


def _column(column: str) -> Figure:
    return lambda context, index: context.cells[getattr(context.layout, column) + index]


def _nbsrv(context: Context, index: int) -> int:
    """Servers that may be used: active ones, else backups."""
    cells, at = context.cells, context.layout
    return cells[at.ACTIVE_UP + index] or cells[at.BACKUP_UP + index]


def _is_up(context: Context, index: int) -> int:
    cells, at = context.cells, context.layout
    return int(cells[at.OPSTATE + index] != OpState.STOPPED and not cells[at.ADMIN + index])


def _avg_queue(context: Context, backend: int) -> int:
    """Who waits, per server that may be used; as many as wait where there is none."""
    waiting, servers = context.cells[context.layout.BEWAITING + backend], _nbsrv(context, backend)
    return -(-waiting // servers) if servers else waiting


def _connslots(context: Context, backend: int) -> int:
    """Free places at servers and in their queues; -1 where a usable server has no limit of both."""
    cells, at, free = context.cells, context.layout, 0
    for index in context.desk.tables.members[backend]:
        if not _is_up(context, index):
            continue
        limit, most = cells[at.LIMIT + index], cells[at.MAXQUEUE + index]
        if limit == UNLIMITED or not most:
            return -1
        free += max(0, limit + most - cells[at.TOTAL + index] - line.queued(cells, at, index))
    return free


def _rate(blocks: str, second: int) -> Figure:
    """Events over the last second, all workers together; `blocks` is where a kind has its counters."""

    def figure(context: Context, index: int) -> int:
        cells, now, total = context.cells, now_ms(), 0
        counters = getattr(context.layout, blocks)
        for worker in range(context.layout.rows(cells)):
            at = counters(worker, index) + second
            total += per_second(cells[at], cells[at + 1], cells[at + 2], now)
        return total

    return figure


def _timeout(name: str) -> Figure:
    return lambda context, index: getattr(context.desk.tables.backends[index].timeouts, name) or 0


def _front_timeout(name: str) -> Figure:
    return lambda context, index: getattr(context.desk.tables.frontends[index].timeouts, name) or 0


def _free_of(context: Context, server: int) -> int:
    """Free places at a server under the limit in force; -1 where they are not limited."""
    limit = context.cells[context.layout.LIMIT + server]
    return -1 if limit == UNLIMITED else max(0, limit - context.cells[context.layout.TOTAL + server])


def _free(context: Context, backend: int) -> int:
    """Free places at all servers that may be used; -1 where one has no limit."""
    usable = [_free_of(context, server) for server in context.desk.tables.members[backend] if _is_up(context, server)]
    return -1 if -1 in usable else sum(usable)


def _backend_figures() -> dict[str, Figure]:
    """All figures of backends."""
    return {
        'nbsrv': _nbsrv,
        'be_conn': _column('BETOTAL'),
        'be_conn_free': _free,
        'be_sess_rate': _rate('backend_counters', C.SESS_SEC),
        'queue': _column('BEWAITING'),
        'avg_queue': _avg_queue,
        'connslots': _connslots,
        **{f'be_{name}_timeout': _timeout(name) for name in ('server', 'tunnel', 'connect', 'queue', 'tarpit')},
        'be_max_retries': lambda context, index: context.desk.tables.backends[index].retries,
    }


def _server_figures() -> dict[str, Figure]:
    """All figures of servers."""
    return {
        'srv_conn': _column('TOTAL'),
        'srv_conn_free': _free_of,
        'srv_is_up': _is_up,
        'srv_queue': lambda context, index: line.queued(context.cells, context.layout, index),
        'srv_sess_rate': _rate('server_counters', C.SESS_SEC),
        'srv_weight': lambda context, index: weight.shown(context.cells[context.layout.EWEIGHT + index]),
        'srv_uweight': _column('UWEIGHT'),
        'srv_iweight': lambda context, index: context.desk.tables.servers[index].weight,
    }


def _frontend_figures() -> dict[str, Figure]:
    """All figures of frontends."""
    return {
        'fe_conn': lambda context, index: context.figures.connections(index),
        **{f'fe_{name}_timeout': _front_timeout(name) for name in ('client', 'tarpit')},
        'fe_sess_rate': _rate('frontend_counters', C.SESS_SEC),
        'fe_req_rate': _rate('frontend_counters', C.REQ_SEC),
        'fe_tarpit_timeout': lambda context, index: context.desk.tables.frontends[index].timeouts.tarpit or 0,
    }


FACTS: Final = _facts()
"""What is known of a transaction that goes on; what the log knows as well is in entryfacts.py."""
_FRONTEND_FIGURES: Final = _frontend_figures()
_BACKEND_FIGURES: Final = _backend_figures()
_SERVER_FIGURES: Final = _server_figures()
