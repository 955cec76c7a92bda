"""How much a data plane may grow to: the maxima that its board is made with. What is not used costs nothing."""

from __future__ import annotations

from typing import Final

from dataplane.config.general import MAX_THREADS
from dataplane.core.layout import Layout
from dataplane.wire.state import MAX_SERVERS

MAX_WORKERS: Final = MAX_THREADS
"""Of whatever configuration (`nbthread`): a board is made once, and a reload may want more workers than the start."""
_MAX_BACKENDS: Final = 4_096
_MAX_FRONTENDS: Final = 512
_MAX_LISTENERS: Final = 512
"""Of those that are counted for themselves (`option socket-stats`)."""
_MAX_WAITING: Final = 1 << 20
_MAX_SLOTS: Final = 1 << 24
"""Of all wheels: 16 for every unit of weight of a server on a ring."""


def layout() -> Layout:
    """The board's layout."""
    return Layout(
        workers=MAX_WORKERS,
        servers=MAX_SERVERS,
        backends=_MAX_BACKENDS,
        frontends=_MAX_FRONTENDS,
        entries=_MAX_WAITING,
        wheels=_MAX_SLOTS,
        listeners=_MAX_LISTENERS,
    )
