"""10,000 slices of 100 endpoints: at most 300 MiB, also while they are listed again."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.timeout(660)
def test_a_million_endpoints_fit() -> None:
    command = [sys.executable, '-m', 'tests.kube.million', '10000', '100']
    done = subprocess.run(command, capture_output=True, text=True, timeout=640, check=True)
    grown = json.loads(done.stdout)
    assert (grown['slices'], grown['endpoints']) == (10_000, 1_000_000)
    assert grown['first'] <= 300, grown
    assert grown['again'] <= 300, grown
