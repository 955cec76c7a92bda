"""config: `mode` (configuration manual 4.2): HTTP is the only one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.config.problems import Rejected, shown

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line


def parse_mode(line: Line, proxy: ProxyDraft) -> None:
    """A line `mode`. Raises Rejected for every mode but `http`."""
    mode = line.word(1)
    line.at_most(1)
    proxy.mode = mode
    if mode == 'tcp':
        msg = "'mode tcp' is not supported yet, only 'mode http' is."
        raise Rejected(msg)
    if mode == 'health':
        msg = "'mode health' doesn't exist anymore."
        raise Rejected(msg)
    if mode in ('log', 'spop', 'haterm'):
        msg = f"'mode {mode}' is not supported, only 'mode http' is."
        raise Rejected(msg)
    if mode != 'http':
        msg = f"unknown proxy mode '{shown(mode)}'."
        raise Rejected(msg)
