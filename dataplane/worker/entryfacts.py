"""What only the story of an exchange tells (`worker.logbook.Entry`): the `%name`s of log formats, and the fetches of the same.

HAProxy's manual, 8.4, draws the timers; -1 stands for one that was never reached. In the log the client's session begins with
the connection, or with the end of the request before; the time until the first byte of the request is idle (`Ti`).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dataplane.core.layout import NOBODY
from dataplane.rules.samples import Binary, parse_address
from dataplane.rules.statspage import PROMEX, STATS

if TYPE_CHECKING:
    from dataplane.core.model import Bind, Frontend
    from dataplane.rules.samples import Sample
    from dataplane.worker.logbook import Entry

Known = Callable[['Entry'], 'Sample | None']


def letters(entry: Entry) -> str:
    """How it ended, and what became of the persistence cookie."""
    cookie = entry.story.cookie
    return f'{entry.end or "--"}{"--" if cookie is None else cookie}'


def _idle(entry: Entry) -> int:
    return max(entry.client.idle_ms, 0)


def _from_accept(entry: Entry) -> int:
    """Tq."""
    request = entry.story.request_ms
    return -1 if request < 0 else request + _idle(entry)


def _transfer(entry: Entry) -> int:
    """Td."""
    story = entry.story
    if story.response_ms < 0:
        return -1
    before = (story.request_ms, story.wait_ms, story.connect_ms, story.response_ms)
    return max(0, story.active - sum(max(part, 0) for part in before))


def _times() -> dict[str, Callable[[Entry], int]]:
    """All timers. Functions, since types of these classes are not known yet where modules import each other."""
    return {
        'Ta': lambda entry: entry.story.active,
        'Tc': lambda entry: entry.story.connect_ms,
        'Td': _transfer,
        'Th': lambda _: 0,
        'Ti': lambda entry: entry.client.idle_ms,
        'Tq': _from_accept,
        'TR': lambda entry: entry.story.request_ms,
        'Tr': lambda entry: entry.story.response_ms,
        'Tt': lambda entry: entry.story.active + _idle(entry),
        'Tu': lambda entry: entry.story.active,
        'Tw': lambda entry: entry.story.wait_ms,
    }


_TIMERS: Final = {
    'bc.timer.connect': 'Tc', 'fc.timer.handshake': 'Th', 'fc.timer.total': 'Tt', 'req.timer.hdr': 'TR', 'req.timer.idle': 'Ti',
    'req.timer.queue': 'Tw', 'req.timer.tq': 'Tq', 'res.timer.data': 'Td', 'res.timer.hdr': 'Tr', 'txn.timer.total': 'Ta',
    'txn.timer.user': 'Tu',
}  # fmt: skip
"""Fetches of times by their aliases."""
_TIMES: Final = _times()
_TOTALS: Final = ('Ta', 'Tt', 'Tu')


def _reached(name: str) -> Known:
    """A timer's fetch: nothing where that was never reached."""
    time_of = _TIMES[_TIMERS[name]]

    def fetch(entry: Entry) -> Sample | None:
        value = time_of(entry)
        return None if value < 0 else value

    return fetch


def _of_backend(entry: Entry) -> int:
    context, backend = entry.context, entry.story.backend
    return 0 if backend == NOBODY else context.cells[context.layout.BETOTAL + backend]


def _of_server(entry: Entry) -> int:
    context, story = entry.context, entry.story
    return context.cells[context.layout.TOTAL + story.server] if story.reached and story.backend != NOBODY else 0


def _retries(entry: Entry) -> Sample:
    story = entry.story
    return b'+%d' % story.retries if story.redispatched else story.retries


def _cookie(which: int) -> Known:
    return lambda entry: None if entry.ruled is None else entry.ruled.cookies[which]


def _origin(entry: Entry) -> bytes:
    """Why there is a line now."""
    if entry.ruled is None:
        return b'sess_error'
    return b'unspec' if entry.end is None else b'txn_close'


def _end_of(which: int, part: int) -> Known:
    """Address (0) or port (1) of this (0) or the other (1) end of the connection to the server."""

    def fetch(entry: Entry) -> Sample | None:
        ends = None if entry.ruled is None else entry.ruled.server_ends
        if ends is None:
            return None
        return ends[which][1] if part else parse_address(ends[which][0])

    return fetch


def _early(known: Callable[[Entry], int]) -> Known:
    """What a line that is written before the end (`option logasap`) marks as being more by then."""

    def fetch(entry: Entry) -> Sample | None:
        return b'+%d' % known(entry) if entry.frontend.logasap else known(entry)

    return fetch


def bind_name(bind: Bind, frontend: Frontend) -> bytes | None:
    """What a rule is told of the name of an address: one without a name has one only where it is counted for itself."""
    name = bind.name or (bind.label if frontend.socket_stats else '')
    return name.encode() or None


def _last_rule(entry: Entry) -> tuple[str, str, str]:
    """File and line of the last rule that ended its list, with what is between them; '' where none did."""
    return ('' if entry.ruled is None else entry.ruled.last_rule).rpartition(':')


def _on_the_address(entry: Entry) -> int | None:
    """Connections that came to the same address; None where it is not counted for itself, and is not the only one."""
    listener, figures = entry.client.listener, entry.context.figures
    if listener != NOBODY:
        return figures.on_listener(listener)
    return figures.connections(entry.story.frontend) if len(entry.frontend.binds) == 1 else None


def _accepted(entry: Entry) -> int:
    return int(entry.story.wall * 1_000_000) - _idle(entry) * 1_000


def _count(name: str) -> Callable[[Entry], int]:
    return lambda entry: getattr(entry.story, name)


def _asked() -> dict[str, Known]:
    return {
        '%B': _early(_count('sent')),
        '%U': _count('received'),
        '%ac': lambda entry: entry.context.figures.all_connections(),
        '%fc': lambda entry: entry.context.figures.connections(entry.story.frontend),
        '%bc': _of_backend,
        '%sc': _of_server,
        '%rc': _retries,
        '%sq': lambda entry: entry.story.ahead[0],
        '%bq': lambda entry: entry.story.ahead[1],
        '%lc': lambda entry: 0 if entry.formats is None else entry.formats.written,
        '%rt': lambda entry: entry.number,
        '%CC': _cookie(0),
        '%CS': _cookie(1),
        '%OG': _origin,
        '%b': lambda entry: (entry.story.backend_name or entry.frontend.name).encode(),
        '%f': lambda entry: entry.frontend.name.encode(),
        '%ft': lambda entry: entry.frontend.name.encode(),
        '%s': lambda entry: entry.story.server_name.encode(),
        '%ts': lambda entry: letters(entry)[:2].encode(),
        '%tsc': lambda entry: letters(entry).encode(),
    }


def _fetched() -> dict[str, Known]:
    return {
        'accept_us': _accepted,
        'request_us': lambda entry: int(entry.story.wall * 1_000_000),
        'act_conn': lambda entry: entry.context.figures.all_connections(),
        'bc_src': _end_of(0, 0),
        'bc_src_port': _end_of(0, 1),
        'bc_dst': _end_of(1, 0),
        'bc_dst_port': _end_of(1, 1),
        'be_name': lambda entry: (entry.story.backend_name or entry.frontend.name).encode(),
        'bytes_in': _count('received'),
        'bytes_out': _count('sent'),
        'req.bytes_in': _count('received'),
        'res.bytes_out': _count('sent'),
        'fe_id': lambda entry: entry.frontend.id,
        'fe_name': lambda entry: entry.frontend.name.encode(),
        'fe_defbe': lambda entry: (entry.frontend.default_backend or '').encode(),
        'fc_err': lambda _: 0,
        'fc_err_str': lambda _: b'Success',
        'fc_err_name': lambda _: None,
        'bc_err_name': lambda _: None,
        'dst_conn': _on_the_address,
        'fc_rcvd_proxy': lambda entry: entry.client.tlvs is not None,
        'fc_pp_tlvs': lambda entry: None if entry.client.tlvs is None else Binary(entry.client.tlvs),
        'http_first_req': lambda entry: entry.client.requests == 1,
        'hostname': lambda _: socket.gethostname().encode(),
        'last_rule_file': lambda entry: _last_rule(entry)[0].encode('utf-8', 'surrogateescape') or None,
        'last_rule_line': lambda entry: int(_last_rule(entry)[2] or 0) or None,
        'pid': lambda _: os.getpid(),
        'so_id': lambda entry: None if entry.client.bind is None else entry.client.bind.id,
        'so_name': lambda entry: None if entry.client.bind is None else bind_name(entry.client.bind, entry.frontend),
        'stopping': lambda entry: entry.context.stopping,
        'thread': lambda entry: entry.context.worker,
        'txn.id32': lambda entry: entry.number & 0xFFFFFFFF,
        'txn.sess_term_state': lambda entry: letters(entry)[:2].encode(),
        'unique-id': lambda entry: entry.unique_id(),
        'when.error': lambda entry: not entry.story.is_normal(entry.end),
        'when.forwarded': lambda entry: entry.story.reached and entry.story.connect_ms >= 0,
        'when.toapplet': lambda entry: entry.story.server_name in (STATS, PROMEX),
    }


ENTRY_FACTS: Final[dict[str, Known]] = {
    **{f'%{name}': _early(known) if name in _TOTALS else known for name, known in _TIMES.items()},
    **{name: _reached(name) for name in _TIMERS},
    **_asked(),
    **_fetched(),
}
"""All of them, by name."""
