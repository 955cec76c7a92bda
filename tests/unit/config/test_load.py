"""The room as a whole: real configurations, all errors at once, and whatever text."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.config import ConfigErrors, Loaded, load
from dataplane.config.keywords import ACTIONS, BIND, GLOBAL, PROXY, SECTIONS, SERVER
from dataplane.core.model import Level
from tests.unit.config.loading import HTTP, errors, load_text, snapshot

TYPICAL = """\
global
\tlog /dev/log\tlocal0
\tlog /dev/log\tlocal1 notice
\tchroot /var/lib/haproxy
\tstats socket /run/haproxy/admin.sock mode 660 level admin
\tstats timeout 30s
\tuser haproxy
\tgroup haproxy
\tdaemon
\tca-base /etc/ssl/certs
\tssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets

defaults
\tlog\tglobal
\tmode\thttp
\toption\thttplog
\toption\tdontlognull
\ttimeout connect 5000
\ttimeout client  50000
\ttimeout server  50000

frontend web  # the door
\tbind *:80 name "web $PLACE"
\tdefault_backend app

backend app
\tbalance leastconn
\toption redispatch
\tdefault-server maxconn 2 maxqueue 100
\tserver app1 10.0.0.1:8080
\tserver app2 10.0.0.2:8080 weight 2
\tserver spare 10.0.0.9:8080 backup
"""

WORDS = sorted(
    {*GLOBAL, *PROXY, *BIND, *SERVER, *ACTIONS, *SECTIONS, 'global', 'defaults', 'frontend', 'backend', 'listen'}
)
ODD = ['', '0', '-1', '99999999999', '1s', ':80', ':80-90', '[::1]:80', 'unix@/x', 'fd@3', '%[src]', '"', "'", '\\', '\\x', '"$A"', '{', 'int(5)', '\udcff', '\0', '\r', 'é', '.if', '.else', '.endif', '#', 'from', 'no', 'default', 'http', 'if', 'a/b', 'random(2)']  # fmt: skip


def test_a_typical_file() -> None:
    loaded = load_text(TYPICAL, {'PLACE': 'here'})
    settings = loaded.snapshot.globals
    assert [socket.level for socket in settings.stats_sockets] == [Level.ADMIN]
    (web,) = loaded.snapshot.frontends
    assert (web.binds[0].name, web.binds[0].address, web.default_backend) == ('web here', '0.0.0.0:80', 'app')
    assert (web.httplog, web.dontlognull, len(web.log_targets)) == (True, True, 2)
    (app,) = loaded.snapshot.backends
    assert (app.balance.algorithm, app.redispatch, app.fullconn) == ('leastconn', -1, 1_000)
    assert [(server.name, server.weight, server.maxconn, server.backup) for server in app.servers] == [
        ('app1', 1, 2, False),
        ('app2', 2, 2, False),
        ('spare', 1, 2, True),
    ]
    assert [problem.line for problem in loaded.warnings] == [4, 7, 8, 9, 10, 11]


def test_the_same_text_is_the_same_snapshot() -> None:
    assert snapshot(TYPICAL) == snapshot(TYPICAL)


def test_all_errors_are_reported_at_once_in_the_order_of_the_lines() -> None:
    text = f'global\n foo\n{HTTP}frontend f\n bind :80 ssl\n default_backend nowhere\n acl x pathy /\nbackend b\n server s x:y\nbackend b\n'
    assert [int(problem.split(':')[0]) for problem in errors(text)] == [2, 9, 10, 11, 13, 14]


def test_errors_of_several_files_are_reported_in_their_order() -> None:
    with pytest.raises(ConfigErrors) as raised:
        load([('z.cfg', 'foo\n'), ('a.cfg', 'bar\n')], {}, cores=1)
    assert [(problem.file, problem.line) for problem in raised.value.errors] == [('z.cfg', 1), ('a.cfg', 1)]


def test_messages_of_the_file_come_with_the_snapshot() -> None:
    loaded = load_text(f'.notice hello\n.diag deep\n{HTTP}frontend f\n bind :80\n')
    assert [problem.text for problem in loaded.notices] == ["'hello'."]
    assert [problem.text for problem in loaded.diags] == ["'deep'."]


def test_no_files_at_all_are_an_empty_snapshot() -> None:
    loaded = load([], {}, cores=1)
    assert (loaded.snapshot.frontends, loaded.snapshot.backends) == ((), ())


@pytest.mark.parametrize(
    'text, complaint',
    [
        ('global\n maxconn 5\0\n', 'NUL'),
        ('global\n description \udce9t\udce9\n', 'not valid UTF-8'),
        ('global\n description ' + 'x' * 1_000_000 + '\n', 'line too long, limit is 65536 characters'),
        ('global\n description ' + 'x ' * 1_000 + '\n', 'too many words, limit is 64'),
        ('global\r maxconn 5\r\n', 'stray carriage return'),
        ('x\n' * 5_000, "unknown keyword 'x' out of section."),
        ('\ufeffglobal\n', "unknown keyword '?global' out of section."),
    ],
)
def test_odd_input_is_a_clear_error(text: str, complaint: str) -> None:
    found = errors(text)
    assert complaint in found[0]
    assert all(problem.isprintable() for problem in found)


def test_a_file_that_is_no_configuration_is_not_read_to_its_end() -> None:
    found = errors('global\n' + ' maxconnn 5\n' * 2_000)
    assert len(found) == 1_000
    assert found[0].endswith("did you mean 'maxconn' maybe ?")
    assert found[-1] == '1001: too many errors (1000), the following ones are not shown'


def test_text_that_is_not_utf_8_may_stand_in_comments() -> None:
    assert errors(f'# caf\udce9\n{HTTP}frontend f # \udcff\n bind :80\n') == []


def test_lines_end_as_in_dos_files_too() -> None:
    assert snapshot(TYPICAL.replace('\n', '\r\n')) == snapshot(TYPICAL)


def attempt(text: str) -> None:
    """Loading must end in a snapshot, or in errors that each have a line and can be printed."""
    try:
        outcome: Loaded | ConfigErrors = load_text(text, {'A': 'x y'})
    except ConfigErrors as problems:
        outcome = problems
    if isinstance(outcome, ConfigErrors):
        assert outcome.errors
        assert all(problem.line > 0 and str(problem).isprintable() for problem in outcome.errors)


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_is_a_snapshot_or_errors(text: str) -> None:
    attempt(text)


@given(st.text(string.printable, max_size=400))
def test_any_printable_text_is_a_snapshot_or_errors(text: str) -> None:
    attempt(f'{HTTP}frontend f\n{text}\n')


@given(st.lists(st.lists(st.sampled_from(WORDS) | st.sampled_from(ODD), max_size=6), max_size=12))
def test_any_soup_of_keywords_is_a_snapshot_or_errors(lines: list[list[str]]) -> None:
    attempt('\n'.join(' '.join(line) for line in lines) + '\n')


@given(
    st.sampled_from(['global', 'defaults d', 'frontend f', 'backend b', 'listen l']),
    st.sampled_from(WORDS),
    st.lists(st.sampled_from(ODD), max_size=4),
)
def test_any_keyword_with_odd_words_is_a_snapshot_or_errors(section: str, keyword: str, words: list[str]) -> None:
    attempt(f'{section}\n {keyword} {" ".join(words)}\n')


def test_what_is_left_beside_the_proxies() -> None:
    text = (
        'global\n setenv A 1\n presetenv B 2\n presetenv HOME x\n unsetenv GONE\n'
        'defaults\n mode http\ndefaults base\n mode http\ndefaults more from base\n'
    )
    loaded = load([('x.cfg', text)], {'HOME': '/root', 'GONE': '1'}, cores=1)
    assert loaded.environment == {'HOME': '/root', 'A': '1', 'B': '2'}
    assert [backend.name for _, backend in loaded.snapshot.defaults] == ['base', 'more']
