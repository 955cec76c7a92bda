"""What a class sets on itself is declared in the .pxd beside its module: compiled it would have no such attribute."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.architecture.source import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DECLARED = sorted(path for path in (ROOT / 'dataplane').rglob('*.pxd') if path.with_suffix('.py').exists())
_CLASS = re.compile(r'^cdef class (\w+)(?:\((\w+)\))?:', re.MULTILINE)
_WORD = re.compile(r'\w+')


def declared(path: Path) -> dict[str, tuple[str, set[str]]]:
    """By class: its base, and every word of its declarations."""
    text = path.read_text()
    heads = list(_CLASS.finditer(text))
    ends = [*(head.start() for head in heads), len(text)][1:]
    return {
        head[1]: (head[2] or '', set(_WORD.findall(text[head.end() : end])))
        for head, end in zip(heads, ends, strict=True)
    }


def assigned(node: ast.ClassDef) -> set[str]:
    """The attributes that its methods give `self`."""
    return {
        found.attr
        for found in ast.walk(node)
        if isinstance(found, ast.Attribute)
        and isinstance(found.ctx, ast.Store)
        and isinstance(found.value, ast.Name)
        and found.value.id == 'self'
    }


@pytest.mark.parametrize('path', DECLARED, ids=lambda path: path.stem)
def test_attributes_are_declared(path: Path) -> None:
    classes = declared(path)
    everywhere = {name: entry for other in DECLARED for name, entry in declared(other).items()}
    missing = []
    for node in ast.parse(path.with_suffix('.py').read_text()).body:
        if not isinstance(node, ast.ClassDef) or node.name not in classes:
            continue
        known: set[str] = set()
        name = node.name
        while name in everywhere:
            name, words = everywhere[name]
            known |= words
        missing += [f'{node.name}.{attribute}' for attribute in sorted(assigned(node) - known)]
    assert not missing, f'{path.relative_to(ROOT)} lacks {missing}'


def test_there_is_something_to_look_at() -> None:
    assert any(declared(path) for path in DECLARED)
