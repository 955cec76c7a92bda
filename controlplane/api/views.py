"""Domain values as the JSON that REST answers with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.domain.convergence import Convergence
from controlplane.domain.desired import Desired, Key
from controlplane.domain.operations import Operation
from controlplane.domain.planes import Plane
from controlplane.domain.quarantine import active
from controlplane.domain.sequencer import Sequencer
from controlplane.domain.version import Version


def version(desired: Desired, key: Key) -> str:
    """The version at which this was last changed, as text."""
    return str(desired.versions[key])


def backend(sequencer: Sequencer, key: Key) -> dict[str, Any]:
    """A backend, with the number of its servers. `queued`: who waits for any of them, in the backend's own queue, by data plane."""
    desired, planes = sequencer.desired, sequencer.convergence.planes.values()
    count = len(desired.state['backends'][key.name]['servers'])
    scope = desired.scope(key.name).value
    spec = desired.spec(key) or {}
    queued = {plane.id: plane.queues[key.name] for plane in planes if key.name in plane.queues}
    status = {'queued': sum(queued.values()), 'queuedOn': dict(sorted(queued.items()))}
    return {
        'name': key.name,
        **spec,
        'limitScope': scope,
        'serverCount': count,
        'version': version(desired, key),
        'status': status,
    }


def server(sequencer: Sequencer, key: Key) -> dict[str, Any]:
    """A server: what is wanted, and what the data planes say of it (`status`, summed over those that reported).

    `shares`: where its limit is divided, by data plane what it may use now, at most has, and ought to have; else null.
    """
    desired = sequencer.desired
    return {
        'name': key.name,
        'backend': key.backend,
        **(desired.spec(key) or {}),
        'labels': dict(desired.labels.get(key, {})),
        'version': version(desired, key),
        'shares': sequencer.division.view(key),
        'status': _load(sequencer.convergence, key),
    }


def _load(convergence: Convergence, key: Key) -> dict[str, Any]:
    rows = {plane.id: plane.load[key] for plane in convergence.planes.values() if key in plane.load}
    drained = {plane.id for plane in convergence.planes.values() if key in plane.statements}
    local = {plane.id: plane.local[key] for plane in convergence.planes.values() if key in plane.local}
    # a statement that stands is younger than the figures, and the answer must not contradict itself
    held = [(flight, queued) for name, (flight, queued, _) in rows.items() if name not in drained]
    return {
        'inFlight': sum(flight for flight, _ in held),
        'queued': sum(queued for _, queued in held),
        'states': {name: state for name, (_, _, state) in sorted(rows.items())},
        'drainedOn': sorted(drained),
        'localOverrides': {name: dict(found) for name, found in sorted(local.items())},
    }


def route(desired: Desired, key: Key) -> dict[str, Any]:
    """A route."""
    return {'id': key.name, **(desired.spec(key) or {}), 'version': version(desired, key)}


def operation(sequencer: Sequencer, found: Operation) -> dict[str, Any]:
    """An operation and how far each known data plane is with it."""
    convergence = sequencer.convergence
    pending, unreachable = convergence.missing(found) if found.open else ([], [])
    refused = convergence.refusing(found, sequencer.desired) if found.open else []
    parts = convergence.parts(found)
    states = dict.fromkeys(parts, 'done')
    states |= dict.fromkeys(pending, 'pending') | dict.fromkeys(refused, 'refused')
    states |= dict.fromkeys(unreachable, 'unreachable')
    return {
        'id': found.id,
        'verb': found.verb,
        'actor': found.actor,
        'ts': found.ts,
        'version': str(found.version),
        'goal': found.goal.value,
        'state': found.state.value,
        'targets': [str(target.key) for target in found.targets],
        'dataplanes': [_part(convergence, found, parts, name, state) for name, state in sorted(states.items())],
        'pending': sorted(pending),
        'refused': sorted(refused),
        'unreachable': sorted(unreachable),
    }


def _part(
    convergence: Convergence, found: Operation, parts: Mapping[str, Version], name: str, state: str
) -> dict[str, Any]:
    part: dict[str, Any] = {'id': name, 'state': state}
    if name in parts:
        part['version'] = str(parts[name])
    plane = convergence.planes.get(name)
    if plane is not None and plane.last_ack is not None and state == 'done':
        ack = plane.last_ack
        if Version(ack.term, ack.seq) >= found.version:
            part |= {'pauseUs': ack.pause_us, 'workers': list(ack.workers), 'missing': list(ack.missing)}
    if plane is not None and plane.last_nack is not None and state == 'refused':
        part |= {'code': plane.last_nack.code, 'detail': plane.last_nack.detail}
    return part


def dataplane(sequencer: Sequencer, plane: Plane) -> dict[str, Any]:
    """A data plane: where it is, and what its last barrier cost. `lag` counts versions it has yet to apply, null: unknown.

    `localOverrides`: what was set on its own socket and is not what was pushed (docs/protocol.md says what becomes of it).
    """
    head = sequencer.log.head
    hello, ack, nack = plane.hello, plane.last_ack, plane.last_nack
    return {
        'id': plane.id,
        'connected': plane.connected,
        'heldBack': plane.held_back,
        'version': str(plane.acked),
        'lag': head.seq - plane.acked.seq if plane.acked.term == head.term else None,
        'heardMs': sequencer.clock.monotonic() - plane.heard_ms if hello else None,
        'node': hello.node if hello else '',
        'pod': hello.pod if hello else '',
        'zone': hello.zone if hello else '',
        'workers': hello.workers if hello else None,
        'onPartition': 'stop' if plane.stops else 'keep',
        'shares': sequencer.division.shares_of(plane.id),
        'localOverrides': [
            {'backend': key.backend, 'server': key.name, **values} for key, values in sorted(plane.local.items())
        ],
        'software': hello.software if hello else '',
        'stateHash': ack.state_hash if ack else (hello.state_hash if hello else ''),
        'lastAck': None
        if ack is None
        else {
            'version': f'{ack.term}.{ack.seq}',
            'pauseUs': ack.pause_us,
            'waitUs': ack.wait_us,
            'requeued': ack.requeued,
            'refused': ack.refused,
            'killed': ack.killed,
            'workers': list(ack.workers),
            'missing': list(ack.missing),
        },
        'lastNack': None
        if nack is None
        else {'version': f'{nack.term}.{nack.seq}', 'code': nack.code, 'detail': nack.detail},
        'quarantined': sorted(active(plane.quarantine, sequencer.desired.state)),
    }
