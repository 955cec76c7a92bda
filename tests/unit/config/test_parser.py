from __future__ import annotations

import pytest

from dataplane.config import ConfigErrors, load
from dataplane.config.keywords import SECTIONS
from tests.unit.config.loading import HTTP, errors, snapshot

LIMIT = 'timeout client '


def clients(text: str) -> dict[str, int | None]:
    """The client timeout of each frontend: it tells which defaults it has."""
    return {fe.name: fe.timeouts.client for fe in snapshot(text).frontends}


def test_a_proxy_has_the_defaults_before_it() -> None:
    text = f'defaults\n mode http\n {LIMIT}1\nfrontend a\n bind :1\ndefaults\n mode http\n {LIMIT}2\nfrontend b\n bind :2\n'
    assert clients(text) == {'a': 1, 'b': 2}


def test_new_defaults_begin_from_nothing() -> None:
    assert clients(f'defaults\n {LIMIT}1\ndefaults\n mode http\nfrontend a\n bind :1\n') == {'a': None}


def test_defaults_with_a_name_are_chosen_by_it() -> None:
    text = (
        f'defaults x\n mode http\n {LIMIT}1\ndefaults y\n mode http\n {LIMIT}2\nfrontend a from x\n bind :1\n'
        'frontend b\n bind :2\nfrontend c from y\n bind :3\n'
    )
    assert clients(text) == {'a': 1, 'b': 2, 'c': 2}


def test_defaults_may_begin_from_others() -> None:
    text = f'defaults x\n mode http\n {LIMIT}1\n timeout http-request 5\ndefaults y from x\n {LIMIT}2\nfrontend a from y\n bind :1\n'
    frontend = snapshot(text).frontends[0]
    assert (frontend.timeouts.client, frontend.timeouts.http_request) == (2, 5)
    assert clients(f'{text}defaults from x\nfrontend b\n bind :2\n')['b'] == 1


def test_what_a_proxy_says_stays_with_it() -> None:
    text = f'{HTTP} log stdout local0\nfrontend a\n bind :1\n {LIMIT}9\n log stderr local0\n option httpclose\nfrontend b\n bind :2\n'
    a, b = snapshot(text).frontends
    assert (a.timeouts.client, b.timeouts.client) == (9, 1_000)
    assert [len(fe.log_targets) for fe in (a, b)] == [2, 1]
    assert a.keep_alive is not b.keep_alive


@pytest.mark.parametrize(
    'text, complaint',
    [
        ('weird\n', "1: unknown keyword 'weird' out of section."),
        ('no option x\n', "1: unknown keyword 'option' out of section."),
        ('frontend\n', "1: 'frontend' expects an <id> argument"),
        ('listen from x\n', "1: 'listen' cannot handle unexpected argument 'x'."),
        ('frontend a/b\n mode http\n', "1: character '/' is not permitted in 'frontend' name 'a/b'."),
        ('defaults a/b\n', "1: character '/' is not permitted in 'defaults' name 'a/b'."),
        ('frontend a :80\n mode http\n', "1: 'frontend' cannot handle unexpected argument ':80'."),
        ('frontend a from\n mode http\n', "1: 'from' expects the name of a defaults section in 'frontend'."),
        ('frontend a from x\n mode http\n', "1: defaults section 'x' not found for frontend 'a'."),
        ('defaults from x\n', "1: defaults section 'x' not found for defaults ''."),
        ('defaults a from x b\n', "1: defaults section 'x' not found for defaults 'a'."),
        (
            'defaults a\n mode http\ndefaults a\n mode http\nfrontend f from a\n bind :1\n',
            "5: ambiguous defaults section name 'a' referenced by frontend 'f' exists at least at t.cfg:1 and t.cfg:3.",
        ),
    ],
)
def test_what_is_no_section(text: str, complaint: str) -> None:
    assert errors(text)[0].startswith(complaint)


@pytest.mark.parametrize('section', sorted(SECTIONS))
def test_sections_that_are_not_supported_are_refused_once_and_skipped(section: str) -> None:
    text = f'{section} x\n foo bar\n maxconn\n{HTTP}frontend f\n bind :80\n'
    assert errors(text) == [f"1: section '{section}' is not supported: {SECTIONS[section]}."]


def test_the_section_is_a_variable() -> None:
    text = 'global\n description "<$.SECTION>"\n' + HTTP + 'backend web\n server "${.SECTION}-s" 1.1.1.1\n'
    found = snapshot(text)
    assert found.globals.description == '<global>'
    assert found.backends[0].servers[0].name == 'web-s'


def test_files_are_read_in_their_order_and_keep_their_names() -> None:
    found = load(
        [('a.cfg', HTTP + 'global\n setenv X 7\n'), ('b.cfg', 'frontend "f$X"\n bind :80\n')], {}, cores=1
    ).snapshot
    assert (found.frontends[0].name, found.frontends[0].where) == ('f7', 'b.cfg:1')


def test_a_section_does_not_go_on_into_the_next_file() -> None:
    with pytest.raises(ConfigErrors) as raised:
        load([('a.cfg', 'global\n'), ('b.cfg', ' maxconn 5\n')], {}, cores=1)
    assert str(raised.value) == "config : parsing [b.cfg:1] : unknown keyword 'maxconn' out of section."
