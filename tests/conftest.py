"""What the whole suite says at its end beside pytest's own summary: how much of the small worlds was seen."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add up what the exhaustive tests recorded, in whatever process they ran."""
    totals: dict[str, int] = {}
    for report in terminalreporter.getreports('passed'):
        for name, value in report.user_properties:
            if name in ('worlds', 'states', 'steps', 'mutants'):
                totals[name] = totals.get(name, 0) + int(value)
    if totals:
        seen = ', '.join(
            f'{totals[name]:,} {name}' for name in ('worlds', 'states', 'steps', 'mutants') if name in totals
        )
        terminalreporter.write_line(f'exhaustive: {seen} (every interleaving of each world; every mutant stopped)')
