"""The text of a stats-file, written and read."""

from __future__ import annotations

import pytest

from dataplane.cli.stat import COLUMNS, Kind, Row
from dataplane.cli.statsfile import BACK, FRONT, Saved, ignored, read, write

FE = Row(Kind.FRONTEND, 2, 0, {'pxname': 'f', 'stot': 7, 'rate': 1, 'h1req': 9})
LI = Row(Kind.LISTENER, 2, 1, {'pxname': 'f', 'stot': 3})
SV = Row(Kind.SERVER, 3, 1, {'pxname': 'b', 'stot': 5, 'lastsess': -1, 'chkfail': 2})
BE = Row(Kind.BACKEND, 3, 0, {'pxname': 'b', 'stot': 6, 'lastsess': 4})
GUIDS = {
    (Kind.FRONTEND, 2, 0): 'gf',
    (Kind.LISTENER, 2, 1): 'gl',
    (Kind.SERVER, 3, 1): 'gs',
    (Kind.BACKEND, 3, 0): 'gb',
}
FE_HEAD, BE_HEAD = f'#fe guid,{",".join(FRONT)},', f'#be guid,{",".join(BACK)},'


def test_columns_stand_in_the_order_of_show_stat() -> None:
    order = [column.name for column in COLUMNS]
    for columns in (FRONT, BACK):
        assert list(columns) == sorted(columns, key=order.index)


def test_two_tables_in_the_order_of_the_rows() -> None:
    lines = write([FE, LI, SV, BE], GUIDS).split('\n')
    assert [line.split(',')[0] for line in lines] == ['#fe guid', 'gf', 'gl', '#be guid', 'gs', 'gb']
    assert (lines[0], lines[3]) == (FE_HEAD, BE_HEAD)
    for head, rows in ((lines[0], lines[1:3]), (lines[3], lines[4:])):
        assert {line.count(',') for line in rows} == {head.count(',')}
    assert lines[1].startswith('gf,7,0,')


def test_what_has_no_guid_is_not_in_it() -> None:
    assert write([FE, LI, SV, BE], {}) == f'{FE_HEAD}\n{BE_HEAD}'


def test_what_was_written_is_read_again() -> None:
    saved, told = read(write([FE, LI, SV, BE], GUIDS) + '\n', 'p')
    assert not told
    assert [(row.front, row.guid, row.line) for row in saved] == [
        (True, 'gf', 2), (True, 'gl', 3), (False, 'gs', 5), (False, 'gb', 6),
    ]  # fmt: skip
    assert saved[0].values == dict.fromkeys(FRONT, 0) | {'stot': 7, 'rate': 1, 'h1req': 9}
    assert 'lastsess' not in saved[2].values
    assert saved[2].values['chkfail'] == 2
    assert saved[3].values['lastsess'] == 4


def test_columns_are_found_by_their_names() -> None:
    text = '// a comment\n\n#fe guid,new,stot,\ng,1,2,\nh,,x,\ni,3\n#mod guid,stot,\nj,1,\n#be guid,\nk,\n'
    assert read(text, 'p') == (
        [
            Saved(True, 'g', {'new': 1, 'stot': 2}, 4),
            Saved(True, 'h', {}, 5),
            Saved(True, 'i', {'new': 3}, 6),
            Saved(False, 'k', {}, 10),
        ],
        [],
    )


def test_a_number_that_no_counter_holds_is_none() -> None:
    saved, _ = read(f'#fe guid,stot,bin,\ng,{"9" * 19},-1,\n', 'p')
    assert saved == [Saved(True, 'g', {}, 2)]


@pytest.mark.parametrize('text', ['g,1,\n', '1\n# be_id\n', '#fe guid,stot\n', '# \n', '#fe stot,\n', '#be x,guid,\n'])
def test_what_is_no_stats_file(text: str) -> None:
    assert read(text, 'p') == ([], ["config: Invalid stats-file format in file 'p'."])


def test_nothing_is_in_an_empty_one() -> None:
    assert read('', 'p') == ([], [])


def test_what_is_passed_over_is_told() -> None:
    text = '#fe guid,stot,\na/b,1,\ng,2,\n#be stot,\nh,3,\n#be guid,stot,\ni,4,\n'
    saved, told = read(text, 'p')
    assert [row.guid for row in saved] == ['g', 'i']
    assert told == [ignored(2, 'p'), "config: Ignored stats-file header line '4' in file 'p'."]
    assert told[0] == "config: Ignored stats-file line 2 in file 'p'."
