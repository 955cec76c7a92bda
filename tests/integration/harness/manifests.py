"""Manifests as they lie in folders: files of documents, what kustomize makes of them, and paths into objects."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]


def documents(text: str) -> list[Json]:
    """The manifests of one file."""
    return [document for document in yaml.safe_load_all(text) if document]


def kustomized(folder: Path) -> list[Json]:
    """What `kubectl kustomize` makes of a folder, as far as the examples use it: resources, a namespace, patches to merge."""
    kustomization = yaml.safe_load((folder / 'kustomization.yaml').read_text())
    assert kustomization.keys() <= {'apiVersion', 'kind', 'namespace', 'resources', 'patches'}, kustomization
    made: list[Json] = []
    for name in kustomization['resources']:
        path = folder / name
        made += kustomized(path) if path.is_dir() else documents(path.read_text())
    if namespace := kustomization.get('namespace'):
        made = [_merged(document, {'metadata': {'namespace': namespace}}) for document in made]
    for patch in kustomization.get('patches', ()):
        (change,) = documents((folder / patch['path']).read_text())
        assert _identity(change) in map(_identity, made), f'{folder}: {patch} changes nothing'
        made = [_merged(one, change) if _identity(one) == _identity(change) else one for one in made]
    return made


def _identity(document: Json) -> tuple[str, ...]:
    meta = document['metadata']
    return document['apiVersion'], document['kind'], meta.get('namespace', ''), meta['name']


def _merged(target: Json, change: Json) -> Json:
    result = dict(target)
    for name, value in change.items():
        inner = result.get(name)
        result[name] = _merged(inner, value) if isinstance(value, dict) and isinstance(inner, dict) else value
    return result


def jsonpath(path: str, document: Any) -> str:
    """`{.a.b[0].c}`; '' when it leads nowhere."""
    assert re.fullmatch(r'\{(\.\w+(\[\d+\])?)+\}', path), path
    for name, number in re.findall(r'\.(\w+)|\[(\d+)\]', path):
        if name:
            document = document.get(name, {})
        else:
            document = document[int(number)]
    return document if isinstance(document, str) else json.dumps(document) if document else ''
