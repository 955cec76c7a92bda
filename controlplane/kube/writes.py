"""From what the objects come to and what is in force, to the writes that make the one the other. Pure.

The writes set whole sets, so they are for `settle.Confirmation` first; what passes is submitted as one decision. A session
generation never falls: what data planes have been told stays told, also when the override that said it is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controlplane.domain.desired import Desired, Key, Spec, Write, scope_labels
from controlplane.domain.operations import Target
from controlplane.kube.outcome import Backend, Translation


class Planner:
    """Plans writes, and looks only at backends of which either side has changed since they were last found to agree.

    Both sides share what has not changed (`Translation.built`, `Desired.state`), so that is a comparison of two identities.
    """

    def __init__(self) -> None:
        self._agreed: dict[str, tuple[Backend, Mapping[str, Any]]] = {}

    def plan(self, desired: Desired, translation: Translation) -> tuple[Write, ...]:
        """The shortest list of writes after which `desired` is `translation`, in an order that can be applied; () when it is."""
        there = desired.state['backends']
        specs: list[Write] = []
        servers: list[Write] = []
        agreed = {}
        for name, wanted in sorted(translation.built.items()):
            before = self._agreed.get(name)
            if before is None or before[0] is not wanted or before[1] is not there.get(name):
                backend, its = list(_backend(desired, name, wanted)), list(_servers(desired, name, wanted))
                specs += backend
                servers += its
                if backend or its:
                    continue
            agreed[name] = (wanted, there[name])
        self._agreed = agreed
        gone = (Write(Key('backend', name), None) for name in sorted(there) if name not in translation.built)
        return (*specs, *gone, *servers, *_routes(desired, translation))


def plan(desired: Desired, translation: Translation) -> tuple[Write, ...]:
    """As `Planner.plan`, with everything looked at."""
    return Planner().plan(desired, translation)


def targets(writes: Sequence[Write]) -> tuple[Target, ...]:
    """What an operation of these writes is to wait for."""
    return tuple(Target(write.key, write.spec) for write in writes)


def _backend(desired: Desired, name: str, wanted: Backend) -> Iterator[Write]:
    key, labels = Key('backend', name), scope_labels(wanted.scope)
    if desired.spec(key) != wanted.spec or labels != desired.labels.get(key, {}):
        yield Write(key, wanted.spec, labels)


def _servers(desired: Desired, backend: str, wanted: Backend) -> Iterator[Write]:
    there = desired.state['backends'].get(backend, {}).get('servers', {})
    for name, (spec, labels) in wanted.servers.items():
        key = Key('server', name, backend)
        kept = _keeping_generation(there.get(name), spec)
        if kept != there.get(name) or labels != desired.labels.get(key, {}):
            yield Write(key, kept, labels)
    yield from (Write(Key('server', name, backend), None) for name in sorted(there) if name not in wanted.servers)


def _keeping_generation(before: Spec | None, wanted: Spec) -> Spec:
    known = 0 if before is None else before['sessionGeneration']
    return wanted if known <= wanted['sessionGeneration'] else {**wanted, 'sessionGeneration': known}


def _routes(desired: Desired, wanted: Translation) -> Iterator[Write]:
    there = desired.state['routes']
    yield from (Write(Key('route', key), None) for key in sorted(there) if key not in wanted.routes)
    changed = (key for key in sorted(wanted.routes) if there.get(key) != wanted.routes[key])
    yield from (Write(Key('route', key), wanted.routes[key]) for key in changed)
