"""docs/kubernetes.md names every condition, reason, event and metric that there is, and no other. Its tables of fields are made
(`tests/chart/test_made.py` holds them to the kinds)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from controlplane.kube.figures import Standing, Told, standing
from controlplane.kube.metrics import lines
from tests.architecture.source import ROOT, modules

PAGE = ROOT / 'docs' / 'kubernetes.md'
WORD = re.compile(r'[A-Z][a-z]+(?:[A-Z][a-z]+)*\Z')


def section(title: str) -> str:
    """The text under a heading of the second rank."""
    return PAGE.read_text().split(f'\n## {title}\n', 1)[1].split('\n## ', 1)[0]


def table(text: str, cell: int = 0) -> list[str]:
    """What stands in backticks in one cell of every row."""
    rows = [line.split('|')[1:-1] for line in text.splitlines() if line.startswith('|')]
    return [word for row in rows for word in re.findall(r'`([^`]+)`', row[cell])]


def kube() -> Iterator[ast.AST]:
    for name, module in modules().items():
        if name.startswith('controlplane.kube.'):
            yield from ast.walk(module.tree)


def words(node: ast.AST) -> set[str]:
    """The constants in an expression that look like a reason."""
    found = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return {text for text in found if WORD.match(text)}


def reasons() -> set[str]:
    """What the code gives as a reason of a condition: `yes` and `no`, directly or by a variable of that name."""
    found: set[str] = set()
    for node in kube():
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {'yes', 'no'}
            and node.args
        ):
            found |= words(node.args[0])
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == 'reason':
            found |= words(node.value)
    return found


def events() -> set[str]:
    """What the code gives as a reason of an Event by name."""
    calls = [node for node in kube() if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return {word for call in calls if call.func.id == 'Note' and len(call.args) > 2 for word in words(call.args[2])}  # type: ignore[attr-defined]


def conditions() -> set[str]:
    """The types of conditions: the keys of the tables from which they are made."""
    tree = modules()['controlplane.kube.conditions'].tree
    keys = [key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys if key is not None]
    return {word for key in keys for word in words(key)}


def test_every_reason_is_explained_and_no_other() -> None:
    assert len(reasons()) > 25
    assert set(table(section('Conditions').split('| reason |', 1)[1])) == reasons()


def test_every_condition_is_explained_and_no_other() -> None:
    assert conditions() >= {'Accepted', 'Drained', 'HostsAttached'}
    assert set(table(section('Conditions').split('| reason |', 1)[0], 1)) - {'True'} == conditions()


def test_every_event_is_explained() -> None:
    named = set(table(section('Events')))
    also = {line.split('|')[1].strip(' `') for line in section('Conditions').splitlines() if '(and Event)' in line}
    assert events() <= named | also
    assert named <= events()


def test_every_metric_of_the_control_plane_is_explained_and_no_other() -> None:
    stand = Standing(
        leads=True, lease_term=1, reigns=1, snapshots=1, snapshots_failed=0, behind=0, told=Told(), held=0, panics=()
    )  # fmt: skip
    known = {line.split()[2] for line in (*lines([]), *standing(stand)) if line.startswith('# TYPE')}
    source = (ROOT / 'controlplane' / 'api' / 'metrics.py').read_text()
    known |= {f'sluice_controlplane_{name}' for name in re.findall(r"_figure\(\s*'(\w+)'", source)}
    pushed = ast.literal_eval(source.split('_PUSHED = ', 1)[1].split('\n}\n', 1)[0] + '\n}')
    known |= {f'sluice_controlplane_push_{name}_total' for name in pushed}
    assert set(table(section('Metrics'))) == known
