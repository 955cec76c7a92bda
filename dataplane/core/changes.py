"""The changes that may come through the supervisor's one door, from whoever they come.

Cell changes need no preparation: they name servers and give absolute values (a percentage is of the initial weight).
Structural changes carry a whole new configuration and are prepared by every worker before they are committed (design:
the global isolation barrier). Applying a change twice is the same as applying it once.
"""

from __future__ import annotations

from dataclasses import dataclass

from dataplane.core.dyncookie import CookieChange
from dataplane.core.health import Verdict
from dataplane.core.layout import Rate
from dataplane.core.model import AdminState, Backend, Origin, Route, Server, Snapshot
from dataplane.core.naming import Renewed
from dataplane.core.reach import Reach
from dataplane.core.savedstate import SavedState


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
class SetHealth:
    """What a check (or, with `agent`, the agent) made of a server. Stale, and passed over, unless `serial` is the record's."""

    backend: str
    server: str
    verdict: Verdict
    serial: int
    reason: str = ''
    agent: bool = False


@dataclass(frozen=True, slots=True)
class ForceHealth:
    """Decide instead of the check or the agent, until its next results say otherwise."""

    backend: str
    server: str
    verdict: Verdict
    agent: bool = False
    reason: str = ', changed from CLI'


@dataclass(frozen=True, slots=True)
class SwitchCheck:
    """Enable or disable a server's check or agent; its state stays what it was until something else is found out."""

    backend: str
    server: str
    enabled: bool
    agent: bool = False


@dataclass(frozen=True, slots=True)
class SetTarget:
    """Where a check or agent is asked from now on, and what an agent is sent; None: unchanged."""

    backend: str
    server: str
    agent: bool = False
    addr: str | None = None
    port: int | None = None
    send: bytes | None = None


@dataclass(frozen=True, slots=True)
class RestoreState:
    """Put a server that nobody has changed yet into the state a file says it had, as far as its declaration is the same."""

    backend: str
    server: str
    saved: SavedState


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
class SetRateLimit:
    """Limit something of the whole data plane per second; 0: not any more."""

    rate: Rate
    limit: int


@dataclass(frozen=True, slots=True)
class SetAddress:
    """Give a server another address. Structural: streams read the address without a lock. `port` None: unchanged."""

    backend: str
    server: str
    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class RestoreAddresses:
    """Give servers the addresses that state files have: backend, server, host and port of each.

    Structural, and one change for all of them: each by itself would make tables of its own.
    """

    addresses: tuple[tuple[str, str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Rename:
    """Have a server ask for the addresses of another host name. Structural. It keeps the one it has until the answer."""

    backend: str
    server: str
    fqdn: str


@dataclass(frozen=True, slots=True)
class SetNamed:
    """What nameservers answered: addresses, ports and names of servers. Structural; what is out of date is passed over."""

    renewed: tuple[Renewed, ...]


@dataclass(frozen=True, slots=True)
class AddServer:
    """Add a server to a backend of the file, until the file is read again. Structural. Its `id` 0: the lowest that is free."""

    backend: str
    server: Server


@dataclass(frozen=True, slots=True)
class RemoveServer:
    """Take a server in maintenance out of a backend of the file, until the file is read again. Structural."""

    backend: str
    server: str


@dataclass(frozen=True, slots=True)
class RenameServer:
    """Call a server in maintenance otherwise, until the file is read again. Structural."""

    backend: str
    server: str
    name: str


@dataclass(frozen=True, slots=True)
class AddBackend:
    """Add a backend without servers, not published, as a named `defaults` section of the file says. Structural."""

    name: str
    defaults: str
    mode: str = ''
    guid: str = ''


@dataclass(frozen=True, slots=True)
class RemoveBackend:
    """Take a backend of the file that is not published and has no servers away, until the file is read again. Structural."""

    name: str


@dataclass(frozen=True, slots=True)
class PublishBackend:
    """Let `use_backend` and `default_backend` take a backend of the file, or pass it over. Structural."""

    name: str
    published: bool


@dataclass(frozen=True, slots=True)
class SetCookies:
    """Give a backend dynamic cookies, or take them away, or another key for them. Structural: every worker makes the values."""

    backend: str
    wanted: CookieChange


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
    """How far the control plane's word reaches now, by the lease it gave: see `dataplane.core.reach.Reach`."""

    reach: Reach


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Servers that warm up are as warm now as their time says (`slowstart`): asked for once a second while there are any."""


HealthChange = SetHealth | ForceHealth | SwitchCheck | SetTarget
CellChange = (
    WarmUp
    | SetAdmin
    | SetWeight
    | SetMaxconn
    | ShutdownSessions
    | RestoreState
    | SetFrontendMaxconn
    | SetGlobalMaxconn
    | SetRateLimit
    | SetLease
    | HealthChange
)
BackendChange = AddBackend | RemoveBackend | PublishBackend
StructuralChange = (
    SetAddress
    | RestoreAddresses
    | Rename
    | SetNamed
    | SetCookies
    | AddServer
    | RemoveServer
    | RenameServer
    | BackendChange
    | AdoptFile
    | AdoptPush
)
Change = CellChange | StructuralChange
