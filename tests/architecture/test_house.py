"""Rules of the house that neither the linter nor the type checker can hold."""

from __future__ import annotations

import ast
import re
import tomllib
from typing import Any

from tests.architecture.source import ROOT, Module, inside, modules

# core modules without decisions, which their users' tests cover: module -> why
NO_TEST_OF_THEIR_OWN: dict[str, str] = {}

MUTABLE_CALLS = frozenset(
    {'list', 'dict', 'set', 'deque', 'defaultdict', 'OrderedDict', 'Counter', 'bytearray', 'array'}
)


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / 'pyproject.toml').read_text())


def requirement_names() -> set[str]:
    """Of all extras but `bench` and `fuzz`, whose packages few need and are large."""
    extras: dict[str, list[str]] = project()['project']['optional-dependencies']
    kept = (extra for name, extra in extras.items() if name not in ('bench', 'fuzz'))
    return {re.split(r'[\[<>=!~;\s]', one)[0].lower() for extra in kept for one in extra}


def test_every_core_module_has_its_unit_test() -> None:
    missing = []
    for module in modules().values():
        if not inside(module.name, 'dataplane.core') or module.path.name == '__init__.py':
            continue
        if module.name in NO_TEST_OF_THEIR_OWN:
            continue
        inner = module.path.relative_to(ROOT / 'dataplane')
        test = ROOT / 'tests' / 'unit' / inner.with_name(f'test_{inner.name}')
        if not test.exists():
            missing.append(f'{module.where} has no {test.relative_to(ROOT)}')
    assert not missing, '\n'.join(missing)


def test_every_module_says_what_room_it_is() -> None:
    silent = [module.where for module in modules().values() if module.tree.body and not ast.get_docstring(module.tree)]
    assert not silent, silent


def _is_mutable(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id in MUTABLE_CALLS
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


def _is_constant(target: ast.expr, annotation: str = '') -> bool:
    """Final by type, or by the spelling that everybody reads as "never changed"."""
    return 'Final' in annotation or (isinstance(target, ast.Name) and (target.id.isupper() or target.id == '__all__'))


def _module_state(module: Module) -> list[str]:
    wrong = [f'{module.where}:{node.lineno} global' for node in ast.walk(module.tree) if isinstance(node, ast.Global)]
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and _is_mutable(node.value) and not _is_constant(node.targets[0]):
            wrong.append(f'{module.where}:{node.lineno}')
        elif isinstance(node, ast.AnnAssign) and _is_mutable(node.value):
            if not _is_constant(node.target, ast.unparse(node.annotation)):
                wrong.append(f'{module.where}:{node.lineno}')
    return wrong


def test_no_module_has_state_that_changes() -> None:
    """Tables are constants; everything that changes belongs to an object that somebody made and handed over."""
    wrong = [one for module in modules().values() for one in _module_state(module)]
    assert not wrong, wrong


def test_console_scripts_exist() -> None:
    for script, target in project()['project']['scripts'].items():
        name, function = target.split(':')
        assert name in modules(), f'{script}: no module {name}'
        found = {node.name for node in modules()[name].tree.body if isinstance(node, ast.FunctionDef)}
        exported = {alias.asname or alias.name for node in modules()[name].tree.body
                    if isinstance(node, ast.ImportFrom) for alias in node.names}  # fmt: skip
        assert function in found | exported, f'{script}: no {function} in {name}'


def test_the_lock_covers_every_requirement_with_hashes() -> None:
    lock = (ROOT / 'requirements.lock').read_text()
    pinned = dict(re.findall(r'^([A-Za-z0-9_.-]+)==\S+ \\\n    (--hash=sha256:)', lock, re.MULTILINE))
    lines = [line for line in lock.splitlines() if line and not line.startswith((' ', '#'))]
    assert len(pinned) == len(lines), 'a line of the lock has no hash'
    missing = requirement_names() - {name.lower() for name in pinned}
    assert not missing, f'make lock: not in requirements.lock: {missing}'


def test_the_lock_names_no_place_to_download_from() -> None:
    for number, line in enumerate((ROOT / 'requirements.lock').read_text().splitlines(), 1):
        assert '://' not in line, f'requirements.lock:{number}: {line}'
        assert '--index' not in line, f'requirements.lock:{number}: {line}'
        assert '--find-links' not in line, f'requirements.lock:{number}: {line}'


def test_every_lint_rule_left_out_has_its_reason() -> None:
    text = (ROOT / 'pyproject.toml').read_text()
    block = text[text.index('[tool.ruff.lint]') : text.index('[tool.ruff.lint.flake8-quotes]')]
    for line in block.splitlines():
        if re.match(r'    "[A-Z]+\d*",', line):
            assert re.search(r'# \S+ \S+', line) or line.count('"') > 2, f'no reason: {line.strip()}'
