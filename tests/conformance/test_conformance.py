"""Every scenario through HAProxy and through Sluice: what is seen must be the same, but for what the scenario declares."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import proxies
from tests.conformance.comparing import problems, unified
from tests.conformance.playing import Played, play
from tests.conformance.scenario import SUFFIX, load

ROOT = Path(__file__).parent / 'scenarios'
NAMES = sorted(str(path.relative_to(ROOT).with_suffix('')) for path in ROOT.rglob(f'*{SUFFIX}'))

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(proxies.version() is None, reason='HAProxy is not installed: there is nothing to compare with'),
]


@pytest.mark.parametrize('name', NAMES)
async def test_scenario(name: str, record_property: Callable[[str, object], None]) -> None:
    scenario = load(ROOT / f'{name}{SUFFIX}', ROOT)
    record_property('haproxy', str(proxies.version()))
    theirs, ours = await asyncio.gather(play(scenario, proxies.HAPROXY), play(scenario, proxies.SLUICE))
    if os.environ.get('CONFORMANCE_SHOW'):
        print('\n'.join(theirs.lines))
    found = problems(theirs.lines, ours.lines, scenario.differs)
    found += [f'{kind} stopped at {one.failure}' for kind, one in _both(theirs, ours) if one.failure]
    if found:
        told = '\n'.join(one.printed for _, one in _both(theirs, ours))
        text = '\n'.join((f'{name}: {scenario.title}', *found, unified(theirs.lines, ours.lines), _strange(), told))
        pytest.fail(text, pytrace=False)


def _both(theirs: Played, ours: Played) -> tuple[tuple[str, Played], tuple[str, Played]]:
    return (proxies.HAPROXY, theirs), (proxies.SLUICE, ours)


def _strange() -> str:
    """What to know before believing a failure."""
    found = str(proxies.version())
    return '' if found.startswith(proxies.COMPARED) else f'(compared with HAProxy {found}, not {proxies.COMPARED}x)'
