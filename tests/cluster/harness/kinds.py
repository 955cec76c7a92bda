"""Sluice's own kinds at the API server, installed from the chart's files, and objects of them for tests."""

from __future__ import annotations

from typing import Any

import yaml

from tests.cluster.harness.api import Document, Kube, Refused
from tests.cluster.kit.packages import ROOT
from tests.integration.harness.waiting import until

FILES = ROOT / 'helm/sluice/templates/crds'
FIELD_MANAGER = 'tests'


def definitions() -> list[Document]:
    """The CustomResourceDefinitions, without the switch around each."""
    found = []
    for file in sorted(FILES.glob('*.yaml')):
        lines = [line for line in file.read_text().splitlines() if not line.startswith('{{')]
        found.append(yaml.safe_load('\n'.join(lines)))
    return found


async def install(kube: Kube) -> None:
    """Apply them, and return when both kinds are served."""
    for document in definitions():
        name = document['metadata']['name']
        await kube.patch(
            'customresourcedefinitions', name, document, how='apply', fieldManager=FIELD_MANAGER, force='true'
        )

        async def established(name: str = name) -> bool:
            status = (await kube.get('customresourcedefinitions', name)).get('status', {})
            conditions = {one['type']: one['status'] for one in status.get('conditions') or []}
            return conditions.get('Established') == 'True'

        await until(established, within=20, what=f'{name} is established')
        await until(lambda name=name: served(kube, name), within=20, what=f'{name} is served')  # type: ignore[misc]


async def served(kube: Kube, name: str) -> bool:
    """Whether a new kind can be listed: it is a moment after it was established."""
    try:
        await kube.list(name.partition('.')[0])
    except Refused as refused:
        if refused.status in {404, 429}:
            return False
        raise
    return True


def policy(name: str, service: str = 'web', **spec: Any) -> Document:
    """A BackendPolicy for the Service `service`; `spec` is laid over that."""
    body = {'targetRefs': [{'kind': 'Service', 'name': service}], **spec}
    return {'apiVersion': 'sluice.dev/v1alpha1', 'kind': 'BackendPolicy', 'metadata': {'name': name}, 'spec': body}


def override(name: str, pod: Document | None = None, service: str = 'web', **spec: Any) -> Document:
    """A ServerOverride for a pod, which owns it, or for what `spec` says. A pod may be its name and uid alone."""
    body: Document = {'serviceRef': {'name': service}}
    metadata: Document = {'name': name}
    if pod is not None:
        who = {'name': pod['metadata']['name'], 'uid': pod['metadata']['uid']}
        body['targetRef'] = {'kind': 'Pod', **who}
        if 'spec' in pod:  # one that is there: else the garbage collector takes the override at once
            metadata['ownerReferences'] = [{'apiVersion': 'v1', 'kind': 'Pod', 'blockOwnerDeletion': False, **who}]
    return {
        'apiVersion': 'sluice.dev/v1alpha1',
        'kind': 'ServerOverride',
        'metadata': metadata,
        'spec': {**body, **spec},
    }
