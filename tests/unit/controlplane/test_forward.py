"""What a follower passes on to who leads, what it answers itself, and what it says when nobody can be reached.

The leader is a server of aiohttp that records what comes; the application behind `Forward` is a few lines of ASGI.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from aiohttp import web

from controlplane.forward import FORWARDED, NOT_LEADER, Forward, Leader

Json = dict[str, Any]


@dataclass
class Standing:
    """As a replica would stand."""

    leads: bool = False
    leader: str = ''
    services: object = None

    def reading(self) -> object:
        return self.services


@dataclass
class Remote:
    """Who leads: what it was asked, and what it answers."""

    address: str = ''
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    answer: Callable[[web.Request], Any] | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.method, request.raw_path, headers, await request.read()))
        if self.answer is not None:
            found: web.StreamResponse = await self.answer(request)
            return found
        return web.json_response(
            {'by': 'leader'}, status=202, headers={'ETag': '"1.2"', 'Location': '/v1/operations/x'}
        )


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    made = Remote()
    application = web.Application()
    application.router.add_route('*', '/{path:.*}', made.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, '127.0.0.1', 0)
    await site.start()
    made.address = f'127.0.0.1:{runner.addresses[0][1]}'
    yield made
    await runner.cleanup()


async def own(scope: Any, receive: Any, send: Any) -> None:
    """The application of this replica: says that it was asked, and from which services."""
    message = await receive()
    given = {'given': message['body'].decode()} if message.get('body') else {}
    body = json.dumps({'by': 'follower', 'from': (scope.get('state') or {}).get('services'), **given}).encode()
    headers = [(b'content-type', b'application/json'), (b'etag', b'"0.1"')]
    await send({'type': 'http.response.start', 'status': 200, 'headers': headers})
    await send({'type': 'http.response.body', 'body': body})


@pytest.fixture
async def leader() -> AsyncIterator[Leader]:
    made = Leader(None, '', tls=False)
    yield made
    await made.close()


def client(standing: Standing, leader: Leader) -> httpx.AsyncClient:
    app = Forward(own, standing, leader, 'me')
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url='http://follower')


async def test_who_leads_answers_itself(remote: Remote, leader: Leader) -> None:
    async with client(Standing(leads=True, leader=remote.address), leader) as asking:
        assert (await asking.get('/v1/backends')).json()['by'] == 'follower'
    assert remote.asked == []


@pytest.mark.parametrize('path', ['/readyz', '/metrics', '/docs', '/'])
async def test_what_is_a_replicas_own_is_never_passed_on(remote: Remote, leader: Leader, path: str) -> None:
    async with client(Standing(leader=remote.address), leader) as asking:
        assert (await asking.get(path)).json()['by'] == 'follower'
    assert remote.asked == []


async def test_a_request_goes_on_as_it_is_and_its_answer_comes_back_as_it_is(remote: Remote, leader: Leader) -> None:
    async with client(Standing(leader=remote.address), leader) as asking:
        answer = await asking.patch(
            '/v1/backends/a%2Fb/servers/s?wait=acked&timeout=5s', json={'weight': 2},
            headers={'Authorization': 'Bearer t', 'If-Match': '"1.1"', 'Connection': 'close', 'Proxy-Authorization': 'x'},
        )  # fmt: skip
    assert (answer.status_code, answer.json()) == (202, {'by': 'leader'})
    assert (answer.headers['etag'], answer.headers['location']) == ('"1.2"', '/v1/operations/x')
    ((method, path, headers, body),) = remote.asked
    assert (method, path) == ('PATCH', '/v1/backends/a%2Fb/servers/s?wait=acked&timeout=5s')
    assert json.loads(body) == {'weight': 2}
    assert (headers['authorization'], headers['if-match']) == ('Bearer t', '"1.1"')
    assert headers['host'] == 'follower', 'who is asked is what the client asked'
    assert headers[FORWARDED.decode()] == 'me'
    assert 'proxy-authorization' not in headers


async def test_what_was_passed_on_already_is_not_passed_on_again(remote: Remote, leader: Leader) -> None:
    async with client(Standing(leader=remote.address), leader) as asking:
        answer = await asking.get('/v1/dataplanes', headers={FORWARDED.decode(): 'other'})
    assert (answer.status_code, answer.json()['type']) == (503, 'urn:sluice:problem:no-leader')
    assert remote.asked == []


@pytest.mark.parametrize('address', ['', '127.0.0.1:1'])
async def test_without_a_leader_reading_is_answered_here_and_marked(leader: Leader, address: str) -> None:
    standing = Standing(leader=address, services='mine')
    async with client(standing, leader) as asking:
        for path in (
            '/v1/backends',
            '/v1/servers',
            '/v1/backends/a/servers/s',
            '/v3/services/haproxy/runtime/backends/a/servers',
        ):
            answer = await asking.get(path)
            assert answer.json() == {'by': 'follower', 'from': 'mine'}, path
            assert answer.headers['sluice-answered-by'] == 'follower'
            assert 'etag' not in answer.headers, "its versions are not the leader's"
        for method, path in (
            ('GET', '/v1/dataplanes'), ('GET', '/v1/operations/x'), ('PATCH', '/v1/backends/a/servers/s'),
            ('GET', '/v1/backendsx'),
        ):  # fmt: skip
            answer = await asking.request(method, path)
            assert (answer.status_code, answer.headers['retry-after']) == (503, '1'), path
        answer = await asking.request('GET', '/v1/backends', content=b'a body')
        assert answer.json()['given'] == 'a body', 'it was read for the leader and is given again'
        standing.services = None
        assert (await asking.get('/v1/backends')).status_code == 503, 'it knows nothing yet'


async def test_a_leader_that_dies_within_its_answer_leaves_one_that_is_seen_not_to_be_whole(
    remote: Remote, leader: Leader
) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={'Content-Length': '100'})
        await response.prepare(request)
        await response.write(b'half')
        assert request.transport is not None
        request.transport.abort()
        return response

    remote.answer = half
    async with client(Standing(leader=remote.address), leader) as asking:
        with pytest.raises(ConnectionError, match='within its answer'):
            await asking.get('/v1/backends')


async def test_a_stream_ends_at_the_leader_when_its_reader_has_left(remote: Remote, leader: Leader) -> None:
    ended = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b': still here\n\n')
                await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.CancelledError):
            ended.set()
            raise

    remote.answer = endless
    sent: list[MutableMapping[str, Any]] = []
    first, left = asyncio.Event(), asyncio.Event()
    pending: list[Json] = [{'type': 'http.request', 'body': b'', 'more_body': False}]

    async def receive() -> Json:
        if pending:
            return pending.pop()
        await left.wait()
        return {'type': 'http.disconnect'}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)
        if message['type'] == 'http.response.body':
            first.set()

    scope = {
        'type': 'http', 'method': 'GET', 'path': '/v1/events', 'raw_path': b'/v1/events', 'query_string': b'', 'headers': [],
    }  # fmt: skip
    app = Forward(own, Standing(leader=remote.address), leader, 'me')
    running = asyncio.ensure_future(app(scope, receive, send))
    await asyncio.wait_for(first.wait(), 30)
    left.set()
    await asyncio.wait_for(running, 30)
    await asyncio.wait_for(ended.wait(), 30)
    assert sent[0]['status'] == 200


@pytest.mark.parametrize('address', ['10.0.0.7:8000', ''])
async def test_a_link_is_told_where_to_dial(leader: Leader, address: str) -> None:
    sent: list[MutableMapping[str, Any]] = []
    heard: list[str] = []

    async def receive() -> Json:
        assert not sent, 'it is heard before it is answered'
        heard.append('connect')
        return {'type': 'websocket.connect'}

    async def send(message: MutableMapping[str, Any]) -> None:
        assert heard
        sent.append(message)

    app = Forward(own, Standing(leader=address), leader, 'me')
    await app({'type': 'websocket', 'path': '/v1/link', 'headers': []}, receive, send)
    assert [message['type'] for message in sent] == ['websocket.accept', 'websocket.close']
    assert sent[1]['code'] == NOT_LEADER
    assert sent[1]['reason'] == (json.dumps({'leader': address}) if address else 'no control plane leads')


@pytest.mark.parametrize('raw', [b'/v1/a%2Fb', b'/v1/a%2Fb?wait=acked', None])
async def test_the_query_is_passed_on_once_however_the_path_is_given(
    remote: Remote, leader: Leader, raw: bytes | None
) -> None:
    sent: list[MutableMapping[str, Any]] = []
    pending: list[Json] = [{'type': 'http.request', 'body': b'', 'more_body': False}]

    async def receive() -> Json:
        if not pending:
            await asyncio.Event().wait()
        return pending.pop()

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        'type': 'http', 'method': 'GET', 'path': '/v1/a', 'raw_path': raw, 'query_string': b'wait=acked', 'headers': [],
    }  # fmt: skip
    await Forward(own, Standing(leader=remote.address), leader, 'me')(scope, receive, send)
    assert sent[0]['status'] == 202
    assert [path for _, path, *_ in remote.asked] == ['/v1/a%2Fb?wait=acked' if raw else '/v1/a?wait=acked']


async def test_another_leader_is_another_connection(remote: Remote, leader: Leader) -> None:
    standing = Standing(leader='127.0.0.1:1')
    async with client(standing, leader) as asking:
        assert (await asking.post('/v1/servers:bulk', json={})).status_code == 503
        standing.leader = remote.address
        assert (await asking.post('/v1/servers:bulk', json={'a': 1})).status_code == 202
    assert [json.loads(body) for *_, body in remote.asked] == [{'a': 1}]


async def test_a_query_that_is_not_ascii_goes_on_or_is_refused(remote: Remote, leader: Leader) -> None:
    said: list[Any] = []

    async def receive() -> MutableMapping[str, Any]:
        return {'type': 'http.request', 'body': b'', 'more_body': False}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    scope = {
        'type': 'http', 'method': 'GET', 'path': '/v1/backends', 'raw_path': b'/v1/backends', 'query_string': b'x=\xff',
        'headers': [], 'http_version': '1.1',
    }  # fmt: skip
    app = Forward(own, Standing(leader=remote.address), leader, 'me')
    waiting = asyncio.Event()

    async def once() -> MutableMapping[str, Any]:
        if said or waiting.is_set():
            await asyncio.Event().wait()
        waiting.set()
        return await receive()

    await app(scope, once, send)
    assert said[0]['status'] in {202, 400}


async def test_who_signs_the_leaders_certificate_may_change_while_it_leads(tmp_path: Path) -> None:
    context, trusted, made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tmp_path / 'ca.crt', Remote()

    async def once(_: web.Request) -> web.Response:
        answer = web.Response(status=202)
        answer.force_close()
        return answer

    def signed_by(authority: trustme.CA) -> None:
        authority.issue_cert('127.0.0.1').configure_cert(context)

    first, second = trustme.CA(), trustme.CA()
    first.cert_pem.write_to_path(trusted)
    signed_by(first)
    made.answer = once
    application = web.Application()
    application.router.add_route('*', '/{path:.*}', made.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, '127.0.0.1', 0, ssl_context=context).start()
    leader = Leader(str(trusted), '', tls=True)
    standing = Standing(leader=f'127.0.0.1:{runner.addresses[0][1]}')
    async with client(standing, leader) as asking:
        assert (await asking.get('/v1/dataplanes')).status_code == 202
        trusted.write_text('half a cert')
        assert (await asking.get('/v1/dataplanes')).status_code == 202, 'what cannot be read changes nothing'
        signed_by(second)
        assert (await asking.get('/v1/dataplanes')).status_code == 503
        second.cert_pem.write_to_path(trusted)
        assert (await asking.get('/v1/dataplanes')).status_code == 202
    await leader.close()
    await runner.cleanup()


async def test_what_a_get_carries_is_not_kept(remote: Remote, leader: Leader) -> None:
    """Its size is limited by nobody: a body without an end costs no memory, and holds the answer up no longer than it comes."""
    sent: list[Json] = []
    pieces = 0

    async def endless() -> Json:
        nonlocal pieces
        await asyncio.sleep(0)
        pieces += 1
        return {'type': 'http.request', 'body': b'x' * 65_536, 'more_body': True}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(dict(message))

    scope = {
        'type': 'http', 'method': 'GET', 'path': '/v1/backends', 'raw_path': b'/v1/backends', 'query_string': b'',
        'headers': [(b'host', b'follower'), (b'transfer-encoding', b'chunked')],
    }  # fmt: skip
    async with asyncio.timeout(30):
        await Forward(own, Standing(leader=remote.address), leader, 'me')(scope, endless, send)
    assert sent[0]['status'] == 202
    assert [(method, body) for method, _, _, body in remote.asked] == [('GET', b'')]
