"""What bodies may hold. pydantic stops here: beyond this, plain values of `dataplane.wire.state`.

Ranges are those of the wire; what one field cannot tell (minConn above maxConn, a route that is there twice) is checked
where the state is. A field that is not sent keeps its value in a PATCH and takes its default in a PUT, except adminState:
a PUT that does not speak of it never ends anybody's drain.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Milliseconds = Annotated[int, Field(ge=1, le=2**31 - 1)] | None
Weight = Annotated[int, Field(ge=0, le=256)]
Port = Annotated[int, Field(ge=1, le=65_535)]
AdminState = Literal['ready', 'drain', 'maint']
LimitScope = Literal['perReplica', 'divided']
Name = Annotated[str, Field(pattern=r'^[A-Za-z0-9_.:-]{1,128}$')]
Address = Annotated[str, Field(pattern=r'^[A-Za-z0-9_.:%-]{1,255}$')]
Labels = Annotated[dict[str, str], Field(max_length=32)]


class Strict(BaseModel):
    """Unknown fields are refused, and nothing is converted: "5" is not 5."""

    model_config = ConfigDict(extra='forbid', strict=True, alias_generator=to_camel)

    def sent(self) -> dict[str, Any]:
        """Only what the body spoke of, under the names it uses."""
        return self.model_dump(by_alias=True, exclude_unset=True)

    def whole(self) -> dict[str, Any]:
        """Everything, with the defaults, under the names bodies use."""
        return self.model_dump(by_alias=True)


class Server(Strict):
    """PUT of a server."""

    address: Address
    port: Port
    weight: Weight = 1
    max_conn: Count = 0
    min_conn: Count = 0
    max_queue: Count = 0
    backup: bool = False
    admin_state: AdminState = 'ready'
    labels: Labels = {}


class ServerPatch(Strict):
    """PATCH of a server: what an operator turns."""

    admin_state: AdminState = 'ready'
    weight: Weight = 1
    max_conn: Count = 0


class Timeouts(Strict):
    """Milliseconds; null: not limited (for tunnel: those of client and server stay in force)."""

    connect: Milliseconds = 5_000
    server: Milliseconds = 60_000
    queue: Milliseconds = 10_000
    tunnel: Milliseconds = None


class Backend(Strict):
    """PUT of a backend. With `servers` it sets all of them; without, they stay as they are.

    `limitScope`: maxConn of its servers is what each data plane may use (perReplica) or all of them together (divided).
    """

    limit_scope: LimitScope = 'perReplica'
    balance: str = 'roundrobin'
    retries: Annotated[int, Field(ge=0, le=100)] = 3
    redispatch: Annotated[int, Field(ge=-100, le=100)] = 0
    fullconn: Count = 0
    allbackups: bool = False
    timeouts: Timeouts = Timeouts()
    servers: dict[Name, Server] | None = None


class BackendPatch(Strict):
    """PATCH of a backend. Timeouts that are not sent stay as they are."""

    limit_scope: LimitScope = 'perReplica'
    balance: str = 'roundrobin'
    retries: Annotated[int, Field(ge=0, le=100)] = 3
    redispatch: Annotated[int, Field(ge=-100, le=100)] = 0
    fullconn: Count = 0
    allbackups: bool = False
    timeouts: Timeouts = Timeouts()


class Route(Strict):
    """PUT of a route: `host` in lower case without port ('' any, '*.example.org' any one label), longest prefix wins."""

    backend: Name
    host: str = ''
    path_prefix: str = '/'


class RoutePatch(Strict):
    """PATCH of a route."""

    backend: Name = ''
    host: str = ''
    path_prefix: str = '/'


class Selector(Strict):
    """Which servers; all that is given must hold. `name` is a shell pattern."""

    labels: Labels = {}
    name: str | None = None
    address: str | None = None


class Bulk(Strict):
    """One change for every selected server. `dryRun` says what would change, and changes nothing."""

    selector: Selector
    set: ServerPatch = ServerPatch()
    shutdown_sessions: bool = False
    dry_run: bool = False


class RuntimeServer(Strict):
    """PUT body of the Data Plane API's runtime servers, as far as the control plane decides it."""

    model_config = ConfigDict(extra='forbid', strict=True, alias_generator=None)

    admin_state: AdminState = 'ready'
    weight: Weight = 1
    address: Address = ''
    port: Port = 1
    maxconn: Count = 0
