"""config: words of `bind` and `server` lines that choose what is the only choice here: HTTP/1, and names looked up when needed."""

from __future__ import annotations

from typing import Final

from dataplane.config.problems import Rejected, shown

_LOOKED_UP: Final = ('last', 'libc', 'none')


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


def check_init_addr(value: str) -> None:
    """`init-addr METHOD[,METHOD]...`: how the name of a server becomes an address at the start. Raises Rejected.

    A name is looked up for each connection, so a start waits for none, whatever the methods are; only an address that would
    stand in for an unknown name is missed.
    """
    for method in value.split(','):
        if method not in _LOOKED_UP:
            msg = (
                f"'init-addr' only supports {', '.join(repr(known) for known in _LOOKED_UP)} (got '{shown(method)}'): "
                'a name is looked up for each connection, and no address stands in for it.'
            )
            raise Rejected(msg)
