"""Every object of a few sets of values, beside what it was when somebody last looked: `make chart` writes them anew.

The kinds' definitions are left out, since they have tests of their own, and so are keys and certificates, which differ each time.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from tests.chart.rendering import CASES, Document, objects

GOLDEN = Path(__file__).parent / 'golden'


def masked(document: Document) -> Document:
    """Without what is made by chance."""
    if document['kind'] != 'Secret':
        return document
    return {**document, 'data': dict.fromkeys(document['data'], '(made)')}


def shown(case: str) -> str:
    kept = [masked(each) for each in objects(case) if each['kind'] != 'CustomResourceDefinition']
    kept.sort(key=lambda each: (each['kind'], each['metadata'].get('namespace', ''), each['metadata']['name']))
    return yaml.safe_dump_all(kept, sort_keys=True, width=120, explicit_start=True)


@pytest.mark.parametrize('case', CASES)
def test_rendered_as_before(case: str) -> None:
    path, text = GOLDEN / f'{case}.yaml', shown(case)
    if os.environ.get('SLUICE_GOLDENS') == 'write':
        path.write_text(text)
    assert path.read_text() == text, f'{path.name}: look at the difference, then make chart'
