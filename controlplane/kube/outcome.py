"""What the objects come to, as values: the desired state in the wire's shapes, and what is said about each object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from controlplane.domain.desired import Labels, Spec
from controlplane.kube.endpoints import EndpointState
from controlplane.kube.objects import Name, Target

ServerKey = tuple[str, str]  # backend, server
NoteKey = tuple[Name, str, str]  # of a Note: its Service, what it is about, its reason
V = TypeVar('V')


@dataclass(frozen=True, slots=True)
class Say:
    """One condition: whether it holds, why in one CamelCase word, and in a sentence for people."""

    holds: bool
    reason: str
    message: str = ''


def yes(reason: str, message: str = '') -> Say:
    """It holds."""
    return Say(True, reason, message)  # noqa: FBT003 - the function's name says it


def no(reason: str, message: str = '') -> Say:
    """It does not hold."""
    return Say(False, reason, message)  # noqa: FBT003 - the function's name says it


ACCEPTED: Final = yes('Accepted', 'The policy is in force.')
RESOLVED: Final = yes('ResolvedRefs', 'The Service and its ports were found.')


@dataclass(frozen=True, slots=True)
class ServerView:
    """Where a server comes from and why it is in the state it is in.

    `effective` is the most restrictive of `endpoint` (as the data plane's words go) and `admin`, what the `overrides`
    want; `panic`: its endpoint is terminating, and it is used all the same because no other is left.
    """

    service: Name
    port: str
    address: str
    number: int
    endpoint: EndpointState
    admin: str
    effective: str
    panic: bool = False
    pod: str = ''
    pod_uid: str = ''
    node: str = ''
    zone: str = ''
    overrides: tuple[Name, ...] = ()
    deadline_ms: int = 0


@dataclass(frozen=True, slots=True)
class Drain:
    """How long a server that is on its way out may finish, in milliseconds, and what is then: Keep or Shutdown."""

    timeout_ms: int
    on_deadline: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Servers of a policy by what they may be sent: requests, persistent streams only, nothing."""

    total: int = 0
    ready: int = 0
    drain: int = 0
    maint: int = 0


@dataclass(frozen=True, slots=True)
class Backend:
    """One port of one Service under its policy. What is counted is counted once, when it is built."""

    policy: Name
    service: Name
    port: str
    spec: Spec
    scope: str
    drain: Drain
    servers: Mapping[str, tuple[Spec, Labels]]
    views: Mapping[str, ServerView]
    panic: bool
    counts: Counts
    has_deadlines: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one target of one policy."""

    accepted: Say
    resolved: Say
    backends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyView:
    """All that is known of a policy without asking data planes. `hosts` None: it has none."""

    targets: tuple[tuple[Target, Verdict], ...]
    hosts: Say | None
    ready: Say
    counts: Counts
    backends: tuple[str, ...]
    generation: int = 0
    max_conn: int = 0
    scope: str = 'perReplica'
    uid: str = ''


@dataclass(frozen=True, slots=True)
class OverrideView:
    """The servers an override is about; `found` says why there are none."""

    servers: tuple[ServerKey, ...]
    found: Say
    generation: int = 0
    admin: str = 'ready'
    is_pod: bool = True
    uid: str = ''


@dataclass(frozen=True, slots=True)
class Part:
    """What one Service comes to: its backends by name, what became of each target of each policy, and its overrides."""

    backends: Mapping[str, Backend] = field(default_factory=dict)
    verdicts: Mapping[tuple[Name, Target], Verdict] = field(default_factory=dict)
    overrides: Mapping[Name, OverrideView] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth a Warning on the Service, about a policy or a port of it (`about`)."""

    service: Name
    about: str
    reason: str
    message: str

    @property
    def key(self) -> NoteKey:
        """What stays the same while the cause does, so that it is said once; counts in the message may change."""
        return self.service, self.about, self.reason


class Flat(Mapping[ServerKey, V]):
    """A table of tables as one, without copying: it is made anew with every change, and only few are looked at."""

    def __init__(self, of: Mapping[str, Mapping[str, V]]) -> None:
        self._of = of

    def __getitem__(self, key: ServerKey) -> V:
        return self._of[key[0]][key[1]]

    def __iter__(self) -> Iterator[ServerKey]:
        return ((backend, server) for backend, servers in self._of.items() for server in servers)

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def __repr__(self) -> str:
        return repr(dict(self))


@dataclass(frozen=True, slots=True)
class Translation:
    """Everything wanted of the data planes, in the shapes of `dataplane.wire.state`, and what to tell people.

    `built`: backends by name; what has not changed since the translation before is the same object. `routes` by id. `gone`:
    overrides whose server is not there (any more), to be removed once that has lasted and no removal of their backend is held.
    """

    built: Mapping[str, Backend] = field(default_factory=dict)
    routes: Mapping[str, Spec] = field(default_factory=dict)
    policies: Mapping[Name, PolicyView] = field(default_factory=dict)
    overrides: Mapping[Name, OverrideView] = field(default_factory=dict)
    gone: frozenset[Name] = frozenset()
    notes: tuple[Note, ...] = ()

    @property
    def backends(self) -> Mapping[str, Spec]:
        """Their specs, by name."""
        return {name: backend.spec for name, backend in self.built.items()}

    @property
    def scopes(self) -> Mapping[str, str]:
        """PerReplica or divided, by backend."""
        return {name: backend.scope for name, backend in self.built.items()}

    @property
    def drains(self) -> Mapping[str, Drain]:
        """What becomes of sessions with a server on its way out, by backend."""
        return {name: backend.drain for name, backend in self.built.items()}

    @property
    def servers(self) -> Mapping[ServerKey, tuple[Spec, Labels]]:
        """Spec and labels of every server."""
        return Flat({name: backend.servers for name, backend in self.built.items()})

    @property
    def views(self) -> Mapping[ServerKey, ServerView]:
        """Where every server comes from."""
        return Flat({name: backend.views for name, backend in self.built.items()})

    def leaving(self) -> dict[tuple[str, str, str], int]:
        """Servers on their way out whose policy ends sessions: (backend, server, pod uid) -> how long they have, in ms.

        Those that an override with a deadline has taken out go by that, and those that are used all the same stay.
        """
        return {
            (name, server, view.pod_uid): backend.drain.timeout_ms
            for name, backend in self.built.items()
            if backend.drain.on_deadline == 'Shutdown'
            for server, view in backend.views.items()
            if not view.panic
            and not view.deadline_ms
            and (view.admin != 'ready' or view.endpoint in {EndpointState.DRAIN, EndpointState.STOPPING})
        }

    def ending(self, generations: Mapping[ServerKey, int]) -> Translation:
        """The same with session generations of at least `generations`, of servers that are there."""
        raised: dict[str, dict[str, tuple[Spec, Labels]]] = {}
        for (name, server), generation in generations.items():
            spec, labels = self.built[name].servers[server]
            if spec['sessionGeneration'] < generation:
                servers = raised.setdefault(name, dict(self.built[name].servers))
                servers[server] = ({**spec, 'sessionGeneration': generation}, labels)
        if not raised:
            return self
        changed = {name: replace(self.built[name], servers=servers) for name, servers in raised.items()}
        return replace(self, built={**self.built, **changed})

    def dated(self) -> dict[ServerKey, int]:
        """When sessions with servers are to be ended, in ms since 1970, where an override says so."""
        return {
            (name, server): view.deadline_ms
            for name, backend in self.built.items()
            if backend.has_deadlines
            for server, view in backend.views.items()
            if view.deadline_ms
        }
