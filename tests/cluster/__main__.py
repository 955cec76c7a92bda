"""`python -m tests.cluster [PYTEST ARGUMENT...]`: a control plane, the tests against it, and its end.

Runs itself in a network of its own (`tests.cluster.kit.alone`). The contract tests of the fake API server run against the
real one here, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.kit import alone
from tests.cluster.kit.build import BuildFailed, build
from tests.cluster.kit.cluster import ROOT, up
from tests.cluster.kit.packages import CannotHave
from tests.cluster.kit.parts import end, remove_or_name

_INSIDE = '--inside'


def run_tests(arguments: Sequence[str]) -> int:
    """A cluster, and pytest's exit status."""
    work = Path(tempfile.mkdtemp(prefix='sluice-cluster-')).resolve() / 'w'
    begun = time.monotonic()
    try:
        kubeconfig = str(up(work, with_node=False))
        print(f'cluster: up after {time.monotonic() - begun:.1f} s', flush=True)
        environment = {
            **os.environ,
            'SLUICE_CLUSTER': str(work),
            'SLUICE_REALKUBE': kubeconfig,
            'KUBECONFIG': kubeconfig,
        }
        pytest = [sys.executable, '-m', 'pytest', '-q', '-m', 'cluster or realkube', *arguments]
        if not any(word.startswith('tests/') for word in arguments):
            pytest += ['tests/kube', 'tests/cluster']
        return subprocess.run(pytest, env=environment, cwd=ROOT, check=False).returncode
    finally:
        end(work, keep_logs='SLUICE_KEEP_LOGS' in os.environ)
        remove_or_name(work.parent)


def main(arguments: Sequence[str]) -> int:
    """pytest's exit status; 3 when what is needed cannot be had here."""
    try:
        if _INSIDE in arguments:
            return run_tests([word for word in arguments if word != _INSIDE])
        line = alone.command([sys.executable, '-m', 'tests.cluster', _INSIDE, *arguments])
        build()
        return subprocess.run(line, cwd=ROOT, check=False).returncode
    except (CannotHave, BuildFailed) as error:
        print(f'cluster: {error}', file=sys.stderr)
        return 3 if isinstance(error, CannotHave) else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
