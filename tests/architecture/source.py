"""The source tree as these tests see it: files, modules and who imports whom, read without importing anything."""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ('dataplane', 'controlplane', 'sluicectl')


@dataclass(frozen=True)
class Module:
    name: str
    path: Path
    tree: ast.Module

    @property
    def where(self) -> str:
        return str(self.path.relative_to(ROOT))


@dataclass(frozen=True)
class Import:
    importer: str
    imported: str
    where: str
    types_only: bool


def _module(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix('').parts
    name = '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)
    return Module(name, path, ast.parse(path.read_text(), str(path)))


@cache
def modules() -> dict[str, Module]:
    """Every module of the product by its dotted name."""
    found = (_module(path) for package in PACKAGES for path in sorted((ROOT / package).rglob('*.py')))
    return {module.name: module for module in found}


def python_files() -> list[Path]:
    """Every Python file of the repository, tests, demo and bench included."""
    places = (*PACKAGES, 'deploy', 'bench', 'tests')
    return sorted(path for place in places for path in (ROOT / place).rglob('*.py'))


@dataclass(frozen=True)
class Function:
    name: str
    lines: int
    is_async: bool


@cache
def functions(path: Path) -> tuple[Function, ...]:
    """Every function of a Python file, methods and inner ones included. Only this is kept: the trees of all files are large."""
    return tuple(
        Function(node.name, (node.end_lineno or node.lineno) - node.lineno + 1, isinstance(node, ast.AsyncFunctionDef))
        for node in _statements(ast.parse(path.read_text(), str(path)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements inside, however deep; expressions, which are most of a tree and hold none, are left out."""
    for part in ('body', 'orelse', 'finalbody', 'handlers', 'cases'):
        for inner in getattr(node, part, ()):
            yield inner
            yield from _statements(inner)


def _named(module: Module, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ''
    if node.level:
        parts = module.name.split('.')
        package = parts if module.path.name == '__init__.py' else parts[:-1]
        base = '.'.join([*package[: len(package) - node.level + 1], *([base] if base else [])])
    for alias in node.names:
        full = f'{base}.{alias.name}'
        yield full if full in modules() else base


def _types_only(module: Module) -> set[ast.AST]:
    """Everything under `if TYPE_CHECKING:`."""
    return {
        inner
        for node in ast.walk(module.tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == 'TYPE_CHECKING'
        for inner in ast.walk(node)
    }


@cache
def imports() -> tuple[Import, ...]:
    """Every import statement, wherever it stands (top, function, TYPE_CHECKING), as full module names."""
    found = (
        Import(module.name, imported, f'{module.where}:{node.lineno}', node in types_only)
        for module in modules().values()
        for types_only in [_types_only(module)]
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for imported in _named(module, node)
    )
    return tuple(dict.fromkeys(found))


def inside(module: str, room: str) -> bool:
    """Is `module` the room itself or something in it?"""
    return module == room or module.startswith(room + '.')


def tracked() -> list[tuple[str, str]]:
    """(mode, name) of everything in git's index. Skips the test where git cannot say."""
    git = shutil.which('git')
    if git is None or not (ROOT / '.git').exists():
        pytest.skip('not a clone, or no git: nobody can say what is tracked')
    command = [git, '-c', f'safe.directory={ROOT}', 'ls-files', '--stage', '-z']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [row.partition('\t') for row in done.stdout.split('\0') if row]
    return [(head.split()[0], name) for head, _, name in rows]
