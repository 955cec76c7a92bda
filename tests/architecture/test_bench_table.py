"""The table of costs in the README is what `make bench` wrote."""

from __future__ import annotations

import json

from tests.architecture.source import ROOT

RESULTS = ROOT / 'docs' / 'bench' / 'results.json'


def _table() -> list[list[str]]:
    text = (ROOT / 'README.md').read_text()
    lines = text.partition('| `make bench` case |')[2].partition('\n\n')[0].splitlines()
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]


def test_the_table_of_costs_is_the_bench() -> None:
    results = json.loads(RESULTS.read_text())
    measured = {(row['case'], row['peer']): row for row in results['rows']}
    peers, _, *rows = _table()
    assert [row[0].partition('`: ')[0].strip('`') for row in rows] == list(dict.fromkeys(case for case, _ in measured))
    for name, *cells in rows:
        case = name.partition('`: ')[0].strip('`')
        for peer, cell in zip(peers, cells, strict=True):
            row = measured.get((case, peer))
            assert cell == ('-' if row is None else f'{row["cpu_us"]["median"]:,.0f}'), (case, peer)


def test_its_date_and_versions_are_said() -> None:
    results = json.loads(RESULTS.read_text())
    text = (ROOT / 'README.md').read_text()
    said = text.partition('## What a request costs')[2].partition('\n|')[0]
    assert results['about']['date'] in said
    for peer in ('haproxy', 'nginx', 'envoy', 'caddy', 'sluice'):
        assert results['versions'][peer].partition('-')[0] in said, peer
