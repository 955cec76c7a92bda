"""Runs a command in a network of its own: loopback, on which also every address that tests give to hand-made pods is local.

An API server takes no loopback addresses for endpoints, and a proxy's tests must send no traffic to anybody's machine. So
processes that play pods listen on addresses of 10.244.0.0/16, which exist in this network only, and nothing leaves it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.kit import packages
from tests.cluster.kit.packages import CannotHave, program

PODS = '10.244.0.0/16'


def command(words: Sequence[str], hosts: Path | None = None) -> list[str]:
    """The command line that runs `words` there. With `hosts` that file is /etc/hosts for it, whatever is written into it
    later: what a cluster's DNS would say. CannotHave: no such network can be made here."""
    packages.need(packages.ALONE, 'a network of its own')
    own = ['unshare', '--net', '--mount', '--propagation', 'private']
    if os.geteuid():
        own += ['--user', '--map-root-user']
    ip = program('ip') or 'ip'
    setup = [f'{ip} link set lo up', f'{ip} route add local {PODS} dev lo']
    if hosts is not None:
        setup.append(f'mount --bind {shlex.quote(str(hosts))} /etc/hosts')
    script = ' && '.join([*setup, 'exec "$@"'])
    tried = subprocess.run([*own, 'sh', '-c', script, 'alone', 'true'], capture_output=True, text=True, check=False)
    if tried.returncode:
        raise CannotHave(f'no network namespace can be made here: {tried.stderr.strip()}')
    return [*own, 'sh', '-c', script, 'alone', *words]
