"""Rows of `show stat` for listening addresses, where `option socket-stats` asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from dataplane.cli.fields import Value
from dataplane.cli.stat import Kind, Row
from dataplane.core.counters import C
from dataplane.supervisor.tally import Tally

if TYPE_CHECKING:
    from dataplane.core.model import Frontend
    from dataplane.core.tables import Tables

_TOTALS: Final = (
    ('stot', C.STOT), ('bin', C.BIN), ('bout', C.BOUT), ('dreq', C.DREQ), ('dresp', C.DRESP), ('ereq', C.EREQ), ('dcon', C.DCON),
    ('dses', C.DSES), ('wrew', C.WREW), ('eint', C.EINT),
)  # fmt: skip


def listener_rows(tables: Tables, frontend: Frontend, tally: Callable[[int], Tally]) -> Iterator[Row]:
    """A row per bind line of a frontend, in their order. `tally` gives the counters of a listener by its index."""
    for bind in frontend.binds if frontend.socket_stats else ():
        index = tables.listener_of(frontend.name, bind.address)
        if index is None:
            continue
        counted = tally(index)
        open_now = counted.gauge(C.SCUR)
        values: dict[str, Value] = {name: counted.total(counter) for name, counter in _TOTALS}
        values |= {
            'pxname': frontend.name,
            'svname': bind.label,
            'scur': open_now,
            'smax': counted.peak(C.SMAX),
            'slim': bind.maxconn,
            'status': 'FULL' if 0 < bind.maxconn <= open_now else 'OPEN',
            'pid': 1,
            'iid': frontend.id,
            'sid': bind.id,
            'type': int(Kind.LISTENER),
            'addr': bind.address,
            'mode': 'http',
            'proto': 'h1',
        }
        yield Row(Kind.LISTENER, frontend.id, bind.id, values, frontend.description)
