"""The desired state: the wire's state, with what only the control plane knows of it (labels, the version of each thing).

A `Write` sets one thing to an absolute value or removes it; a list of writes is checked as a whole against the state it
is for, reduced to what really changes (`effective`), and applied at one version (`Desired.after`). Values are shared,
never altered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from controlplane.domain.refusals import Conflict, Invalid, NotFound
from controlplane.domain.version import Version
from dataplane.wire import state as wire

Spec = Mapping[str, Any]
Labels = Mapping[str, str]
_LABEL = re.compile(r'[A-Za-z0-9_./-]{1,128}\Z')
_LABEL_VALUE = re.compile(r'[A-Za-z0-9_.:/ -]{0,128}\Z')
MAX_LABELS = 32
SCOPE = 'limitScope'
"""The one label that a backend may have. A data plane never hears of it: it is told shares."""


class Scope(StrEnum):
    """What the maxConn of a backend's servers limits: what each data plane may use, or all of them together."""

    PER_REPLICA = 'perReplica'
    DIVIDED = 'divided'


def scope_labels(scope: str) -> Labels:
    """The labels of a backend whose limits have this scope."""
    return {} if scope == Scope.PER_REPLICA else {SCOPE: scope}


class Key(NamedTuple):
    """What a write is about: a backend (`name`), a server (`name` in `backend`) or a route (`name` is its id)."""

    kind: str
    name: str
    backend: str = ''

    def __str__(self) -> str:
        return f'{self.kind} {self.backend}/{self.name}' if self.backend else f'{self.kind} {self.name}'

    def change(self, spec: Spec | None) -> wire.Change:
        """The wire's change that sets this to `spec`."""
        if self.kind == 'server':
            return {'kind': 'server', 'backend': self.backend, 'name': self.name, 'spec': spec}
        return {'kind': self.kind, 'id' if self.kind == 'route' else 'name': self.name, 'spec': spec}


@dataclass(frozen=True, slots=True)
class Write:
    """Set `key` to `spec` (a backend's without its servers), or remove it (None). `labels` None: as they are."""

    key: Key
    spec: Spec | None
    labels: Labels | None = None


@dataclass(frozen=True, slots=True)
class Desired:
    """What is wanted, and at which version each thing was last changed."""

    state: wire.State = field(default_factory=wire.empty)
    labels: Mapping[Key, Labels] = field(default_factory=dict)
    versions: Mapping[Key, Version] = field(default_factory=dict)

    def spec(self, key: Key) -> Spec | None:
        """The present value (a backend's without its servers), None: not there."""
        if key.kind == 'route':
            route: Spec | None = self.state['routes'].get(key.name)
            return route
        backend = self.state['backends'].get(key.backend if key.kind == 'server' else key.name)
        if backend is None:
            return None
        if key.kind == 'server':
            server: Spec | None = backend['servers'].get(key.name)
            return server
        return {name: value for name, value in backend.items() if name != 'servers'}

    def scope(self, backend: str) -> Scope:
        """The scope of a backend's limits."""
        return Scope(self.labels.get(Key('backend', backend), {}).get(SCOPE, Scope.PER_REPLICA))

    @property
    def divided(self) -> tuple[str, ...]:
        """The backends whose limits are divided."""
        scoped = (key.name for key, labels in self.labels.items() if key.kind == 'backend' and SCOPE in labels)
        return tuple(sorted(name for name in scoped if self.scope(name) is Scope.DIVIDED))

    def require(self, key: Key) -> Spec:
        """The present value. NotFound: there is none."""
        if key.kind == 'server' and key.backend not in self.state['backends']:
            raise NotFound(f'There is no backend {key.backend}.')
        spec = self.spec(key)
        if spec is None:
            raise NotFound(f'There is no {key}.')
        return spec

    def servers(self, backend: str) -> list[Key]:
        """The servers of a backend, in the order of their names. NotFound: there is no such backend."""
        if backend not in self.state['backends']:
            raise NotFound(f'There is no backend {backend}.')
        return [Key('server', name, backend) for name in sorted(self.state['backends'][backend]['servers'])]

    def effective(self, writes: Iterable[Write]) -> list[Write]:
        """Those of `writes` that change something. Invalid, Conflict: the whole list cannot be."""
        return self.judged(writes)[0]

    def judged(self, writes: Iterable[Write]) -> tuple[list[Write], wire.State | None]:
        """As `effective`, and the state after those, which `after` need not make again; None: it was not made."""
        writes = list(writes)
        state = self._check(writes)
        effective = [write for write in writes if self._differs(write)]
        return effective, state if len(effective) == len(writes) else None

    def _differs(self, write: Write) -> bool:
        if write.spec != self.spec(write.key):
            return True
        return write.labels is not None and dict(write.labels) != dict(self.labels.get(write.key, {}))

    def _check(self, writes: Sequence[Write]) -> wire.State:
        problems = [text for _, text in wire.faults(write.key.change(write.spec) for write in writes)]
        for write in writes:
            problems += _label_faults(write)
        if problems:
            raise Invalid(problems)
        try:
            new = wire.fold_checked(self.state, [write.key.change(write.spec) for write in writes])
        except ValueError as error:
            raise Conflict(str(error)) from None
        if any(write.spec is not None for write in writes):
            problems = wire.limits(new)
        if any(write.key.kind == 'route' for write in writes):
            problems += wire.twins(new['routes'])
        if problems:
            raise Conflict('; '.join(problems))
        return new

    def moves(self, writes: Sequence[Write]) -> tuple[tuple[wire.Change, ...], tuple[wire.Change, ...]] | None:
        """What `writes` (as given by `effective`) change and what undoes it; None: only the two states can tell.

        A thing that is written twice, or has others in it, is for `wire.diff`, which looks at every server of a backend.
        """
        keys = {write.key for write in writes}
        if len(keys) < len(writes) or any(key.kind == 'backend' for key in keys):
            return None
        moved = [(write, before) for write in writes if (before := self.spec(write.key)) != write.spec]
        back = tuple(write.key.change(before) for write, before in reversed(moved))
        return tuple(write.key.change(write.spec) for write, _ in moved), back

    def after(self, writes: Sequence[Write], version: Version, state: wire.State | None = None) -> Desired:
        """The desired state once `writes` (as given by `effective`) have happened at `version`. `state`: as given by `judged`."""
        if state is None:
            state = wire.fold_checked(self.state, [write.key.change(write.spec) for write in writes])
        labels, versions = dict(self.labels), dict(self.versions)
        for write in writes:
            if write.spec is None:
                for key in self.within(write.key):
                    versions.pop(key, None)
                    labels.pop(key, None)
            else:
                versions[write.key] = version
                if write.labels is not None:
                    labels[write.key] = dict(write.labels)
        return Desired(state, labels, versions)

    def within(self, key: Key) -> list[Key]:
        """The key itself and, of a backend that is there, its servers: all that goes when it goes."""
        if key.kind == 'backend' and key.name in self.state['backends']:
            return [key, *self.servers(key.name)]
        return [key]


def _label_faults(write: Write) -> list[str]:
    labels = write.labels or {}
    if write.key.kind == 'backend':
        return (
            [] if labels.keys() <= {SCOPE} and set(labels.values()) <= set(Scope) else [f'{write.key}: {dict(labels)}']
        )
    problems = [f'{write.key}: more than {MAX_LABELS} labels'] if len(labels) > MAX_LABELS else []
    for name, value in labels.items():
        if not _LABEL.match(name) or not _LABEL_VALUE.match(value):
            problems.append(f'{write.key}: {name!r:.150}={value!r:.150} is not a label')
    return problems
