"""From what the objects come to and what is in force, to the writes that make the one the other. Pure.

The writes set whole sets, so they are for `settle.Confirmation` first; what passes is submitted as one decision. A session
generation never falls: what data planes have been told stays told, also when the override that said it is gone.
"""

from __future__ import annotations

from controlplane.domain.desired import Desired, Key, Spec, Write
from controlplane.domain.operations import Target
from controlplane.kube.outcome import Translation


def plan(desired: Desired, translation: Translation) -> tuple[Write, ...]:
    """The shortest list of writes after which `desired` is `translation`, in an order that can be applied; () when it is."""
    return (*_backends(desired, translation), *_servers(desired, translation), *_routes(desired, translation))


def targets(writes: tuple[Write, ...]) -> tuple[Target, ...]:
    """What an operation of these writes is to wait for."""
    return tuple(Target(write.key, write.spec) for write in writes)


def _backends(desired: Desired, wanted: Translation) -> list[Write]:
    there = desired.state['backends']
    keys = {name: Key('backend', name) for name in sorted({*there, *wanted.backends})}
    writes = [
        Write(keys[name], spec) for name, spec in sorted(wanted.backends.items()) if desired.spec(keys[name]) != spec
    ]
    return [*writes, *(Write(keys[name], None) for name in sorted(there) if name not in wanted.backends)]


def _servers(desired: Desired, wanted: Translation) -> list[Write]:
    writes = []
    for (backend, name), (spec, labels) in sorted(wanted.servers.items(), key=lambda item: item[0]):
        key = Key('server', name, backend)
        kept = _keeping_generation(desired.spec(key), spec)
        if kept != desired.spec(key) or labels != desired.labels.get(key, {}):
            writes.append(Write(key, kept, labels))
    for backend in sorted(wanted.backends.keys() & desired.state['backends'].keys()):
        gone = (
            name
            for name in sorted(desired.state['backends'][backend]['servers'])
            if (backend, name) not in wanted.servers
        )
        writes += (Write(Key('server', name, backend), None) for name in gone)
    return writes


def _keeping_generation(before: Spec | None, wanted: Spec) -> Spec:
    known = 0 if before is None else before['sessionGeneration']
    return wanted if known <= wanted['sessionGeneration'] else {**wanted, 'sessionGeneration': known}


def _routes(desired: Desired, wanted: Translation) -> list[Write]:
    there = desired.state['routes']
    writes: list[Write] = [Write(Key('route', key), None) for key in sorted(there) if key not in wanted.routes]
    changed = (key for key in sorted(wanted.routes) if there.get(key) != wanted.routes[key])
    return [*writes, *(Write(Key('route', key), wanted.routes[key]) for key in changed)]
