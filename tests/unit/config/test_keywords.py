from __future__ import annotations

import pytest

from dataplane.config.draft import GlobalDraft
from dataplane.config.errorfiles import no_files
from dataplane.config.general import GlobalSection
from dataplane.config.keywords import ACTIONS, BIND, GLOBAL, PROXY, SERVER, Keyword, Status
from dataplane.config.keywords.table import accepted, refused, supported, table
from dataplane.config.problems import Report
from dataplane.config.reader import Scope
from tests.unit.config.loading import errors

TABLES = {'global': GLOBAL, 'proxy': PROXY, 'action': ACTIONS, 'bind': BIND, 'server': SERVER}


def test_every_supported_global_keyword_has_its_handler() -> None:
    handlers = GlobalSection(GlobalDraft(), Scope({}), Report(), no_files).handlers
    assert {name for name, keyword in GLOBAL.items() if keyword.status is Status.SUPPORTED} == set(handlers)


@pytest.mark.parametrize('kind', TABLES)
def test_who_is_not_supported_knows_why(kind: str) -> None:
    for keyword in TABLES[kind].values():
        assert keyword.note or keyword.status is Status.SUPPORTED
        assert keyword.name == ' '.join(keyword.name.split())


@pytest.mark.parametrize('name', [name for name, keyword in GLOBAL.items() if keyword.status is Status.REFUSED])
def test_refused_global_keywords_are_refused(name: str) -> None:
    assert errors(f'global\n {name} x\n') == [f"2: '{name}' in 'global' section is not supported: {GLOBAL[name].note}."]


@pytest.mark.parametrize('name', [name for name, keyword in PROXY.items() if keyword.status is Status.REFUSED])
def test_refused_proxy_keywords_are_refused(name: str) -> None:
    assert errors(f'defaults\n {name} x\n') == [
        f"2: '{name}' in 'defaults' section is not supported: {PROXY[name].note}."
    ]


@pytest.mark.parametrize('name', [name for name, keyword in SERVER.items() if keyword.status is Status.REFUSED])
def test_refused_words_of_servers_are_refused(name: str) -> None:
    argument = ' x' * SERVER[name].arguments
    assert errors(f'defaults\n default-server {name}{argument}\n') == [
        f"2: 'default-server' : '{name}' is not supported: {SERVER[name].note}."
    ]


def test_no_accepted_keyword_is_an_error() -> None:
    lines = [f' {name} x' for name, keyword in GLOBAL.items() if keyword.status is Status.ACCEPTED]
    assert errors('global\n' + '\n'.join(lines) + '\n') == []
    lines = [f' {name} x' for name, keyword in PROXY.items() if keyword.status is Status.ACCEPTED]
    assert errors('defaults\n' + '\n'.join(lines) + '\n') == []


def test_a_table_is_made_of_groups() -> None:
    made = table(supported('a'), accepted('why', 'b c, d:1'), refused('no', 'e:2'))
    assert made == {
        'a': Keyword('a', Status.SUPPORTED),
        'b c': Keyword('b c', Status.ACCEPTED, 'why'),
        'd': Keyword('d', Status.ACCEPTED, 'why', 1),
        'e': Keyword('e', Status.REFUSED, 'no', 2),
    }


def test_a_keyword_stands_in_one_group() -> None:
    with pytest.raises(ValueError, match=r"listed twice: \['a'\]"):
        table(supported('a, b'), refused('no', 'a'))
