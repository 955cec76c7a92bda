"""`python -m bench.guard`, or `make bench-guard`: instructions per request now, beside the committed baseline."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Final

from bench.guard import baseline, callgrind
from bench.guard.baseline import BadBaseline, Baseline
from bench.guard.stages import STAGES

BASELINES: Final = Path(__file__).with_name('baselines')
"""A file for each Python that requests were counted with."""

GOOD: Final = 0
WORSE: Final = 1
UNKNOWN: Final = 2

_WEIGHTY: Final = (
    '--enable-optimizations', '--with-lto', '--enable-shared', '--with-pydebug', '--with-assertions', '--without-pymalloc',
    '--with-computed-gotos', '--without-computed-gotos', '--enable-pystats', '--with-trace-refs',
)  # fmt: skip
"""Options of CPython's configure that change what its instructions are; the same version is built with and without."""


def own() -> Path:
    """The baseline of this Python."""
    return BASELINES / f'{platform.python_implementation().lower()}-{platform.python_version()}.json'


def made_with() -> dict[str, str]:
    """What decides, besides our code, how many instructions a request takes."""
    configured = shlex.split(sysconfig.get_config_var('CONFIG_ARGS') or '')
    return {
        'python': f'{platform.python_implementation()} {platform.python_version()}',
        'configured': ' '.join(sorted(word for word in configured if word.startswith(_WEIGHTY))) or 'plainly',
        'compiler': platform.python_compiler(),
        'libc': ' '.join(platform.libc_ver()),
        'machine': platform.machine(),
        'uvloop': metadata.version('uvloop'),
    }


def figures() -> dict[str, int]:
    """All stages, as many at once as there are cores. Raises callgrind.Failed."""
    with (
        tempfile.TemporaryDirectory(prefix='bench-guard-') as directory,
        ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads,
    ):
        counts = threads.map(lambda stage: callgrind.count(stage, Path(directory)), STAGES)
        return {stage.name: found for stage, found in zip(STAGES, counts, strict=True)}


def skipped(why: str) -> int:
    print(f'bench-guard: skipped: {why}')
    return GOOD


def show(known: Mapping[str, int], found: Mapping[str, int]) -> None:
    print(f'{"stage":<14} {"baseline":>9} {"now":>9}  ratio   (instructions per request)')
    for stage, now in found.items():
        print(baseline.line(stage, known.get(stage), now))


def update(path: Path) -> int:
    if why := callgrind.missing():
        print(f'bench-guard: no baseline written: {why}', file=sys.stderr)
        return UNKNOWN
    try:
        known = Baseline.from_text(path.read_text()).instructions
    except (FileNotFoundError, BadBaseline):
        known = {}
    found = figures()
    show(known, found)
    path.write_text(Baseline(made_with(), found).to_text())
    print(f'bench-guard: wrote {path}; commit it with the reason')
    return GOOD


def compare(path: Path) -> int:
    try:
        known = Baseline.from_text(path.read_text())
    except (OSError, BadBaseline) as error:
        print(f'bench-guard: {path} cannot be read: {error}\n{baseline.UPDATE}', file=sys.stderr)
        return UNKNOWN
    if why := callgrind.missing():
        return skipped(why)
    if other := baseline.differences(known, made_with()):
        return skipped(f'the baseline was counted with something else: {"; ".join(other)}')
    found = figures()
    show(known.instructions, found)
    wrong = baseline.complaints(known, found)
    for sentence in wrong:
        print(f'bench-guard: {sentence}', file=sys.stderr)
    return WORSE if wrong else GOOD


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 all within the band, or skipped; 1 a figure left it; 2 nothing could be counted."""
    parser = argparse.ArgumentParser(prog='python -m bench.guard', description=__doc__)
    parser.add_argument('--update', action='store_true', help='write the baseline anew, to be committed')
    parser.add_argument('--baseline', type=Path, help='another file than the committed one of this Python')
    options = parser.parse_args(arguments)
    path = options.baseline or own()
    if not options.update and not options.baseline and not path.exists():
        return skipped(f'nothing was counted with this Python yet: there is no {path}')
    try:
        return update(path) if options.update else compare(path)
    except callgrind.Failed as failed:
        print(f'bench-guard: {failed}', file=sys.stderr)
        return UNKNOWN


if __name__ == '__main__':
    raise SystemExit(main())
