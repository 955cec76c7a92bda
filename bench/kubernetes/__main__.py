"""`python -m bench.kubernetes`: from a write at the API server until all workers of all data planes have applied it.

A real control plane with `--store kubernetes`, real data planes of two workers each without traffic, and one Service. Weights, drains and
endpoints are written at random instants, one after the other; what is measured begins before the request to the API server and
ends with the last ack, and is told by stages: the watch, the gathering of changes (50 ms; none for what takes a server away or is
somebody's wish), the translation, the push, the barrier with its acks. Run it on a quiet machine: everything shares its cores.
Exit code 1: the target was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.kubernetes import report
from bench.kubernetes.apiserver import serving
from bench.kubernetes.objects import NAMESPACE, Change, Objects
from bench.kubernetes.report import Measured, Report
from bench.push.rest import child, configured
from bench.report import machine
from controlplane.kube.access import found_here
from controlplane.kube.client import Api

ROOT = Path(__file__).resolve().parents[2]
TARGET_P99_MS = 300.0
PATIENCE_S = 10.0
PART = ROOT / 'run' / 'bench'


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m bench.kubernetes', description=__doc__)
    parser.add_argument('--writes', type=int, default=300, help='that are measured (300)')
    parser.add_argument('--rate', type=float, default=6.0, help='writes per second on average (6)')
    parser.add_argument('--planes', type=int, default=2, help='data planes of two workers each (2)')
    parser.add_argument('--slices', type=int, default=1, help='slices of 100 servers for each kind of write (1)')
    parser.add_argument('--seed', type=int, default=1, help='of the instants (1)')
    parser.add_argument(
        '--fake', action='store_true', help="the tests' fake API server, also where there is a real one"
    )
    parser.add_argument(
        '--out', type=Path, help='where results are written (run/bench; make bench-kubernetes: docs/bench)'
    )
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class Waited:
    """A write that is not in force everywhere yet."""

    change: Change
    began: float


class Writer:
    """Writes, and hears from the control plane what has come of it."""

    def __init__(self, api: Api, said: asyncio.StreamReader) -> None:
        self._api, self._said = api, said
        self._waited: dict[str, Waited] = {}
        self._moved = asyncio.Event()
        self.measured = Measured()

    async def run(self, changes: Iterator[Change], writes: int, pauses: Iterator[float]) -> int:
        """Write so many; returns how many were not in force everywhere within the patience."""
        hearing = asyncio.ensure_future(self._hear())
        try:
            for _ in range(writes):
                await asyncio.sleep(next(pauses))
                await self._write(next(changes))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    while self._waited:
                        self._moved.clear()
                        await self._moved.wait()
        finally:
            hearing.cancel()
        return len(self._waited)

    async def _write(self, change: Change) -> None:
        one = self._waited[change.server] = Waited(change, time.monotonic())
        await self._api.patch(change.resource, NAMESPACE, change.name, change.body, field_manager='bench')
        self.measured.answered.append((time.monotonic() - one.began) * 1e3)

    async def _hear(self) -> None:
        while text := await self._said.readline():
            said = json.loads(text)
            for name, spec in said['servers'].items():
                one = self._waited.get(name)
                if one is not None and spec is not None and spec[one.change.field] == one.change.value:
                    del self._waited[name]
                    where = f'{one.change.resource.plural}/{one.change.name}'
                    self.measured.applied(one.change.kind, one.began, said, where)
            self._moved.set()
        raise SystemExit('bench.kubernetes: the control plane ended, or leads no more')


def pauses(rate: float, seed: int) -> Iterator[float]:
    """Of instants at random, with that many per second."""
    chance = random.Random(seed)
    while True:
        yield chance.expovariate(rate)


def busy() -> tuple[float, float]:
    """(seconds in which the cores worked, seconds in which they could have), since the machine's start."""
    fields = [int(word) for word in Path('/proc/stat').read_text().split('\n', 1)[0].split()[1:9]]
    return float(sum(fields) - fields[3] - fields[4]), float(sum(fields))


async def measure(options: argparse.Namespace, kubeconfig: Path, directory: Path) -> tuple[Measured, int, float]:
    """(what was measured, how many writes came to nothing, the share of all cores that was busy)."""
    objects = Objects(100 * options.slices)
    with (directory / 'control.log').open('wb') as log:
        async with Api(found_here(str(kubeconfig))) as api:
            await objects.create(api)
            process = await asyncio.create_subprocess_exec(
                sys.executable, '-m', 'bench.kubernetes.controlplane', f'--kubeconfig={kubeconfig}',
                f'--namespace={NAMESPACE}', f'--planes={options.planes}', cwd=ROOT, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, limit=2**26,
            )  # fmt: skip
            try:
                assert process.stdout is not None
                address = (await process.stdout.readline()).decode().strip()
                with data_planes(options.planes, address, directory):
                    if (await process.stdout.readline()).strip() != b'there':
                        raise SystemExit('bench.kubernetes: not everybody is there\n' + logs(directory))
                    writer, before = Writer(api, process.stdout), busy()
                    instants = pauses(options.rate, options.seed)
                    left = await writer.run(objects.changes(), options.writes, instants)
                    worked, had = (now - then for now, then in zip(busy(), before, strict=True))
                    return writer.measured, left, worked / had
            finally:
                assert process.stdin is not None
                process.stdin.close()  # which is what it ends by; a signal would end its server only
                await process.wait()


def logs(directory: Path) -> str:
    """The ends of what all of them printed."""
    return '\n'.join(path.read_text(errors='replace')[-3000:] for path in directory.glob('*.log'))


@contextlib.contextmanager
def data_planes(count: int, address: str, directory: Path) -> Iterator[None]:
    """So many, while inside."""
    with contextlib.ExitStack() as stack:
        for number in range(count):
            name = f'dp{number}'
            path = configured(directory, name, address)
            stack.enter_context(child(directory, name, 'dataplane.supervisor.main', '-f', str(path)))
        yield


def about(options: argparse.Namespace, server: str) -> dict[str, str]:
    """What was measured, and on what."""
    return {
        'date': datetime.datetime.now(datetime.UTC).date().isoformat(),
        'machine': machine(),
        'API server': server,
        'measured': f'{options.planes} data planes of 2 workers, {300 * options.slices} servers, {options.writes} writes, '
        f'{options.rate:g} a second at random',
    }


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix='sluice-bench-') as name:
        directory = Path(name).resolve()
        with serving(directory, fake=options.fake) as (kubeconfig, server):
            found = asyncio.run(measure(options, kubeconfig, directory))
    told = Report(about(options, server), *found, TARGET_P99_MS)
    print(report.text(told))
    files = report.write(told, options.out or PART)
    print(f'written: {", ".join(os.path.relpath(path) for path in files)}')
    return 0 if told.met else 1


if __name__ == '__main__':
    sys.exit(main())
