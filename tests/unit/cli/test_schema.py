"""`show schema json`, and that both dumps are of the form it describes: by a reader of just the words it uses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from dataplane.cli import info, stat
from dataplane.cli.fields import Form, Value
from dataplane.cli.schema import show_schema
from dataplane.cli.stat import Kind, Row, StatRequest

SCHEMA: dict[str, Any] = json.loads(show_schema())
KNOWN = frozenset(
    {
        '$ref',
        '$schema',
        'definitions',
        'title',
        'type',
        'properties',
        'required',
        'items',
        'enum',
        'minimum',
        'maximum',
        'oneOf',
    }
)
TYPES: Mapping[str, type | tuple[type, ...]] = {
    'array': list, 'object': dict, 'string': str, 'integer': int, 'number': (int, float),
}  # fmt: skip


def problems(document: Any, schema: dict[str, Any]) -> list[str]:
    """What is wrong with a document, by JSON schema's draft 4 as far as it is used here."""
    assert schema.keys() <= KNOWN, schema.keys() - KNOWN
    if '$ref' in schema:
        place = SCHEMA
        for word in schema['$ref'].removeprefix('#/').split('/'):
            place = place[word]
        return problems(document, place)
    found = []
    if 'oneOf' in schema and sum(not problems(document, one) for one in schema['oneOf']) != 1:
        found.append(f'not exactly one form fits {document!r:.80}')
    wanted = TYPES.get(schema.get('type', ''))
    if wanted is not None and (not isinstance(document, wanted) or isinstance(document, bool)):
        return [*found, f'{document!r:.80} is no {schema["type"]}']
    if 'enum' in schema and document not in schema['enum']:
        found.append(f'{document!r} is not one of {schema["enum"]}')
    if ('minimum' in schema and document < schema['minimum']) or ('maximum' in schema and document > schema['maximum']):
        found.append(f'{document!r} is out of range')
    found += [f'{name} is missing' for name in schema.get('required', ()) if name not in document]
    for name, inner in schema.get('properties', {}).items():
        found += problems(document[name], inner) if name in document else []
    for item in document if 'items' in schema else ():
        found += problems(item, schema['items'])
    return found


def rows() -> list[Row]:
    """One of each kind, with a value in every column."""
    values: dict[str, Value] = {
        column.name: 'text' if column.type == 'str' else -1 if column.type == 's32' else 2 for column in stat.COLUMNS
    }
    return [Row(kind, 2, 0, values) for kind in Kind]


def test_show_stat_is_of_this_form() -> None:
    request = StatRequest(Form.JSON)
    document = json.loads(stat.assemble(stat.parts(rows(), request, legends=True), request))
    assert [len(row) for row in document] == [len(stat.COLUMNS)] * 4
    assert problems(document, SCHEMA) == []


@pytest.mark.parametrize('floats', [False, True])
def test_show_info_is_of_this_form(floats: bool) -> None:
    values: dict[str, Value] = {field.name: 'text' if field.type == 'str' else 3 for field in info.FIELDS}
    values['Uptime_sec'] = 2.5 if floats else 2
    document = json.loads(info.render(values, info.InfoRequest(Form.JSON, floats=floats)))
    assert len(document) == len(info.FIELDS)
    assert problems(document, SCHEMA) == []


@pytest.mark.parametrize(
    'change',
    [
        {'processNum': 0},
        {'processNum': '1'},
        {'field': {'pos': 1}},
        {'field': {'pos': -1, 'name': 'x'}},
        {'tags': {'origin': 'Metric', 'nature': 'Nothing', 'scope': 'Process'}},
        {'value': {'type': 'u32', 'value': -1}},
        {'value': {'type': 'u32', 'value': 'x'}},
        {'value': {'type': 'u8', 'value': 1}},
    ],
)
def test_what_is_of_another_form_is_found(change: dict[str, Any]) -> None:
    item = json.loads(info.render({'Name': 'Sluice'}, info.InfoRequest(Form.JSON)))[0]
    assert problems([item], SCHEMA) == []
    assert problems([{**item, **change}], SCHEMA)
