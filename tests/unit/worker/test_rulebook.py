"""What is made of rules when tables are adopted, and what is not made again."""

from __future__ import annotations

from dataplane.core.tables import Tables
from dataplane.rules.stores import Store
from dataplane.worker.rulebook import Rulebook
from tests.unit.config.loading import HTTP, snapshot

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
    assert not Rulebook(tables(f'{HTTP}backend b\n server s 1.1.1.1:80\n'), Store())


def test_what_stayed_as_it_was_is_not_made_again() -> None:
    store = Store()
    first = Rulebook(tables(), store)
    second = Rulebook(tables(TEXT.replace('del-header x', 'del-header y')), store, first)
    assert second.frontends[0] is first.frontends[0]
    assert second.backends[0] is not first.backends[0]


def test_with_another_store_all_is_made_again() -> None:
    first = Rulebook(tables(), Store())
    assert Rulebook(tables(), Store(), first).frontends[0] is not first.frontends[0]
