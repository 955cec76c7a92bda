"""Label and field selectors as the API server reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Selector = Callable[[Json], bool]

_SET = re.compile(r'^\s*(\S+)\s+(in|notin)\s+\(([^)]*)\)\s*$')
_FIELDS = frozenset({
    'metadata.name', 'metadata.namespace', 'spec.nodeName', 'status.phase', 'involvedObject.kind', 'involvedObject.name',
    'involvedObject.namespace', 'involvedObject.uid', 'reason', 'type',
})  # fmt: skip


class BadSelector(ValueError):
    pass


def _terms(text: str) -> list[str]:
    return [term for term in re.split(r',(?![^(]*\))', text) if term.strip()]


def _label_term(term: str) -> Callable[[dict[str, str]], bool]:
    if match := _SET.match(term):
        key, verb, listed = match.groups()
        values = {one.strip() for one in listed.split(',')}
        if verb == 'in':
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if '!=' in term:
        key, value = (part.strip() for part in term.split('!=', 1))
        return lambda labels: labels.get(key) != value
    if '=' in term:
        key, value = (part.strip() for part in re.split('==?', term, maxsplit=1))
        return lambda labels: labels.get(key) == value
    key = term.strip()
    if key.startswith('!'):
        return lambda labels: key[1:] not in labels
    return lambda labels: key in labels


def _field(document: Json, path: str) -> str:
    value: Any = document
    for part in path.split('.'):
        value = value.get(part, '') if isinstance(value, dict) else ''
    return str(value)


def selector(labels: str = '', fields: str = '') -> Selector:
    """BadSelector: a field that no kind offers for selection."""
    wanted_labels = [_label_term(term) for term in _terms(labels)]
    wanted_fields: list[tuple[str, bool, str]] = []
    for term in _terms(fields):
        match = re.match(r'^([\w.]+)(!=|==?)(.*)$', term.strip())
        if not match or match[1] not in _FIELDS:
            raise BadSelector(f'field label not supported: {term}')
        wanted_fields.append((match[1], match[2] != '!=', match[3]))

    def chosen(document: Json) -> bool:
        has = document.get('metadata', {}).get('labels') or {}
        return all(one(has) for one in wanted_labels) and all(
            (_field(document, path) == value) is equal for path, equal, value in wanted_fields
        )

    return chosen
