"""From the objects to what is wanted of the data planes. Pure, and one Service at a time.

`part` works out one Service: which policy each of its ports obeys, its backends and servers, what is to be said about
policies and overrides there. `assemble` puts the Services together: hosts, which must be unique over all of them, and the
number of servers a data plane can hold. `Translator` keeps the parts of Services in which nothing has changed.

Who wins: of two policies on one port, and of two that claim one host, the older; of one second, the one whose namespace and name
come first. A policy that is not valid claims nothing; one whose Service is missing keeps its claims.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from controlplane.kube.assemble import assemble
from controlplane.kube.backend import backend_name, build
from controlplane.kube.endpoints import Candidate, families, merge
from controlplane.kube.objects import FAMILIES, Name, Override, Policy, Service, ServicePort, Slice, Target
from controlplane.kube.outcome import (
    ACCEPTED,
    RESOLVED,
    Backend,
    OverrideView,
    Part,
    Say,
    ServerKey,
    Translation,
    Verdict,
    no,
    yes,
)
from controlplane.kube.world import World

NOT_THERE: Final = no('TargetNotFound', 'No endpoint of the Service matches; the override has no effect.')
NO_POLICY: Final = no('NoPolicy', 'No BackendPolicy is in force on that Service or port; the override has no effect.')
_SHOWN: Final = 3  # addresses named in a message


class Translator:
    """The translation of a world, made anew only where something has changed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.parts: dict[Name, Part] = {}

    def translate(self) -> Translation:
        """What everything comes to now."""
        for name in self._world.take_dirty():
            made = part(self._world, name)
            if made.verdicts or made.overrides:
                self.parts[name] = made
            else:
                self.parts.pop(name, None)
        return assemble(self._world.all_policies(), self.parts, self._world.all_overrides())


def part(world: World, name: Name, supposed: Sequence[Override] | None = None) -> Part:
    """Work out one Service. `supposed`: as if these were its overrides."""
    service, slices = world.service(name), world.slices(name)
    overrides = world.overrides(name) if supposed is None else supposed
    backends: dict[str, Backend] = {}
    verdicts: dict[tuple[Name, Target], Verdict] = {}
    owners: dict[str, Name] = {}
    for policy in world.policies(name):
        for target in policy.targets:
            if target.service != name[1]:
                continue
            if policy.problems:
                verdict = Verdict(no('Invalid', '; '.join(policy.problems)), RESOLVED)
            else:
                ports, fault = _ports(service, name, target)
                verdict, mine = _claim(policy, name, ports, owners, fault)
                if service is not None and mine:
                    made = _Build(policy, service, slices, overrides, world.api_servers())
                    verdict = made.backends(mine, verdict, backends)
            verdicts[policy.meta.key, target] = verdict
    return Part(backends, verdicts, _about(overrides, service, backends))


def _ports(service: Service | None, name: Name, target: Target) -> tuple[tuple[ServicePort, ...], Say]:
    """The ports a target means, in the order of the Service; none: why."""
    if service is None:
        return (), no('ServiceNotFound', f'There is no Service {name[1]} in namespace {name[0]}.')
    if service.type == 'ExternalName':
        return (), no(
            'ExternalName', f'Service {name[1]} is an ExternalName, which could name anything; it is not used.'
        )
    ports = tuple(port for port in service.ports if port.protocol == 'TCP')
    if target.port:
        ports = tuple(port for port in ports if port.label == target.port)
        return ports, _found(ports, f'Service {name[1]} has no TCP port {target.port}.')
    return ports, _found(ports, f'Service {name[1]} has no TCP port.')


def _found(ports: Sequence[ServicePort], message: str) -> Say:
    return RESOLVED if ports else no('PortNotFound', message)


def _claim(policy: Policy, name: Name, ports: Sequence[ServicePort], owners: dict[str, Name], resolved: Say) -> tuple[Verdict, list[ServicePort]]:  # fmt: skip
    """Take the ports that no older policy has. `owners` is written."""
    mine = [port for port in ports if owners.setdefault(port.label, policy.meta.key) == policy.meta.key]
    lost = [port.label for port in ports if port not in mine]
    if not lost:
        return Verdict(ACCEPTED, resolved), mine
    whose = ', '.join(f"port {label} is BackendPolicy {owners[label][1]}'s" for label in lost)
    rest = f'; in force on port {", ".join(port.label for port in mine)}' if mine else ''
    return Verdict(no('Conflicted', f'Service {name[1]}: {whose}, which is older{rest}.'), resolved), mine


@dataclass(frozen=True, slots=True)
class _Build:
    """Backends of one policy on one Service."""

    policy: Policy
    service: Service
    slices: Sequence[Slice]
    overrides: Sequence[Override]
    api_servers: frozenset[tuple[str, int]]

    def backends(self, ports: Sequence[ServicePort], verdict: Verdict, into: dict[str, Backend]) -> Verdict:
        """Make them; returns the verdict with what was found wrong on the way."""
        faults = []
        family = self._family()
        if isinstance(family, Say):
            return replace(verdict, resolved=family)
        if unusable := sorted(families(self.slices) - {*FAMILIES}):
            faults.append(no('AddressType', f'Endpoints of address type {", ".join(unusable)} are not used.'))
        names = []
        for port in ports:
            merged = merge(self.slices, port.name, family, self.api_servers)
            faults += _refused(merged.refused)
            names.append(backend_name(self.service.meta.key, port))
            into[names[-1]] = self._backend(port, merged.candidates)
        faults = list(dict.fromkeys(faults))
        if faults:
            resolved = no(faults[0].reason, ' '.join(fault.message for fault in faults))
            return replace(verdict, resolved=resolved, backends=tuple(names))
        return replace(verdict, backends=tuple(names))

    def _backend(self, port: ServicePort, candidates: Iterable[Candidate]) -> Backend:
        return build(self.policy, self.service.meta.key, port, candidates, self.overrides)

    def _family(self) -> str | Say:
        """The one address family to use; a server would be there twice, with twice its limit, if both were."""
        present = families(self.slices) & {*FAMILIES}
        offered = self.service.families or tuple(sorted(present))
        wanted = self.policy.family
        if wanted and offered and wanted not in offered:
            return no('AddressFamily', f'Service {self.service.meta.name} has no {wanted} endpoints.')
        if not wanted and len(offered) > 1:
            message = f'Service {self.service.meta.name} is dual-stack: say in spec.ipFamily which family to use.'
            return no('DualStack', message)
        return wanted or (offered[0] if offered else 'IPv4')


def _refused(refused: Sequence[tuple[str, str]]) -> list[Say]:
    if not refused:
        return []
    shown = ', '.join(f'{address} {reason}' for address, reason in refused[:_SHOWN])
    more = f' and {len(refused) - _SHOWN} more' if len(refused) > _SHOWN else ''
    return [no('AddressRefused', f'Refused as servers: {shown}{more}.')]


def _about(overrides: Iterable[Override], service: Service | None, backends: Mapping[str, Backend]) -> dict[Name, OverrideView]:  # fmt: skip
    """Which servers of its Service each override is about. Every server is looked at once, not once per override."""
    about: dict[Name, list[ServerKey]] = {}
    places: dict[str, set[tuple[str, int]]] = {}  # by backend
    for name, backend in backends.items():
        places[name] = {(view.address, view.number) for view in backend.views.values()}
        for server, view in backend.views.items():
            for key in view.overrides:
                about.setdefault(key, []).append((name, server))
    found = {}
    for one in overrides:
        servers = tuple(about.get(one.meta.key, ()))
        if servers:
            said = yes('TargetFound', f'Server {", ".join("/".join(server) for server in servers)}.')
        else:
            said = _why_none(one, service, backends, places)
        found[one.meta.key] = OverrideView(
            servers, said, one.meta.generation, one.admin, bool(one.pod_uid), one.meta.uid
        )
    return found


def _why_none(override: Override, service: Service | None, backends: Mapping[str, Backend], places: Mapping[str, Container[tuple[str, int]]]) -> Say:  # fmt: skip
    if override.problems:
        return no('Invalid', '; '.join(override.problems))
    if service is None:
        return no('ServiceNotFound', f'There is no Service {override.service} in this namespace.')
    covered = [name for name, backend in backends.items() if override.port in {'', backend.port}]
    if not covered:
        return NO_POLICY
    place = (override.address, override.number)
    if any(place in places[name] for name in covered):
        return no('TargetIsPod', "That address is a pod's; name the pod by targetRef. The override has no effect.")
    return NOT_THERE
