"""The tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.report import HEAD, Report, document, line, markdown, number, table, write
from bench.summary import Measurement, Row, Spread

ROW = Row(
    'browser-1k', 'sluice', 3, requests_per_s=Spread(12_345.6, 1, 2), cpu_us=Spread(57.04, 50, 60), user_us=30.2,
    system_us=26.84, p50_ms=3.14159, p99_ms=123.4, busy=0.994, ratio=Spread(1.5, 1.42, 1.611),
)  # fmt: skip
FAILED = Row('browser-1k', 'envoy', 3, failed='/body/1024: status 503 | no\nupstream')
REPORT = Report(
    about={'date': '2026-01-02'},
    versions={'haproxy': '2.6.12'},
    rows=[ROW, FAILED],
    measurements=[Measurement('browser-1k', 'sluice', 1, cpu_us=57.04)],
    left_out={('browser-1k', 'naive'): 'is one process', ('', 'caddy'): 'not installed'},
)


@pytest.mark.parametrize(
    'value, text', [(0, '0.00'), (0.42, '0.42'), (9.994, '9.99'), (10, '10.0'), (99.94, '99.9'), (1234.5, '1,234')]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_row_is_one_line() -> None:
    assert line(ROW) == '| sluice | 12,346 | 57.0 | 30.2 + 26.8 | 3.14 | 123 | 1.50 (1.42 - 1.61) | 99% |\n'


def test_a_failure_is_one_line_of_as_many_cells_and_no_figure() -> None:
    assert line(FAILED) == '| envoy | FAILED: /body/1024: status 503 / no upstream | | | | | | |\n'
    assert len({one.count('|') for one in (line(ROW), line(FAILED), *HEAD.splitlines())}) == 1


def test_without_a_reference_there_is_no_ratio() -> None:
    alone = Row('c', 'p', 1, requests_per_s=Spread(1, 1, 1), cpu_us=Spread(1, 1, 1))
    assert ' | - | ' in line(alone)


def test_a_table_says_who_is_not_in_it() -> None:
    assert table('browser-1k', REPORT.rows, REPORT.left_out).endswith('\nNot here: naive (is one process).\n')
    assert 'Not here' not in table('tiny-0', REPORT.rows, REPORT.left_out)


def test_the_page_has_what_was_measured_with_what() -> None:
    text = markdown(REPORT)
    for words in (
        '- date: 2026-01-02\n',
        'versions: haproxy 2.6.12',
        'not measured: caddy: not installed',
        '## browser-1k',
    ):
        assert words in text
    assert '## tiny-0' not in text


def test_json_holds_every_measurement(tmp_path: Path) -> None:
    whole = json.loads(document(REPORT))
    assert whole['measurements'][0]['cpu_us'] == 57.04
    assert whole['rows'][0]['ratio'] == {'median': 1.5, 'min': 1.42, 'max': 1.611}
    assert whole['rows'][1]['failed'].startswith('/body/1024')
    written = write(REPORT, tmp_path / 'new')
    assert [path.name for path in written] == ['results.md', 'results.json']
    assert json.loads(written[1].read_text()) == whole
