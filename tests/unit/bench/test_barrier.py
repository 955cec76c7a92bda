"""The bench of the barrier: a real data plane of two workers in its process, a few commits, and the three distributions."""

from __future__ import annotations

import re
import subprocess
import sys

from bench.barrier.__main__ import shares
from bench.peers import ROOT


def test_shares_are_values_that_were_measured() -> None:
    assert shares(range(1_000)) == 'p50 500   p99 990   p99.9 999   max 999 us   (1,000)'
    assert shares([7.0]) == 'p50 7   p99 7   p99.9 7   max 7 us   (1)'


def test_every_commit_is_measured_and_the_lock_is_watched_meanwhile() -> None:
    words = [sys.executable, '-m', 'bench.barrier', '--idle', '--commits', '300', '--servers', '7']
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert re.findall(r'^300 commits of (\d) of 7 servers, 2 workers$', done.stdout, re.MULTILINE) == ['1', '7']
    counts = [int(count.replace(',', '')) for count in re.findall(r'us   \(([\d,]+)\)$', done.stdout, re.MULTILINE)]
    assert len(counts) == 6
    assert counts[0:2] == counts[3:5] == [300, 300]
    assert min(counts[2], counts[5]) > 0
