"""What is made of values.yaml is current, and its comments are understood."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.chart import make, values
from tests import crds
from tests.chart.rendering import CHART, ROOT


def test_schema_and_readme_are_current() -> None:
    for path, text in make.made(CHART).items():
        assert path.read_text() == text, f'{path.relative_to(ROOT)}: make chart'


def test_every_section_of_the_schema_is_strict() -> None:
    document = json.loads((CHART / 'values.schema.json').read_text())
    sections = [document]
    while sections:
        section = sections.pop()
        inner = section.get('properties')
        if inner:
            assert section['additionalProperties'] is (section is document['properties']['global'])
            sections += inner.values()


@pytest.mark.parametrize(
    'text, schema',
    [
        ('# -- A.\na: 1\n', {'type': 'integer'}),
        ('# -- A.\na: true\n', {'type': 'boolean'}),
        ('# -- A.\na: x\n', {'type': 'string'}),
        ('# -- (int 1..9) A.\na: 1\n', {'type': 'integer', 'minimum': 1, 'maximum': 9}),
        ('# -- (enum a|b) A.\na: a\n', {'type': 'string', 'enum': ['a', 'b']}),
        ('# -- (string /^(a|b)$/) A.\na: a\n', {'type': 'string', 'pattern': '^(a|b)$'}),
        ('# -- (int or string) A.\na: 1\n', {'type': ['integer', 'string']}),
        ('# -- (map) A.\na: {b: 1}\n', {'type': 'object'}),
        ('# -- (map of string) A.\na: {}\n', {'type': 'object', 'additionalProperties': {'type': 'string'}}),
        ('# -- (list of string) A.\na: []\n', {'type': 'array', 'items': {'type': 'string'}}),
        ('# -- (what it is) A.\na: 1\n', {'type': 'integer'}),
    ],
)
def test_types(text: str, schema: object) -> None:
    (found,) = values.read(text).children
    assert found.schema == schema
    assert found.text.endswith('A.')


def test_sections_and_comments_of_several_lines() -> None:
    root = values.read('# of no key\n\n# a word\n# -- A\n# section.\na:\n  # -- B, and\n  #   more.\n  b: 1\n')
    (section,) = root.children
    assert section.is_section
    assert section.text == 'A section.'
    assert [(child.path, child.text) for child in section.children] == [(('a', 'b'), 'B, and more.')]


@pytest.mark.parametrize(
    'text, problem',
    [
        ('a: 1\n', 'a has no description'),
        ('a:\n  b: 1\n', 'a.b has no description'),
        ('# -- A.\n\na: 1\n', 'a has no description'),
        ('# -- A.\na: {}\n', 'must be said'),
        ('# -- (int about 3) A.\na: 1\n', "'int about 3' is no type"),
        ('[]\n', 'not a map'),
    ],
)
def test_what_cannot_be_understood_is_named(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        values.read(text)


def test_a_check_tells_what_is_not_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('values.yaml', 'README.md.tmpl'):
        (tmp_path / name).write_text((CHART / name).read_text())
    shutil.copytree(CHART / 'templates' / 'crds', tmp_path / 'templates' / 'crds')
    shutil.copy(make.DOCUMENT, tmp_path / 'kubernetes.md')
    monkeypatch.setattr(make, 'CHART', tmp_path)
    monkeypatch.setattr(make, 'DOCUMENT', tmp_path / 'kubernetes.md')
    assert make.main(['--check']) == 1
    assert make.main([]) == 0
    assert make.main(['--check']) == 0
    (tmp_path / 'README.md').write_text('old')
    assert make.main(['--check']) == 1
    assert make.main([]) == 0
    kind = tmp_path / 'templates' / 'crds' / 'backendpolicies.yaml'
    kind.write_text(kind.read_text().replace('How often to try again.', 'Something else.'))
    assert make.main(['--check']) == 1, 'a field that is explained otherwise'


@pytest.mark.parametrize('plural', ['backendpolicies', 'serveroverrides'])
@pytest.mark.parametrize('part', ['spec', 'status'])
def test_the_page_has_a_row_for_every_field(plural: str, part: str) -> None:
    """Counted by another way than the one that makes it."""

    def names(of: dict[str, Any]) -> Iterator[str]:
        for name, inner in of.get('properties', {}).items():
            yield name
            if name != 'conditions':
                yield from names(inner.get('items', inner))

    page = (ROOT / 'docs' / 'kubernetes.md').read_text()
    block = page.split(f'<!-- made: {plural} {part} -->', 1)[1].split('<!-- end -->', 1)[0]
    rows = [
        line.split('`')[1].replace('[]', '').split('.')[-1] for line in block.splitlines() if line.startswith('| `')
    ]
    assert rows == list(names(crds.schema(plural)['properties'][part]))
    assert all(line.split('|')[-2].strip() for line in block.splitlines() if line.startswith('| `'))
