"""What the documentation names is really there: files, modules, names inside them, tests, and its own links."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, ROOT, functions, modules

# made of the keyword tables, and compared with them by tests/unit/config/test_support.py
GENERATED = ROOT / 'docs' / 'cfg-support.md'
DOCUMENTS = sorted(
    {ROOT / 'README.md', ROOT / 'CHANGELOG.md', *(ROOT / 'docs').rglob('*.md'), *(ROOT / 'deploy').rglob('*.md')}
    - {GENERATED}
)
CODE = re.compile(r'(?<!`)`([^`\n]+)`(?!`)')
LINK = re.compile(r'\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)')
# made when Sluice runs or is built, so not in the repository
MADE = ('run/', '.venv')


def prose(document: Path) -> str:
    """The text without fenced blocks, which hold commands and their output."""
    return re.sub(r'^```.*?^```', '', document.read_text(), flags=re.MULTILINE | re.DOTALL)


@cache
def known_tests() -> frozenset[str]:
    files = list((ROOT / 'tests').rglob('test_*.py'))
    return frozenset({path.stem for path in files} | {function.name for path in files for function in functions(path)})


@cache
def names_in(module: str) -> frozenset[str]:
    """Functions, classes, attributes, constants and words in quotes, anywhere in a module."""
    found: set[str] = set()
    for node in ast.walk(modules()[module].tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            found.add(node.value)  # a key of a document, a keyword of a configuration
    return frozenset(found)


@cache
def all_names() -> frozenset[str]:
    """Every identifier of the product and every function of the tests."""
    found = set().union(*(names_in(module) for module in modules()))
    for path in (ROOT / 'tests').rglob('*.py'):
        found |= {function.name for function in functions(path) if not function.is_async}
    return frozenset(found)


def exists(dotted: str) -> bool:
    parts = dotted.split('.')
    for cut in range(len(parts), 0, -1):
        name = '.'.join(parts[:cut])
        if name in modules():
            return all(part in names_in(name) for part in parts[cut:])
    return False


def is_value(word: str) -> bool:
    """Whether the chart has a value of this name, which may begin like a package."""
    return f'| `{word}` |' in (ROOT / 'helm' / 'sluice' / 'README.md').read_text()


def problem(token: str) -> str | None:
    """Why a word in backticks cannot be true, or None."""
    word = token.split('::', maxsplit=1)[0].rstrip('()')
    if re.fullmatch(r'test_\w+', word):
        return None if word in known_tests() else 'no such test'
    if re.fullmatch(r'[\w.-]+(/[\w.*-]+)+/?', word) and word.split('/')[0] in {
        *PACKAGES,
        'tests',
        'docs',
        'deploy',
        'bench',
    }:
        return None if list(ROOT.glob(word.rstrip('/'))) else 'no such file'
    if word.startswith('sluice_controlplane_'):
        return None  # compared with what is exported by test_kubernetes_page
    if metric := re.fullmatch(r'haproxy_(?:process|frontend|backend|server)_(\w+)', word):
        exporter = (ROOT / 'dataplane' / 'supervisor' / 'metrics.py').read_text()
        return None if re.search(rf'\b{metric[1]}\b', exporter) else 'no such metric'
    if re.fullmatch(r'[a-z0-9]+(_[a-z0-9]+)+', word):
        return None if word in all_names() else 'no such name'
    if re.fullmatch(r'[a-z]+(\.\w+)+', word) and word.split('.')[0] in PACKAGES:
        return None if exists(word) or is_value(word) else 'no such module or name'
    return None


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_what_exists(document: Path) -> None:
    wrong = [f'`{token}`: {why}' for token in CODE.findall(prose(document)) if (why := problem(token))]
    for target in LINK.findall(prose(document)):
        if '://' not in target and not target.startswith(MADE) and not (document.parent / target).exists():
            wrong.append(f'link to {target}')
    assert not wrong, f'{document.relative_to(ROOT)}: {wrong}'


def test_headers_name_what_exists() -> None:
    """The same for the essays at the top of modules, which rot as easily."""
    wrong = [
        f'{module.where}: `{token}`: {why}'
        for module in modules().values()
        for token in CODE.findall(ast.get_docstring(module.tree) or '')
        if (why := problem(token))
    ]
    assert not wrong, '\n'.join(wrong)
