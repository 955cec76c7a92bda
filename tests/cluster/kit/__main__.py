"""`python -m tests.cluster.kit`: make, start, enter and end a cluster by hand. From the repository's root.

build                        the programs, once; installs what Debian packages are missing when run as root
can                          exit status 3, and why, where no control plane can be had; builds the programs where it can
up [--node] DIRECTORY        start a cluster in a directory on a real disk; prints export KUBECONFIG=...
in DIRECTORY COMMAND...      run a command on the node, where pods and services can be reached
alone COMMAND...             run a command in a network in which nothing but this machine exists
kubectl|helm ARGUMENT...     the built programs
image DIRECTORY TAG FILE     build DIRECTORY/Dockerfile without a registry and save it
load DIRECTORY FILE...       bring saved images into the node's containerd
kill|start DIRECTORY PART    one part of a running cluster, e.g. kube-apiserver, etcd, kubelet
down [--keep-logs] DIRECTORY end it all
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cluster.kit import alone, cluster, packages, parts
from tests.cluster.kit.build import BuildFailed, build, built, cache
from tests.cluster.kit.images import Builder, load
from tests.cluster.kit.packages import CannotHave


def _build(words: Sequence[str]) -> None:
    left = packages.install(packages.missing(packages.NODE if os.geteuid() == 0 else packages.ALONE))
    if left:
        print(f'not installed, and cannot be installed here: {", ".join(left)}', file=sys.stderr)
    print(build().path)


def _can(words: Sequence[str]) -> None:
    alone.command(['true'])
    build()


def _up(words: Sequence[str]) -> None:
    work = Path(words[-1])
    print(f'export KUBECONFIG={cluster.up(work, with_node="--node" in words[:-1])}')


def _up_inside(words: Sequence[str]) -> None:
    cluster.up_inside(Path(words[0]))


def _in(words: Sequence[str]) -> None:
    before = parts.inside(Path(words[0]).resolve())
    if not before:
        raise CannotHave(f'no node runs in {words[0]}')
    os.execvp(before[0], [*before, *words[1:]])


def _alone(words: Sequence[str]) -> None:
    line = alone.command(words)
    os.execvp(line[0], line)


def _program(name: str) -> Callable[[Sequence[str]], None]:
    def execute(words: Sequence[str]) -> None:
        path = built().path / name
        os.execv(path, [str(path), *words])

    return execute


def _images(words: Sequence[str]) -> None:
    tag, directory = words
    for archive in Builder(cache() / 'images').build(tag, Path(directory).resolve()):
        print(archive)


def _load(words: Sequence[str]) -> None:
    for archive in words[1:]:
        load(Path(words[0]).resolve(), Path(archive))


def _kill(words: Sequence[str]) -> None:
    parts.kill(Path(words[0]).resolve(), words[1])


def _start(words: Sequence[str]) -> None:
    parts.start_again(Path(words[0]).resolve(), words[1])


def _down(words: Sequence[str]) -> None:
    parts.end(Path(words[-1]).resolve(), keep_logs='--keep-logs' in words[:-1])


COMMANDS: dict[str, tuple[int, Callable[[Sequence[str]], None]]] = {
    'build': (0, _build),
    'can': (0, _can),
    'up': (1, _up),
    'up-inside': (1, _up_inside),
    'in': (2, _in),
    'alone': (1, _alone),
    'kubectl': (0, _program('kubectl')),
    'helm': (0, _program('helm')),
    'images': (2, _images),
    'load': (2, _load),
    'kill': (2, _kill),
    'start': (2, _start),
    'down': (1, _down),
}


def main(words: Sequence[str]) -> int:
    """Exit status 1: it failed; 2: not understood; 3: it cannot be had here, and why."""
    least, run = COMMANDS.get(words[0] if words else '', (0, None))
    if run is None or len(words) - 1 < least:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        run(words[1:])
    except CannotHave as error:
        print(f'kit: {error}', file=sys.stderr)
        return 3
    except BuildFailed as error:
        print(f'kit: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
