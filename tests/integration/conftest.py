"""Which event loop a test runs on: the request path's own tests on uvloop, as workers do; the others on asyncio's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The plugin's hook; one factory, so that test names stay as they are."""
    if item.path.name.startswith(('test_http_', 'test_attack_http')):
        return {'uvloop': uvloop.new_event_loop}
    return {'asyncio': asyncio.new_event_loop}
