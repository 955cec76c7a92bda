"""Whether this data plane should live, and whether clients should be sent to it: `/livez` and `/readyz`, beside the statistics.

Living is answering: whoever asks `/livez` hears 200 as long as the supervisor's loop turns. Nothing else counts, neither
workers (they are started again), nor servers, nor the control plane: to be restarted because something else is away would
turn its outage into one of the traffic.

Ready is, in this order: not about to stop, a worker that accepts connections, and - where a control plane is configured - a
whole state of it in force, pushed or kept on the disk by an earlier start. Once that is so, losing the control plane changes
nothing. `/readyz` answers 200 or 503 with `{"status": ...}`, a word of `Readiness`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LIVE_PATH: Final = '/livez'
READY_PATH: Final = '/readyz'


class Readiness(StrEnum):
    """Why clients should be sent here, or not."""

    OK = 'ok'
    STOPPING = 'stopping'
    NO_WORKER = 'no-worker'
    NOTHING_PUSHED = 'nothing-pushed'


@dataclass(frozen=True, slots=True)
class Condition:
    """What readiness is made of. `serving`: workers that accept connections. `pushed`: None without a control plane."""

    serving: int
    stopping: bool = False
    pushed: bool | None = None


def readiness(now: Condition) -> Readiness:
    """The first thing that speaks against sending clients here, or OK."""
    if now.stopping:
        return Readiness.STOPPING
    if not now.serving:
        return Readiness.NO_WORKER
    if now.pushed is False:
        return Readiness.NOTHING_PUSHED
    return Readiness.OK
