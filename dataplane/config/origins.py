"""config: `from ORIGIN` of `server` and `default-server` lines: with whose settings they begin (configuration manual 5.2).

`none` is the manual's defaults; `be:NAME` what the `default-server` lines of that backend add up to, `be:` those of the own one.
It stands before all settings. Settings are handed on as the words that make them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dataplane.config.problems import Rejected, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.config.reader import Line

Settings = tuple[str, ...]


def begun(line: Line, at: int, own: Settings, others: Callable[[str], Settings | None]) -> tuple[Line, bool]:
    """The line with the settings of its origin in the place of `from ORIGIN` at word `at`; whether it had one, and so begins with
    nothing else. `others` has the settings of a backend, None where there is none of that name. Raises Rejected.
    """
    if line.word(at) != 'from':
        return line, False
    settings = settings_of(line.word(at + 1), own, others)
    return replace(line, words=(*line.words[:at], *settings, *line.words[at + 2 :])), True


def settings_of(origin: str, own: Settings, others: Callable[[str], Settings | None]) -> Settings:
    """The settings of an origin. Raises Rejected."""
    kind, _, backend = origin.partition(':')
    if origin == 'none':
        return ()
    if kind != 'be' or origin == kind:
        msg = f"'from' expects 'none' or 'be:[<backend>]' (got '{shown(origin)}')."
        raise Rejected(msg)
    found = others(backend) if backend else own
    if found is None:
        msg = f"'from' : unable to find backend '{shown(backend)}'."
        raise Rejected(msg)
    return found
