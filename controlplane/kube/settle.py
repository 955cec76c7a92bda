"""What needs time, as pure functions of a clock that is passed in: `now` is monotonic, in milliseconds.

Four small machines; each says when it next wants to be looked at (`next_at`, None: never), and the caller sleeps until then.

- `Settle`: an endpoint that moves from one slice to another can be in neither for a moment, because slices are not written
  together. Its removal counts only once it has stayed away for `SETTLE_MS`. One that was already terminating is believed
  at once: it was not moving, it was going.
- `Coalesce`: a rollout is hundreds of changes. The first waits 50 ms, each further one prolongs that to 50 ms of quiet,
  200 ms at most; never are there more than ten such flushes a second. What takes servers away, and what somebody wishes, is
  passed on at once, save that passing on takes a fifth of the time at most (and waits for 100 ms at most).
- `Confirmation`: what the mass-removal brake holds passes when a list of the objects, begun after it was held, still says so.
- `Persisting`: what has been so for a while without a break: an override without a server, a drain past its deadline.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from controlplane.domain import brake
from controlplane.domain.desired import Desired, Write
from controlplane.kube.objects import Name, Slice
from controlplane.kube.packed import pack

SETTLE_MS: Final = 1_000
FIRST_MS: Final = 50
QUIET_MS: Final = 50
LONGEST_MS: Final = 200
GAP_MS: Final = 100
SHARE: Final = 5  # of the time one part is for passing on, while urgent changes never end

Place = tuple[str, str]  # address type, address
K = TypeVar('K', bound=Hashable)


@dataclass(frozen=True, slots=True)
class _Lingering:
    held: Slice  # with this one endpoint in it
    until: int


class Settle:
    """Endpoints that have just vanished from all slices of their Service, kept as they last were."""

    def __init__(self, span_ms: int = SETTLE_MS) -> None:
        self._span = span_ms
        self._of: dict[Name, dict[Place, _Lingering]] = {}

    def changed(self, service: Name, old: Slice | None, others: Iterable[Slice], now: int) -> None:
        """A slice of `service` was replaced or removed: `old` is what it was (None: it is new), `others` are all there are now."""
        present = {(one.address_type, endpoint.address) for one in others for endpoint in one.endpoints}
        lingering = {place: one for place, one in self._of.get(service, {}).items() if place not in present}
        for endpoint in old.endpoints if old is not None else ():
            assert old is not None
            place = (old.address_type, endpoint.address)
            if place not in present and not endpoint.terminating:
                held = replace(old, packed=pack((endpoint,)))
                lingering[place] = _Lingering(held, now + self._span)
        self._put(service, lingering)

    def slices(self, service: Name) -> tuple[Slice, ...]:
        """Those that linger, each as a slice of its own."""
        return tuple(one.held for one in self._of.get(service, {}).values())

    def expire(self, now: int) -> frozenset[Name]:
        """Let go of those whose time is over; returns the Services that lost one."""
        lost = {name for name, of in self._of.items() if any(one.until <= now for one in of.values())}
        for name in lost:
            self._put(name, {place: one for place, one in self._of[name].items() if one.until > now})
        return frozenset(lost)

    def next_at(self) -> int | None:
        """When `expire` has something to do."""
        return min((one.until for of in self._of.values() for one in of.values()), default=None)

    def _put(self, service: Name, lingering: dict[Place, _Lingering]) -> None:
        if lingering:
            self._of[service] = lingering
        else:
            self._of.pop(service, None)


class Coalesce:
    """When to pass on what has changed."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._last = 0
        self._is_urgent = False
        self._flushed: int | None = None
        self._took = 0

    @property
    def since(self) -> int | None:
        """When the first of what waits was noted; None: nothing waits."""
        return self._first

    def note(self, now: int, *, urgent: bool) -> None:
        """Something has changed."""
        if self._first is None:
            self._first = now
        self._last = now
        self._is_urgent = self._is_urgent or urgent

    def next_at(self) -> int | None:
        """When to flush; in the past: now. None: nothing has changed."""
        if self._first is None:
            return None
        quiet = max(self._first + FIRST_MS, self._last + QUIET_MS)
        at = self._first if self._is_urgent else min(quiet, self._first + LONGEST_MS)
        gap = min(GAP_MS, SHARE * self._took) if self._is_urgent else GAP_MS
        return at if self._flushed is None else max(at, self._flushed + gap)

    def flushed(self, now: int) -> None:
        """All that was noted is being passed on."""
        self._first, self._is_urgent, self._flushed = None, False, now

    def took(self, span_ms: int) -> None:
        """The last flush took that long."""
        self._took = span_ms


Going = frozenset[str]  # names of servers


def going(desired: Desired, writes: Sequence[Write]) -> dict[str, Going]:
    """Which servers of which backend `writes` remove, a removed backend's included."""
    backends = desired.state['backends']
    found: dict[str, set[str]] = {}
    for write in writes:
        if write.spec is not None:
            continue
        if write.key.kind == 'backend' and write.key.name in backends:
            found.setdefault(write.key.name, set()).update(backends[write.key.name]['servers'])
        elif write.key.kind == 'server' and write.key.name in backends.get(write.key.backend, {}).get('servers', {}):
            found.setdefault(write.key.backend, set()).add(write.key.name)
    return {backend: frozenset(servers) for backend, servers in found.items()}


@dataclass(frozen=True, slots=True)
class Passed:
    """What may be submitted, what is held (backend: removed, of how many), and whether a list of all objects is wanted."""

    writes: tuple[Write, ...]
    held: Mapping[str, tuple[int, int]]
    relist: bool


class Confirmation:
    """The brake of `controlplane.domain.brake` with its confirmation: a list that began after the hold and says the same.

    A confirmation is for the servers that were held, not for the backend: should more of them go meanwhile, it is held
    anew. It is used up when the removal has happened (`done`), and forgotten when the backend is no longer held.
    """

    def __init__(self, percent: int) -> None:
        self._percent = percent
        self._held: dict[str, Going] = {}
        self._asked: dict[str, Going] | None = None  # what the list under way will confirm
        self._confirmed: dict[str, Going] = {}

    def judge(self, desired: Desired, writes: Sequence[Write]) -> Passed:
        """Split `writes` into what may pass now and what waits. `relist`: begin a list, none is under way for this."""
        leaving = going(desired, writes)
        # a backend without servers takes nobody along: it is never held, so that nothing has confirmed it
        confirmed = [
            name for name, names in leaving.items() if name in self._confirmed and names <= self._confirmed[name]
        ]
        verdict = brake.judge(desired, writes, self._percent, confirmed)
        self._held = {name: leaving[name] for name in verdict.held}
        self._confirmed = {name: self._confirmed[name] for name in confirmed}
        passed = tuple(write for write in verdict.passed if not _leads_to(desired, write, verdict.held))
        return Passed(passed, verdict.held, bool(self._held) and self._asked is None)

    def listing(self) -> None:
        """A list of all objects begins now. It confirms what is held now, and nothing that is held later."""
        self._asked = dict(self._held)

    def listed(self, *, complete: bool) -> None:
        """That list has ended, and its objects are in the world. `complete` False: it failed and confirms nothing."""
        asked, self._asked = self._asked or {}, None
        if complete:
            self._confirmed |= {name: names for name, names in asked.items() if name in self._held}

    def done(self, backends: Iterable[str]) -> None:
        """The writes of these backends have happened."""
        for name in backends:
            self._confirmed.pop(name, None)
            self._held.pop(name, None)


def _leads_to(desired: Desired, write: Write, held: Mapping[str, tuple[int, int]]) -> bool:
    """Is it a route that would lead away from a backend that is held? It stays with it, or the hold would be in vain."""
    before = desired.spec(write.key) if write.key.kind == 'route' else None
    return before is not None and before['backend'] in held


class Persisting(Generic[K]):
    """Since when each key has been there without a break, and which have been for as long as they had to."""

    def __init__(self) -> None:
        self._since: dict[K, int] = {}
        self._spans: dict[K, int] = {}

    def observe(self, spans: Mapping[K, int], now: int) -> AbstractSet[K]:
        """`spans` are all the keys there are at `now`, with their spans; returns those whose span is over."""
        self._since = {key: self._since.get(key, now) for key in spans}
        self._spans = dict(spans)
        return {key for key, since in self._since.items() if since + spans[key] <= now}

    def next_at(self, now: int) -> int | None:
        """When the next span is over, of those that are not over at `now`."""
        ends = (since + self._spans[key] for key, since in self._since.items())
        return min((end for end in ends if end > now), default=None)
