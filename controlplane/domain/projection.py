"""The state as one data plane is to have it: the desired one, with that data plane's shares of the limits that are divided.

Equal parts are the same objects, for all data planes and from batch to batch, so that differences and digests cost what
differs (`wire.digests`). A data plane that does not know shares gets them in words that it knows: its share as maxConn, and a
server it has none of in maintenance; in this language *0* would mean unlimited.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from controlplane.domain.shares import Grant, Grants
from dataplane.wire import state as wire

Spec = Mapping[str, Any]


class Projector:
    """Makes projections; what was used since the last but one `turn` is remembered."""

    def __init__(self) -> None:
        # every value stands beside the objects whose ids are in the key, so that the ids stay theirs
        self._now: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        self._before: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def turn(self) -> None:
        """A batch is closed: forget what the one before the last needed alone."""
        self._before, self._now = self._now, {}

    def of(self, state: wire.State, grants: Grants, kept: Collection[str] = (), *, knows: bool = True) -> wire.State:
        """`state` with `grants` in it; backends in `kept` have theirs already. `knows`: the data plane knows shares."""
        found = {name: state['backends'][name] for name in grants if name in state['backends'] and name not in kept}
        if not found:
            return state
        projected = {name: self._backend(backend, grants[name], knows) for name, backend in found.items()}
        return {**state, 'backends': {**state['backends'], **projected}}

    def _backend(self, backend: Spec, grants: Mapping[str, Grant], knows: bool) -> Spec:
        key = (id(backend), id(grants), knows)
        entry = self._now.get(key) or self._before.get(key)
        if entry is None:
            servers = {
                name: self._server(spec, grants[name], knows) if name in grants else spec
                for name, spec in backend['servers'].items()
            }
            entry = (backend, grants, self._equal(backend, {**backend, 'servers': servers}))
        self._now[key] = entry
        found: Spec = entry[-1]
        return found

    def _equal(self, backend: Spec, projected: Spec) -> Spec:
        """The same object for equal projections of one backend, whoever they are for."""
        key = (id(backend), *(id(server) for server in projected['servers'].values()))
        entry = self._now.get(key) or self._before.get(key) or (backend, projected)
        self._now[key] = entry
        found: Spec = entry[-1]
        return found

    def _server(self, spec: Spec, grant: Grant, knows: bool) -> Spec:
        key = (id(spec), grant, knows)
        entry = self._now.get(key) or self._before.get(key) or (spec, with_grant(spec, grant, knows=knows))
        self._now[key] = entry
        found: Spec = entry[-1]
        return found


def with_grant(spec: Spec, grant: Grant, *, knows: bool) -> Spec:
    """A server's spec with what is granted of it."""
    if knows:
        # a limit that was lowered since is obeyed at once
        due = {'shareDue': True} if grant.due and not grant.share else {}
        return {**spec, 'share': min(grant.share, spec['maxConn']), **due}
    if not grant.share:
        return {**spec, 'adminState': 'maint'}
    share = min(grant.share, spec['maxConn'])
    return {**spec, 'maxConn': share, 'minConn': min(spec['minConn'], share)}
