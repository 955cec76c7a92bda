"""What the objects come to, as values: the desired state in the wire's shapes, and what is said about each object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from controlplane.domain.desired import Labels, Spec
from controlplane.kube.endpoints import EndpointState
from controlplane.kube.objects import Name, Target

ServerKey = tuple[str, str]  # backend, server


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


@dataclass(frozen=True, slots=True)
class Drain:
    """How long a server that is on its way out may finish, in milliseconds, and what is then: Keep or Shutdown."""

    timeout_ms: int
    on_deadline: str


@dataclass(frozen=True, slots=True)
class Backend:
    """One port of one Service under its policy."""

    policy: Name
    service: Name
    port: str
    spec: Spec
    scope: str
    drain: Drain
    servers: Mapping[str, tuple[Spec, Labels]]
    views: Mapping[str, ServerView]
    panic: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one target of one policy."""

    accepted: Say
    resolved: Say
    backends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """Servers of a policy by what they may be sent: requests, persistent streams only, nothing."""

    total: int = 0
    ready: int = 0
    drain: int = 0
    maint: int = 0


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


@dataclass(frozen=True, slots=True)
class OverrideView:
    """The servers an override is about; `found` says why there are none."""

    servers: tuple[ServerKey, ...]
    found: Say
    generation: int = 0
    admin: str = 'ready'
    is_pod: bool = True


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
    def key(self) -> tuple[Name, str, str]:
        """What stays the same while the cause does, so that it is said once; counts in the message may change."""
        return self.service, self.about, self.reason


@dataclass(frozen=True, slots=True)
class Translation:
    """Everything wanted of the data planes, in the shapes of `dataplane.wire.state`, and what to tell people.

    `drains`, `scopes` by backend. `gone`: overrides whose server is not there (any more), to be removed once that has
    lasted and no removal of their backend is held. `routes` by id.
    """

    backends: Mapping[str, Spec] = field(default_factory=dict)
    servers: Mapping[ServerKey, tuple[Spec, Labels]] = field(default_factory=dict)
    routes: Mapping[str, Spec] = field(default_factory=dict)
    scopes: Mapping[str, str] = field(default_factory=dict)
    drains: Mapping[str, Drain] = field(default_factory=dict)
    views: Mapping[ServerKey, ServerView] = field(default_factory=dict)
    policies: Mapping[Name, PolicyView] = field(default_factory=dict)
    overrides: Mapping[Name, OverrideView] = field(default_factory=dict)
    gone: frozenset[Name] = frozenset()
    notes: tuple[Note, ...] = ()

    def overdue(self) -> dict[tuple[str, str, str], int]:
        """Servers on their way out whose policy ends sessions at the deadline: (backend, server, pod uid) -> span in ms.

        Made for `settle.Persisting`, which knows since when: whose span is over is to get a new session generation.
        """
        return {
            (*key, view.pod_uid): self.drains[key[0]].timeout_ms
            for key, view in self.views.items()
            if self.drains[key[0]].on_deadline == 'Shutdown'
            and not view.panic
            and (view.admin != 'ready' or view.endpoint in {EndpointState.DRAIN, EndpointState.STOPPING})
        }
