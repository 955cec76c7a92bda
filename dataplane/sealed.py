"""Memory that processes share and nobody resizes: sealed, so that none can be killed by SIGBUS because another made it shorter."""

from __future__ import annotations

import fcntl
import os
from typing import Final

# not in `fcntl` before Python 3.13
_F_ADD_SEALS: Final = 1033
_F_SEAL_SEAL: Final = 0x1
_F_SEAL_SHRINK: Final = 0x2
_F_SEAL_GROW: Final = 0x4


def sealed_memory(name: str, size: int) -> int:
    """The descriptor of a new sparse memfd of `size` bytes, all 0; untouched pages cost nothing. Raises OSError."""
    fd = os.memfd_create(f'sluice-{name}', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size)
        fcntl.fcntl(fd, _F_ADD_SEALS, _F_SEAL_SHRINK | _F_SEAL_GROW | _F_SEAL_SEAL)
    except BaseException:
        os.close(fd)
        raise
    return fd
