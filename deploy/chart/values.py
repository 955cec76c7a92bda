"""What values.yaml says of itself: every key with its default, its type and the comment above it.

A comment block whose first line begins with `# --` describes the key below it; a type in parentheses right after it says more
than the default does:

    # -- (int 1..64) Workers.           # -- (enum a|b) One of these.     # -- (string /^x/) Text that fits an expression.
    # -- (map) Anything.                # -- (map of string) Labels.      # -- (list) Anything.    # -- (list of string) Names.
    # -- (int or string) A number or a percentage.

Without one the type is the default's. A map that is not called one is a section: its keys are exactly those that stand there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

_COMMENT = re.compile(r' *# ?(.*)')
_TYPED = re.compile(r'\(((?:int|enum|string|map|list)\b(?:[^()]|\([^()]*\))*)\) ')
_TYPES = {'bool': 'boolean', 'int': 'integer', 'float': 'number', 'str': 'string'}


@dataclass(slots=True)
class Value:
    """One key. `children` is empty for a value that is not a section; `schema` is its JSON schema, without them."""

    path: tuple[str, ...]
    default: Any
    text: str
    schema: dict[str, Any]
    children: list[Value] = field(default_factory=list)

    @property
    def is_section(self) -> bool:
        """Whether its keys are described one by one."""
        return bool(self.children)


def read(text: str) -> Value:
    """The root. ValueError: a key has no description, or a type cannot be understood."""
    node = yaml.compose(text, yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        raise ValueError('the values are not a map')
    return Value((), None, '', {}, list(_children(node, (), text.splitlines())))


def _children(node: yaml.MappingNode, path: tuple[str, ...], lines: list[str]) -> Iterator[Value]:
    for key, value in node.value:
        here = (*path, key.value)
        said = _described(lines, key.start_mark.line)
        default = yaml.load(yaml.serialize(value), yaml.SafeLoader)
        name, text = _split(said)
        if isinstance(default, dict) and default and not name:
            yield Value(here, default, text, {}, list(_children(value, here, lines)))
        elif not said:
            raise ValueError(f'{".".join(here)} has no description')
        else:
            yield Value(here, default, text, _schema(name, default, '.'.join(here)))


def _described(lines: list[str], line: int) -> str:
    """The comment block right above a line, from its `--` on; empty when it has none."""
    block: list[str] = []
    for above in reversed(lines[:line]):
        match = _COMMENT.fullmatch(above)
        if match is None:
            return ''
        if match[1].startswith('-- '):
            return ' '.join([match[1][3:].strip(), *reversed(block)])
        block.append(match[1].strip())
    return ''


def _split(said: str) -> tuple[str, str]:
    match = _TYPED.match(said)
    return (match[1], said[match.end() :]) if match else ('', said)


def _schema(name: str, default: Any, where: str) -> dict[str, Any]:
    if not name:
        if isinstance(default, dict | list) or default is None:
            raise ValueError(f'{where}: what may stand in it must be said, as (map) or (list) or the like')
        return {'type': _TYPES[type(default).__name__]}
    if match := re.fullmatch(r'int (\d+)\.\.(\d+)', name):
        return {'type': 'integer', 'minimum': int(match[1]), 'maximum': int(match[2])}
    if match := re.fullmatch(r'string /(.*)/', name):
        return {'type': 'string', 'pattern': match[1]}
    if match := re.fullmatch(r'enum (\S+)', name):
        return {'type': 'string', 'enum': match[1].split('|')}
    known: dict[str, dict[str, Any]] = {
        'int or string': {'type': ['integer', 'string']},
        'map': {'type': 'object'},
        'map of string': {'type': 'object', 'additionalProperties': {'type': 'string'}},
        'list': {'type': 'array'},
        'list of string': {'type': 'array', 'items': {'type': 'string'}},
    }
    if name not in known:
        raise ValueError(f'{where}: {name!r} is no type')
    return known[name]
