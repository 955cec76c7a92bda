"""How a data plane at one version is brought to the next cut: nothing, a renumbering, one merged event, or a snapshot.

Parcels lead from cut to cut, not to the head of the log: a cut is the head as it was when a batch was closed (`cut`), so
that data planes that keep up have the same way before them, whenever each of them answers. Parcels are pure text frames; equal
ways from equal states are encoded once, however many data planes take them. What a data plane is sent is its projection:
the state of the cut with its shares as of the cut (`projection`), and without what it refuses (`quarantine`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from controlplane.domain.desired import Key
from controlplane.domain.log import Log
from controlplane.domain.projection import Projector
from controlplane.domain.quarantine import Quarantine, active, project
from controlplane.domain.shares import Grants
from controlplane.domain.version import NOTHING, Version
from dataplane.wire import codec
from dataplane.wire import state as wire
from dataplane.wire.digests import Digests
from dataplane.wire.events import Event, Hello, Snapshot

REMEMBERED = 64
NO_GRANTS: Grants = {}
_Way = tuple[tuple[str, ...], frozenset[Key] | None]  # frames, and what Parcel calls changed


@dataclass(frozen=True, slots=True)
class Held:
    """What a data plane holds: a version, and the state this control plane knows it to have there (None: unknown).

    `wanted`: what was desired there, of which `state` is the projection.
    """

    version: Version
    state: wire.State | None
    state_hash: str
    wanted: wire.State | None = None

    @classmethod
    def nothing(cls) -> Held:
        """Of a data plane about which nothing can be concluded."""
        return cls(NOTHING, None, '')


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a parcel is for. `knows`: it knows shares."""

    name: str = ''
    quarantine: Quarantine = field(default_factory=dict)
    knows: bool = True


@dataclass(frozen=True, slots=True)
class Parcel:
    """Frames to send, and what the data plane holds once it has acknowledged them.

    `changed`: the servers that are not there what they were before; None: what it was before is not known.
    """

    frames: tuple[str, ...]
    held: Held
    changed: frozenset[Key] | None = None


class Courier:
    """Makes parcels from the log."""

    def __init__(
        self, log: Log, remembered: int = REMEMBERED, grants: Callable[[], Mapping[str, Grants]] | None = None
    ) -> None:
        self._log = log
        self._grants_now = grants or _nobody
        self._digests = Digests()
        self._projector = Projector()
        self.cuts = 0
        self.cut()
        self._parcels: OrderedDict[tuple[Version, str, Version, str], _Way] = OrderedDict()
        self._remembered = remembered
        self.encoded = 0

    def cut(self) -> None:
        """Close the batch: from now on parcels lead to what is the head now."""
        self.head, self.state = self._log.head, self._log.state
        self._grants = self._grants_now()
        self._projector.turn()
        self.cuts += 1

    def arrived(self, hello: Hello, quarantine: Quarantine, grants: Grants = NO_GRANTS) -> Held:
        """What the data plane holds, believed only as far as its hash shows that it is so. `grants`: its shares, as it says."""
        version = Version(hello.term, hello.seq)
        for state in (self._log.state_at(version), self._log.state):
            if state is not None:
                projected = self._project(state, quarantine, grants, knows=True)
                if self._digests.of(projected) == hello.state_hash:
                    # an equal state at a version out of reach (an older term) is worth a renumbering, not a snapshot
                    return Held(version, projected, hello.state_hash, state)
        return Held.nothing()

    def _project(self, state: wire.State, quarantine: Quarantine, grants: Grants, *, knows: bool) -> wire.State:
        kept = active(quarantine, state).keys() if quarantine else ()
        return self._projector.of(project(state, quarantine), grants, kept, knows=knows)

    def parcel(self, held: Held, to: Recipient, ts: int) -> Parcel | None:
        """What takes it from `held` to the last cut; None: it is there."""
        if self.head.term != self._log.head.term or held.version > self.head:
            self.cut()
        head, wanted = self.head, self.state
        projected = self._project(wanted, to.quarantine, self._grants.get(to.name, NO_GRANTS), knows=to.knows)
        state_hash = self._digests.of(projected)
        if held.version == head and held.state_hash == state_hash:
            return None
        key = (held.version, held.state_hash, head, state_hash)
        way = self._parcels.get(key)
        if way is None:
            way = self._encode(held, projected, state_hash, ts)
            self._parcels[key] = way
            if len(self._parcels) > self._remembered:
                self._parcels.popitem(last=False)
        frames, changed = way
        return Parcel(frames, Held(head, projected, state_hash, wanted), changed)

    def _encode(self, held: Held, projected: wire.State, state_hash: str, ts: int) -> _Way:
        self.encoded += 1
        head = self.head
        if held.state is None:
            return tuple(codec.chunked(head.term, head.seq, projected)), None
        if held.state_hash == state_hash:
            same = Snapshot(term=head.term, seq=head.seq, chunk=0, chunks=0, changes=(), state_hash=state_hash)
            return (codec.encode(same),), frozenset()
        changes = tuple(wire.diff(held.state, projected))
        changed = _servers(held.state, changes)
        if held.version.term == head.term and held.version < head:
            event = Event(
                term=head.term, seq=head.seq, prev_seq=held.version.seq, ts=ts, changes=changes, state_hash=state_hash
            )
            try:
                return (codec.encode(event),), changed
            except ValueError:
                pass  # larger than a frame: a snapshot is cut into frames, an event is not
        return tuple(codec.chunked(head.term, head.seq, projected)), changed


def _servers(before: wire.State, changes: Iterable[wire.Change]) -> frozenset[Key]:
    """The servers that these changes set or remove, those of removed backends among them."""
    found = set()
    for change in changes:
        if change['kind'] == 'server':
            found.add(Key('server', change['name'], change['backend']))
        elif change['kind'] == 'backend' and change['spec'] is None:
            name = change['name']
            found.update(Key('server', server, name) for server in before['backends'][name]['servers'])
    return frozenset(found)


def _nobody() -> Mapping[str, Grants]:
    return {}
