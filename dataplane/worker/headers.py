"""What is changed in a head on its way through (RFC 9110, 7.6): everything else is relayed as the bytes it came in.

As in HAProxy: no Via and no Date of our own, `option forwardfor` adds a line rather than editing one, the request's
version is kept, an answer is always HTTP/1.1. Hop-by-hop fields end here in both directions (the parser marked them).
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Final

from dataplane.core.model import ForwardFor
from dataplane.worker.framing import CHUNKED
from dataplane.worker.head import RequestHead, ResponseHead

_WEBSOCKET: Final = b'websocket'
_BINDING: Final = (b'ntlm', b'nego')


class ForwardedFor:
    """`option forwardfor` or `originalto`, ready for use: decides for an address whether to add the field, and writes it."""

    __slots__ = ('_except', '_if_none', '_name', '_prefix')

    def __init__(self, option: ForwardFor, front: ForwardFor | None = None) -> None:
        """`front`: the frontend's, where `option` is the backend's and both are there. The field's name is then the backend's, an
        exception is either's, and it is added beside others unless both say not to.
        """
        self._name = option.header.lower().encode()
        self._prefix = option.header.encode() + b': '
        options = (option,) if front is None else (option, front)
        self._except = [ip_network(one.except_net, strict=False) for one in options if one.except_net]
        self._if_none = all(one.if_none for one in options)

    def line(self, head: RequestHead, address: str) -> bytes:
        """The line to add to `head` for an address in text; empty when none is to be added."""
        if not address or (self._except and any(ip_address(address) in network for network in self._except)):
            return b''
        if self._if_none and head.values(self._name):
            return b''
        return self._prefix + address.encode()


def wants_websocket(head: RequestHead) -> bool:
    """Is this a request to switch protocols that may be forwarded? Others lose their Upgrade field and stay HTTP."""
    return head.upgrade == _WEBSOCKET and head.method == b'GET' and head.version == 1 and not head.length


def binds(head: ResponseHead) -> bool:
    """Does this 401 or 407 ask for credentials that count for the whole connection (NTLM, Negotiate)? Then that is its client's own."""
    name = b'www-authenticate' if head.status == 401 else b'proxy-authenticate'
    return any(value.strip(b' \t')[:4].lower() in _BINDING for value in head.values(name))


def with_name(
    head: RequestHead, name: str, server: str, forwarded: bytes, edits: dict[int, tuple[int, bytes]] | None
) -> tuple[bytes, dict[int, tuple[int, bytes]]]:
    """What is added to a head and edited in it so that its one field `name` says which server it is sent to."""
    field = name.encode()
    line = field + b': ' + server.encode()
    edits = dict(edits or {})
    edits.update((one.start, (one.end, b'')) for one in head.lines(field.lower()))
    return (forwarded + b'\r\n' + line if forwarded else line), edits


def request_bytes(
    head: RequestHead, forwarded: bytes, edits: dict[int, tuple[int, bytes]] | None = None, *, close: bool, switch: bool
) -> bytes:
    """The head as it goes to the server. `forwarded` is a line or empty; `close`: this connection serves it alone.

    `edits`: lines that only this server gets otherwise.
    """
    added = b'Transfer-Encoding: chunked\r\n' if head.length == CHUNKED else b''
    if forwarded:
        added += forwarded + b'\r\n'
    if switch:
        added += b'Connection: Upgrade\r\nUpgrade: websocket\r\n'
    elif close:
        added += b'Connection: close\r\n'
    elif head.version == 0:
        added += b'Connection: keep-alive\r\n'
    return head.forwarded(added, edits)


def response_bytes(head: ResponseHead, connection: bytes, added: bytes = b'', *, chunked: bool) -> bytes:
    """The head as it goes to the client. `connection` is the Connection field's value, or empty; `added`: further lines."""
    if chunked:
        added += b'Transfer-Encoding: chunked\r\n'
    if connection:
        added += b'Connection: ' + connection + b'\r\n'
        if connection == b'Upgrade':
            added += b'Upgrade: websocket\r\n'
    out = head.forwarded(added)
    return out if head.version else b'HTTP/1.1' + out[8:]
