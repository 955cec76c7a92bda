"""`python -m tests.node [--smoke] [--keep] [PYTEST ARGUMENT...]`: a node, the images on it, the tests of this directory, and its end.

The images are made by the project's Dockerfile. pytest runs on the node, where pods and services can be reached. --smoke takes
the tests marked so, and a data plane that is not compiled; --keep leaves the node running and says how to enter and end it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.kit.build import BuildFailed, build, cache
from tests.cluster.kit.cluster import check_node, up
from tests.cluster.kit.images import Builder, load
from tests.cluster.kit.packages import ROOT, CannotHave
from tests.cluster.kit.parts import end, inside, remove_or_name, run_to_its_end

TAG = 'test'


def timed(what: str, begun: float) -> None:
    """How long a step took, for whoever waits."""
    print(f'node: {what} ({time.monotonic() - begun:.0f} s)', flush=True)


def prepare(work: Path, *, compiled: bool) -> None:
    """The programs, the images, the node, and the images on it. CannotHave: one of them."""
    begun = time.monotonic()
    check_node()
    build()
    timed('kubekit is there', begun)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='images-', dir=cache()) as directory:
        archives = Builder(cache() / 'images').build(TAG, Path(directory), compiled=compiled)
        timed('the images are built', begun)
        begun = time.monotonic()
        up(work, with_node=True)
        for archive in archives:
            load(work, archive)
    timed('the node is up and has the images', begun)


def run_tests(work: Path, arguments: Sequence[str]) -> int:
    """pytest on the node; its exit status."""
    environment = {**os.environ, 'SLUICE_CLUSTER': str(work), 'SLUICE_TAG': TAG, 'KUBECONFIG': f'{work}/kubeconfig'}
    pytest = [sys.executable, '-m', 'pytest', '-q', *arguments, 'tests/node']
    return run_to_its_end([*inside(work, ROOT), *pytest], env=environment)


def main(arguments: Sequence[str]) -> int:
    """0; 1 when a test failed; 3 when a node or an image cannot be had here."""
    rest = [word for word in arguments if word not in {'--smoke', '--keep'}]
    smoke = '--smoke' in arguments
    work = Path(tempfile.mkdtemp(prefix='sluice-node-')).resolve() / 'w'
    try:
        prepare(work, compiled=not smoke)
        # pytest's own 3 is a defect of pytest or a plugin, not something that cannot be had
        return run_tests(work, ['-m', 'node and smoke' if smoke else 'node', *rest]) and 1
    except (CannotHave, BuildFailed) as error:
        print(f'node: {error}', file=sys.stderr)
        return 3 if isinstance(error, CannotHave) else 1
    finally:
        if '--keep' in arguments:
            print(f'node: python -m tests.cluster.kit in {work} bash; python -m tests.cluster.kit down {work}')
        else:
            end(work, keep_logs='SLUICE_KEEP_LOGS' in os.environ)
            remove_or_name(work.parent)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
