"""The changes that may come through the supervisor's one door, from whoever they come.

Cell changes need no preparation: they name servers and give absolute values (a percentage is of the initial weight).
Structural changes carry a whole new configuration and are prepared by every worker before they are committed (design:
the global isolation barrier). Applying a change twice is the same as applying it once.
"""

from __future__ import annotations

from dataclasses import dataclass

from dataplane.core.model import AdminState, Backend, Origin, Reach, Route, Snapshot


@dataclass(frozen=True, slots=True)
class SetAdmin:
    """Ask for an administrative state of one server, on behalf of `origin`."""

    backend: str
    server: str
    state: AdminState
    origin: Origin = Origin.CLI


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Set the user weight: 0-256, or with `percent` a share of the initial weight (capped at 256)."""

    backend: str
    server: str
    weight: int
    percent: bool = False


@dataclass(frozen=True, slots=True)
class SetMaxconn:
    """Set a server's maxconn; 0 means unlimited."""

    backend: str
    server: str
    maxconn: int


@dataclass(frozen=True, slots=True)
class ShutdownSessions:
    """End every session of a server opened under a lower generation. The generation never falls; replays are harmless."""

    backend: str
    server: str
    generation: int


@dataclass(frozen=True, slots=True)
class SetFrontendMaxconn:
    """Set a frontend's maxconn (at least 1)."""

    frontend: str
    maxconn: int


@dataclass(frozen=True, slots=True)
class SetGlobalMaxconn:
    """Set the limit on concurrent client connections of the whole data plane."""

    maxconn: int


@dataclass(frozen=True, slots=True)
class SetAddress:
    """Give a server another address. Structural: streams read the address without a lock. `port` None: unchanged."""

    backend: str
    server: str
    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class AdoptFile:
    """A configuration file was loaded, at start or on reload. Structural."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class AdoptPush:
    """The control plane's whole wish: backends with their servers' states, and the route table. Structural if the shape differs.

    `states` holds, per (backend, server), the wished admin state and session generation; weights and limits are in `backends`.
    """

    backends: tuple[Backend, ...]
    routes: tuple[Route, ...]
    states: dict[tuple[str, str], tuple[AdminState, int]]


@dataclass(frozen=True, slots=True)
class SetLease:
    """How far the control plane's word reaches now, by the lease it gave: see `dataplane.core.model.Reach`."""

    reach: Reach


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Servers that warm up are as warm now as their time says (`slowstart`): asked for once a second while there are any."""


CellChange = (
    WarmUp | SetAdmin | SetWeight | SetMaxconn | ShutdownSessions | SetFrontendMaxconn | SetGlobalMaxconn | SetLease
)
StructuralChange = SetAddress | AdoptFile | AdoptPush
Change = CellChange | StructuralChange
