"""Dynamic cookies (manual 4.2, `dynamic-cookie-key`): a server's value is made from a key, its address and its port, and so is the
same at every proxy that knows the key.

The value is XXH64, in sixteen hexadecimal digits, of the key, the address and the port as four bytes, all in network order: what
HAProxy makes of them. A server with a value of its own keeps that; one whose address is a name has none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address

from dataplane.core.model import Backend, Server
from dataplane.rules.xxhash import xxh64


@dataclass(frozen=True, slots=True)
class CookieChange:
    """What was asked for at run time; None: as declared."""

    enabled: bool | None = None
    key: str | None = None

    def over(self, older: CookieChange | None) -> CookieChange:
        """This after what was asked for before."""
        if older is None:
            return self
        return CookieChange(
            older.enabled if self.enabled is None else self.enabled, older.key if self.key is None else self.key
        )

    def of(self, backend: Backend) -> Backend:
        """The backend with it."""
        cookie = backend.cookie
        if cookie is not None and self.enabled is not None:
            cookie = replace(cookie, dynamic=self.enabled)
        return replace(backend, cookie=cookie, cookie_key=backend.cookie_key if self.key is None else self.key)


def bearing(backend: Backend) -> tuple[bool, str]:
    """What a change at run time stands in for."""
    return backend.cookie is not None and backend.cookie.dynamic, backend.cookie_key


def cookie_of(backend: Backend, server: Server) -> str:
    """The value by which the cookie of `backend` names `server`, '' for none."""
    if server.cookie or backend.cookie is None or not backend.cookie.dynamic or not backend.cookie_key:
        return server.cookie
    try:
        address = ip_address(server.host).packed
    except ValueError:
        return ''
    text = backend.cookie_key.encode('utf-8', 'surrogateescape') + address + server.port.to_bytes(4, 'big')
    return f'{xxh64(text):016x}'
