from __future__ import annotations

import asyncio
import base64
import gzip
import hmac
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from dataplane.cli.schema import show_schema
from dataplane.cli.stat import HEADER
from dataplane.core.model import AdminState
from dataplane.core.stick.definition import Definition, KeyType
from dataplane.rules.statspage import StatsPage
from dataplane.stick import StickTable
from dataplane.supervisor import pagedesk
from dataplane.supervisor.metrics import CONTENT_TYPE
from dataplane.supervisor.pageask import Asked, Told
from dataplane.supervisor.pagedesk import PageDesk
from tests.inprocess import SNAPSHOT, Plane

PAGE = StatsPage(uri='/s')
CLOSED = replace(PAGE, users=(('ann', 'one:two'), ('böb', 'p')), realm='My own')


def desk(plane: Plane | None = None) -> PageDesk:
    plane = plane or Plane()
    notes: list[str] = []
    return PageDesk(plane.figures, plane.verbs(), notes.append)


def basic(account: str) -> str:
    return 'Basic ' + base64.b64encode(account.encode()).decode()


async def told(
    page: StatsPage, target: str = '/s', *, of: PageDesk | None = None, method: str = 'GET', **said: object
) -> Told:
    found = await (of or desk()).answer(Asked(method=method, target=target, **said), page, 'stats')  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize('method, target', [('PUT', '/s'), ('DELETE', '/s'), ('GET', '/x'), ('POST', '/')])
async def test_what_is_not_asked_of_it(method: str, target: str) -> None:
    assert await desk().answer(Asked(method=method, target=target), CLOSED, 'stats') is None


@pytest.mark.parametrize(
    'authorization',
    [
        '', 'Basic', 'Basic ', 'Basic !!!', 'Bearer x', basic('ann'), basic('ann:'), basic('ann:one'), basic('ann:one:two '), basic(':one:two'),
        basic('ANN:one:two'), basic('böb:'), basic(''), basic('ann:one:two').replace('Basic', 'Digest'), 'Basic ' + 'A' * 10_001,
    ],
)  # fmt: skip
@pytest.mark.parametrize('method', ['GET', 'HEAD', 'POST'])
async def test_who_does_not_know_the_password(authorization: str, method: str) -> None:
    found = await told(CLOSED, method=method, authorization=authorization, granted=True)
    assert found.status == 401
    assert ('WWW-Authenticate', 'Basic realm="My own"') in found.fields
    assert b's1' not in found.body


@pytest.mark.parametrize(
    'authorization', [basic('ann:one:two'), basic('böb:p'), basic('böb:p').replace('Basic', 'bAsIc')]
)
async def test_who_knows_the_password(authorization: str) -> None:
    assert (await told(CLOSED, authorization=authorization)).status == 200


async def test_every_account_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """However early one fits: the time this takes must not tell."""
    compared: list[tuple[bytes, bytes]] = []
    real: Callable[[bytes, bytes], bool] = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, 'compare_digest', compare)
    assert (await told(CLOSED, authorization=basic('ann:one:two'))).status == 200
    assert len(compared) == 2
    assert {len(text) for pair in compared for text in pair} == {32}


async def test_shapes() -> None:
    assert (await told(PAGE, '/s;csv')).body.startswith(HEADER.encode())
    assert len(json.loads((await told(PAGE, '/s;json')).body)) == 6
    assert (await told(PAGE, '/s;typed')).body.startswith(b'F.2.0.0.pxname.1:KNS:str:fe\n')
    assert (await told(PAGE)).body.startswith(b'<!doctype html>')


async def test_the_schema_is_that_of_the_stats_socket() -> None:
    found = await told(PAGE, '/s;json-schema')
    assert ('Content-Type', 'application/json') in found.fields
    assert found.body.decode() == f'{show_schema()}\n'
    assert b'href="/s;json-schema"' in (await told(PAGE)).body
    assert (await told(CLOSED, '/s;json-schema')).status == 401


async def test_what_the_exporter_says() -> None:
    found = await desk().exposition(Asked(method='GET', target='/metrics?scope=server&no-maint'))
    assert (found.status, dict(found.fields)['Content-Type']) == (200, CONTENT_TYPE)
    assert b'haproxy_server_current_queue{proxy="px",server="s1"} 0\n' in found.body
    assert b'server="s3"' not in found.body
    packed = await desk().exposition(Asked(method='POST', target='/metrics', accept_encoding='gzip'))
    assert b'haproxy_process_nbthread 2\n' in gzip.decompress(packed.body)
    assert (await desk().exposition(Asked(method='HEAD', target='/metrics'))).body == b''
    wrong = await desk().exposition(Asked(method='GET', target='/metrics?scope=x'))
    assert (wrong.status, wrong.body) == (400, b"there is no scope 'x'\n")


async def test_the_exporter_knows_stick_tables() -> None:
    plane, notes = Plane(), list[str]()
    table = StickTable.create(Definition(name='t', key=KeyType.INTEGER, length=4, size=9), 1)
    verbs = plane.verbs()
    verbs.stick_tables = lambda: {'t': table}
    one = PageDesk(plane.figures, verbs, notes.append)
    table.put(b'key1', (), make=True)
    found = await one.exposition(Asked(method='GET', target='/metrics?scope=sticktable'))
    assert b'haproxy_sticktable_size{name="t",type="integer"} 9\n' in found.body
    assert b'haproxy_sticktable_used{name="t",type="integer"} 1\n' in found.body
    table.close()


async def test_addresses_are_shown_with_legends_only() -> None:
    for target in ('/s', '/s;csv', '/s;json'):
        assert b'127.0.0.1:18472' not in (await told(PAGE, target)).body
        assert b'127.0.0.1:18472' in (await told(replace(PAGE, legends=True), target)).body


async def test_head_has_no_body() -> None:
    found = await told(replace(PAGE, refresh=5), method='HEAD')
    assert (found.status, found.body) == (200, b'')
    assert ('Refresh', '5') in found.fields


async def test_refresh() -> None:
    page = replace(PAGE, refresh=5)
    assert ('Refresh', '5') in (await told(page, '/s;csv')).fields
    assert 'Refresh' not in dict((await told(page, '/s;norefresh')).fields)
    assert 'Refresh' not in dict((await told(PAGE)).fields)


async def test_what_is_shown() -> None:
    async def names(page: StatsPage, target: str) -> list[str]:
        lines = (await told(page, target)).body.decode().splitlines()[1:]
        return ['/'.join(line.split(',')[:2]) for line in lines]

    servers = ['px/s1', 'px/s2', 'px/s3', 'px/BACKEND']
    assert await names(PAGE, '/s;csv') == ['fe/FRONTEND', *servers, 'empty/BACKEND']
    assert await names(replace(PAGE, scope=('px', 'nobody')), '/s;csv') == servers
    assert await names(PAGE, '/s;csv?scope=P') == [*servers, 'empty/BACKEND']
    assert await names(replace(PAGE, scope=('px',)), '/s;csv?scope=empty') == []
    assert await names(PAGE, '/s;csv;problems') == ['fe/FRONTEND', 'px/s3', 'px/BACKEND', 'empty/BACKEND']
    assert await names(PAGE, '/s;csv;no-maint?scope=px') == ['px/s1', 'px/s2', 'px/BACKEND']


async def test_compression() -> None:
    plain = await told(PAGE)
    packed = await told(PAGE, accept_encoding='br, gzip;q=0.5')
    assert ('Content-Encoding', 'gzip') in packed.fields
    assert ('Vary', 'Accept-Encoding') in packed.fields
    assert gzip.decompress(packed.body) == plain.body
    for accepted in ('', 'identity', 'gzip;q=0', 'gzip; q=0.0', 'xgzip'):
        assert 'Content-Encoding' not in dict((await told(PAGE, accept_encoding=accepted)).fields)
    assert 'Content-Encoding' not in dict((await told(PAGE, '/s?scope=zz;csv', accept_encoding='gzip')).fields)


async def test_a_form_is_answered_by_another_address() -> None:
    plane = Plane()
    found = await told(
        CLOSED, '/s;up;norefresh&scope=p', of=desk(plane), method='POST', authorization=basic('ann:one:two'),
        body=b's=s1&action=drain&b=%233', granted=True,
    )  # fmt: skip
    assert (found.status, found.body) == (303, b'')
    assert ('Location', '/s;st=DONE;up;norefresh?scope=p') in found.fields
    assert plane.ledger.records[plane.server('px', 's1')].effective is AdminState.DRAIN
    found = await told(PAGE, method='POST', body=b's=s1&action=ready&b=%233')
    assert ('Location', '/s;st=DENY') in found.fields


async def test_forms_are_drawn_for_who_may_send_them() -> None:
    assert b'<form class="do"' in (await told(PAGE, granted=True)).body
    assert b'method="post"' not in (await told(PAGE)).body


async def test_nothing_is_run_framed_or_fetched_from_elsewhere() -> None:
    fields = dict((await told(PAGE)).fields)
    policy = fields['Content-Security-Policy']
    assert policy.startswith(
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    )
    assert 'script-src' not in policy
    assert fields['X-Content-Type-Options'] == 'nosniff'
    assert fields['Referrer-Policy'] == 'same-origin'
    assert fields['Cache-Control'] == 'no-store'


async def test_only_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagedesk, '_MOST', 3)
    one = desk()
    asked = Asked(method='GET', target='/metrics')
    found = await asyncio.gather(
        told(PAGE, of=one),
        one.exposition(asked),
        told(PAGE, of=one),
        told(PAGE, of=one, method='POST'),
        one.exposition(asked),
    )
    assert [answer.status for answer in found] == [200, 200, 200, 503, 503]
    assert (await told(PAGE, of=one)).status == 200


async def test_others_have_their_turn_while_a_page_is_drawn() -> None:
    """However many servers there are: the supervisor's loop is never held up for more than a few rows."""
    backend = SNAPSHOT.backends[0]
    servers = tuple(replace(backend.servers[0], name=f'n{number}', id=number) for number in range(1, 61))
    plane = Plane(replace(SNAPSHOT, backends=(replace(backend, servers=servers),)))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await told(PAGE, of=desk(plane))
    task.cancel()
    assert turns >= 2 * 60 // 16
