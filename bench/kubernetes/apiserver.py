"""The API server of the bench: the real one of the cluster tests' kit, or the tests' fake one in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.harness.api import administrator
from tests.cluster.harness.kinds import install
from tests.cluster.kit.build import kubernetes_version
from tests.cluster.kit.cluster import up
from tests.cluster.kit.packages import ROOT, CannotHave
from tests.cluster.kit.parts import end
from tests.kube.fakeserver import FakeApiServer


@contextlib.contextmanager
def serving(directory: Path, *, fake: bool) -> Iterator[tuple[Path, str]]:
    """(its kubeconfig, what it is). The fake one is taken when it is asked for, or when the kit's programs are not built."""
    if not fake:
        work = directory / 'cluster'
        try:
            kubeconfig = up(work, with_node=False)
        except CannotHave as error:
            print(f'no real API server: {error}')
        else:
            try:
                asyncio.run(_with_kinds(kubeconfig))
                yield kubeconfig, f'the API server of Kubernetes {kubernetes_version()}'
            finally:
                end(work)
            return
    command = [sys.executable, '-m', 'bench.kubernetes.apiserver', str(directory / 'kubeconfig')]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise SystemExit('bench.kubernetes: the fake API server did not start')
        yield directory / 'kubeconfig', 'the FAKE API server of the tests, not a real one'
    finally:
        process.terminate()
        process.wait(20)


async def _with_kinds(kubeconfig: Path) -> None:
    async with administrator(kubeconfig) as kube:
        await install(kube)


async def _fake(kubeconfig: Path) -> None:
    async with FakeApiServer(bookmark_s=5.0) as server:
        server.kubeconfig(kubeconfig)
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == '__main__':
    asyncio.run(_fake(Path(sys.argv[1])))
