"""Where a term begins: from what Kubernetes says and what was pushed last to the objects of a store that is opened. Pure."""

from __future__ import annotations

import logging

from controlplane.domain.desired import Desired, Key, Scope, scope_labels
from controlplane.domain.refusals import Refusal
from controlplane.domain.store import StoredObject
from controlplane.domain.version import Version
from controlplane.kube.bootstrap import Kept
from controlplane.kube.outcome import Translation
from controlplane.kube.writes import plan

log = logging.getLogger('sluice.cluster')


def stored(translation: Translation, version: Version) -> list[StoredObject]:
    """What a translation comes to, as if it had been kept."""
    return [StoredObject(write.key, write.spec, write.labels or {}, version) for write in plan(Desired(), translation)]


def grown(kept: Kept, translation: Translation) -> Kept:
    """What was pushed last, and all that a translation adds to it or changes of it; routes as they are wanted.

    An operation must not be taken for overtaken because the snapshot is some seconds old.
    """
    before = Desired(kept.state, {Key('backend', name): scope_labels(Scope.DIVIDED) for name in kept.divided})
    writes = [write for write in plan(before, translation) if write.spec is not None or write.key.kind == 'route']
    try:
        after = before.after(before.effective(writes), kept.version)
    except Refusal as error:  # together they are more than a data plane holds
        log.warning('the term begins at what was pushed last: %s', error)
        return kept
    return Kept(kept.version, after.state, after.divided)


def rows(kept: Kept, version: Version, translation: Translation | None = None) -> list[StoredObject]:
    """A whole state as objects. What it does not keep of servers, their labels, is as a translation has it."""
    built = {} if translation is None else translation.built
    made = []
    for name, backend in kept.state['backends'].items():
        spec = {field: value for field, value in backend.items() if field != 'servers'}
        labels = scope_labels(Scope.DIVIDED) if name in kept.divided else {}
        made.append(StoredObject(Key('backend', name), spec, labels, version))
        wanted = built[name].servers if name in built else {}
        for one, value in backend['servers'].items():
            its = wanted[one][1] if one in wanted else {}
            made.append(StoredObject(Key('server', one, name), value, its, version))
    made += (StoredObject(Key('route', name), route, {}, version) for name, route in kept.state['routes'].items())
    return made
