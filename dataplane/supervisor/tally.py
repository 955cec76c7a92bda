"""One object's counters over all workers, and which counter is which column of `show stat`.

Sums go over the rows of the workers and the departed row; gauges and rates over the workers alone.
"""

from __future__ import annotations

from typing import Final

from dataplane.core.counters import C, per_second

COMMON: Final = (
    ('stot', C.STOT), ('bin', C.BIN), ('bout', C.BOUT), ('dresp', C.DRESP), ('hrsp_1xx', C.HRSP_1XX),
    ('hrsp_2xx', C.HRSP_2XX), ('hrsp_3xx', C.HRSP_3XX), ('hrsp_4xx', C.HRSP_4XX), ('hrsp_5xx', C.HRSP_5XX),
    ('hrsp_other', C.HRSP_OTHER), ('req_tot', C.REQ_TOT), ('wrew', C.WREW), ('eint', C.EINT),
)  # fmt: skip
FRONT: Final = (
    ('dreq', C.DREQ), ('ereq', C.EREQ), ('conn_tot', C.CONN_TOT), ('intercepted', C.INTERCEPTED), ('dcon', C.DCON),
    ('dses', C.DSES), ('h1sess', C.STOT), ('h1req', C.REQ_TOT), ('reqbin', C.BIN), ('resbout', C.BOUT),
)  # fmt: skip
BACK: Final = (
    ('econ', C.ECON), ('eresp', C.ERESP), ('wretr', C.WRETR), ('wredis', C.WREDIS), ('lbtot', C.LBTOT),
    ('cli_abrt', C.CLI_ABRT), ('srv_abrt', C.SRV_ABRT), ('connect', C.CONNECT), ('reuse', C.REUSE), ('reqbout', C.BIN),
    ('resbin', C.BOUT),
)  # fmt: skip
AVERAGES: Final = (('qtime', C.QTIME), ('ctime', C.CTIME), ('rtime', C.RTIME), ('ttime', C.TTIME))
PEAKS: Final = (
    ('qtime_max', C.QTIME_MAX), ('ctime_max', C.CTIME_MAX), ('rtime_max', C.RTIME_MAX), ('ttime_max', C.TTIME_MAX),
)  # fmt: skip
ABSENT_FRONT: Final = (
    'comp_in', 'comp_out', 'comp_byp', 'comp_rsp', 'cache_lookups', 'cache_hits', 'sess_other', 'h2sess',
    'h3sess', 'req_other', 'h2req', 'h3req', 'cache_hint_hits',
)  # fmt: skip
ABSENT_BACK: Final = ('comp_in', 'comp_out', 'comp_byp', 'comp_rsp', 'cache_lookups', 'cache_hits', 'cache_hint_hits')
RESPONSES: Final = ('hrsp_1xx', 'hrsp_2xx', 'hrsp_3xx', 'hrsp_4xx', 'hrsp_5xx', 'hrsp_other')
"""Classes of answers; together they are the requests of a server, which HAProxy counts when it has answered."""


class Tally:
    """The counter block of one object over all rows: one list per worker, and the departed row last."""

    __slots__ = ('_now_ms', '_rows')

    def __init__(self, rows: list[list[int]], now_ms: int) -> None:
        self._rows = rows
        self._now_ms = now_ms

    def total(self, counter: C) -> int:
        """Sum of what was counted, by the living and the dead."""
        return sum(row[counter] for row in self._rows)

    def gauge(self, counter: C) -> int:
        """Sum of what is open now."""
        return sum(row[counter] for row in self._rows[:-1])

    def peak(self, counter: C) -> int:
        """The highest of the maxima."""
        return max(row[counter] for row in self._rows)

    def average(self, counter: C) -> int:
        """Average of one of the times, in ms."""
        return self.total(counter) // (self.total(C.TIMES) or 1)

    def rate(self, second: C) -> int:
        """Events over the last second, of the frequency counter that begins at `second`."""
        return sum(per_second(row[second], row[second + 1], row[second + 2], self._now_ms) for row in self._rows[:-1])

    def rate_peak(self, second: C, most: C) -> int:
        """Most events in one second: of the best single worker, or of all of them together in the last one."""
        return max(self.peak(most), self.rate(second))
