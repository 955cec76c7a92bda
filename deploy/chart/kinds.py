"""The tables of docs/kubernetes.md that follow from the chart's CustomResourceDefinitions: fields, and columns of `kubectl get`.

A table stands between `<!-- made: PLURAL PART -->` and `<!-- end -->`; PART is spec, status or columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

MARKED: Final = re.compile(r'(<!-- made: (\w+) (\w+) -->\n).*?(<!-- end -->)', re.DOTALL)
# told once for both kinds, in a section of their own
_CONDITIONS: Final = 'conditions'


def definition(chart: Path, plural: str) -> dict[str, Any]:
    """The one version of a kind."""
    text = (chart / 'templates' / 'crds' / f'{plural}.yaml').read_text()
    lines = [line for line in text.splitlines() if not line.startswith('{{')]
    version: dict[str, Any] = yaml.safe_load('\n'.join(lines))['spec']['versions'][0]
    return version


def filled(chart: Path, text: str) -> str:
    """A document with its tables made anew."""

    def table(found: re.Match[str]) -> str:
        version = definition(chart, found[2])
        if found[3] == 'columns':
            rows = list(_columns(version['additionalPrinterColumns']))
        else:
            rows = list(
                _fields(version['schema']['openAPIV3Schema']['properties'][found[3]], with_default=found[3] == 'spec')
            )
        return f'{found[1]}{chr(10).join(rows)}\n{found[4]}'

    return MARKED.sub(table, text)


def _columns(columns: list[dict[str, Any]]) -> Iterator[str]:
    yield '| column | shown | what it is |\n|---|---|---|'
    for column in columns:
        shown = '`-o wide`' if column.get('priority') else 'always'
        yield f'| `{column["name"]}` | {shown} | {column.get("description", "Since when it is there.")} |'


def _fields(part: dict[str, Any], *, with_default: bool) -> Iterator[str]:
    yield '| field | default | what it is |\n|---|---|---|' if with_default else '| field | what it is |\n|---|---|'
    for path, of in leaves(part):
        text = of['description'].replace('|', r'\|')
        if len(choice := [one for one in of.get('enum', ()) if one]) > 1:
            text += f' One of {", ".join(f"`{one}`" for one in choice)}.'
        text += ''.join(f' Refused with: {rule["message"]}.' for rule in of.get('x-kubernetes-validations', ()))
        default = '' if not with_default else f' {_default(of)} |'
        yield f'| `{path}` |{default} {text} |'
    if with_default and (rules := part.get('x-kubernetes-validations')):
        yield ''
        yield 'Refused with: ' + '; '.join(rule['message'] for rule in rules) + '.'


def _default(of: dict[str, Any]) -> str:
    return f'`{json.dumps(of["default"])}`' if of.get('default', {}) != {} else '-'


def leaves(part: dict[str, Any], path: str = '') -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field below, with its path; what is inside of conditions is told elsewhere."""
    for name, of in part['properties'].items():
        here = f'{path}{name}'
        inner = of.get('items', of)
        yield here, of
        if 'properties' in inner and name != _CONDITIONS:
            yield from leaves(inner, f'{here}[].' if of['type'] == 'array' else f'{here}.')
