"""config: `mode` (configuration manual 4.2): HTTP; a `backend` that gets no traffic may be of TCP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.config.problems import Rejected, shown

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line


def parse_mode(line: Line, proxy: ProxyDraft) -> None:
    """A line `mode`. Raises Rejected for every mode but `http` and `tcp`, of which `checks` says where it may be."""
    mode = line.word(1)
    line.at_most(1)
    proxy.mode = mode
    if mode == 'health':
        msg = "'mode health' doesn't exist anymore."
        raise Rejected(msg)
    if mode in ('log', 'spop', 'haterm'):
        msg = f"'mode {mode}' is not supported, only 'mode http' is."
        raise Rejected(msg)
    if mode not in ('http', 'tcp'):
        msg = f"unknown proxy mode '{shown(mode)}'."
        raise Rejected(msg)
