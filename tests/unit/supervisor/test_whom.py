from __future__ import annotations

import json

import pytest

from dataplane.supervisor.whom import NOT_LEADER, Whom, link_of


def named(address: object) -> str:
    return json.dumps({'leader': address})


def dialled(whom: Whom) -> tuple[str, str | None]:
    address, name = whom.next()
    return str(address), name


@pytest.mark.parametrize(
    'url, link',
    [
        ('https://cp', 'https://cp/v1/push'),
        ('https://cp:8000/', 'https://cp:8000/v1/push'),
        ('wss://cp:8443/v1', 'wss://cp:8443/v1'),
        ('http://[::1]:8000', 'http://[::1]:8000/v1/push'),
    ],
)
def test_the_link_is_where_control_planes_have_it(url: str, link: str) -> None:
    assert str(link_of(url)) == link


def test_the_leader_is_dialled_under_the_configured_name() -> None:
    whom = Whom('https://cp.test:8000')
    assert dialled(whom) == ('https://cp.test:8000/v1/push', None)
    assert whom.ended(NOT_LEADER, named('10.0.0.7:8001'), heard=False)
    assert dialled(whom) == ('https://10.0.0.7:8001/v1/push', 'cp.test')
    assert dialled(whom) == dialled(whom)


def test_an_address_of_six_and_a_host_name() -> None:
    whom = Whom('https://cp.test:8000/link')
    assert whom.ended(NOT_LEADER, named('[fd00::7]:8001'), heard=False)
    assert dialled(whom) == ('https://[fd00::7]:8001/link', 'cp.test')
    assert whom.ended(NOT_LEADER, named('cp-1.cp.test:1'), heard=False)
    assert dialled(whom) == ('https://cp-1.cp.test:1/link', 'cp.test')


@pytest.mark.parametrize('code, heard', [(None, False), (None, True), (1000, True), (1012, True), (4409, False)])
def test_a_leader_that_is_lost_or_not_reached_is_forgotten(code: int | None, heard: bool) -> None:
    whom = Whom('https://cp.test:8000')
    assert whom.ended(NOT_LEADER, named('10.0.0.7:8001'), heard=False)
    assert not whom.ended(code, '', heard=heard)
    assert dialled(whom) == ('https://cp.test:8000/v1/push', None)


def test_followers_that_name_each_other_are_not_believed_for_long() -> None:
    whom = Whom('https://cp.test:8000')
    assert whom.ended(NOT_LEADER, named('a:1'), heard=False)
    assert whom.ended(NOT_LEADER, named('b:1'), heard=False)
    assert not whom.ended(NOT_LEADER, named('a:1'), heard=False)
    assert dialled(whom) == ('https://cp.test:8000/v1/push', None)
    assert whom.ended(NOT_LEADER, named('b:1'), heard=False), 'after the pause it may be so'


def test_a_leader_that_was_heard_makes_the_next_hint_count_anew() -> None:
    whom = Whom('https://cp.test:8000')
    for _ in range(5):
        assert whom.ended(NOT_LEADER, named('a:1'), heard=True)


@pytest.mark.parametrize(
    'reason',
    [
        '', 'no control plane leads', '[]', '{}', 'null', '{"leader": 7}', named(''), named('a'), named('a:'), named('a:0'),
        named('a:65536'), named('a:1/x'), named('a@b:1'), named('a:1?x'), named('a b:1'), named('[::1'), '[' * 100_000,
    ],
)  # fmt: skip
def test_what_names_nobody_is_as_any_end(reason: str) -> None:
    whom = Whom('https://cp.test:8000')
    assert not whom.ended(NOT_LEADER, reason, heard=False)
    assert dialled(whom) == ('https://cp.test:8000/v1/push', None)
