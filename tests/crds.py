"""The chart's CustomResourceDefinitions without helm, and what an API server does with objects of them, CEL left out.

`render` understands the one guard these templates have. `admit` sets defaults, drops what the schema does not know and lists
what is wrong: enough for tests that have no API server; the rules in CEL are tested where there is a real one.
"""

from __future__ import annotations

import copy
import ipaddress
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

FOLDER: Final = Path(__file__).parents[1] / 'helm' / 'sluice' / 'templates' / 'crds'
GUARD: Final = ('{{- if .Values.crds.enabled }}', '{{- end }}')


def text(plural: str) -> str:
    """A definition as helm renders it with `crds.enabled`."""
    lines = (FOLDER / f'{plural}.yaml').read_text().splitlines()
    assert (lines[0], lines[-1]) == GUARD
    assert '{{' not in ''.join(lines[1:-1])
    return '\n'.join(lines[1:-1]) + '\n'


def render(plural: str) -> dict[str, Any]:
    """The same as a document, which is the caller's own."""
    return copy.deepcopy(_document(plural))


def schema(plural: str) -> dict[str, Any]:
    """The schema of its one version, which is not to be changed."""
    found = _document(plural)['spec']['versions'][0]['schema']['openAPIV3Schema']
    assert isinstance(found, dict)
    return found


@cache
def _document(plural: str) -> dict[str, Any]:
    """Read once: a fake API server asks for it at each write."""
    document = yaml.safe_load(text(plural))
    assert isinstance(document, dict)
    return document


def admit(plural: str, document: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The object as it would be stored, and what is wrong with it."""
    whole, stored = schema(plural), copy.deepcopy(document)
    for part in ('spec', 'status'):
        if part in stored:
            _settle(stored[part], whole['properties'][part])
    return stored, [
        fault
        for part in ('spec', 'status')
        if part in stored
        for fault in _faults(stored[part], whole['properties'][part], part)
    ]


def _settle(value: Any, of: dict[str, Any]) -> None:
    """Set defaults and prune, in place."""
    if of['type'] == 'array':
        for item in value if isinstance(value, list) else ():
            _settle(item, of['items'])
    if of['type'] != 'object' or not isinstance(value, dict):
        return
    for name in value.keys() - of['properties'].keys():
        del value[name]
    for name, inner in of['properties'].items():
        if name not in value and 'default' in inner:
            value[name] = copy.deepcopy(inner['default'])
        if name in value:
            _settle(value[name], inner)


_TYPES: Final = {'object': dict, 'array': list, 'string': str, 'integer': int, 'boolean': bool}


def _faults(value: Any, of: dict[str, Any], path: str) -> Iterator[str]:
    wanted = _TYPES[of['type']]
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        yield f'{path}: not of type {of["type"]}'
    elif isinstance(value, dict):
        yield from (f'{path}.{name}: required' for name in of.get('required', ()) if name not in value)
        for name, inner in value.items():
            yield from _faults(inner, of['properties'][name], f'{path}.{name}')
    elif isinstance(value, list):
        if not of.get('minItems', 0) <= len(value) <= of['maxItems']:
            yield f'{path}: {len(value)} items'
        for number, item in enumerate(value):
            yield from _faults(item, of['items'], f'{path}[{number}]')
    else:
        yield from (f'{path}: {value!r} {why}' for why in _scalar_faults(value, of))


def _scalar_faults(value: Any, of: dict[str, Any]) -> Iterator[str]:
    if 'enum' in of and value not in of['enum']:
        yield f'is not one of {of["enum"]}'
    if isinstance(value, str):
        if not of.get('minLength', 0) <= len(value) <= of.get('maxLength', len(value)):
            yield 'has a wrong length'
        if 'pattern' in of and not re.search(of['pattern'], value):
            yield 'does not match'
        if 'anyOf' in of and not _is_address(value):
            yield 'is no address'
    elif 'minimum' in of and not of['minimum'] <= value <= of.get('maximum', value):
        yield 'is out of range'


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
