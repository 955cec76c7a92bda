"""The examples at a real API server: it takes every manifest, schemas and rules in CEL included, and kustomize makes what the other tests apply."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.harness.api import Kube
from tests.cluster.harness.running import Running
from tests.cluster.kit.packages import ROOT
from tests.integration.harness.manifests import documents, kustomized

EXAMPLES = ROOT / 'deploy' / 'examples'
NAMESPACE = 'examples'


def overlays() -> list[Path]:
    """Folders that kustomize applies."""
    return sorted(path.parent for path in EXAMPLES.rglob('kustomization.yaml'))


def manifests() -> list[Path]:
    """Files that are applied as they are."""
    return sorted(
        path for path in EXAMPLES.rglob('*.yaml') if path.name != 'values.yaml' and path.parent not in overlays()
    )


@pytest.fixture
async def examples(kube: Kube, kinds: None) -> None:
    """Their namespace, which stays: a dry run needs it."""
    if await kube.find('namespaces', NAMESPACE) is None:
        await kube.create('namespaces', {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': NAMESPACE}})


@pytest.mark.usefixtures('examples')
async def test_every_manifest_is_taken(cluster: Running) -> None:
    ways = [('-f', path) for path in manifests()] + [('-k', path) for path in overlays()]
    assert len(ways) > 6
    refused = {}
    for how, path in ways:
        done = await cluster.kubectl('apply', '--dry-run=server', '--namespace', NAMESPACE, how, str(path))
        if done.status or 'Warning' in done.err:
            refused[str(path.relative_to(EXAMPLES))] = done.err
    assert not refused, refused


async def test_kustomize_makes_what_the_other_tests_apply(cluster: Running) -> None:
    for folder in overlays():
        text = (await cluster.kubectl('kustomize', str(folder))).must()
        key = lambda one: (one['kind'], one['metadata']['name'])  # noqa: E731 - it sorts both
        assert sorted(documents(text), key=key) == sorted(kustomized(folder), key=key), folder.name
