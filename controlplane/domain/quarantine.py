"""What one data plane is sent when it refuses a backend: that backend as it last accepted it, and everything else.

A nack that names backends is a bug or a difference of versions, for this control plane checked the change with the same
code. The refused definition is remembered by its digest: as soon as the wanted definition is another one, it is tried
again. A backend that is named although it was kept back already, or that there is not, is at fault by the routes to it: then
they are kept back, too, until one of them changes. Nothing here touches the order of changes; it only shapes the state this one data plane is sent (its projection).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dataplane.wire import state as wire


@dataclass(frozen=True, slots=True)
class Quarantined:
    """`kept`: the backend as the data plane has it (None: it has none); `refused`: digest of what it refused.

    `routed`: whether routes to it are sent. When not, the digest covers them.
    """

    kept: Mapping[str, Any] | None
    refused: str
    routed: bool = True


Quarantine = Mapping[str, Quarantined]


def fingerprint(backend: Mapping[str, Any] | None) -> str:
    """Digest of one backend's definition (None: its absence)."""
    return hashlib.sha256(wire.canonical(backend).encode('ascii')).hexdigest()


def active(quarantine: Quarantine, state: wire.State) -> dict[str, Quarantined]:
    """Those entries whose refused definition is still the wanted one."""
    return {name: entry for name, entry in quarantine.items() if _digest(state, name, entry.routed) == entry.refused}


def _digest(state: wire.State, name: str, routed: bool) -> str:
    if routed:
        return fingerprint(state['backends'].get(name))
    routes = {key: route for key, route in state['routes'].items() if route['backend'] == name}
    return fingerprint({'backend': state['backends'].get(name), 'routes': routes})


def project(state: wire.State, quarantine: Quarantine) -> wire.State:
    """The state as this data plane is to have it. Without quarantine it is `state` itself."""
    kept = active(quarantine, state)
    if not kept:
        return state
    backends = dict(state['backends'])
    for name, entry in kept.items():
        if entry.kept is None:
            backends.pop(name, None)
        else:
            backends[name] = entry.kept
    unrouted = {name for name, entry in kept.items() if not entry.routed}
    if not unrouted:
        return {**state, 'backends': backends}
    routes = {key: route for key, route in state['routes'].items() if route['backend'] not in unrouted}
    return {'backends': backends, 'routes': routes}


def extended(quarantine: Quarantine, names: Iterable[str], wanted: wire.State, had: wire.State | None) -> Quarantine:
    """The quarantine after a nack of `wanted` that named backends, by a data plane that is at `had` (None: unknown).

    Of a data plane whose state is unknown the kept definition is what was kept before, else none.
    """
    grown = active(quarantine, wanted)
    for name in names:
        before = quarantine[name].kept if name in quarantine else None
        kept = before if had is None else had['backends'].get(name)
        routed = name not in grown and (kept is not None or name in wanted['backends'])
        grown[name] = Quarantined(kept, _digest(wanted, name, routed), routed)
    return grown
