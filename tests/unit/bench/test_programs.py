"""The origin, the checks, the drain and the children, with real sockets and processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import cases, cputime
from bench.check import Checker, Sampler, Wrong
from bench.children import Child, DidNotStart, free_port
from bench.drain import Drain
from bench.peers import PEERS, ROOT, find, version

CORES = frozenset(os.sched_getaffinity(0))


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    child = Child([sys.executable, '-m', 'bench.origin', str(port)], CORES, tmp_path, {'PYTHONPATH': str(ROOT)})
    try:
        yield child.listening(port)
    finally:
        child.stop()


@pytest.mark.parametrize('name', ['tiny-0', 'browser-100k', 'close-1k', 'post-1k', 'post-1m'])
def test_the_origin_answers_what_is_checked(origin: int, name: str) -> None:
    case = cases.chosen([name])[0]
    size = Checker(case, origin).once(2)
    assert size > (0 if case.upload else case.body)


def test_a_wrong_length_is_not_accepted(origin: int) -> None:
    with socket.create_connection(('127.0.0.1', origin), 5) as client:
        client.sendall(b'POST /post/5 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfour')
        assert client.recv(1000).startswith(b'HTTP/1.1 422 ')


def test_an_origin_that_says_nothing_of_the_client_fails_the_check(origin: int) -> None:
    with pytest.raises(Wrong, match='0 bytes instead of 9'):
        Checker(cases.CASES[0], origin).forwarded()


def test_nobody_there_is_wrong_too() -> None:
    checker = Checker(cases.CASES[0], free_port())
    with pytest.raises(Wrong, match='ConnectionRefusedError'):
        checker.once()
    with Sampler(checker, every=0.01) as sampler:
        while sampler.wrong is None:
            time.sleep(0.01)
    assert isinstance(sampler.wrong, Wrong)


def test_the_drain_counts_lines() -> None:
    with Drain() as drain, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(5):
            sender.sendto(b'<134>line', ('127.0.0.1', drain.port))
        assert drain.waited_for(5)
        assert not drain.waited_for(6, seconds=0.05)


def test_a_child_is_pinned_and_ends_with_its_descendants(tmp_path: Path) -> None:
    core = frozenset([max(CORES)])
    # the parent ends at once when told to; its child is deaf to SIGTERM
    deaf = 'import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)'
    both = f'import subprocess, sys; subprocess.Popen([sys.executable, "-c", {deaf!r}]).wait()'
    child = Child([sys.executable, '-c', both], core, tmp_path)
    while not child.said():
        time.sleep(0.01)
    family = cputime.tree(child.pid)
    assert len(family) == 2
    assert all(os.sched_getaffinity(pid) == core for pid in family)
    assert os.sched_getaffinity(0) == CORES
    child.stop()
    end = time.monotonic() + 5
    while any(alive(pid) for pid in family):
        assert time.monotonic() < end, family
        time.sleep(0.01)


def command_of(pid: int) -> str:
    try:
        return Path(f'/proc/{pid}/comm').read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ''


def alive(pid: int) -> bool:
    """Orphans may stay zombies where nobody reaps them: they run no more."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_nobody_ended_is_ended_at_the_end() -> None:
    forgotten = (
        'import subprocess, sys; subprocess.Popen(["sleep", "60"]); from bench.children import end_descendants; '
    )
    count = 'from bench.cputime import tree; import os; print(len(tree(os.getpid()))); '
    wait = 'os.waitpid(-1, 0); print(len(tree(os.getpid())))'
    words = [sys.executable, '-c', f'{forgotten}{count}end_descendants(); {wait}']
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.split() == ['2', '1']


def test_a_child_that_does_not_start_says_why(tmp_path: Path) -> None:
    child = Child([sys.executable, '-c', 'print("no such keyword"); raise SystemExit(3)'], CORES, tmp_path)
    with pytest.raises(DidNotStart, match='ended with 3: no such keyword'):
        child.listening(free_port())
    child.stop()


def test_programs_are_found_by_name_or_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv('SLUICE_BENCH_ENVOY', sys.executable)
    assert find('envoy') == sys.executable
    monkeypatch.setenv('SLUICE_BENCH_ENVOY', str(tmp_path / 'gone'))
    assert find('envoy') is None
    assert find('pure') == sys.executable


def test_versions_are_asked() -> None:
    assert version('pure', sys.executable) == '0.1.0'
    assert version('naive', sys.executable)[0].isdigit()


def test_only_proxies_with_queues_are_in_the_queue() -> None:
    queue = cases.chosen(['queue-400'])[0]
    assert {peer.program for peer in PEERS if not peer.skipped(queue)} == {'haproxy', 'sluice', 'pure'}


@pytest.mark.skipif(find('wrk') is None or len(CORES) < 2, reason='needs wrk and two cores')
@pytest.mark.parametrize('how', [signal.SIGINT, signal.SIGTERM])
def test_a_whole_run_ended_in_its_middle_leaves_nothing(how: signal.Signals, tmp_path: Path) -> None:
    words = [
        sys.executable,
        '-m',
        'bench',
        '--case',
        'tiny-0',
        '--peer',
        'naive',
        '--seconds',
        '30',
        '--out',
        str(tmp_path),
    ]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        end = time.monotonic() + 30
        while 'wrk' not in map(command_of, cputime.tree(run.pid)):
            assert run.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        family = cputime.tree(run.pid)
        run.send_signal(how)
        _, errors = run.communicate(timeout=30)
    assert run.returncode == 130
    assert b'nothing is written' in errors
    assert not [pid for pid in family if alive(pid)]
    assert not list(tmp_path.iterdir())
