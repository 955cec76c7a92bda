"""What is known of one data plane: who it is, what it has acknowledged, what it said about its servers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from controlplane.domain.desired import Key
from controlplane.domain.quarantine import Quarantine, Quarantined
from controlplane.domain.version import NOTHING, Version
from dataplane.wire.events import Ack, Hello, Nack, Status
from dataplane.wire.state import MAX_SERVERS

Local = dict[Key, dict[str, str]]
"""By server: what was set on a data plane's own socket, by setting (`state`, `weight`, `maxconn`, `addr`)."""


@dataclass(slots=True)
class Plane:
    """A known data plane. Times are milliseconds of the control plane's monotonic clock. `pod_uid` '': it is in no pod."""

    id: str
    quarantine: Quarantine = field(default_factory=dict)
    pod_uid: str = ''
    stops: bool = False  # on a partition
    durable: bool = True  # that it is known, and whether it stops
    hello: Hello | None = None
    connected: bool = False
    held_back: bool = False
    acked: Version = NOTHING
    kept: Quarantine = field(default_factory=dict)  # what of it was not sent, as of what it acknowledged
    last_ack: Ack | None = None
    last_nack: Nack | None = None
    took_ms: int = 0  # from sending what it acknowledged last until it had
    heard_ms: int = 0
    lease_ends_ms: int | None = None
    statements: set[Key] = field(default_factory=set)  # servers that it has said are drained, as they are there now
    load: dict[Key, tuple[int, int, str]] = field(default_factory=dict)
    half_told: dict[Key, tuple[int, int, str]] = field(default_factory=dict)  # by the frames of a status so far
    local: Local = field(default_factory=dict)  # what was set there, on its socket
    half_local: Local = field(default_factory=dict)
    queues: dict[str, int] = field(default_factory=dict)  # how many wait in a backend's own queue; none: not named

    def tell(self, status: Status) -> dict[Key, tuple[int, int, str]]:
        """Take one frame of a status; returns its rows. `load` and `local` are others once the last frame is there."""
        rows = {Key('server', s, b): (flight, queued, state) for b, s, flight, queued, state in status.servers}
        if status.chunk == 0 or len(self.half_told) > MAX_SERVERS:
            self.half_told, self.half_local = {}, {}
        if status.chunk == 0:
            self.queues = dict(status.queues or ())
        self.half_told.update(rows)
        for backend, server, setting, value in status.local or ():
            key = Key('server', server, backend)
            if key in rows:
                self.half_local.setdefault(key, {})[setting] = value
        if status.chunk + 1 >= status.chunks:
            self.load, self.local = self.half_told, self.half_local
            self.half_told, self.half_local = {}, {}
        return rows

    def forget_told(self) -> None:
        """It has said hello anew: what it said of its servers before is not known to be true."""
        self.statements.clear()
        self.load, self.half_told = {}, {}
        self.local, self.half_local, self.queues = {}, {}, {}

    def record(self) -> dict[str, Any]:
        """What must outlive the control plane: that it is known, in which pod, and what it refuses."""
        kept = {
            name: {'kept': entry.kept, 'refused': entry.refused, 'routed': entry.routed}
            for name, entry in self.quarantine.items()
        }
        record: dict[str, Any] = {'quarantine': kept}
        if self.pod_uid:
            record['podUid'] = self.pod_uid
        if self.stops:
            record['stops'] = True
        return record

    @classmethod
    def from_record(cls, name: str, record: dict[str, Any]) -> Plane:
        """Read what `record` wrote."""
        kept = {
            key: Quarantined(entry['kept'], entry['refused'], entry.get('routed', True))
            for key, entry in record['quarantine'].items()
        }
        pod_uid, stops = record.get('podUid', ''), record.get('stops', False)
        return cls(id=name, quarantine=kept, pod_uid=pod_uid, stops=stops)
