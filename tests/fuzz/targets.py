"""What must hold, whatever the bytes. A target takes any, and raises only when something is wrong with the product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.fuzz.configured import configuration, patterns, rules
from tests.fuzz.heads import requests, responses
from tests.fuzz.spoken import bodies, commands, frames
from tests.fuzz.traffic import traffic

Target = Callable[[bytes], None]

TARGETS: Final[dict[str, Target]] = {
    'requests': requests,
    'responses': responses,
    'bodies': bodies,
    'traffic': traffic,
    'configuration': configuration,
    'rules': rules,
    'patterns': patterns,
    'commands': commands,
    'frames': frames,
}
