"""`python -m bench.kubernetes`: from a write at the API server until all workers of all data planes have applied it.

A real control plane with `--store kubernetes`, real data planes of two workers each without traffic, and one Service. Weights, drains and
endpoints are written at random instants, one after the other; what is measured begins before the request to the API server
and includes its answer to the control plane's watch, the 50 ms for which changes are gathered, the translation, the push,
the barrier and the acks. Run it on a quiet machine: everything shares its cores. Exit code 1: the target was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.kubernetes.apiserver import serving
from bench.kubernetes.objects import KINDS, NAMESPACE, Change, Objects
from bench.percentiles import line, percentile
from bench.push.rest import child, configured
from controlplane.kube.access import found_here
from controlplane.kube.client import Api

ROOT = Path(__file__).resolve().parents[2]
TARGET_P99_MS = 300.0
PATIENCE_S = 10.0


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
    return parser.parse_args()


@dataclass
class Waited:
    """A write that is not in force everywhere yet."""

    change: Change
    began: float
    answered: float = 0.0


@dataclass
class Measured:
    """Milliseconds: until the API server answered, until the control plane had a version, until the last ack."""

    answered: list[float] = field(default_factory=list)
    made: list[float] = field(default_factory=list)
    applied: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    @property
    def all(self) -> list[float]:
        return [one for of in self.applied.values() for one in of]


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
                    self.measured.made.append((said['made'] - one.began) * 1e3)
                    self.measured.applied[one.change.kind].append((said['acked'] - one.began) * 1e3)
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
                if process.returncode is None:
                    process.terminate()
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


def tell(options: argparse.Namespace, measured: Measured, left: int, busy_share: float, server: str) -> bool:
    """Print; whether the target is met."""
    print(f'{options.planes} data planes of 2 workers, {300 * options.slices} servers, {server}')
    print(f'  {options.writes} writes, {options.rate:g} a second at random; all cores were busy for {busy_share:.0%}')
    rows: list[tuple[str, Sequence[float]]] = [
        ('the API server has answered', measured.answered),
        ('the control plane has a version', measured.made),
        ('all workers have applied it', measured.all),
        *measured.applied.items(),
    ]
    for name, values in rows:
        print(f'  {name:34} {line(values) if values else "nothing"}')
    met = left == 0 and percentile(measured.all, 0.99) <= TARGET_P99_MS
    print(f'  not applied within {PATIENCE_S:g} s: {left}')
    print(f'  target p99 <= {TARGET_P99_MS:.0f} ms: {"met" if met else "MISSED"}')
    return met


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix='sluice-bench-') as name:
        directory = Path(name).resolve()
        with serving(directory, fake=options.fake) as (kubeconfig, server):
            found = asyncio.run(measure(options, kubeconfig, directory))
        return 0 if tell(options, *found, server) else 1


if __name__ == '__main__':
    sys.exit(main())
