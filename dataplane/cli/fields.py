"""What a field of a dump is: its position, name, tags, type and description, and how a list of them is written out.

A field's tags are four letters of HAProxy's typed output (management manual, 9.1.1): origin (Metric, Status, Key, Config,
Product), nature (G gauge, L limit, m min, M max, R rate, C counter, D duration, A age, T time, N name, O output, a average)
and scope (P process, S service, s system, C cluster); its type is one of s32 u32 s64 u64 flt str.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

Value = int | float | str

ORIGINS: Final = {'M': 'Metric', 'S': 'Status', 'K': 'Key', 'C': 'Config', 'P': 'Product'}
NATURES: Final = {
    'G': 'Gauge', 'L': 'Limit', 'm': 'Min', 'M': 'Max', 'R': 'Rate', 'C': 'Counter', 'D': 'Duration', 'A': 'Age',
    'T': 'Time', 'N': 'Name', 'O': 'Output', 'a': 'Avg',
}  # fmt: skip
SCOPES: Final = {'P': 'Process', 'S': 'Service', 's': 'System', 'C': 'Cluster'}


class Form(Enum):
    """How a dump is written."""

    TEXT = 'text'
    TYPED = 'typed'
    JSON = 'json'


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a dump."""

    position: int
    name: str
    tags: str
    type: str
    description: str

    def typed(self, value: Value) -> str:
        """The field as typed output writes it behind the object it belongs to."""
        return f'{self.position}.{self.name}.1:{self.tags}:{self.type}:{value}'

    def document(self, value: Value) -> dict[str, object]:
        """The field as an item of the JSON output."""
        origin, nature, scope = tuple(self.tags)
        return {
            'field': {'pos': self.position, 'name': self.name},
            'processNum': 1,
            'tags': {'origin': ORIGINS[origin], 'nature': NATURES[nature], 'scope': SCOPES[scope]},
            'value': {'type': self.type, 'value': value},
        }

    def tagged(self, tags: str) -> Field:
        """The same field with other tags: a few differ by the kind of object."""
        return replace(self, tags=tags)


def table(text: str) -> tuple[Field, ...]:
    """Read a table of fields: per line `name tags type description`, `~` for a blank in a name, in order of position."""
    fields = []
    for position, line in enumerate(text.strip().splitlines()):
        name, tags, kind, description = line.split(maxsplit=3)
        fields.append(Field(position, name.replace('~', ' '), tags, kind, description))
    return tuple(fields)


def described(text: str, field: Field, *, describe: bool) -> str:
    """Add the description when it was asked for."""
    return f'{text}:"{field.description}"' if describe else text


def csv_value(value: Value) -> str:
    """A value in CSV: quoted only when it holds a comma or a quote."""
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if ',' in text or '"' in text else text


def to_json(document: object) -> str:
    """JSON as HAProxy writes it, without blanks."""
    return json.dumps(document, separators=(',', ':'))


def present(fields: Iterable[Field], values: Mapping[str, Value]) -> Iterable[tuple[Field, Value]]:
    """The fields that have a value, in order."""
    return ((field, values[field.name]) for field in fields if field.name in values)
