from __future__ import annotations

import json

import pytest

from dataplane.cli.fields import Form
from dataplane.cli.session import Complaint
from dataplane.cli.stat import COLUMNS, HEADER, Kind, Row, StatRequest, assemble, parse, parts, select

FRONT = Row(Kind.FRONTEND, 2, 0, {'pxname': 'fe', 'svname': 'FRONTEND', 'scur': 1, 'status': 'OPEN', 'type': 0})
UP = Row(
    Kind.SERVER,
    3,
    1,
    {'pxname': 'px', 'svname': 's,1', 'status': 'no check', 'act': 1, 'type': 2, 'addr': '127.0.0.1:80'},
)
MAINT = Row(Kind.SERVER, 3, 2, {'pxname': 'px', 'svname': 's2', 'status': 'MAINT', 'type': 2, 'addr': '127.0.0.1:81'})
BACK = Row(
    Kind.BACKEND, 3, 0, {'pxname': 'px', 'svname': 'BACKEND', 'status': 'UP', 'act': 1, 'algo': 'first', 'type': 1}
)
ROWS = [FRONT, UP, MAINT, BACK]


def render(request: StatRequest, *, legends: bool = True) -> str:
    return assemble(parts(select(ROWS, request), request, legends=legends), request)


def test_the_columns_of_august_2026() -> None:
    assert len(COLUMNS) == 119
    assert HEADER.startswith('# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,')
    assert HEADER.endswith(',resbin,resbout,cache_hint_hits,-,')
    assert [column.name for column in COLUMNS[88:100]] == [
        'srv_icur', 'src_ilim', 'qtime_max', 'ctime_max', 'rtime_max', 'ttime_max', 'eint', 'idle_conn_cur',
        'safe_conn_cur', 'used_conn_cur', 'need_conn_est', 'uweight',
    ]  # fmt: skip


def test_csv_has_a_cell_per_column_and_a_mark_at_the_end() -> None:
    header, *rows = render(StatRequest()).split('\n')
    assert header == HEADER
    assert rows[0].startswith('fe,FRONTEND,,,1,,')
    assert rows[1].startswith('px,"s,1",')
    assert all(row.endswith(',-,') for row in rows)
    assert rows[0].count(',') == header.count(',')


def test_addresses_and_algorithms_are_for_operators() -> None:
    for form in Form:
        assert '127.0.0.1:80' in render(StatRequest(form))
        hidden = render(StatRequest(form), legends=False)
        assert '127.0.0.1:80' not in hidden
        assert 'first' not in hidden


def test_typed() -> None:
    lines = render(StatRequest(Form.TYPED)).split('\n')
    assert lines[:3] == ['F.2.0.0.pxname.1:KNS:str:fe', 'F.2.0.1.svname.1:KNS:str:FRONTEND', 'F.2.0.4.scur.1:MGP:u32:1']
    assert 'S.3.1.19.act.1:SGP:u32:1' in lines
    assert 'B.3.0.19.act.1:MGP:u32:1' in lines


def test_descriptions_follow_when_asked_for() -> None:
    assert 'F.2.0.4.scur.1:MGP:u32:1:"Sessions open now"' in render(StatRequest(Form.TYPED, describe=True))


def test_json() -> None:
    document = json.loads(render(StatRequest(Form.JSON)))
    assert [row[0]['objType'] for row in document] == ['Frontend', 'Server', 'Server', 'Backend']
    assert document[1][1] == {
        'objType': 'Server',
        'proxyId': 3,
        'id': 1,
        'field': {'pos': 1, 'name': 'svname'},
        'processNum': 1,
        'tags': {'origin': 'Key', 'nature': 'Name', 'scope': 'Service'},
        'value': {'type': 'str', 'value': 's,1'},
    }


@pytest.mark.parametrize(
    'words,expected',
    [
        ((), StatRequest()),
        (('typed', 'desc'), StatRequest(Form.TYPED, describe=True)),
        (('json', 'up', 'no-maint'), StatRequest(Form.JSON, up=True, no_maint=True)),
        (('px', '4', '-1'), StatRequest(proxy='px', kinds=4)),
        (('-1', '4', '2', 'typed'), StatRequest(Form.TYPED, kinds=4, sid=2)),
        (('domain', 'proxy', '3', '2', '-1'), StatRequest(proxy='3', kinds=2)),
        (('domain', 'resolvers', 'typed'), StatRequest(Form.TYPED, resolvers=True)),
        (('px',), StatRequest()),
        (('px', 'x', 'y'), StatRequest(proxy='px', kinds=0, sid=0)),
    ],
)
def test_operands(words: tuple[str, ...], expected: StatRequest) -> None:
    assert parse(words) == expected


@pytest.mark.parametrize('words', [('domain',), ('domain', 'foo')])
def test_there_are_two_domains(words: tuple[str, ...]) -> None:
    with pytest.raises(Complaint, match='Invalid statistics domain'):
        parse(words)


@pytest.mark.parametrize(
    'request_,expected',
    [
        (StatRequest(proxy='px', kinds=4), [UP, MAINT]),
        (StatRequest(proxy='3', kinds=-1, sid=2), [MAINT, BACK]),
        (StatRequest(kinds=1), [FRONT]),
        (StatRequest(kinds=2), [BACK]),
        (StatRequest(kinds=8), []),
        (StatRequest(proxy='9'), []),
    ],
)
def test_rows_asked_for(request_: StatRequest, expected: list[Row]) -> None:
    assert select(ROWS, request_) == expected


@pytest.mark.parametrize('name', ['foo', '0'])
def test_an_unknown_proxy(name: str) -> None:
    with pytest.raises(Complaint, match='No such proxy'):
        select(ROWS, StatRequest(proxy=name))


@pytest.mark.parametrize('request_', [StatRequest(up=True), StatRequest(no_maint=True)])
def test_hidden_servers_are_tallied(request_: StatRequest) -> None:
    found = select(ROWS, request_)
    assert [row.values['svname'] for row in found] == ['FRONTEND', 's,1', 'BACKEND']
    assert found[-1].values['status'] == 'UP (1/2)'


def test_down_servers_are_hidden_by_up_only() -> None:
    down = Row(Kind.SERVER, 3, 4, {'pxname': 'px', 'svname': 's4', 'status': 'DOWN'})
    assert select([down], StatRequest(up=True)) == []
    assert select([down], StatRequest(no_maint=True)) == [down]


def test_listeners_are_selected_by_their_number() -> None:
    listeners = [
        Row(Kind.LISTENER, 2, sid, {'pxname': 'fe', 'svname': f'sock-{sid}', 'status': 'OPEN'}) for sid in (1, 2)
    ]
    assert select(listeners, StatRequest(kinds=8, sid=2)) == listeners[1:]
    assert select(listeners, StatRequest(up=True, no_maint=True)) == listeners
