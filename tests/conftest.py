"""How the suite is shared out, and what it says at its end beside pytest's own summary: how much of the small worlds was seen."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.exhaustive.reach import TO_THE_END
from tests.together import Together

# How long an example takes says how busy the machine is; a test that hangs has its own limit.
settings.register_profile('house', deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile('house')


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together | None:
    """Of `make test`; whoever asks for another distribution gets it."""
    if config.getoption('dist') != 'loadgroup':
        return None
    config.option.loadscopereorder = False  # the largest files are not the longest
    return Together(config, log)


def pytest_collection_finish() -> None:
    """Ten thousand tests and all they import stay to the end: every full collection would look at them again, a tenth of the CPU."""
    gc.collect()
    gc.freeze()


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
