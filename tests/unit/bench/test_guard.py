"""The guard's verdicts: what is within the band, what is not, what cannot be compared."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest

from bench.guard import __main__ as guard
from bench.guard import baseline, callgrind, driver
from bench.guard.baseline import BadBaseline, Baseline
from bench.guard.callgrind import Failed
from bench.guard.stages import STAGES, stage

MADE_WITH = {'python': 'CPython 3.11.2', 'uvloop': '0.23.0'}
TWO = STAGES[:2]  # for who asks what becomes of figures: each stage is two starts of a program
KNOWN = Baseline(MADE_WITH, {'tiny': 400_000, 'post': 100_000})


@pytest.mark.parametrize('path', sorted(guard.BASELINES.iterdir()), ids=lambda path: path.name)
def test_a_committed_baseline_is_one_and_names_every_stage(path: Path) -> None:
    committed = Baseline.from_text(path.read_text())
    assert path.stem == committed.made_with['python'].lower().replace(' ', '-')
    assert list(committed.instructions) == [one.name for one in STAGES]
    assert committed.made_with.keys() == guard.made_with().keys()
    assert all(guard.made_with().values())


def test_a_baseline_is_read_as_it_was_written() -> None:
    assert Baseline.from_text(KNOWN.to_text()) == KNOWN


@pytest.mark.parametrize(
    'text',
    [
        '', '[]', '{', '{"made_with": {}}', '{"made_with": [], "instructions_per_request": {}}',
        '{"made_with": {}, "instructions_per_request": {"tiny": "many"}}',
        '{"made_with": {}, "instructions_per_request": {"tiny": 0}}',
    ],
)  # fmt: skip
def test_what_is_no_baseline_is_refused(text: str) -> None:
    with pytest.raises(BadBaseline):
        Baseline.from_text(text)


@pytest.mark.parametrize('ratio', [0.901, 1, 1.099])
def test_within_the_band_all_is_well(ratio: float) -> None:
    assert baseline.complaints(KNOWN, {'tiny': int(400_000 * ratio), 'post': 100_000}) == []


@pytest.mark.parametrize('now, ratio, what', [(441_000, '1.10', 'dearer'), (358_000, '0.895', 'cheaper')])
def test_outside_the_band_says_all_there_is_to_know(now: int, ratio: str, what: str) -> None:
    (said,) = baseline.complaints(KNOWN, {'tiny': now, 'post': 100_000})
    for word in ('tiny', '400,000', f'{now:,}', f'ratio {ratio}', what, 'bench.guard --update'):
        assert word in said


def test_a_stage_that_came_or_went_is_told() -> None:
    gone, new = baseline.complaints(KNOWN, {'tiny': 400_000, 'queued': 1})
    assert 'post: in the baseline' in gone
    assert 'queued: the baseline has no such stage' in new


def test_other_versions_are_named() -> None:
    assert baseline.differences(KNOWN, MADE_WITH) == []
    other = baseline.differences(KNOWN, {'python': 'CPython 3.11.9', 'uvloop': '0.23.0', 'libc': 'glibc 2.36'})
    assert other == ['python CPython 3.11.9 instead of CPython 3.11.2', 'libc glibc 2.36 instead of unknown']


def test_the_few_rounds_fall_out_of_the_figure() -> None:
    one = stage('tiny')
    requests = (driver.MANY - driver.FEW) * one.case.connections
    assert callgrind.per_request(one, 5_000_000, 5_000_000 + 1000 * requests) == 1000
    with pytest.raises(Failed, match='tiny'):
        callgrind.per_request(one, 7, 7)


def test_an_unknown_stage_is_named() -> None:
    with pytest.raises(ValueError, match='no such stage: huge; there are everything-on, '):
        stage('huge')


# -- the command, with a valgrind that says what the test wants ---------------------------------------------------------


def valgrind(directory: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name before all others on the PATH; $out is where callgrind should write."""
    program = directory / 'valgrind'
    program.write_text(
        f'#!/bin/sh\nfor word; do case $word in --callgrind-out-file=*) out=${{word#*=}};; esac; done\n{script}\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv('PATH', f'{directory}{os.pathsep}{os.environ["PATH"]}')


def counting(per_request: int) -> str:
    """What callgrind would leave for a driver that takes this much."""
    requests = (driver.MANY - driver.FEW) * 40
    return f'echo "totals: 1000" >$out.2; echo "totals: {1000 + per_request * requests}" >$out.3'


@pytest.fixture
def two_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, 'STAGES', TWO)


def written(directory: Path, figure: int, **other: str) -> Path:
    path = directory / 'baseline.json'
    path.write_text(Baseline(guard.made_with() | other, dict.fromkeys((s.name for s in TWO), figure)).to_text())
    return path


def test_without_valgrind_it_is_skipped_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, 1000)
    monkeypatch.setenv('PATH', str(tmp_path))
    assert guard.main(['--baseline', str(path)]) == guard.GOOD
    assert capsys.readouterr().out.startswith('bench-guard: skipped: valgrind is not installed')
    before = path.read_text()
    assert guard.main(['--update', '--baseline', str(path)]) == guard.UNKNOWN
    assert path.read_text() == before


def test_with_other_versions_it_is_skipped_and_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    valgrind(tmp_path, 'exit 1', monkeypatch)
    assert guard.main(['--baseline', str(written(tmp_path, 1000, uvloop='0.1'))]) == guard.GOOD
    said = capsys.readouterr().out
    assert 'skipped' in said
    assert f'uvloop {guard.made_with()["uvloop"]} instead of 0.1' in said


@pytest.mark.usefixtures('two_stages')
@pytest.mark.parametrize('now, status', [(1000, guard.GOOD), (1200, guard.WORSE), (800, guard.WORSE)])
def test_the_status_is_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], now: int, status: int
) -> None:
    valgrind(tmp_path, counting(now), monkeypatch)
    assert guard.main(['--baseline', str(written(tmp_path, 1000))]) == status
    said = capsys.readouterr()
    assert f'{now / 1000:.3f}' in said.out
    assert len(said.err.splitlines()) == (0 if status == guard.GOOD else len(TWO))


@pytest.mark.usefixtures('two_stages')
def test_with_a_python_that_nothing_was_counted_with_it_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard, 'BASELINES', tmp_path)
    assert guard.main([]) == guard.GOOD
    assert f'there is no {guard.own()}' in capsys.readouterr().out
    valgrind(tmp_path, counting(1500), monkeypatch)
    assert guard.main(['--update']) == guard.GOOD
    assert Baseline.from_text(guard.own().read_text()).made_with == guard.made_with()


def test_update_writes_what_is_compared_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / 'baseline.json'
    assert guard.main(['--baseline', str(path)]) == guard.UNKNOWN
    valgrind(tmp_path, counting(1500), monkeypatch)
    assert guard.main(['--update', '--baseline', str(path)]) == guard.GOOD
    assert set(json.loads(path.read_text())['instructions_per_request'].values()) == {1500}
    assert guard.main(['--baseline', str(path)]) == guard.GOOD


@pytest.mark.parametrize(
    'script, why',
    [
        ('echo "cannot start" >&2; exit 3', 'exit status 3\ncannot start'),
        ('echo "a defect that a loop reported"', 'exit status 0\na defect'),
        ('true', 'did not see a mark'),
        ('echo nothing >$out.2; echo nothing >$out.3', 'wrote no total'),
    ],
)
def test_what_went_wrong_under_callgrind_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, why: str
) -> None:
    valgrind(tmp_path, script, monkeypatch)
    with pytest.raises(Failed, match=re.escape(why)) as failed:
        callgrind.count(stage('tiny'), tmp_path)
    assert str(failed.value).startswith('tiny: ')


@pytest.mark.usefixtures('two_stages')
def test_nothing_counted_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    valgrind(tmp_path, 'exit 3', monkeypatch)
    assert guard.main(['--baseline', str(written(tmp_path, 1000))]) == guard.UNKNOWN
    assert 'exit status 3' in capsys.readouterr().err
