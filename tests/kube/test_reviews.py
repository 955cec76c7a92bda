"""Reviews, by the fake and (marked realkube) by a real API server, whose word on audiences is what counts."""

from __future__ import annotations

import pytest

from controlplane.domain.access import POD_NAME, POD_UID, Access, Reviewed
from controlplane.domain.refusals import ReviewsUnavailable
from controlplane.kube.resources import ACCESS_REVIEWS, SERVICE_ACCOUNTS, TOKEN_REVIEWS
from controlplane.kube.reviews import Reviews
from tests.kube.conftest import Server
from tests.kube.fakeauth import User, pod_user
from tests.kube.fakeserver import FakeApiServer

SHUTDOWN = Access('create', 'serveroverrides', 'shop', 'shutdown')


async def token_for(server: Server, namespace: str, audience: str) -> str:
    """A token of account oncall, made for `audience`."""
    if server.fake is not None:
        name = f'system:serviceaccount:{namespace}:oncall'
        server.fake.auth.tokens[f'for {audience}'] = User(name, audiences=(audience,))
        return f'for {audience}'
    await server.api.create(SERVICE_ACCOUNTS, namespace, {'metadata': {'name': f'oncall-{audience}'}})
    body = {'apiVersion': 'authentication.k8s.io/v1', 'kind': 'TokenRequest', 'spec': {'audiences': [audience]}}
    made = await server.api.create(SERVICE_ACCOUNTS, namespace, body, name=f'oncall-{audience}', subresource='token')
    return str(made['status']['token'])


async def test_a_token_is_whose_it_is_if_it_was_made_for_us(server: Server, namespace: str) -> None:
    reviews = Reviews(server.api, 'sluice')
    who = await reviews.token(await token_for(server, namespace, 'sluice'))
    assert who is not None
    assert who.username.startswith(f'system:serviceaccount:{namespace}:oncall')
    assert 'system:authenticated' in who.groups
    assert await reviews.token(await token_for(server, namespace, 'other')) is None
    for guess in ('guess', 'a.b.c', 'x' * 10_000):
        assert await reviews.token(guess) is None
    assert not await reviews.allowed(who, SHUTDOWN)


async def test_a_pods_token_says_whose(fake: FakeApiServer) -> None:
    fake.auth.tokens['t'] = pod_user('sluice', 'dataplane', 'dp-1', 'u-1', 'sluice')
    who = await Reviews(fake.api(), 'sluice').token('t')
    assert who is not None
    assert (who.username, who.uid) == ('system:serviceaccount:sluice:dataplane', 'uid-of-dataplane')
    assert who.extra == {POD_NAME: ('dp-1',), POD_UID: ('u-1',)}


async def test_access_is_what_the_bindings_say(fake: FakeApiServer) -> None:
    reviews, alice = Reviews(fake.api(), 'sluice'), Reviewed('alice', groups=('oncall',))
    assert not await reviews.allowed(alice, SHUTDOWN)
    fake.auth.allow('oncall', 'create', 'serveroverrides/shutdown', 'shop', group='sluice.dev')
    assert await reviews.allowed(alice, SHUTDOWN)
    for other in (
        Access('create', 'serveroverrides', 'shop'), Access('create', 'serveroverrides', 'bank', 'shutdown'),
        Access('create', 'serveroverrides', '', 'shutdown'), Access('patch', 'serveroverrides', 'shop', 'shutdown'),
    ):  # fmt: skip
        assert not await reviews.allowed(alice, other), other
    assert not await reviews.allowed(Reviewed('bob'), SHUTDOWN)
    assert not await reviews.allowed(alice, Access('get', path='/metrics'))
    fake.auth.allow('alice', 'get', '/metrics')
    assert await reviews.allowed(alice, Access('get', path='/metrics'))


async def test_an_answer_without_our_audience_is_a_no(fake: FakeApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An authenticator that knows nothing of audiences says yes to tokens for the API server itself."""
    monkeypatch.setattr(
        fake.auth, 'token_review',
        lambda body: {**body, 'status': {'authenticated': True, 'user': {'username': 'kubelet'}}},
    )  # fmt: skip
    assert await Reviews(fake.api(), 'sluice').token('t') is None


@pytest.mark.parametrize('said, known', [(True, True), ('true', False), (1, False), (None, False)])
async def test_only_a_plain_yes_makes_somebody_known(
    fake: FakeApiServer, monkeypatch: pytest.MonkeyPatch, said: object, known: bool
) -> None:
    status = {'authenticated': said, 'audiences': ['sluice'], 'user': {'username': 'alice', 'uid': None}}
    monkeypatch.setattr(fake.auth, 'token_review', lambda body: {**body, 'status': status})
    who = await Reviews(fake.api(), 'sluice').token('t')
    assert who == (Reviewed('alice') if known else None), 'and without a uid there is none'


@pytest.mark.parametrize('kind', ['reset', 'garbage', 'half'])
async def test_no_answer_is_neither_yes_nor_no(
    fake: FakeApiServer, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    fake.fault(kind, 'create', TOKEN_REVIEWS, times=2)  # type: ignore[arg-type]
    fake.fault(kind, 'create', ACCESS_REVIEWS)  # type: ignore[arg-type]
    reviews = Reviews(fake.api(), 'sluice')
    for _ in range(2):
        with pytest.raises(ReviewsUnavailable):
            await reviews.token('t')
    with pytest.raises(ReviewsUnavailable):
        await reviews.allowed(Reviewed('alice'), SHUTDOWN)
    assert caplog.text.count('nobody can be let in') <= 3
    assert await reviews.token('t') is None


async def test_each_outage_is_said_once(fake: FakeApiServer, caplog: pytest.LogCaptureFixture) -> None:
    reviews = Reviews(fake.api(), 'sluice')
    for times in (1, 2):
        outage = fake.fail('create', TOKEN_REVIEWS, status=403, times=2)
        for _ in range(2):
            with pytest.raises(ReviewsUnavailable):
                await reviews.token('t')
        assert outage.used == 2
        assert caplog.text.count('nobody can be let in') == times
        assert await reviews.token('t') is None


async def test_a_control_plane_that_may_not_ask_says_what_to_do(
    fake: FakeApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    fake.auth.required = True
    fake.auth.tokens['mine'] = User('system:serviceaccount:sluice:controlplane')
    reviews = Reviews(fake.api('mine'), 'sluice')
    for _ in range(3):
        with pytest.raises(ReviewsUnavailable):
            await reviews.token('t')
    assert caplog.text.count('system:auth-delegator') == 1
    fake.auth.allow('system:serviceaccount:sluice:controlplane', 'create', TOKEN_REVIEWS)
    fake.auth.allow('system:serviceaccount:sluice:controlplane', 'create', ACCESS_REVIEWS)
    assert await reviews.token('t') is None
    assert not await reviews.allowed(Reviewed('alice'), SHUTDOWN)


@pytest.mark.parametrize(
    'status, allowed',
    [({'allowed': True}, True), ({'allowed': True, 'denied': True}, False), ({'allowed': 'true'}, False), ({}, False)],
)
async def test_only_a_plain_yes_is_one(
    fake: FakeApiServer, monkeypatch: pytest.MonkeyPatch, status: dict[str, object], allowed: bool
) -> None:
    monkeypatch.setattr(fake.auth, 'access_review', lambda body: {**body, 'status': status})
    assert await Reviews(fake.api(), 'sluice').allowed(Reviewed('alice'), SHUTDOWN) is allowed


async def test_all_that_is_known_of_somebody_is_asked_about(
    fake: FakeApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def review(body: dict[str, object]) -> dict[str, object]:
        asked.append(body['spec'])
        return {**body, 'status': {'allowed': True}}

    monkeypatch.setattr(fake.auth, 'access_review', review)
    who = Reviewed('alice', 'u-1', ('oncall',), {'scopes': ('a', 'b')})
    assert await Reviews(fake.api(), 'sluice').allowed(who, SHUTDOWN)
    assert asked == [
        {
            'user': 'alice', 'uid': 'u-1', 'groups': ['oncall'], 'extra': {'scopes': ['a', 'b']},
            'resourceAttributes': {
                'verb': 'create', 'group': 'sluice.dev', 'resource': 'serveroverrides', 'namespace': 'shop',
                'subresource': 'shutdown',
            },
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    'answer',
    [
        {'status': None}, {'status': 'yes'}, {'status': {'authenticated': True, 'audiences': ['sluice']}},
        {'status': {'authenticated': True, 'audiences': ['sluice'], 'user': {'username': None}}},
    ],
)  # fmt: skip
async def test_an_answer_that_says_nothing_lets_nobody_in(
    fake: FakeApiServer, monkeypatch: pytest.MonkeyPatch, answer: dict[str, object]
) -> None:
    monkeypatch.setattr(fake.auth, 'token_review', lambda body: {**body, **answer})
    with pytest.raises(ReviewsUnavailable):
        await Reviews(fake.api(), 'sluice').token('t')
