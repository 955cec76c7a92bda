"""The chart as a person installs it: by helm, with values of the test's own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.harness.api import Document
from tests.cluster.harness.running import Done, Running
from tests.cluster.kit.packages import ROOT

CHART = ROOT / 'helm/sluice'


def sets(values: Mapping[str, object]) -> list[str]:
    """--set-json for each value; keys are paths with dots."""
    return [word for key, value in values.items() for word in ('--set-json', f'{key}={json.dumps(value)}')]


async def render(cluster: Running, release: str, namespace: str, values: Mapping[str, object] | None = None) -> list[Document]:  # fmt: skip
    """What `helm template` prints, hooks included."""
    done = await cluster.helm('template', release, str(CHART), '--namespace', namespace, *sets(values or {}))
    return [document for document in yaml.safe_load_all(done.must()) if document]


@dataclass(frozen=True)
class Release:
    """A release of the chart at `chart`, which is the repository's unless a test made another version of it."""

    cluster: Running
    name: str
    namespace: str
    chart: Path = CHART

    async def helm(self, *words: str, within: float = 180.0) -> Done:
        """helm in the release's namespace."""
        return await self.cluster.helm(*words, '--namespace', self.namespace, within=within)

    async def install(self, values: Mapping[str, object] | None = None, *more: str) -> Done:
        """helm install."""
        return await self.helm('install', self.name, str(self.chart), *sets(values or {}), *more)

    async def upgrade(self, values: Mapping[str, object] | None = None, *more: str) -> Done:
        """helm upgrade."""
        return await self.helm('upgrade', self.name, str(self.chart), *sets(values or {}), *more)

    async def manifest(self) -> list[Document]:
        """The objects of the newest revision."""
        text = (await self.helm('get', 'manifest', self.name)).must()
        return [document for document in yaml.safe_load_all(text) if document]

    async def status(self) -> dict[str, Any]:
        """helm status."""
        found: dict[str, Any] = json.loads((await self.helm('status', self.name, '--output', 'json')).must())
        return found

    async def uninstall(self, *more: str) -> Done:
        """helm uninstall."""
        return await self.helm('uninstall', self.name, *more)


@asynccontextmanager
async def released(
    cluster: Running, name: str, namespace: str, values: Mapping[str, object] | None = None, *more: str
) -> AsyncIterator[Release]:
    """A release that is gone at the end."""
    release = Release(cluster, name, namespace)
    (await release.install(values, *more)).must()
    try:
        yield release
    finally:
        (await release.uninstall('--ignore-not-found')).must()
