"""`show schema json`: what the JSON forms of `show info` and `show stat` look like, as a JSON schema (draft 4).

HAProxy's own schema names the same definitions; here each of them says what it constrains, so that a validator that is given
it does reject what is not of this form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from dataplane.cli.fields import NATURES, ORIGINS, SCOPES, to_json

_DRAFT: Final = 'http://json-schema.org/draft-04/schema#'
_SAFE: Final = 2**53 - 1
"""The largest whole number that every reader of JSON keeps exactly."""
_RANGES: Final = {'s32': (-(2**31), 2**31 - 1), 's64': (-_SAFE, _SAFE), 'u32': (0, 2**32 - 1), 'u64': (0, _SAFE)}

_Schema = dict[str, object]


def show_schema() -> str:
    """The answer without its last line feed."""
    return to_json(schema())


def schema() -> _Schema:
    """An array of items of the one or of the other dump, or an object that says what went wrong."""
    item = {name: _reference(name) for name in ('field', 'processNum', 'tags')} | {'value': _reference('typedValue')}
    row = {
        'objType': _one_of(['Frontend', 'Backend', 'Listener', 'Server']),
        'proxyId': _whole(0),
        'id': _whole(0),
        **item,
    }
    return {
        '$schema': _DRAFT,
        'oneOf': [
            {'title': 'Info', 'type': 'array', 'items': _object('InfoItem', item)},
            {'title': 'Stat', 'type': 'array', 'items': {'type': 'array', 'items': _object('StatItem', row)}},
            _object('Error', {'errorStr': {'type': 'string'}}),
        ],
        'definitions': {
            'field': _object('', {'pos': _whole(0), 'name': {'type': 'string'}}),
            'processNum': _whole(1),
            'tags': _object(
                '',
                {
                    'origin': _one_of(ORIGINS.values()),
                    'nature': _one_of(NATURES.values()),
                    'scope': _one_of(SCOPES.values()),
                },
            ),
            'typedValue': {
                'oneOf': [
                    *(_typed(kind, _whole(least, most)) for kind, (least, most) in _RANGES.items()),
                    _typed('flt', {'type': 'number'}),
                    _typed('str', {'type': 'string'}),
                ]
            },
        },
    }  # fmt: skip


def _reference(name: str) -> _Schema:
    return {'$ref': f'#/definitions/{name}'}


def _object(title: str, properties: Mapping[str, object]) -> _Schema:
    head: _Schema = {'title': title} if title else {}
    return {**head, 'type': 'object', 'properties': dict(properties), 'required': list(properties)}


def _one_of(words: Iterable[str]) -> _Schema:
    return {'type': 'string', 'enum': list(words)}


def _whole(least: int, most: int | None = None) -> _Schema:
    limits: _Schema = {'type': 'integer', 'minimum': least}
    return limits if most is None else {**limits, 'maximum': most}


def _typed(kind: str, value: object) -> _Schema:
    return _object('', {'type': _one_of([kind]), 'value': value})
