"""The chart as helm renders it, for tests: where helm is, and the objects that come out."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / 'helm' / 'sluice'
CASES = ('default', 'production', 'namespaced')
Document = dict[str, Any]


def helm() -> str:
    """The path of helm: $HELM, the one that `make test-cluster` builds, or that of PATH. Skips the test where there is none."""
    built = Path(os.environ.get('CLUSTER_BIN', Path.home() / '.cache/sluice-cluster/bin')) / 'helm'
    found = os.environ.get('HELM') or (str(built) if built.exists() else shutil.which('helm'))
    if not found:
        pytest.skip('there is no helm ($HELM, PATH, or what make test-cluster builds): the chart is not rendered')
    return found


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`helm template sluice CHART --namespace edge ...`, in an environment that knows no cluster and no home."""
    command = [helm(), 'template', 'sluice', str(CHART), '--namespace', 'edge', '--kube-version', '1.36.0', *arguments]
    environment = {'PATH': os.environ.get('PATH', ''), 'HOME': '/nonexistent', 'HELM_CACHE_HOME': '/nonexistent'}
    return subprocess.run(command, text=True, capture_output=True, env=environment, timeout=100, check=False)


@functools.cache
def text_of(case: str) -> str:
    """What comes out with the values of one case."""
    done = run('--values', str(CHART / 'ci' / f'{case}-values.yaml'))
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def objects(case: str) -> tuple[Document, ...]:
    """All objects of a case, the kinds included."""
    return tuple(document for document in yaml.safe_load_all(text_of(case)) if document)


def one(case: str, kind: str, name: str) -> Document:
    """The object of this kind and name."""
    found = [each for each in objects(case) if each['kind'] == kind and each['metadata']['name'] == name]
    assert len(found) == 1, f'{kind} {name}: {len(found)}'
    return found[0]


def pods(case: str) -> dict[str, Document]:
    """Pod templates by the name of what has them, and pods that stand alone."""
    found = {}
    for each in objects(case):
        if each['kind'] == 'Pod':
            found[each['metadata']['name']] = each
        elif each['kind'] in {'Deployment', 'DaemonSet'}:
            found[each['metadata']['name']] = each['spec']['template']
    return found
