"""`python -m tests.cluster [PYTEST ARGUMENT...]`: a control plane, the tests against it, and its end.

Runs itself in a network of its own (`tests.cluster.kit.alone`). The contract tests of the fake API server run against the
real one here, too.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tests.cluster.kit import alone
from tests.cluster.kit.build import BuildFailed, build
from tests.cluster.kit.cluster import up
from tests.cluster.kit.packages import ROOT, CannotHave
from tests.cluster.kit.parts import end, remove_or_name, run_to_its_end

_INSIDE = '--inside'


def run_tests(work: Path, arguments: Sequence[str]) -> NoReturn:
    """Start the cluster and become pytest."""
    begun = time.monotonic()
    kubeconfig = str(up(work, with_node=False))
    print(f'cluster: up after {time.monotonic() - begun:.1f} s', flush=True)
    environment = {**os.environ, 'SLUICE_CLUSTER': str(work), 'SLUICE_REALKUBE': kubeconfig, 'KUBECONFIG': kubeconfig}
    pytest = [sys.executable, '-m', 'pytest', '-q', '-m', 'cluster or realkube', *arguments]
    if not any(word.startswith('tests/') for word in arguments):
        pytest += ['tests/kube', 'tests/cluster']
    os.chdir(ROOT)
    os.execvpe(pytest[0], pytest, environment)


def main(arguments: Sequence[str]) -> int:
    """0; 1 when a test failed; 3 when what is needed cannot be had here."""
    if arguments[:1] == [_INSIDE]:
        run_tests(Path(arguments[1]), arguments[2:])
    place = Path(tempfile.mkdtemp(prefix='sluice-cluster-')).resolve()
    work, hosts = place / 'w', place / 'hosts'
    hosts.write_text('127.0.0.1 localhost\n')
    try:
        inside = [sys.executable, '-m', 'tests.cluster', _INSIDE, str(work), *arguments]
        line = alone.command(inside, hosts)
        build()
        environment = {**os.environ, 'SLUICE_HOSTS': str(hosts)}
        # pytest's own 3 is a defect of pytest or a plugin, not something that cannot be had
        return run_to_its_end(line, cwd=ROOT, env=environment) and 1
    except (CannotHave, BuildFailed) as error:
        print(f'cluster: {error}', file=sys.stderr)
        return 3 if isinstance(error, CannotHave) else 1
    finally:
        end(work, keep_logs='SLUICE_KEEP_LOGS' in os.environ)
        hosts.unlink()
        remove_or_name(place)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
