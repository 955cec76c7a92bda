"""One measurement: start the proxy, see that it answers rightly, load it, read its CPU time, end it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench import configs, cputime, wrk
from bench.cases import Case, payload
from bench.check import Checker, Sampler, Wrong
from bench.children import Child, DidNotStart, free_port
from bench.drain import Drain
from bench.peers import ROOT, Peer, command
from bench.summary import Measurement, answers, measurement

SAMPLES = 3


@dataclass(frozen=True)
class Bench:
    """What stays the same over a run."""

    programs: dict[str, str]  # program -> path
    proxy_cores: frozenset[int]
    load_cores: frozenset[int]
    get_origin: int
    post_origin: int
    seconds: float
    warm_up: bool


class Origins:
    """`with Origins(...)`: nginx where it is installed, and the one in Python, which alone can read what is posted."""

    def __init__(self, nginx: str | None, interpreter: str, cores: frozenset[int], cases: tuple[Case, ...]) -> None:
        self._nginx = nginx
        self._interpreter = interpreter
        self._cores = cores
        self._cases = cases
        self._children: list[Child] = []

    def __enter__(self) -> Origins:
        self._folder = tempfile.TemporaryDirectory(prefix='sluice-bench-')
        try:
            self.post = self._start([self._interpreter, '-m', 'bench.origin', str(port := free_port())], port, 'python')
            self.get = self._start_nginx(self._nginx) if self._nginx else self.post
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        for child in self._children:
            child.stop()
        self._folder.cleanup()

    def _start(self, words: list[str], port: int, name: str) -> int:
        folder = Path(self._folder.name, name)
        folder.mkdir(exist_ok=True)
        child = Child(words, self._cores, folder, {'PYTHONPATH': str(ROOT)})
        self._children.append(child)
        return child.listening(port)

    def _start_nginx(self, path: str) -> int:
        folder, port = Path(self._folder.name, 'nginx'), free_port()
        bodies = folder / 'origin' / 'body'
        bodies.mkdir(parents=True)
        sizes = {case.body for case in self._cases}
        for size in sizes:
            if size > configs.IN_THE_FILE:
                (bodies / str(size)).write_bytes(payload(size))
        (folder / 'nginx.conf').write_text(configs.nginx_origin(port, os.geteuid() == 0, sizes))
        words = [path, '-e', 'stderr', '-p', str(folder), '-c', str(folder / 'nginx.conf')]
        return self._start(words, port, 'nginx')


def measure(bench: Bench, peer: Peer, case: Case, number: int) -> Measurement:
    """Never raises for what a proxy does wrong: that is a result."""
    with tempfile.TemporaryDirectory(prefix='sluice-bench-') as name, Drain() as drain:
        folder = Path(name)
        origin = bench.post_origin if case.upload else bench.get_origin
        ports = configs.Ports(free_port(), origin, drain.port)
        words, environ = command(peer, bench.programs[peer.program], case, ports, folder)
        child = Child(words, bench.proxy_cores, folder, environ)
        try:
            port = child.listening(None if peer.program == 'naive' else ports.proxy)
            answer_size = _sampled(Checker(case, port), peer, drain)
            return _loaded(bench, peer, case, number, child, port, answer_size)
        except (Wrong, DidNotStart, cputime.Gone, subprocess.TimeoutExpired, ValueError) as failed:
            why = str(failed) or type(failed).__name__
            if said := child.said():
                why += f' (it said: {said.splitlines()[-1].replace(f"{ROOT}/", "")[:200]})'
            return Measurement(case.name, peer.name, number, failed=why)
        finally:
            child.stop()


def _sampled(checker: Checker, peer: Peer, drain: Drain) -> int:
    """Before the load; everything that is on has to be seen at work."""
    size = checker.once(SAMPLES)
    if peer.everything:
        checker.forwarded()
        if not drain.waited_for(SAMPLES):
            raise Wrong(f'{drain.lines} log lines for more than {SAMPLES} requests')
    return size


def _loaded(bench: Bench, peer: Peer, case: Case, number: int, child: Child, port: int, size: int) -> Measurement:
    checker = Checker(case, port)
    if bench.warm_up:
        _wrk(bench, case, port, 1)
    before = cputime.read(child.pid)
    with Sampler(checker) as sampler:
        load = _wrk(bench, case, port, bench.seconds)
        used = cputime.between(before, cputime.read(child.pid))
    if sampler.wrong:
        raise Wrong(f'under load: {sampler.wrong}')
    if load.failures:
        raise Wrong(f'wrk: {load.failures} in {load.requests} requests')
    checker.once()
    own = sampler.taken * (2 if case.upload else 1)
    if not (count := answers(load, case.body, size) + own):
        raise Wrong('no request was answered')
    return measurement(case.name, peer.name, number, load, used, count)


def _wrk(bench: Bench, case: Case, port: int, seconds: float) -> wrk.Load:
    with tempfile.TemporaryDirectory(prefix='sluice-bench-') as name:
        folder = Path(name)
        (folder / 'load.lua').write_text(wrk.script(case))
        words = wrk.command(bench.programs['wrk'], case, port, seconds, str(folder / 'load.lua'))
        child = Child(words, bench.load_cores, folder)
        try:
            return wrk.parse(child.wait(seconds + 30))
        finally:
            child.stop()
