"""The dashboard asks for what the exporter says: names and labels, taken from a real exposition."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from dataplane.cli.stat import Kind
from dataplane.supervisor.figures import Supervision
from dataplane.supervisor.metrics import exposition
from tests.architecture.source import ROOT
from tests.inprocess import SNAPSHOT, Plane

DASHBOARD = ROOT / 'helm' / 'sluice' / 'dashboards' / 'sluice.json'
ELSEWHERE = frozenset(('namespace', 'pod', 'instance'))
"""Labels that Prometheus adds."""


def said() -> dict[str, set[str]]:
    """The names of all figures with their labels."""
    backend = SNAPSHOT.backends[0]
    server = replace(backend.servers[0], maxqueue=3, pool_max_conn=5)
    plane = Plane(
        replace(SNAPSHOT, backends=(replace(backend, servers=(server,)),)), supervision=Supervision(lease_in_force=True)
    )
    # a server's checks count from the first on, and none is made here
    rows = [
        replace(row, values={**row.values, 'chkfail': 0}) if row.kind is Kind.SERVER else row
        for row in plane.figures.rows()
    ]
    text = ''.join(exposition(rows, plane.figures.info(), plane.supervision))
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r'^(\w+)(?:\{(.*)\})? ', text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def asked() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    found = [target['expr'] for panel in dashboard['panels'] for target in panel['targets']]
    return found + [variable['definition'] for variable in dashboard['templating']['list'] if 'definition' in variable]


def test_every_figure_is_one_that_the_exporter_says() -> None:
    known, checked = said(), set()
    for expression in asked():
        for name, selector in re.findall(r'\b((?:haproxy|sluice)_\w+)(?:\{(.*?)\})?', expression):
            if name.startswith('sluice_controlplane_'):  # of the other plane: tests/chart/test_told.py
                continue
            assert name in known, expression
            labels = set(re.findall(r'(\w+)=?[=!~]', selector))
            for group in re.findall(r'by \((.*?)\)', expression):
                labels |= {label.strip() for label in group.split(',')}
            assert labels - ELSEWHERE <= known[name], (expression, known[name])
            checked.add(name)
    assert len(checked) > 20


def test_states_are_those_of_the_exporter() -> None:
    plane = Plane()
    text = ''.join(exposition(list(plane.figures.rows()), plane.figures.info(), plane.supervision))
    for expression in asked():
        for state in re.findall(r'state!?="(\w+)"', expression):
            assert f'state="{state}"' in text


def test_without_kubernetes_it_works_as_well() -> None:
    """Figures without a namespace match `.*`, which is what the choice of all namespaces stands for."""
    dashboard = json.loads(DASHBOARD.read_text())
    namespace = next(each for each in dashboard['templating']['list'] if each['name'] == 'namespace')
    assert (namespace['includeAll'], namespace['allValue'], namespace['current']['value']) == (True, '.*', '$__all')
    assert not any('namespace="' in expression for expression in asked())


def test_panels_do_not_lie_on_each_other() -> None:
    panels = json.loads(DASHBOARD.read_text())['panels']
    places = [(panel['gridPos']['x'], panel['gridPos']['y']) for panel in panels]
    assert len(set(places)) == len(panels)
    assert len({panel['id'] for panel in panels}) == len(panels)
