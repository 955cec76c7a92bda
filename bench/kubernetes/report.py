"""What was measured, by stages, as a person reads it (Markdown) and as a program does (JSON). Pure, but for writing the files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.kubernetes.objects import KINDS
from bench.percentiles import line, percentile
from bench.report import written

STAGES = {
    'heard': 'the API server takes it, and its watch tells the control plane',
    'gathered': 'changes are gathered before they are passed on',
    'made': 'translated, compared, a version in the control plane',
    'sent': 'the push is made, after the answer to the one before it',
    'applied': 'the slower data plane folds, commits, settles, keeps, acknowledges',
}
"""What a write goes through, one after the other."""
ANSWERED = 'the API server has answered'
WHOLE = 'all workers have applied it'


@dataclass
class Measured:
    """Milliseconds. Of `stages` each counts from the end of the one before; `pauses`: the data planes' wait for the board's
    lock and their hold of it, which is in `applied`.
    """

    answered: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in STAGES})
    pauses: list[float] = field(default_factory=list)
    whole: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def applied(self, kind: str, began: float, said: Mapping[str, Any], name: str) -> None:
        """A write of an object of that name, begun at that second, is in force everywhere, as the control plane says."""
        self.whole[kind].append((said['acked'] - began) * 1e3)
        self.pauses.append(said['pause'] * 1e3)
        if name in said['heard']:  # else the version was made of something that was heard before
            before = began
            for stage, at in zip(
                STAGES, (said['heard'][name], *map(said.get, ('began', 'made', 'sent', 'acked'))), strict=True
            ):
                self.stages[stage].append((at - before) * 1e3)
                before = at

    @property
    def all(self) -> list[float]:
        """From each write to its last ack."""
        return [one for of in self.whole.values() for one in of]


@dataclass(frozen=True)
class Report:
    """Everything that is told. `left`: writes that came to nothing; `busy`: share of all cores that was."""

    about: Mapping[str, str]
    measured: Measured
    left: int
    busy: float
    target_ms: float

    @property
    def met(self) -> bool:
        """Whether the target is."""
        return self.left == 0 and bool(self.measured.all) and percentile(self.measured.all, 0.99) <= self.target_ms

    def rows(self) -> list[tuple[str, Sequence[float]]]:
        """What is told percentiles of, each with its name."""
        of = self.measured
        parts = [(text, of.stages[name]) for name, text in STAGES.items()]
        return [(ANSWERED, of.answered), *parts, (WHOLE, of.all), *of.whole.items()]


def text(report: Report) -> str:
    """For a terminal."""
    said = [f'{name}: {value}' for name, value in report.about.items()]
    said.append(f'all cores were busy for {report.busy:.0%}')
    said += [f'  {name:68} {line(values) if values else "nothing"}' for name, values in report.rows()]
    said.append(
        f'  {"of that on the lock of the data planes, waited and held":68} {line(report.measured.pauses or [0.0])}'
    )
    said.append(f'  not applied in time: {report.left}')
    said.append(f'  target p99 <= {report.target_ms:.0f} ms: {"met" if report.met else "MISSED"}')
    return '\n'.join(said)


def markdown(report: Report) -> str:
    """For a page."""
    said = '# From a write at the API server to all workers\n\n'
    said += 'Made by `make bench-kubernetes`; [README.md](README.md) says what is measured.\n\n'
    said += ''.join(f'- {name}: {value}\n' for name, value in report.about.items())
    said += f'- all cores were busy for {report.busy:.0%}\n'
    said += f'- not applied in time: {report.left}\n'
    said += f'- target p99 <= {report.target_ms:.0f} ms: {"met" if report.met else "missed"}\n\n'
    said += '| | p50 ms | p99 ms | longest ms | writes |\n|---|---:|---:|---:|---:|\n'
    for name, values in report.rows():
        if values:
            figures = (percentile(values, 0.5), percentile(values, 0.99), max(values))
            said += f'| {name} | {" | ".join(f"{one:.0f}" for one in figures)} | {len(values)} |\n'
    return said


def document(report: Report) -> str:
    """JSON, with every single figure."""
    of = report.measured
    whole = {
        'about': dict(report.about), 'busy': round(report.busy, 3), 'left': report.left, 'met': report.met,
        'answered': _short(of.answered), 'stages': {name: _short(values) for name, values in of.stages.items()},
        'pauses': _short(of.pauses), 'whole': {kind: _short(values) for kind, values in of.whole.items()},
    }  # fmt: skip
    return json.dumps(whole) + '\n'


def _short(values: Sequence[float]) -> list[float]:
    return [round(value, 2) for value in values]


def write(report: Report, folder: Path) -> list[Path]:
    """Both files; returns where they are."""
    return written(folder, {'kubernetes.md': markdown(report), 'kubernetes.json': document(report)})
