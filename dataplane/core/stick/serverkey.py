"""core: by what a stick table knows a server, beside its number: its name or its address (configuration manual 11.1, `srvkey`).

A table keeps a mark of it, 63 bits of its digest: the same server has the same mark behind a reload that gives it another number. That
two servers have one mark is left out of account: with 16,384 of them it happens in one configuration of 10^10.
"""

from __future__ import annotations

from hashlib import blake2b

from dataplane.core.stick.definition import ServerKey


def text_of(kind: ServerKey, name: str, host: str, port: int) -> str:
    """What a server is known by."""
    return name if kind is ServerKey.NAME else f'{host}:{port}'


def mark_of(text: str) -> int:
    """Its mark, which is never 0."""
    digest = blake2b(text.encode('utf-8', 'surrogateescape'), digest_size=8).digest()
    return int.from_bytes(digest, 'little') >> 1 or 1
