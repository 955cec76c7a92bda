"""Stages of a write, and how they are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.kubernetes.objects import DRAINS, KINDS, WEIGHTS
from bench.kubernetes.report import STAGES, WHOLE, Measured, Report, document, markdown, text, write

SAID = {
    'heard': {'serveroverrides/web-1': 10.020}, 'began': 10.021, 'made': 10.030, 'sent': 10.031, 'acked': 10.060,
    'pause': 0.0005,
}  # fmt: skip


def report(*writes: tuple[str, float], left: int = 0) -> Report:
    of = Measured()
    for name, began in writes:
        of.answered.append(12.0)
        of.applied(WEIGHTS, began, SAID, f'serveroverrides/{name}')
    return Report({'date': '2026-01-02'}, of, left, 0.5, 100.0)


def test_each_stage_counts_from_the_end_of_the_one_before() -> None:
    of = report(('web-1', 10.0)).measured
    assert dict(of.stages) == {
        name: [pytest.approx(value)] for name, value in zip(STAGES, (20, 1, 9, 1, 29), strict=True)
    }
    assert of.all == [pytest.approx(60)]
    assert of.pauses == [pytest.approx(0.5)]


def test_of_one_that_was_heard_before_only_the_whole_is_known() -> None:
    of = report(('web-2', 10.0)).measured
    assert not any(of.stages.values())
    assert of.whole == {WEIGHTS: [pytest.approx(60)], **{kind: [] for kind in KINDS if kind != WEIGHTS}}


def test_the_target_is_missed_by_what_is_late_by_what_never_came_and_by_nothing_at_all() -> None:
    assert report(('web-1', 10.0)).met
    assert not report(('web-1', 9.9)).met
    assert not report(('web-1', 10.0), left=1).met
    assert not report().met


def test_the_text_names_every_stage_and_what_has_no_figures() -> None:
    told = text(report(('web-1', 10.0)))
    assert all(words in told for words in (*STAGES.values(), WHOLE, 'busy for 50%', 'date: 2026-01-02', 'met'))
    assert any(line.split() == [*DRAINS.split(), 'nothing'] for line in told.splitlines())


def test_both_files_are_written(tmp_path: Path) -> None:
    of = report(('web-1', 10.0))
    page, figures = write(of, tmp_path / 'new')
    assert (page.read_text(), figures.read_text()) == (markdown(of), document(of))
    assert '| all workers have applied it | 60 | 60 | 60 | 1 |' in page.read_text()
    assert json.loads(figures.read_text())['stages']['heard'] == [20.0]
