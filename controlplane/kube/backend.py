"""One port of one Service under one policy: from endpoints and wishes to a backend of the wire. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controlplane.domain.desired import Labels, Spec
from controlplane.kube.endpoints import ADMIN, RANK, Candidate, EndpointState, most_restrictive
from controlplane.kube.objects import Name, Override, Policy, ServicePort
from controlplane.kube.outcome import Backend, Counts, Drain, ServerView

_LABEL_VALUE: Final = re.compile(r'[A-Za-z0-9_.:/ -]{0,128}\Z')
_LONGEST: Final = 128  # characters of a name on the wire
WEIGHT: Final = 1


@dataclass(frozen=True, slots=True)
class Wish:
    """What all overrides of one server want together: of two wishes the more restrictive one, and the newest generation.

    `deadline_ms` is the first deadline of those that take it out of service, 0: none of them has one.
    """

    admin: str = 'ready'
    weight: int | None = None
    max_conn: int | None = None
    generation: int = 0
    deadline_ms: int = 0
    overrides: tuple[Name, ...] = ()

    @classmethod
    def of(cls, overrides: Sequence[Override]) -> Wish:
        """Independent of their order. Of two limits the lower counts, 0 being no limit at all."""
        weights = [one.weight for one in overrides if one.weight is not None]
        limits = [one.max_conn for one in overrides if one.max_conn is not None]
        deadlines = [one.deadline_ms for one in overrides if one.deadline_ms and one.admin != 'ready']
        return cls(
            most_restrictive(*(one.admin for one in overrides)),
            min(weights, default=None),
            min(limits, key=lambda limit: limit or float('inf'), default=None),
            max((one.generation for one in overrides), default=0),
            min(deadlines, default=0),
            tuple(sorted(one.meta.key for one in overrides)),
        )


NO_WISH: Final = Wish()


def short(text: str, longest: int = _LONGEST) -> str:
    """A text that may be too long for a name, cut so that two of them stay two: its beginning and a hash of the whole."""
    if len(text) <= longest:
        return text
    return f'{text[: longest - 13]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}'


def backend_name(service: Name, port: ServicePort) -> str:
    """NAMESPACE.SERVICE.PORT; none of the three has a dot in it."""
    return short(f'{service[0]}.{service[1]}.{port.label}')


def backend_spec(policy: Policy) -> dict[str, Any]:
    """The backend of the wire that a policy describes."""
    draws = f'({policy.draws})' if policy.algorithm == 'random' and policy.draws else ''
    return {
        'balance': policy.algorithm + draws,
        'retries': policy.attempts,
        'redispatch': -1 if policy.redispatch else 0,  # as `option redispatch`: the last retry goes elsewhere
        'fullconn': 0,
        'allbackups': False,
        'timeouts': {
            'connect': policy.connect_ms,
            'server': policy.response_ms,
            'queue': policy.queue_ms,
            'tunnel': policy.tunnel_ms,
        },
    }


def build(policy: Policy, service: Name, port: ServicePort, candidates: Iterable[Candidate], overrides: Sequence[Override]) -> Backend:  # fmt: skip
    """The backend with all its servers. `overrides` are those of the Service; each finds its server here, or none."""
    named = server_names(candidates)
    wishes = _wishes(named, overrides, port)
    in_panic = _in_panic(named, wishes)
    servers: dict[str, tuple[Spec, Labels]] = {}
    views = {}
    for name, one in named.items():
        wish = wishes[name]
        panic = in_panic and one.state is EndpointState.DRAIN and wish.admin == 'ready'
        effective = 'ready' if panic else most_restrictive(ADMIN[one.state], wish.admin)
        servers[name] = (_server_spec(policy, one, wish, effective), _labels(service, one))
        views[name] = ServerView(
            service, port.label, one.address, one.number, one.state, wish.admin, effective, panic,
            one.pod, one.pod_uid, one.node, one.zone, wish.overrides, wish.deadline_ms,
        )  # fmt: skip
    states = [view.effective for view in views.values()]
    return Backend(
        policy.meta.key,
        service,
        port.label,
        backend_spec(policy),
        policy.scope,
        Drain(policy.drain_ms, policy.on_deadline),
        servers,
        views,
        in_panic,
        Counts(len(states), states.count('ready'), states.count('drain'), states.count('maint')),
        any(view.deadline_ms for view in views.values()),
    )


def _in_panic(named: Mapping[str, Candidate], wishes: Mapping[str, Wish]) -> bool:
    """Nobody may be sent a request, but some that are terminating still answer: better those than nobody.

    What an operator took out of service is not brought back by this, nor is anything that does not answer.
    """
    free = [one.state for name, one in named.items() if wishes[name].admin == 'ready']
    return EndpointState.READY not in free and EndpointState.DRAIN in free


def _wishes(named: Mapping[str, Candidate], overrides: Iterable[Override], port: ServicePort) -> dict[str, Wish]:
    """What is wanted of each. An override by address is about endpoints without a pod only: a pod's may be another's tomorrow.
    A pod that is named without its uid cannot be told from a later one of that name, so it is as if there were none.

    Each override is looked at once, however many servers there are: both may be thousands.
    """
    of_pod: dict[str, list[Override]] = {}
    of_place: dict[tuple[str, int], list[Override]] = {}
    for one in overrides:
        if one.problems or one.port not in {'', port.label}:
            continue
        if one.pod_uid:
            of_pod.setdefault(one.pod_uid, []).append(one)
        else:
            of_place.setdefault((one.address, one.number), []).append(one)
    wishes = {}
    for name, server in named.items():
        its = [*of_pod.get(server.pod_uid, ()), *(() if server.pod_uid else of_place.get(server.place, ()))]
        wishes[name] = Wish.of(its) if its else NO_WISH
    return wishes


def server_names(candidates: Iterable[Candidate]) -> dict[str, Candidate]:
    """Each by its pod's name, or ADDRESS-PORT without one. One pod at two places: the better one has the name."""
    named: dict[str, Candidate] = {}
    for one in sorted(candidates, key=lambda one: (not one.pod, RANK[one.state], one.place)):
        place = f'{one.address}-{one.number}'
        choices = [short(one.pod), place] if one.pod else [place]
        name = next((choice for choice in choices if choice not in named), None)
        named[name if name is not None else short(place + '-' * _LONGEST)] = one
    return {name: named[name] for name in sorted(named)}


def _server_spec(policy: Policy, one: Candidate, wish: Wish, effective: str) -> Spec:
    max_conn = policy.max_conn if wish.max_conn is None else wish.max_conn
    return {
        'address': one.address,
        'port': one.number,
        'weight': WEIGHT if wish.weight is None else wish.weight,
        'maxConn': max_conn,
        'minConn': min(policy.min_conn, max_conn),
        'maxQueue': policy.max_queue,
        'backup': False,
        'adminState': effective,
        'sessionGeneration': wish.generation,
    }


def _labels(service: Name, one: Candidate) -> Labels:
    found = {'service': service[1], 'pod': one.pod, 'node': one.node, 'zone': one.zone}
    labels = {key: short(value) for key, value in found.items() if value}
    return {key: value for key, value in labels.items() if _LABEL_VALUE.match(value)}
