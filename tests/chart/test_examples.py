"""Values that the examples give to the chart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chart.rendering import ROOT, run

VALUES = sorted((ROOT / 'deploy' / 'examples').rglob('values.yaml'))


@pytest.mark.parametrize('path', VALUES, ids=lambda path: path.parent.name)
def test_the_chart_takes_them(path: Path) -> None:
    done = run('--values', str(path))
    assert done.returncode == 0, done.stderr


def test_a_model_server_s_data_planes_wait_for_long_answers() -> None:
    done = run('--values', str(ROOT / 'deploy/examples/model-server/values.yaml'))
    assert 'hard-stop-after 600s' in done.stdout
    assert 'timeout client 10m' in done.stdout
    assert 'on-partition stop' in done.stdout
    assert 'terminationGracePeriodSeconds: 620' in done.stdout
