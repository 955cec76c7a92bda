"""`python -m bench.push`: from a change to the last data plane's ack, and from a REST call to all workers of a real one.

Two measurements: (1) simulated data planes over real WebSockets, changes at a rate; (2) one real data plane with two workers
and no traffic, `PATCH ...?wait=acked` one after the other. Run it on a quiet machine: control plane, data planes and
load share its cores. Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.percentiles import line, percentile
from bench.push.rest import measure_rest

ROOT = Path(__file__).resolve().parents[2]
LAST_ACK_P99_MS = 150.0
APPLIED_P99_MS = 20.0
FLAT_MIB = 16.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m bench.push', description=__doc__)
    parser.add_argument('--planes', type=int, default=100, help='simulated data planes (100)')
    parser.add_argument('--processes', type=int, default=2, help='processes they are in (2)')
    parser.add_argument('--rate', type=int, default=1_000, help='changes per second (1000)')
    parser.add_argument('--servers', type=int, default=1_000, help='servers that are changed in turn (1000)')
    parser.add_argument('--seconds', type=float, default=30.0, help='of measured load (30)')
    parser.add_argument('--urgent', action='store_true', help="changes as an operator's verbs are, not as endpoints'")
    parser.add_argument('--calls', type=int, default=500, help='REST calls (500; 0: none)')
    parser.add_argument('--profile', help='write the profile of the control plane to this file')
    return parser.parse_args()


def start(module: str, *argv: object, **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, '-m', module, *map(str, argv)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **more)


def measure_push(options: argparse.Namespace, directory: str) -> dict[str, Any]:
    """Start the control plane and the simulated data planes, and wait for what it measured."""
    asked = {name: getattr(options, name) for name in ('planes', 'rate', 'servers', 'seconds', 'profile')}
    argv = [f'--{name}={value}' for name, value in asked.items() if value is not None]
    argv += ['--urgent'] if options.urgent else []
    children = [start('bench.push.controlplane', f'--directory={directory}', *argv)]
    try:
        output = children[0].stdout
        assert output is not None
        address = output.readline().strip()
        share = -(-options.planes // options.processes)
        for first in range(0, options.planes, share):
            count = min(share, options.planes - first)
            children.append(start('bench.push.dataplanes', address, first, count))
        text = output.readline()
        if not text:
            raise SystemExit('bench.push: the control plane ended without a result')
        found: dict[str, Any] = json.loads(text)
        children[0].wait(30)  # it has a profile to write, perhaps
        return found
    finally:
        for child in reversed(children):
            child.terminate()
        for child in children:
            child.wait(20)


def tell_push(options: argparse.Namespace, found: dict[str, Any]) -> bool:
    """Print; whether the targets are met."""
    latencies, resident, pushed = found['latencies'], found['resident_mib'], found['pushed']
    kind = 'urgent' if options.urgent else 'batched'
    print(f'{options.planes} data planes, {options.rate} {kind} changes/s, {options.servers} servers')
    print(f'  change to last ack   {line(latencies)}, unfinished {found["unfinished"]}')
    print(f'  carried              {len(latencies) / found["seconds"]:.0f} changes/s')
    print(f'  batches {pushed["batches"]}, encodings {pushed["encodings"]}, frames {pushed["frames"]}')
    print('  RSS MiB              ' + ' -> '.join(f'{value:.0f}' for value in resident))
    print(f'  CPU of control plane {found["cpu_percent"]:.0f} %')
    grown = resident[-1] - resident[1]
    met = percentile(latencies, 0.99) <= LAST_ACK_P99_MS and not found['unfinished'] and grown <= FLAT_MIB
    print(f'  target p99 <= {LAST_ACK_P99_MS:.0f} ms, memory flat: {"met" if met else "MISSED"}')
    return met


def main() -> int:
    options = arguments()
    met = []
    with tempfile.TemporaryDirectory() as directory:
        met.append(tell_push(options, measure_push(options, directory)))
        if options.calls:
            applied = measure_rest(options.calls, Path(directory))
            print(f'REST call to applied on all workers of one data plane (2 workers)\n  {line(applied)}')
            met.append(percentile(applied, 0.99) <= APPLIED_P99_MS)
            print(f'  target p99 <= {APPLIED_P99_MS:.0f} ms: {"met" if met[-1] else "MISSED"}')
    return 0 if all(met) else 1


if __name__ == '__main__':
    sys.exit(main())
