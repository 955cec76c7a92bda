"""The Debian packages behind the programs that the kit calls, and their installation where that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# what is looked for (a program, or a path) -> the package that has it
ALONE: Mapping[str, str] = {'ip': 'iproute2', 'unshare': 'util-linux', 'nsenter': 'util-linux'}
NODE: Mapping[str, str] = {
    **ALONE,
    'containerd': 'containerd',
    'runc': 'runc',
    '/usr/lib/cni/bridge': 'containernetworking-plugins',
    'nft': 'nftables',
}
IMAGE: Mapping[str, str] = {'buildah': 'buildah', 'debootstrap': 'debootstrap'}


class CannotHave(Exception):
    """Something that is needed cannot be had here; the message says what, and what would help."""


def program(name: str) -> str | None:
    """Where a program is, looked for also where only root's PATH leads."""
    if name.startswith('/'):
        return name if Path(name).exists() else None
    return shutil.which(name) or shutil.which(name, path='/usr/sbin:/sbin:/usr/bin:/bin')


def missing(wanted: Mapping[str, str]) -> list[str]:
    """The packages that would have to be installed."""
    return sorted({package for name, package in wanted.items() if program(name) is None})


def install(packages: Iterable[str]) -> list[str]:
    """Install by apt-get as root; returns those that could not be."""
    wanted = list(packages)
    if not wanted or os.geteuid() or shutil.which('apt-get') is None:
        return wanted
    environment = {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}
    subprocess.run(['apt-get', 'update', '-qq'], env=environment, check=False)
    command = ['apt-get', 'install', '-y', '-qq', '--no-install-recommends']
    failed = []
    for package in wanted:
        if subprocess.run([*command, package], env=environment, stdout=subprocess.DEVNULL, check=False).returncode:
            failed.append(package)
    return failed


def need(wanted: Mapping[str, str], what: str) -> None:
    """Install what is not there. CannotHave: `what` needs packages that cannot be installed."""
    left = install(missing(wanted))
    if left:
        why = 'not root' if os.geteuid() else 'apt-get cannot'
        raise CannotHave(
            f'{what} needs the Debian packages {", ".join(left)}, which could not be installed here ({why})'
        )
