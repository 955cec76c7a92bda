"""Which tests are given to one test process together: those that share what is dear to make, and those that are done at once.

Every other test is a piece of work of its own, begun in the order of the files, which ends with the shortest. pytest-xdist has
a mark for this, which changes the ids of tests; pytest 9 keeps those elsewhere, and the mark does nothing.
"""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

ROOMS: Final = ('tests/architecture/', 'tests/fuzz/', 'tests/integration/safe_http/')
"""They read the whole tree, build a worker, or start two planes: once, for all tests in there."""

FILES: Final = (
    'tests/unit/',
    'tests/integration/test_balance_oracle.py',
    'tests/integration/test_page_browser.py',
    'tests/integration/test_rules_oracle.py',
)
"""File by file: most of these take a millisecond or share an HAProxy or a browser, and each piece of work is a message to and fro."""


def piece_of(nodeid: str) -> str:
    """The piece of work that a test belongs to."""
    for room in ROOMS:
        if nodeid.startswith(room):
            return room
    return nodeid.partition('::')[0] if nodeid.startswith(FILES) else nodeid


class Together(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Of `--dist loadgroup` in this tree."""

    def _split_scope(self, nodeid: str) -> str:
        return piece_of(nodeid)
