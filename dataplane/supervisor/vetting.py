"""Would the ledger take these cell changes? Asked before the first is made, so that a refusal leaves nothing half done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dataplane.core.changes import (
    CellChange,
    ForceHealth,
    RestoreState,
    SetAdmin,
    SetFrontendMaxconn,
    SetGlobalMaxconn,
    SetHealth,
    SetMaxconn,
    SetTarget,
    SetWeight,
    ShutdownSessions,
    SwitchCheck,
)
from dataplane.core.ledger import Ledger, Refused

_RANGE: Final = 'Value out of range.'


def vet(ledger: Ledger, changes: Sequence[CellChange]) -> None:
    """Raise Refused if one of several changes would be. A single one is left to the ledger itself."""
    if len(changes) < 2:
        return
    for change in changes:
        try:
            _vet(ledger, change)
        except ValueError as problem:
            raise Refused((str(problem),)) from problem


def _vet(ledger: Ledger, change: CellChange) -> None:
    match change:
        case SetFrontendMaxconn():
            ledger.frontend_maxconn(change.frontend)
            _at_least_one(change.maxconn)
        case SetGlobalMaxconn():
            _at_least_one(change.maxconn)
        case SetWeight():
            ledger.weighed(change)
        case SetMaxconn():
            ledger.server(change.backend, change.server).limited(change.maxconn)
        case ForceHealth():
            ledger.server(change.backend, change.server).examined(change, 0)
        case SetAdmin() | ShutdownSessions() | SetHealth() | SwitchCheck() | SetTarget() | RestoreState():
            ledger.server(change.backend, change.server)


def _at_least_one(value: int) -> None:
    if value < 1:
        raise ValueError(_RANGE)
