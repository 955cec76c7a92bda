"""The counter block: what one worker counts for one frontend, backend or server (and for itself), under HAProxy's names.

Each block has `COUNTERS` cells in a worker's own row, written by that worker alone without the lock. Sums over the workers'
rows and the departed row give the figures of the data plane. `*_sec/_cur/_prev` triples are HAProxy's frequency counters:
the second they stand for, events in that second, events in the one before. `*_max` cells in a worker's row are that
worker's own maxima (times: ms); maxima of what is shared (`smax`, `qmax`, ...) are in the departed row, written inside holds
or, for frontends, by the accepting worker as the sum it saw.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class C(IntEnum):
    """Offset of each counter in its block."""

    STOT = 0  # sessions (frontend: connections' streams; backend, server: streams that got there)
    CONN_TOT = 1  # client connections accepted
    REQ_TOT = 2  # HTTP requests received
    SCUR = 3  # gauge: frontend: client connections open now; process: connections open now
    BIN = 4  # bytes from clients (backend, server: to servers)
    BOUT = 5  # bytes to clients; process: all that was sent, to servers, too
    DREQ = 6  # requests denied
    DRESP = 7  # responses denied
    EREQ = 8  # request errors
    ECON = 9  # connection errors
    ERESP = 10  # response errors
    WRETR = 11  # retries
    WREDIS = 12  # redispatches
    HRSP_1XX = 13
    HRSP_2XX = 14
    HRSP_3XX = 15
    HRSP_4XX = 16
    HRSP_5XX = 17
    HRSP_OTHER = 18
    CLI_ABRT = 19
    SRV_ABRT = 20
    LBTOT = 21
    DCON = 22
    DSES = 23
    WREW = 24
    CONNECT = 25  # connections established towards a server
    REUSE = 26  # requests sent over a reused connection
    INTERCEPTED = 27
    EINT = 28  # internal errors
    LASTSESS = 29  # wall-clock second of the last session
    TIMES = 30  # requests that the four sums below are over
    QTIME = 31  # sum of ms in queue
    CTIME = 32
    RTIME = 33
    TTIME = 34
    QTIME_MAX = 35
    CTIME_MAX = 36
    RTIME_MAX = 37
    TTIME_MAX = 38
    SESS_SEC = 39
    SESS_CUR = 40
    SESS_PREV = 41
    CONN_SEC = 42
    CONN_CUR = 43
    CONN_PREV = 44
    REQ_SEC = 45
    REQ_CUR = 46
    REQ_PREV = 47
    SMAX = 48
    QMAX = 49
    RATE_MAX = 50
    CONN_RATE_MAX = 51
    REQ_RATE_MAX = 52
    VARIABLES = 53  # gauge, process: bytes of the variables of sessions and requests, where they are limited
    SPARE_54 = 54
    DROPPED_LOGS = 55
    OBSERVED = 56  # not a count: what `observe` saw of a server, see core/observe.py
    SPARE_57 = 57


COUNTERS: Final = 64


def per_second(second: int, current: int, previous: int, now_ms: int) -> int:
    """Events over the last second, of a frequency counter: the second it stands for, its count, that of the second before."""
    age = now_ms // 1000 - second
    left = 1000 - now_ms % 1000
    if age == 0:
        return current + previous * left // 1000
    return current * left // 1000 if age == 1 else 0
