"""The UDP target of the log lines: reads them, so that no buffer fills, and counts them."""

from __future__ import annotations

import socket
import threading
import time


class Drain:
    """`with Drain() as drain`: `drain.port` takes datagrams, `drain.lines` counts them."""

    def __enter__(self) -> Drain:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(('127.0.0.1', 0))
        self.port: int = self._socket.getsockname()[1]
        self.lines = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            # an empty datagram, which is no log line, ends the thread; lost only if the buffer is full, so again
            while self._thread.is_alive():
                last.sendto(b'', ('127.0.0.1', self.port))
                self._thread.join(0.1)
        self._socket.close()

    def _read(self) -> None:
        room = bytearray(65536)
        while self._socket.recv_into(room):
            self.lines += 1

    def waited_for(self, lines: int, seconds: float = 5.0) -> bool:
        """Have that many lines come, by then at the latest?"""
        end = time.monotonic() + seconds
        while self.lines < lines and time.monotonic() < end:
            time.sleep(0.02)
        return self.lines >= lines
