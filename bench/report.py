"""The results as a person reads them (Markdown) and as a program does (JSON). Pure, but for writing files and `machine`."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.cases import CASES
from bench.summary import Measurement, Row

HEAD = (
    '| proxy | requests/s | CPU us/request | user + system | p50 ms | p99 ms | CPU / HAProxy (min - max) | core busy |\n'
    '|---|---:|---:|---:|---:|---:|---:|---:|\n'
)


@dataclass(frozen=True)
class Report:
    """Everything that is written. `left_out`: (case, proxy) or ('', proxy) -> why."""

    about: Mapping[str, str]
    versions: Mapping[str, str]
    rows: Sequence[Row]
    measurements: Sequence[Measurement]
    left_out: Mapping[tuple[str, str], str]


def number(value: float) -> str:
    """Three digits that mean something: 0.42, 4.20, 42.0, 420, 4,200."""
    if value >= 100:
        return f'{value:,.0f}'
    return f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def line(row: Row) -> str:
    if row.failed or row.requests_per_s is None or row.cpu_us is None:
        why = row.failed.replace('|', '/').replace('\n', ' ')
        return f'| {row.peer} | FAILED: {why} | | | | | | |\n'
    ratio = '-'
    if row.ratio:
        ratio = f'{row.ratio.median:.2f} ({row.ratio.min:.2f} - {row.ratio.max:.2f})'
    cells = (
        row.peer,
        number(row.requests_per_s.median),
        number(row.cpu_us.median),
        f'{number(row.user_us)} + {number(row.system_us)}',
        number(row.p50_ms),
        number(row.p99_ms),
        ratio,
        f'{row.busy:.0%}',
    )
    return '| ' + ' | '.join(cells) + ' |\n'


def table(case: str, rows: Sequence[Row], left_out: Mapping[tuple[str, str], str]) -> str:
    """One case."""
    why = [f'{peer} ({reason})' for (where, peer), reason in left_out.items() if where == case]
    note = f'\nNot here: {", ".join(why)}.\n' if why else ''
    return HEAD + ''.join(line(row) for row in rows if row.case == case) + note


def markdown(report: Report) -> str:
    """All cases, in the order of the list of cases."""
    text = '# Results\n\nMade by `make bench`; [README.md](README.md) says how, and how to read it.\n\n'
    text += ''.join(f'- {name}: {value}\n' for name, value in report.about.items())
    text += '- versions: ' + ', '.join(f'{name} {value}' for name, value in report.versions.items()) + '\n'
    for (where, peer), reason in report.left_out.items():
        if not where:
            text += f'- not measured: {peer}: {reason}\n'
    for case in CASES:
        if any(row.case == case.name for row in report.rows):
            text += f'\n## {case.name}\n\n{case.about[0].upper()}{case.about[1:]}.\n\n'
            text += table(case.name, report.rows, report.left_out)
    return text


def document(report: Report) -> str:
    """JSON: what the tables hold, and every single measurement."""
    whole = {
        'about': dict(report.about),
        'versions': dict(report.versions),
        'left_out': [{'case': case, 'peer': peer, 'why': why} for (case, peer), why in report.left_out.items()],
        'rows': [asdict(row) for row in report.rows],
        'measurements': [asdict(one) for one in report.measurements],
    }
    return json.dumps(whole, indent=1) + '\n'


def write(report: Report, folder: Path) -> list[Path]:
    return written(folder, {'results.md': markdown(report), 'results.json': document(report)})


def written(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write these texts into a folder, which is made; returns where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return [folder / name for name in files]


def machine() -> str:
    """What it was measured on: processor, cores, kernel."""
    model = re.search('model name.*: (.*)', Path('/proc/cpuinfo').read_text())
    return f'{model[1] if model else platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}'
