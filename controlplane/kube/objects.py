"""Kubernetes objects as this control plane sees them: compact, frozen, and equal when nothing that matters differs.

`from_dict` takes what the API server sends and keeps only what is used: `managedFields`, topology hints and annotations
are dropped, `resourceVersion`, the labels' rest and `status` are no part of equality. So `old != new` is the semantic diff,
and a Slice of 100 endpoints costs some 13 kB instead of some 100 kB.

Nothing here raises for what an object says: Services and slices are other people's, and what makes no sense in them is
left out; what is wrong with a BackendPolicy or ServerOverride (the API server's schema refuses it; an object may be older
than the schema) is listed in `problems` and shown in its status. ValueError only for something without a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from controlplane.kube.addresses import canonical
from controlplane.kube.packed import Endpoint, pack, unpack

Name = tuple[str, str]  # namespace, name
Object = Mapping[str, Any]

GROUP: Final = 'sluice.dev'
VERSION: Final = 'v1alpha1'
SERVICE_LABEL: Final = 'kubernetes.io/service-name'

# What a policy that does not say means. The schema's defaults are the same (a test compares them).
MAX_COUNT: Final = 2**31 - 1
MAX_GENERATION: Final = 2**62
QUEUE_MS: Final = 10_000
CONNECT_MS: Final = 5_000
RESPONSE_MS: Final = 60_000
ATTEMPTS: Final = 3
DRAIN_MS: Final = 60_000
SCOPES: Final = ('perReplica', 'divided')
ALGORITHMS: Final = ('roundrobin', 'static-rr', 'leastconn', 'first', 'source', 'sticky', 'random')
ON_DEADLINE: Final = ('Keep', 'Shutdown')
FAMILIES: Final = ('IPv4', 'IPv6')
ADMIN_STATES: Final = {'Ready': 'ready', 'Drain': 'drain', 'Maint': 'maint'}

_DURATION: Final = re.compile(r'([0-9]{1,5}(h|m|s|ms)){1,4}\Z')
_PART: Final = re.compile(r'([0-9]+)(ms|h|m|s)')
_UNIT_MS: Final = {'h': 3_600_000, 'm': 60_000, 's': 1_000, 'ms': 1}
HOST: Final = re.compile(r'(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z')


@dataclass(frozen=True, slots=True)
class Meta:
    """Who an object is. `created` is RFC 3339 in UTC with whole seconds, as the API server writes it: it sorts as text."""

    namespace: str
    name: str
    uid: str
    created: str = ''
    generation: int = 0
    resource_version: str = field(default='', compare=False)

    @property
    def key(self) -> Name:
        """Where it is found."""
        return self.namespace, self.name

    @classmethod
    def from_dict(cls, document: Object) -> Meta:
        """ValueError: it has no name, so it is nothing an API server sent."""
        meta = document.get('metadata') or {}
        if not meta.get('name'):
            raise ValueError('an object without metadata.name')
        return cls(
            meta.get('namespace', ''),
            meta['name'],
            meta.get('uid', ''),
            meta.get('creationTimestamp') or '',
            meta.get('generation') or 0,
            meta.get('resourceVersion', ''),
        )


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a Service; `name` '' when it has none."""

    name: str
    number: int
    protocol: str = 'TCP'

    @property
    def label(self) -> str:
        """What stands for the port in a backend's name: its name, else its number."""
        return self.name or str(self.number)


@dataclass(frozen=True, slots=True)
class Service:
    """What may be balanced. `families` in the order of spec.ipFamilies, the primary first. `addresses`: those of its own."""

    meta: Meta
    type: str = 'ClusterIP'
    families: tuple[str, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    addresses: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, document: Object) -> Service:
        """Keep type, families, ports and addresses."""
        spec = document.get('spec') or {}
        ports = tuple(
            ServicePort(port.get('name') or '', port['port'], port.get('protocol') or 'TCP')
            for port in spec.get('ports') or ()
            if isinstance(port.get('port'), int)
        )
        families = tuple(spec.get('ipFamilies') or ())
        addresses = tuple(canonical(ip) for ip in spec.get('clusterIPs') or () if ip != 'None')
        return cls(Meta.from_dict(document), spec.get('type') or 'ClusterIP', families, ports, addresses)


@dataclass(frozen=True, slots=True)
class SlicePort:
    """A port of a slice; `name` '' for nil."""

    name: str
    number: int
    protocol: str = 'TCP'


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of the endpoints of `service` (in the slice's own namespace; '' when no Service is named)."""

    meta: Meta
    service: str
    address_type: str
    ports: tuple[SlicePort, ...] = ()
    packed: str = '[]'

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """In the slice's order."""
        return unpack(self.packed)

    @classmethod
    def from_dict(cls, document: Object) -> Slice:
        """Keep the first address of each endpoint (no others have a meaning) and, of its target, a Pod of this namespace."""
        meta = Meta.from_dict(document)
        labels = (document.get('metadata') or {}).get('labels') or {}
        ports = tuple(
            SlicePort(port.get('name') or '', port['port'], port.get('protocol') or 'TCP')
            for port in document.get('ports') or ()
            if isinstance(port.get('port'), int)  # nil: all ports, which nobody can be sent to
        )
        endpoints = pack(
            _endpoint(item, meta.namespace) for item in document.get('endpoints') or () if item.get('addresses')
        )
        return cls(meta, labels.get(SERVICE_LABEL, ''), document.get('addressType') or '', ports, endpoints)


def _endpoint(item: Object, namespace: str) -> Endpoint:
    conditions, target = item.get('conditions') or {}, item.get('targetRef') or {}
    is_pod = target.get('kind') == 'Pod' and target.get('namespace', namespace) == namespace
    return Endpoint(
        canonical(item['addresses'][0]),
        conditions.get('ready'),
        conditions.get('serving'),
        conditions.get('terminating'),
        target.get('name', '') if is_pod else '',
        target.get('uid', '') if is_pod else '',
        item.get('nodeName') or '',
        item.get('zone') or '',
    )


@dataclass(frozen=True, slots=True)
class Target:
    """A Service of the policy's namespace, or one port of it (`port`, by name or by the number of a port without one)."""

    service: str
    port: str = ''


@dataclass(frozen=True, slots=True)
class Policy:
    """A BackendPolicy. Times in milliseconds, None: not limited. 0 means unlimited for `max_conn` and `max_queue`."""

    meta: Meta
    targets: tuple[Target, ...] = ()
    hosts: tuple[str, ...] = ()
    family: str = ''
    algorithm: str = 'roundrobin'
    draws: int = 0
    max_conn: int = 0
    min_conn: int = 0
    scope: str = 'perReplica'
    max_queue: int = 0
    queue_ms: int = QUEUE_MS
    connect_ms: int = CONNECT_MS
    response_ms: int = RESPONSE_MS
    tunnel_ms: int | None = None
    attempts: int = ATTEMPTS
    redispatch: bool = True
    drain_ms: int = DRAIN_MS
    on_deadline: str = 'Keep'
    problems: tuple[str, ...] = ()
    status: Object = field(default_factory=dict, compare=False, hash=False)

    @classmethod
    def from_dict(cls, document: Object) -> Policy:
        """Read it with the defaults of the schema; what cannot be read is in `problems`, and has its default."""
        take = _Reader(document.get('spec') or {})
        targets = []
        for item in take.many('targetRefs'):
            if (item.get('kind', 'Service'), item.get('group', '')) == ('Service', '') and item.get('name'):
                targets.append(Target(item['name'], item.get('sectionName') or ''))
            else:
                take.problems.append('targetRefs: each must name a Service')
        if not targets:
            take.problems.append('targetRefs: at least one is needed')
        hosts = tuple(host for host in take.spec.get('hosts') or () if isinstance(host, str) and HOST.match(host))
        if len(hosts) < len(take.spec.get('hosts') or ()):
            take.problems.append('hosts: each must be a name in lower case, or *. before one')
        if hosts and len(set(targets)) > 1:
            take.problems.append('hosts: a policy with hosts has exactly one targetRef')
        max_conn = take.count('maxConn', 0)
        min_conn = take.count('minConn', 0)
        scope = take.word('limitScope', SCOPES, 'perReplica')
        if min_conn > max_conn:
            take.problems.append('minConn: it needs a maxConn that is not below it')
        if scope == 'divided' and (min_conn or not max_conn):
            take.problems.append('limitScope: divided needs maxConn, and no minConn')
        return cls(
            Meta.from_dict(document),
            tuple(dict.fromkeys(targets)),
            tuple(dict.fromkeys(hosts)),
            take.word('ipFamily', FAMILIES, ''),
            take.word('balance.algorithm', ALGORITHMS, 'roundrobin'),
            take.count('balance.draws', 0, 999),
            max_conn,
            min_conn,
            scope,
            take.count('queue.maxLength', 0),
            take.span('queue.timeout', QUEUE_MS),
            take.span('timeouts.connect', CONNECT_MS),
            take.span('timeouts.response', RESPONSE_MS),
            take.span('timeouts.tunnel', 0) or None,
            take.count('retries.attempts', ATTEMPTS, 100),
            take.flag('retries.redispatch', default=True),
            take.span('drain.timeout', DRAIN_MS),
            take.word('drain.onDeadline', ON_DEADLINE, 'Keep'),
            tuple(take.problems),
            document.get('status') or {},
        )


@dataclass(frozen=True, slots=True)
class Override:
    """A ServerOverride: a wish about one server. `pod_uid`, or `address` and `number`, say which; None: nothing is wished.

    `deadline_ms`: when its sessions are to be ended, in milliseconds since 1970; 0: as the policy says.
    """

    meta: Meta
    service: str = ''
    port: str = ''
    pod: str = ''
    pod_uid: str = ''
    address: str = ''
    number: int = 0
    admin: str = 'ready'
    weight: int | None = None
    max_conn: int | None = None
    generation: int = 0
    deadline_ms: int = 0
    reason: str = ''
    set_by: str = ''
    problems: tuple[str, ...] = ()
    status: Object = field(default_factory=dict, compare=False, hash=False)

    @classmethod
    def from_dict(cls, document: Object) -> Override:
        """Read it with the defaults of the schema; what cannot be read is in `problems`, and wishes nothing."""
        take = _Reader(document.get('spec') or {})
        pod, uid = take.text('targetRef.name'), take.text('targetRef.uid')
        address, number = canonical(take.text('address.ip')), take.count('address.port', 0, 65_535)
        if bool(uid) == bool(address):
            take.problems.append('exactly one of targetRef (with its uid) and address is needed')
        if address and not number:
            take.problems.append('address.port is needed')
        service = take.text('serviceRef.name')
        if not service:
            take.problems.append('serviceRef.name is needed')
        return cls(
            Meta.from_dict(document),
            service,
            take.text('serviceRef.port'),
            pod,
            uid,
            address,
            number,
            ADMIN_STATES[take.word('adminState', tuple(ADMIN_STATES), 'Ready')],
            take.count('weight', 0, 256) if take.has('weight') else None,
            take.count('maxConn', 0) if take.has('maxConn') else None,
            take.count('sessionGeneration', 0, MAX_GENERATION),
            take.instant('deadline'),
            take.text('reason'),
            take.text('setBy'),
            tuple(take.problems),
            document.get('status') or {},
        )


def age(policy: Policy) -> tuple[str, str, str]:
    """Who comes first when two policies want the same: the older one; of one second, the one whose name is first."""
    return policy.meta.created, policy.meta.namespace, policy.meta.name


def milliseconds(text: str) -> int:
    """A Gateway API duration ('1h30m', '5s', '250ms') in milliseconds. ValueError: it is none, or not from 1 ms to 24 days."""
    if not _DURATION.match(text):
        raise ValueError(f'{text!r:.40} is not a duration such as 500ms, 30s or 1h30m')
    total = sum(int(number) * _UNIT_MS[unit] for number, unit in _PART.findall(text))
    if not 1 <= total <= MAX_COUNT:
        raise ValueError(f'{text} is not from 1ms to 596h')
    return total


def instant(text: str) -> int:
    """An RFC 3339 date and time in milliseconds since 1970. ValueError: it is none, or does not say its offset."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'{text!r:.40} is not a date and time such as 2026-01-31T12:00:00Z') from None
    if at.tzinfo is None:
        raise ValueError(f'{text!r:.40} does not say its offset from UTC')
    return int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000)


class _Reader:
    """Takes values out of a spec by dotted path; what is not as it should be becomes a problem and the default."""

    def __init__(self, spec: Object) -> None:
        self.spec = spec
        self.problems: list[str] = []

    def has(self, path: str) -> bool:
        return self._at(path) is not None

    def _at(self, path: str) -> Any:
        value: Any = self.spec
        for part in path.split('.'):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def many(self, path: str) -> list[Object]:
        value = self._at(path)
        return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []

    def count(self, path: str, default: int, most: int = MAX_COUNT) -> int:
        fits = type(self._at(path)) is int and 0 <= self._at(path) <= most
        return int(self._or(path, fits, default, f'a whole number from 0 to {most}'))

    def word(self, path: str, words: tuple[str, ...], default: str) -> str:
        return str(self._or(path, self._at(path) in words, default, ' or '.join(words)))

    def flag(self, path: str, *, default: bool) -> bool:
        return bool(self._or(path, isinstance(self._at(path), bool), default, 'true or false'))

    def text(self, path: str) -> str:
        return str(self._or(path, isinstance(self._at(path), str), '', 'text'))

    def span(self, path: str, default: int) -> int:
        return self._read(path, milliseconds, default)

    def instant(self, path: str) -> int:
        return self._read(path, instant, 0)

    def _read(self, path: str, read: Callable[[str], int], default: int) -> int:
        try:
            return default if self._at(path) is None else read(str(self._at(path)))
        except ValueError as error:
            self.problems.append(f'{path}: {error}')
            return default

    def _or(self, path: str, fits: bool, default: Any, wanted: str) -> Any:
        value = self._at(path)
        if value is None:
            return default
        if not fits:
            self.problems.append(f'{path}: {value!r:.40} is not {wanted}')
            return default
        return value
