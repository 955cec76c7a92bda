"""A look at a data plane's board from outside: who holds its lock at this instant."""

from __future__ import annotations

import mmap
import os
import struct
from types import TracebackType

_NAME = 'memfd:sluice-board'
_TID = 0x3FFF_FFFF


class BoardLock:
    """The lock word of the board of the supervisor `pid`, read through /proc and never written."""

    def __init__(self, pid: int) -> None:
        with os.scandir(f'/proc/{pid}/fd') as entries:
            path = next((entry.path for entry in entries if _NAME in os.readlink(entry.path)), None)
        if path is None:
            raise AssertionError(f'process {pid} has no board')
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self._page = mmap.mmap(descriptor, mmap.PAGESIZE, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)

    def holder(self) -> int:
        """Thread id of the holder, 0: nobody (the first word of a pthread mutex)."""
        word: int = struct.unpack_from('=I', self._page)[0]
        return word & _TID

    def __enter__(self) -> BoardLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._page.close()
