"""`python -m bench`: what is missing is said, the rest is measured, the tables are printed and written."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import platform
import resource
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from bench import peers, report
from bench.cases import CASES, Case, chosen
from bench.children import DidNotStart, end_descendants
from bench.measure import Bench, Origins, measure
from bench.peers import PEERS, ROOT, Peer
from bench.summary import Measurement, rows

WHOLE = ROOT / 'docs' / 'bench'
PART = ROOT / 'run' / 'bench'


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='make bench BENCH="..."', description=__doc__)
    parser.add_argument('--case', action='append', default=[], help='only this case; may be repeated')
    parser.add_argument('--peer', action='append', default=[], help='only this proxy, and HAProxy; may be repeated')
    parser.add_argument('--rounds', type=int, help='3; with --quick 1')
    parser.add_argument('--seconds', type=int, help='of load, whole ones; 3; with --quick 1')
    parser.add_argument('--quick', action='store_true', help='everything once and short: does it work at all?')
    parser.add_argument('--proxy-cores', help='cores of the proxies, e.g. 3 (the last one this process may use)')
    parser.add_argument('--load-cores', help='cores of load generator and origin, e.g. 0,1 (all others)')
    parser.add_argument('--out', type=Path, help='where results are written (docs/bench for a whole run, or run/bench)')
    parser.add_argument('--list', action='store_true', help='the cases and proxies there are')
    return parser.parse_args()


def cores(options: argparse.Namespace) -> tuple[frozenset[int], frozenset[int]]:
    """(of the proxies, of the rest); ValueError when they would not be apart."""
    usable = sorted(os.sched_getaffinity(0))
    proxy = _cores(options.proxy_cores) or frozenset(usable[-1:])
    load = _cores(options.load_cores) or frozenset(usable) - proxy
    if not load or proxy & load or not (proxy | load) <= set(usable):
        raise ValueError(f'proxies on {sorted(proxy)} and load on {sorted(load)}, but usable are {usable}')
    return proxy, load


def _cores(text: str | None) -> frozenset[int]:
    return frozenset(int(one) for one in text.split(',')) if text else frozenset()


def chosen_peers(names: list[str]) -> list[Peer]:
    if unknown := set(names) - {peer.name for peer in PEERS}:
        raise ValueError(f'no such proxy: {", ".join(sorted(unknown))}; there are {", ".join(p.name for p in PEERS)}')
    references = {peer.reference for peer in PEERS if peer.name in names}
    return [peer for peer in PEERS if not names or peer.name in names or peer.name in references]


def available(wanted: list[Peer]) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    """Paths of the programs that are there, and why the others are not measured."""
    programs, missing = {}, {}
    for program in dict.fromkeys([*(peer.program for peer in wanted), 'nginx', 'wrk']):
        if path := peers.find(program):
            programs[program] = path
        else:
            print(f'{program} is not installed: {peers.how_to_install(program)}')
            missing[program] = f'not installed: {peers.how_to_install(program)}'
    left_out = {('', peer.name): missing[peer.program] for peer in wanted if peer.program in missing}
    return programs, left_out


def run(bench: Bench, cases: tuple[Case, ...], there: list[Peer], rounds: int) -> list[Measurement]:
    """Round by round; inside a round all proxies of a case follow each other, each round beginning with another one."""
    found: list[Measurement] = []
    for number in range(rounds):
        for case in cases:
            serving = [peer for peer in there if not peer.skipped(case)]
            turn = number % len(serving) if serving else 0
            for peer in (*serving[turn:], *serving[:turn]):
                one = measure(bench, peer, case, number + 1)
                figures = f'FAILED: {one.failed}' if one.failed else (
                    f'{one.requests_per_s:9,.0f} requests/s {one.cpu_us:9.1f} us CPU, p99 {one.p99_ms:8.2f} ms'
                )  # fmt: skip
                print(f'round {number + 1}/{rounds}  {case.name:13} {peer.name:13} {figures}', flush=True)
                found.append(one)
    order = {name: place for place, name in enumerate([case.name for case in CASES] + [peer.name for peer in PEERS])}
    return sorted(found, key=lambda one: (order[one.case], order[one.peer], one.round))


def about(options: argparse.Namespace, bench: Bench, origin: str) -> dict[str, str]:
    return {
        'date': datetime.datetime.now(datetime.UTC).date().isoformat(),
        'machine': report.machine(),
        'Python': platform.python_version(),
        'load average before': f'{os.getloadavg()[0]:.2f}',
        'cores': f'proxies on {sorted(bench.proxy_cores)}, load and origin on {sorted(bench.load_cores)}',
        'origin': origin,
        'rounds': f'{options.rounds} of {options.seconds} s'
        + (' after 1 s of warm-up' if bench.warm_up else ', no warm-up'),
    }


def bench_all(options: argparse.Namespace) -> int:
    cases, wanted = chosen(options.case), chosen_peers(options.peer)
    proxy_cores, load_cores = cores(options)
    programs, left_out = available(wanted)
    if 'wrk' not in programs:
        print('nothing can be measured without wrk', file=sys.stderr)
        return 2
    there = [peer for peer in wanted if peer.program in programs]
    left_out |= {(case.name, peer.name): why for case in cases for peer in there if (why := peer.skipped(case))}
    for (where, name), why in left_out.items():
        print(f'not measured: {name}{" in " + where if where else ""}: {why}')
    os.sched_setaffinity(0, load_cores)
    with Origins(programs.get('nginx'), sys.executable, load_cores, cases) as origins:
        bench = Bench(
            programs, proxy_cores, load_cores, origins.get, origins.post, options.seconds, warm_up=not options.quick
        )
        origin = 'nginx (POST: uvloop)' if origins.get != origins.post else 'uvloop'
        facts = about(options, bench, origin)
        began = time.monotonic()
        found = run(bench, cases, there, options.rounds)
    used = {peer.program for peer in there} | {'wrk'}
    versions = {name: peers.version(name, path) for name, path in programs.items() if name in used}
    summary = rows(found, {peer.name: peer.reference for peer in PEERS})
    whole = report.Report(facts, versions, summary, found, left_out)
    partial = options.quick or options.case or options.peer
    files = report.write(whole, options.out or (PART if partial else WHOLE))
    print('\n' + report.markdown(whole))
    print(f'{time.monotonic() - began:.0f} s; written: {", ".join(os.path.relpath(path) for path in files)}')
    return 1 if any(row.failed for row in summary) else 0


def interrupted(number: int, frame: FrameType | None) -> None:
    """SIGTERM takes the way of Ctrl-C, through every `finally`, in which a second one does not disturb."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    options = arguments()
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (1 if options.quick else 3)
    if options.list:
        print('\n'.join(f'{case.name:14}{case.about}' for case in CASES))
        print('\n' + ', '.join(peer.name for peer in PEERS))
        return 0
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, interrupted)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):  # then the larger cases say what they lack
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        return bench_all(options)
    except (ValueError, DidNotStart) as wrong:
        print(wrong, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('\ninterrupted; everything is ended, nothing is written', file=sys.stderr)
        return 130
    finally:
        end_descendants()


if __name__ == '__main__':
    sys.exit(main())
