"""config: words of `bind` and `server` lines that choose what is the only choice here: HTTP/1."""

from __future__ import annotations

from dataplane.config.problems import Rejected, shown


def check_proto(value: str) -> None:
    """`proto h1`. Raises Rejected for every other protocol."""
    if value != 'h1':
        msg = f"'proto' only supports 'h1' (got '{shown(value)}'): HTTP/1.1 is the only protocol."
        raise Rejected(msg)


def check_ws(value: str) -> None:
    """`ws h1` or `ws auto`: by which protocol WebSocket is spoken to the server. Raises Rejected."""
    if value not in ('h1', 'auto'):
        msg = f"'ws' only supports 'h1' and 'auto' (got '{shown(value)}'): HTTP/1.1 is the only protocol."
        raise Rejected(msg)
