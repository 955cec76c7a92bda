"""docs/safe-http.md says of every rule where its tests are; it is held against them, both ways."""

from __future__ import annotations

import re

from tests.architecture.source import ROOT, functions
from tests.integration.safe_http.answering import BAD, CUT, PASSED
from tests.integration.safe_http.asking import REFUSED, SENT

RULES = range(1, 38)


def rows() -> dict[int, set[str]]:
    """Of each rule, where it is tested."""
    page = (ROOT / 'docs' / 'safe-http.md').read_text()
    found = re.findall(r'^\| (\d+) [^|]+\| [^|]+ \| ([^|]+) \|$', page, re.MULTILINE)
    assert [int(number) for number, _ in found] == list(RULES)
    return {int(number): set(tests.split(', ')) for number, tests in found}


def places() -> dict[int, set[str]]:
    stories = [one.name.removeprefix('test_') for one in functions(ROOT / 'tests/integration/safe_http/test_rules.py')]
    sides = {'requests': [*REFUSED, *SENT], 'responses': [*BAD, *CUT, *PASSED], 'stories': stories}
    found: dict[int, set[str]] = {number: set() for number in RULES}
    for place, names in sides.items():
        for name in names:
            if name.startswith('rule_'):
                found[int(name[5:7])].add(place)
            else:
                assert place == 'stories', f'{name} is of no rule'
    return found


def test_every_rule_has_a_row_and_its_tests() -> None:
    assert rows() == places()
