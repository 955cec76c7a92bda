from __future__ import annotations

from array import array

from dataplane.core.counters import C
from dataplane.core.layout import Layout
from dataplane.worker.figures import Figures

LAYOUT = Layout(workers=2, servers=1, backends=1, frontends=1, entries=1)


def both() -> tuple[Figures, Figures]:
    cells = array('q', bytes(8 * LAYOUT.size))
    return Figures(cells, LAYOUT, 0), Figures(cells, LAYOUT, 1)


def test_connections_are_summed_over_workers_and_their_maximum_kept() -> None:
    one, two = both()
    one.opened(0, 1_000)
    two.opened(0, 1_000)
    two.closed(0)
    one.opened(0, 1_001)
    assert one.connections(0) == two.all_connections() == 2
    departed = LAYOUT.frontend_counters(LAYOUT.departed, 0)
    assert one.cells[departed + C.SMAX] == 2
    assert one.cells[one.frontend(0) + C.CONN_TOT] == 2


def test_connections_of_rows_that_come_into_use_later_count_and_of_those_that_are_in_use_no_more_do_not() -> None:
    one, two = both()
    one.cells[LAYOUT.ROWS] = 1
    two.opened(0, 1_000)
    assert one.connections(0) == one.all_connections() == 0
    one.cells[LAYOUT.ROWS] = 2
    assert one.connections(0) == one.all_connections() == 1
    one.cells[LAYOUT.ROWS] = 1
    assert (one.all_connections(), one.connections(0)) == (0, 0)


def test_rates_know_this_second_and_the_last_one() -> None:
    one, _ = both()
    block = one.frontend(0)
    for now in (5_000, 5_500, 6_100):
        one.request(0, now)
    assert list(one.cells[block + C.REQ_SEC : block + C.REQ_PREV + 1]) == [6, 1, 2]
    assert one.cells[block + C.REQ_RATE_MAX] == 2
    one.request(0, 9_000)
    assert list(one.cells[block + C.REQ_SEC : block + C.REQ_PREV + 1]) == [9, 1, 0]


def test_a_finished_request() -> None:
    one, _ = both()
    blocks = (one.frontend(0), one.backend(0), one.server(0))
    for status in (101, 204, 301, 404, 503, -1, 600):
        one.finished(0, 0, 0, status, 10, 100, True)
    for block in blocks:
        assert list(one.cells[block + C.HRSP_1XX : block + C.HRSP_OTHER + 1]) == [1, 1, 1, 1, 1, 2]
        assert (one.cells[block + C.BIN], one.cells[block + C.BOUT]) == (70, 700)


def test_a_request_without_a_server_counts_no_server_and_one_without_a_backend_no_backend() -> None:
    one, _ = both()
    one.finished(0, 0, -1, 503, 1, 2, False)
    one.finished(0, -1, -1, 400, 1, 2, False)
    assert [one.cells[block + C.BIN] for block in (one.frontend(0), one.backend(0), one.server(0))] == [2, 1, 0]


def test_an_answer_that_is_not_the_servers_own_is_of_no_class_there() -> None:
    one, _ = both()
    one.finished(0, 0, 0, 504, 10, 100, False)
    assert [one.cells[block + C.HRSP_5XX] for block in (one.frontend(0), one.backend(0), one.server(0))] == [1, 1, 0]
    assert one.cells[one.server(0) + C.BOUT] == 100


def test_what_began_in_an_earlier_second_takes_nothing_from_the_rate() -> None:
    one, _ = both()
    for now in (7_000, 8_000, 8_999, 5_000):
        one.selected(0, now)
    first = one.backend(0) + C.SESS_SEC
    assert list(one.cells[first : first + 3]) == [8, 3, 1]
    assert one.cells[one.backend(0) + C.RATE_MAX] == 3


def test_times_and_their_maxima() -> None:
    one, _ = both()
    one.timed(0, 0, 77, -1, 2, 3, 9)
    one.timed(0, 0, 78, 1, 1, 5, 7)
    for block in (one.backend(0), one.server(0)):
        assert list(one.cells[block + C.TIMES : block + C.TTIME_MAX + 1]) == [2, 1, 3, 8, 16, 1, 2, 5, 9]


def test_who_is_not_let_in_is_a_connection_and_no_session() -> None:
    one, _ = both()
    one.refused(0, 5_000)
    one.refused(0, 5_000)
    for block in (one.frontend(0), one.process):
        assert (one.cells[block + C.CONN_TOT], one.cells[block + C.CONN_CUR], one.cells[block + C.SESS_CUR]) == (
            2,
            2,
            0,
        )
        assert (one.cells[block + C.CONN_RATE_MAX], one.cells[block + C.SCUR]) == (2, 0)
