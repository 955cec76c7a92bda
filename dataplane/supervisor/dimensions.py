"""How much a data plane may grow to: the maxima that its board is made with. What is not used costs nothing."""

from __future__ import annotations

from typing import Final

from dataplane.config.general import MAX_THREADS
from dataplane.core.layout import Layout

MAX_WORKERS: Final = MAX_THREADS
"""Of whatever configuration (`nbthread`): a board is made once, and a reload may want more workers than the start."""
MAX_SERVERS: Final = 16_384
MAX_BACKENDS: Final = 4_096
MAX_FRONTENDS: Final = 512
MAX_LISTENERS: Final = 512
"""Of those that are counted for themselves (`option socket-stats`)."""
MAX_WAITING: Final = 1 << 20
MAX_SLOTS: Final = 1 << 24
"""Of all wheels: 16 for every unit of weight of a server on a ring."""


def layout() -> Layout:
    """The board's layout."""
    return Layout(
        workers=MAX_WORKERS,
        servers=MAX_SERVERS,
        backends=MAX_BACKENDS,
        frontends=MAX_FRONTENDS,
        entries=MAX_WAITING,
        wheels=MAX_SLOTS,
        listeners=MAX_LISTENERS,
    )
