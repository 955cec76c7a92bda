"""What one data plane is sent when it refuses a backend: that backend as it last accepted it, and everything else.

A nack that names backends is a bug or a difference of versions, for this control plane checked the change with the same
code. The refused definition is remembered by its digest: as soon as the wanted definition is another one, it is tried
again. Nothing here touches the order of changes; it only shapes the state this one data plane is sent (its projection).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dataplane.wire import state as wire


@dataclass(frozen=True, slots=True)
class Quarantined:
    """`kept`: the backend as the data plane has it (None: it has none); `refused`: digest of what it refused."""

    kept: Mapping[str, Any] | None
    refused: str


Quarantine = Mapping[str, Quarantined]


def fingerprint(backend: Mapping[str, Any] | None) -> str:
    """Digest of one backend's definition (None: its absence)."""
    return hashlib.sha256(wire.canonical(backend).encode('ascii')).hexdigest()


def active(quarantine: Quarantine, state: wire.State) -> dict[str, Quarantined]:
    """Those entries whose refused definition is still the wanted one."""
    backends = state['backends']
    return {name: entry for name, entry in quarantine.items() if fingerprint(backends.get(name)) == entry.refused}


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
    return {**state, 'backends': backends}


def extended(quarantine: Quarantine, names: Iterable[str], wanted: wire.State, had: wire.State | None) -> Quarantine:
    """The quarantine after a nack of `wanted` that named backends, by a data plane that is at `had` (None: unknown).

    Of a data plane whose state is unknown the kept definition is what was kept before, else none.
    """
    grown = active(quarantine, wanted)
    for name in names:
        before = quarantine[name].kept if name in quarantine else None
        kept = before if had is None else had['backends'].get(name)
        grown[name] = Quarantined(kept, fingerprint(wanted['backends'].get(name)))
    return grown
