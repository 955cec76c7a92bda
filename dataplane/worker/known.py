"""The fields a proxy must know (RFC 9110, 7.6; RFC 9112): it acts on them, or does not forward them. All others pass unread."""

from __future__ import annotations

from typing import Final

REQUEST_FIELDS: Final = (
    b'host', b'content-length', b'transfer-encoding', b'connection', b'keep-alive', b'proxy-connection', b'te',
    b'trailer', b'upgrade', b'expect', b'proxy-authorization', b'proxy-authenticate', b'max-forwards',
    b'http2-settings',
)  # fmt: skip
RESPONSE_FIELDS: Final = (
    b'content-length', b'transfer-encoding', b'connection', b'keep-alive', b'proxy-connection', b'te', b'trailer',
    b'upgrade', b'proxy-authorization', b'proxy-authenticate',
)  # fmt: skip

Field = tuple[bytes, bytes, int, int]
"""Such a field: its name in lower case, its value without the blanks around it, where its line begins, and where the next one does."""

RequestScan = tuple[bytes, bytes, int, int, bool, list[Field]]
"""Method, target, minor version, number of fields, whether the name of any has an underscore, the fields to be known."""

ResponseScan = tuple[int, int, int, list[Field]]
"""Minor version, status, number of fields, the fields to be known."""
