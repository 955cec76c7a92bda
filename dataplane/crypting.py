"""crypt(3): the passwords of user lists as the system's own library knows them (glibc's successor libxcrypt, musl).

Python has no such function any more (PEP 594), and no library knows every method that a file may hold: what made the hash
checks it. Who imports this touches a shared library, and nothing else.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_ROOM: Final = 1 << 18
"""Bytes that `crypt_r` works in: `struct crypt_data` of any library is smaller."""
_LIBRARIES: Final = ('libcrypt.so.1', 'libcrypt.so.2', None)


@cache
def _function() -> Callable[[bytes, bytes, object], bytes | None] | None:
    """`crypt_r` of the first library that has it; None on a system without."""
    for name in _LIBRARIES:
        try:
            found = ctypes.CDLL(name).crypt_r
        except (OSError, AttributeError):
            continue
        found.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
        found.restype = ctypes.c_char_p
        return found
    return None


def crypt(phrase: bytes, setting: bytes) -> bytes | None:
    """The hash of a phrase by the method and salt that `setting` - a salt or a whole hash - begins with.

    None where this system does not know the method, or knows none at all. A phrase ends at its first NUL. It takes as long as
    the method is meant to take; the interpreter's lock is not held meanwhile.
    """
    function = _function()
    made = None if function is None else function(phrase, setting, ctypes.create_string_buffer(_ROOM))
    return None if made is None or made.startswith(b'*') else made


def is_known(setting: str) -> bool:
    """Can passwords be checked against this hash here?"""
    return crypt(b'', setting.encode('utf-8', 'surrogateescape')) is not None
