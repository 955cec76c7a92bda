"""Keywords of old files: who brings one is told what is written instead."""

from __future__ import annotations

import pytest

from dataplane.config.keywords import PROXY
from dataplane.config.removed import REMOVED, removed
from tests.unit.config.loading import frontend_error


@pytest.mark.parametrize('keyword', REMOVED)
def test_a_removed_keyword_names_its_heir(keyword: str) -> None:
    assert keyword not in PROXY
    assert frontend_error(f'{keyword} x') == [removed(keyword)]


def test_what_is_said() -> None:
    assert (
        removed('reqadd') == "'reqadd' does not exist anymore, as in HAProxy: write 'http-request add-header' instead."
    )
    assert removed('http-request') == ''
