"""What all explorations share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    """Without Python's search for cycles: states have none, and to look at all of them again and again takes a sixth of the time."""
    gc.disable()
    yield
    gc.enable()
