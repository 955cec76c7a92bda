"""All Services together: hosts, which belong to one policy each, the size of a data plane, and what is said of it all. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from controlplane.domain.desired import Spec
from controlplane.kube.backend import short
from controlplane.kube.endpoints import EndpointState
from controlplane.kube.objects import Name, Override, Policy, Target, age
from controlplane.kube.outcome import (
    RESOLVED,
    Backend,
    Counts,
    Note,
    OverrideView,
    Part,
    PolicyView,
    Say,
    Translation,
    Verdict,
    no,
    yes,
)
from dataplane.wire.state import MAX_ROUTES, MAX_SERVERS

ATTACHED: Final = yes('Attached', 'Requests for all hosts are routed here.')
_UNKNOWN: Final = Verdict(no('Pending', 'Not looked at yet.'), RESOLVED)


def assemble(
    policies: Mapping[Name, Policy], parts: Mapping[Name, Part], overrides: Mapping[Name, Override],
    *, max_servers: int = MAX_SERVERS, max_routes: int = MAX_ROUTES,
) -> Translation:  # fmt: skip
    """The whole translation. More servers or routes than a data plane holds: the youngest policies go without."""
    into = _Whole(max_servers, max_routes)
    views: dict[Name, PolicyView] = {}
    notes: list[Note] = []
    for policy in sorted(policies.values(), key=age):
        view, backends = into.policy(policy, parts)
        views[policy.meta.key] = view
        notes += _notes(policy, view, backends)
    found = {name: view for one in parts.values() for name, view in one.overrides.items()}
    for name, override in overrides.items():
        if name not in found:
            found[name] = _unplaced(override)
    gone = {name for name, view in found.items() if view.found.reason in {'TargetNotFound', 'ServiceNotFound'}}
    overrides_found = {name: into.known(view) for name, view in found.items()}
    return Translation(into.built, into.routes, views, overrides_found, frozenset(gone), tuple(dict.fromkeys(notes)))


def _unplaced(override: Override) -> OverrideView:
    reason = '; '.join(override.problems) or 'Not looked at yet.'
    found = no('Invalid' if override.problems else 'Pending', reason)
    return OverrideView((), found, override.meta.generation, override.admin, bool(override.pod_uid), override.meta.uid)


@dataclass(slots=True)
class _Whole:
    """The translation in the making."""

    max_servers: int
    max_routes: int
    built: dict[str, Backend] = field(default_factory=dict)
    size: int = 0
    routes: dict[str, Spec] = field(default_factory=dict)
    hosts: dict[str, Name] = field(default_factory=dict)

    def policy(self, policy: Policy, parts: Mapping[Name, Part]) -> tuple[PolicyView, list[Backend]]:
        """Take in one policy, all older ones being in already."""
        targets: list[tuple[Target, Verdict]] = []
        backends: dict[str, Backend] = {}
        for target in policy.targets:
            part = parts.get((policy.meta.namespace, target.service), Part())
            verdict = part.verdicts.get((policy.meta.key, target), _UNKNOWN)
            mine = {name: part.backends[name] for name in verdict.backends if name not in backends}
            size = sum(len(one.servers) for one in mine.values())
            if self.size + size > self.max_servers:
                message = (
                    f'A data plane holds {self.max_servers} servers; there is no room for those of {target.service}.'
                )
                verdict, mine = Verdict(no('TooManyServers', message), verdict.resolved), {}
                size = 0
            self.built |= mine
            self.size += size
            backends |= mine
            targets.append((target, verdict))
        hosts = self._hosts(policy, targets)
        ready, counts = _ready(backends)
        view = PolicyView(
            tuple(targets), hosts, ready, counts, tuple(backends), policy.meta.generation, policy.max_conn, policy.scope,
            policy.meta.uid,
        )  # fmt: skip
        return view, list(backends.values())

    def _hosts(self, policy: Policy, targets: Iterable[tuple[Target, Verdict]]) -> Say | None:
        """Claim the policy's hosts, for the first of its ports in the order of the Service."""
        if not policy.hosts or policy.problems:
            return None
        verdict = next((one for _, one in targets), _UNKNOWN)
        if not verdict.accepted.holds and not verdict.backends:
            return no(verdict.accepted.reason, 'The policy is not in force.')
        lost = [host for host in policy.hosts if self.hosts.setdefault(host, policy.meta.key) != policy.meta.key]
        if not verdict.backends:
            return no(verdict.resolved.reason, 'There is no backend to route to.')
        for host in policy.hosts:
            if host in lost:
                continue
            if len(self.routes) >= self.max_routes:
                return no('TooManyRoutes', f'A data plane holds {self.max_routes} routes; {host} has none.')
            spec = {'host': host, 'pathPrefix': '/', 'backend': verdict.backends[0]}
            self.routes[self._free_id(host)] = spec
        if lost:
            whose = ', '.join(f"{host} is {'/'.join(self.hosts[host])}'s" for host in lost)
            return no('HostConflicted', f'Claimed by an older BackendPolicy: {whose}.')
        return ATTACHED

    def _free_id(self, host: str) -> str:
        """An id for a host's route. A host may be spelt as another one's is when it is cut short; the older policy has that one."""
        name = short(host.replace('*', '_'))
        while name in self.routes:
            name = short(name + '-' * 128)
        return name

    def known(self, view: OverrideView) -> OverrideView:
        """The view without servers that found no room."""
        if all(backend in self.built for backend, _ in view.servers):
            return view
        return replace(view, servers=tuple(server for server in view.servers if server[0] in self.built))


def _ready(backends: Mapping[str, Backend]) -> tuple[Say, Counts]:
    """Whether there is somebody to send requests to, on every port."""
    each = [backend.counts for backend in backends.values()]
    counts = Counts(
        sum(one.total for one in each),
        sum(one.ready for one in each),
        sum(one.drain for one in each),
        sum(one.maint for one in each),
    )
    if not backends:
        return no('NoBackends', 'The policy is in force on no port.'), counts
    without = [name for name, one in backends.items() if not one.counts.ready]
    if without:
        reason = 'NoneReady' if any(backends[name].counts.total for name in without) else 'NoEndpoints'
        return no(reason, f'No server takes requests: {", ".join(without)}.'), counts
    text = f'{counts.ready} of {counts.total} servers take requests'
    panicking = [name for name, one in backends.items() if one.panic]
    if panicking:
        return yes('TerminatingOnly', f'{text}; terminating ones, as no other is left: {", ".join(panicking)}.'), counts
    return yes('ServersReady', f'{text}.'), counts


def _notes(policy: Policy, view: PolicyView, backends: Iterable[Backend]) -> Iterable[Note]:
    """What somebody who looks at the Service should read."""
    for target, verdict in view.targets:
        service = (policy.meta.namespace, target.service)
        for say in (verdict.accepted, verdict.resolved):
            if not say.holds and say.reason not in {'Pending', 'ServiceNotFound'}:
                yield Note(service, policy.meta.name, say.reason, f'BackendPolicy {policy.meta.name}: {say.message}')
    if view.hosts is not None and not view.hosts.holds and view.hosts.reason in {'HostConflicted', 'TooManyRoutes'}:
        service = (policy.meta.namespace, policy.targets[0].service)
        yield Note(
            service, policy.meta.name, view.hosts.reason, f'BackendPolicy {policy.meta.name}: {view.hosts.message}'
        )
    for backend in backends:
        if backend.panic:
            used = sum(view.panic for view in backend.views.values())
            message = f'Port {backend.port}: no endpoint is ready; {used} terminating ones are used.'
            yield Note(backend.service, backend.port, 'TerminatingOnly', message)
        elif backend.counts.total and not any(view.endpoint is EndpointState.READY for view in backend.views.values()):
            yield Note(backend.service, backend.port, 'NoneReady', f'Port {backend.port}: no endpoint is ready.')
