"""By what a stick table knows a server."""

from __future__ import annotations

from dataplane.core.stick.definition import ServerKey
from dataplane.core.stick.serverkey import mark_of, text_of


def test_a_server_is_known_by_its_name_or_by_where_it_is() -> None:
    assert text_of(ServerKey.NAME, 's1', '10.0.0.1', 80) == 's1'
    assert text_of(ServerKey.ADDR, 's1', '10.0.0.1', 80) == '10.0.0.1:80'


def test_a_mark_fits_into_a_cell_is_never_nothing_and_does_not_move() -> None:
    marks = {mark_of(f's{number}') for number in range(10_000)}
    assert len(marks) == 10_000
    assert min(marks) > 0
    assert max(marks) < 1 << 63
    assert mark_of('s\udc80') != mark_of('s')
