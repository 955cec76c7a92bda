"""Which modules' branches guide the search of each target, with all below them. Imports nothing: they are to be imported under watch."""

from __future__ import annotations

from typing import Final

_HEADS: Final = [
    'dataplane.worker.head',
    'dataplane.worker.scan',
    'dataplane.worker.headers',
    'dataplane.worker.rewriting',
]

INSTRUMENTED: Final = {
    'requests': _HEADS,
    'responses': _HEADS,
    'bodies': ['dataplane.worker.framing'],
    'traffic': ['dataplane.worker'],
    'configuration': ['dataplane.config', 'dataplane.rules'],
    'rules': ['dataplane.rules', 'dataplane.config.actions', 'dataplane.config.rules', 'dataplane.config.ruling'],
    'patterns': ['dataplane.rules'],
    'commands': ['dataplane.cli'],
    'frames': ['dataplane.wire'],
}
