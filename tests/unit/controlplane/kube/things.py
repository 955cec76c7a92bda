"""Objects as an API server sends them, with only what a test says."""

from __future__ import annotations

from typing import Any

from controlplane.kube.objects import Override, Policy, Service, Slice

Json = dict[str, Any]


def meta(
    name: str,
    *,
    namespace: str = 'shop',
    uid: str = '',
    rv: int = 1,
    created: str = '2026-01-01T00:00:00Z',
    **more: Any,
) -> Json:
    return {
        'name': name, 'namespace': namespace, 'uid': uid or f'uid-{name}', 'resourceVersion': str(rv),
        'creationTimestamp': created, 'generation': 1, **more,
    }  # fmt: skip


def service(
    name: str = 'web',
    ports: list[Json] | None = None,
    *,
    families: tuple[str, ...] = ('IPv4',),
    kind: str = 'ClusterIP',
    addresses: tuple[str, ...] = (),
    **of: Any,
) -> Service:
    """A Service with one port http unless told otherwise."""
    listed = [{'name': 'http', 'port': 80, 'protocol': 'TCP', 'targetPort': 8080}] if ports is None else ports
    return Service.from_dict(
        {
            'metadata': meta(name, **of),
            'spec': {'type': kind, 'ipFamilies': list(families), 'ports': listed, 'clusterIPs': list(addresses)},
        }
    )


def endpoint(
    address: str,
    pod: str = '',
    *,
    ready: bool | None = True,
    serving: bool | None = None,
    terminating: bool | None = None,
    **more: Any,
) -> Json:
    """One endpoint; with a pod it has a targetRef, whose uid is uid-POD."""
    conditions = {'ready': ready, 'serving': serving, 'terminating': terminating}
    document: Json = {
        'addresses': [address],
        'conditions': {k: v for k, v in conditions.items() if v is not None},
        **more,
    }
    if pod:
        document['targetRef'] = {'kind': 'Pod', 'name': pod, 'namespace': 'shop', 'uid': f'uid-{pod}'}
    return document


def slice_(
    name: str, *endpoints: Json, of: str = 'web', ports: list[Json] | None = None, family: str = 'IPv4', **more: Any
) -> Slice:
    """A slice of a Service, with the port http 8080 unless told otherwise."""
    listed = [{'name': 'http', 'port': 8080, 'protocol': 'TCP'}] if ports is None else ports
    metadata = meta(name, **more)
    metadata['labels'] = {'kubernetes.io/service-name': of}
    return Slice.from_dict({'metadata': metadata, 'addressType': family, 'ports': listed, 'endpoints': list(endpoints)})


def policy(name: str = 'web', *, service: str = 'web', port: str = '', spec: Json | None = None, **of: Any) -> Policy:
    """A policy for one Service."""
    target = {'group': '', 'kind': 'Service', 'name': service, **({'sectionName': port} if port else {})}
    return Policy.from_dict({'metadata': meta(name, **of), 'spec': {'targetRefs': [target], **(spec or {})}})


def override(
    name: str,
    *,
    pod: str = '',
    address: str = '',
    number: int = 8080,
    service: str = 'web',
    spec: Json | None = None,
    **of: Any,
) -> Override:
    """An override for a pod (uid-POD) or an address."""
    about: Json = (
        {'targetRef': {'kind': 'Pod', 'name': pod, 'uid': f'uid-{pod}'}}
        if pod
        else {'address': {'ip': address, 'port': number}}
    )
    return Override.from_dict(
        {'metadata': meta(name, **of), 'spec': {'serviceRef': {'name': service}, **about, **(spec or {})}}
    )
