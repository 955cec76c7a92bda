"""Write helm/sluice/values.schema.json and helm/sluice/README.md of values.yaml, and the tables of docs/kubernetes.md of the kinds:
`make chart`, or `python -m deploy.chart.make --check`.

A schema that allows what the chart does not read lets a misspelt key pass in silence, so every section takes exactly the keys
that values.yaml has. `global` takes others too, since it is shared with other charts of a release.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.chart import kinds
from deploy.chart.values import Value, read

CHART = Path(__file__).resolve().parents[2] / 'helm' / 'sluice'
DOCUMENT = CHART.parents[1] / 'docs' / 'kubernetes.md'
PLACE = '{{ values }}'


def schema(value: Value) -> dict[str, Any]:
    """The JSON schema of a value and all below it."""
    about = {'description': value.text} if value.text else {}
    if not value.is_section:
        return {**about, **value.schema}
    return {
        **about,
        'type': 'object',
        'additionalProperties': value.path == ('global',),
        'properties': {child.path[-1]: schema(child) for child in value.children},
    }


def table(root: Value) -> str:
    """The values as tables, one for what stands alone and one for each section."""
    alone = [child for child in root.children if not child.is_section]
    parts = ['\n'.join(_rows(alone))]
    for section in (child for child in root.children if child.is_section):
        parts.append('\n'.join((f'### {section.path[0]}\n', *_rows(_leaves(section)))))
    return '\n\n'.join(parts)


def _leaves(value: Value) -> Iterator[Value]:
    if value.is_section:
        for child in value.children:
            yield from _leaves(child)
    else:
        yield value


def _rows(values: Iterator[Value] | list[Value]) -> Iterator[str]:
    yield '| key | default | what it is |\n|---|---|---|'
    for value in values:
        default = json.dumps(value.default, ensure_ascii=False)
        text = value.text.replace('|', r'\|')
        choice = value.schema.get('enum')
        more = f' One of {", ".join(f"`{one}`" for one in choice)}.' if choice else ''
        yield f'| `{".".join(value.path)}` | `{default}` | {text}{more} |'


def made(chart: Path) -> dict[Path, str]:
    """What the three files should hold."""
    root = read((chart / 'values.yaml').read_text())
    document = {
        '$schema': 'http://json-schema.org/draft-07/schema#',
        'title': 'Values of the chart sluice',
        **schema(Value((), None, '', {}, root.children)),
    }
    template = (chart / 'README.md.tmpl').read_text()
    if template.count(PLACE) != 1:
        raise ValueError(f'README.md.tmpl must have {PLACE} once')
    return {
        chart / 'values.schema.json': json.dumps(document, indent=2, ensure_ascii=False) + '\n',
        chart / 'README.md': template.replace(PLACE, table(root)),
        DOCUMENT: kinds.filled(chart, DOCUMENT.read_text()),
    }


def main(arguments: list[str]) -> int:
    """Write, or with --check tell what is not current. Exit status 1: something is not."""
    stale = [path for path, text in made(CHART).items() if not path.exists() or path.read_text() != text]
    if '--check' in arguments:
        for path in stale:
            print(f'{path} is not current: make chart')
        return 1 if stale else 0
    for path, text in made(CHART).items():
        path.write_text(text)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
