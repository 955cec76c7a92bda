"""The operational state of a server: is it up, whatever people want. One transition table; a missing key is an error.

    STOPPED   0   takes nothing: a check failed, or it is in maintenance
    STARTING  1   takes traffic while it warms up (slowstart)
    RUNNING   2   takes traffic
    STOPPING  3   takes persistent traffic only: its check asked for no more (http-check disable-on-404)

The numbers are those of `show servers state`. Who reports a cause reports a change: a check that fails again on a server
that is already stopped is no event, so it is not in the table.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

from dataplane.core.layout import Rota
from dataplane.core.model import AdminState


class OpState(IntEnum):
    """Operational state, as it stands in the OPSTATE column."""

    STOPPED = 0
    STARTING = 1
    RUNNING = 2
    STOPPING = 3


class Cause(StrEnum):
    """Why an operational state changes."""

    UP = 'up'  # checks passed, or maintenance was left, without slowstart
    WARM = 'warm'  # the same with slowstart
    WARMED = 'warmed'  # slowstart is over
    DOWN = 'down'  # checks failed
    NOLB = 'nolb'  # the check's answer asks for no new traffic
    MAINT = 'maint'  # maintenance was entered


TRANSITIONS: Final[dict[OpState, dict[Cause, OpState]]] = {
    OpState.STOPPED: {
        Cause.UP: OpState.RUNNING,
        Cause.WARM: OpState.STARTING,
        Cause.MAINT: OpState.STOPPED,
    },
    OpState.STARTING: {
        Cause.WARMED: OpState.RUNNING,
        Cause.DOWN: OpState.STOPPED,
        Cause.NOLB: OpState.STOPPING,
        Cause.MAINT: OpState.STOPPED,
    },
    OpState.RUNNING: {
        Cause.DOWN: OpState.STOPPED,
        Cause.NOLB: OpState.STOPPING,
        Cause.MAINT: OpState.STOPPED,
    },
    OpState.STOPPING: {
        Cause.UP: OpState.RUNNING,
        Cause.WARM: OpState.STARTING,
        Cause.DOWN: OpState.STOPPED,
        Cause.MAINT: OpState.STOPPED,
    },
}


class ImpossibleTransition(Exception):
    """A cause was reported that cannot happen in the state the server is in: the reporter is wrong."""


def step(state: OpState, cause: Cause) -> OpState:
    """The state after `cause`. Raises ImpossibleTransition for a pair that is not in the table."""
    try:
        return TRANSITIONS[state][cause]
    except KeyError:
        raise ImpossibleTransition(f'{cause.name} cannot happen to a server that is {state.name}') from None


def usable(admin: AdminState, state: OpState, eweight: int) -> bool:
    """May the balancing algorithm pick it, backup or not? READY, up (warming up is up) and of some weight."""
    return admin is AdminState.READY and state in (OpState.RUNNING, OpState.STARTING) and eweight > 0


def reach(admin: AdminState, state: OpState, eweight: int, *, elected: bool) -> Rota:
    """What a server may be sent. `elected`: it is no backup, or a backup that the election put into service.

    Persistent traffic reaches whatever is neither in maintenance nor down: draining servers, those of weight 0, backups.
    """
    if admin is AdminState.MAINT or state is OpState.STOPPED:
        return Rota.OUT
    return Rota.IN if elected and usable(admin, state, eweight) else Rota.PERSISTENT
