"""CPU time from /proc: the lines, and real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bench import cputime
from bench.cputime import Times

STAT = '42 (a b) c) S 7 42 42 0 -1 4194304 100 0 0 0 123 45 0 0 20 0 1 0 999 0 0'


def test_the_name_in_a_stat_line_may_hold_anything() -> None:
    assert cputime.parse_stat(STAT) == (7, 123, 45)


def test_schedstat_begins_with_the_time_on_a_core() -> None:
    assert cputime.parse_schedstat('362074238 1341303 114\n') == 362_074_238


def test_what_was_used_in_between_counts_newcomers_whole() -> None:
    before = {1: Times(100, 60, 40)}
    after = {1: Times(150, 80, 70), 2: Times(30, 10, 20)}
    assert cputime.between(before, after) == Times(80, 30, 50)


def test_a_process_that_ended_is_no_measurement() -> None:
    with pytest.raises(cputime.Gone, match=r'\[2\]'):
        cputime.between({1: Times(1, 1, 0), 2: Times(1, 1, 0)}, {1: Times(2, 2, 0)})
    with pytest.raises(cputime.Gone):
        cputime.read(2**22 + 1)  # above the largest pid there is


def test_own_time_is_seen() -> None:
    before, began = cputime.read(os.getpid()), time.process_time()
    while time.process_time() - began < 0.05:
        pass
    used = cputime.between({os.getpid(): before[os.getpid()]}, {os.getpid(): cputime.read(os.getpid())[os.getpid()]})
    assert used.total >= 0.03e9


def test_the_tree_holds_grandchildren() -> None:
    inner = 'import subprocess, sys; p = subprocess.Popen(["cat"]); print(p.pid, flush=True); p.wait()'
    with subprocess.Popen([sys.executable, '-c', inner], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        assert cputime.tree(child.pid) == [child.pid, grandchild]
        child.stdin.close()
        assert child.wait(30) == 0
