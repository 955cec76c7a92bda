"""What is made of rules when tables are adopted, and what is not made again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dataplane.core.answers import ErrorSection
from dataplane.core.tables import Tables
from dataplane.rules.model import UserList
from dataplane.rules.stores import Store
from dataplane.worker.rulebook import Rulebook
from dataplane.worker.verdicts import Then
from tests.unit.config.loading import HTTP, snapshot
from tests.unit.worker.house import COMPILED

TEXT = f'{HTTP}frontend f\n bind :80\n http-request deny if {{ path_reg ^/x }}\n default_backend b\nbackend b\n http-response del-header x\n'


def tables(text: str = TEXT) -> Tables:
    configuration = snapshot(text)
    return Tables(
        1,
        configuration,
        frontends=dict(enumerate(configuration.frontends)),
        backends=dict(enumerate(configuration.backends)),
    )


def test_without_rules_it_is_nothing() -> None:
    assert not Rulebook.made(tables(f'{HTTP}backend b\n server s 1.1.1.1:80\n'), Store())


def test_what_stayed_as_it_was_is_not_made_again() -> None:
    store = Store()
    first = Rulebook.made(tables(), store)
    second = Rulebook.made(tables(TEXT.replace('del-header x', 'del-header y')), store, first)
    assert second.frontends[0] is first.frontends[0]
    assert second.backends[0] is not first.backends[0]


def test_with_another_store_all_is_made_again() -> None:
    first = Rulebook.made(tables(), Store())
    assert Rulebook.made(tables(), Store(), first).frontends[0] is not first.frontends[0]


def test_other_users_and_pages_make_all_anew_too() -> None:
    store, now = Store(), tables()
    first = Rulebook.made(tables(), store)
    users = replace(now, snapshot=replace(now.snapshot, userlists=(UserList('u'),)))
    pages = replace(now, snapshot=replace(now.snapshot, error_sections=(ErrorSection(name='e'),)))
    assert Rulebook.made(users, store, first).frontends[0] is not first.frontends[0]
    assert Rulebook.made(pages, store, first).frontends[0] is not first.frontends[0]
    assert Rulebook.made(now, store, first).frontends[0] is first.frontends[0]


class Place:
    """What a chain asks of a transaction: where it may write down its place."""

    place = 0


@pytest.mark.skipif(
    COMPILED, reason='a compiled chain takes transactions alone, not what looks like one; as written it is tested'
)
def test_a_chain_stops_behind_what_waits_and_goes_on_there() -> None:
    lines = [f'http-request {action}' for action in ('pause 5', 'allow', 'deny')]
    text = f'{HTTP}frontend f\n bind :80\n tcp-request content accept\n {chr(10).join(lines)}\n redirect location /\n'
    chain, at = Rulebook.made(tables(text), Store()).frontends[0].request, Place()
    paused = chain.run(at, 0)  # type: ignore[arg-type]  # all that it asks for
    assert paused is not None
    assert (paused.then, paused.time, at.place) == (Then.PAUSE, 5, 2)
    redirected = chain.run(at, at.place)  # type: ignore[arg-type]
    assert redirected is not None
    assert (redirected.then, at.place) == (Then.ANSWER, 4)


def test_it_is_made_a_proxy_at_a_time_and_keeps_none_of_those_before_it() -> None:
    store = Store()
    first = Rulebook.made(tables(), store)
    second = Rulebook(tables(TEXT.replace('del-header x', 'del-header y')), store, first)
    counts = []
    for _ in second.steps():
        counts.append(len(second.frontends) + len(second.backends))
    assert counts == [1, 2]
    assert second.frontends[0] is first.frontends[0]
    assert second._before is None
