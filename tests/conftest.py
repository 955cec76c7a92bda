"""What the whole suite says at its end beside pytest's own summary: how much of the small worlds was seen."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.exhaustive.reach import TO_THE_END

# How long an example takes says how busy the machine is; a test that hangs has its own limit.
settings.register_profile('house', deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile('house')


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
        whole = (
            'every world to its end, of those of wheels 10,000 states'
            if TO_THE_END
            else 'the nearest of each world; make explore goes to the end'
        )
        terminalreporter.write_line(f'exhaustive: {seen} ({whole}; every mutant stopped)')
