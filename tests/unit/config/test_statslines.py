from __future__ import annotations

import pytest

from dataplane.rules.actions import Allow, Deny
from dataplane.rules.statspage import Ask, StatsPage
from tests.unit.config.loading import HTTP, errors, snapshot, warnings

PAGE = StatsPage()


def page(lines: str, first: str = '') -> StatsPage:
    """The page of a section that has these lines and nothing else."""
    (listener,) = snapshot(f'{first}{HTTP}listen st\n bind :1\n{lines}').stats_listeners
    assert listener.page is not None
    return listener.page


@pytest.mark.parametrize(
    'line, attribute, value',
    [
        ('stats enable', 'uri', '/haproxy?stats'),
        ('stats enable', 'realm', 'HAProxy Statistics'),
        ('stats enable', 'admin', ()),
        ('stats enable', 'version', True),
        ('stats uri /s', 'uri', '/s'),
        ('stats realm My\\ Realm', 'realm', 'My Realm'),
        ('stats refresh 10', 'refresh', 10),
        ('stats refresh 1m', 'refresh', 60),
        ('stats refresh 500ms', 'refresh', 1),
        ('stats refresh 1001ms', 'refresh', 2),
        ('stats refresh 0', 'refresh', 0),
        ('stats hide-version', 'version', False),
        ('stats hide-version\n stats show-version', 'version', True),
        ('stats show-legends', 'legends', True),
        ('stats show-node', 'node', 'n0'),
        ('stats show-node <b>', 'node', '<b>'),
        ('stats show-desc', 'description', 'all of it'),
        ('stats show-desc a b', 'description', 'a b'),
        ('stats scope .\n stats scope b\n stats scope .', 'scope', ('st', 'b')),
        ('stats auth u:p', 'users', (('u', 'p'),)),
        ('stats auth u:p:q\n stats auth v:', 'users', (('u', 'p:q'), ('v', ''))),
        ('stats admin if TRUE', 'admin', (None,)),
        ('stats admin unless FALSE', 'admin', (None,)),
        ('stats admin if FALSE', 'admin', ()),
        ('stats admin unless TRUE', 'admin', ()),
    ],
)
def test_what_a_line_says(line: str, attribute: str, value: object) -> None:
    found = page(f' {line}\n', first='global\n node n0\n description all of it\n')
    assert getattr(found, attribute) == value


def test_passwords_are_not_shown() -> None:
    assert 'secret' not in repr(page(' stats auth u:secret\n'))


def test_defaults_are_those_of_every_proxy_after_them() -> None:
    text = (
        f'{HTTP} stats uri /s\n stats auth u:p\n stats refresh 5s\n'
        'listen a\n bind :1\n stats auth v:q\n server s 1.1.1.1\nbackend b\n server s 1.1.1.1\nfrontend f\n bind :2\n default_backend b\n'
    )
    found = snapshot(text)
    pages = {front.name: front.rules.page for front in found.frontends} | {
        back.name: back.rules.page for back in found.backends
    }
    assert {name: None if page is None else (page.uri, page.users) for name, page in pages.items()} == {
        'a': ('/s', (('u', 'p'), ('v', 'q'))),
        'b': ('/s', (('u', 'p'),)),
        'f': ('/s', (('u', 'p'),)),
    }
    assert found.stats_listeners == ()
    assert all(page is not None and page.refresh == 5 for page in pages.values())


def test_without_a_line_there_is_no_page() -> None:
    (backend,) = snapshot(f'{HTTP}backend b\n server s 1.1.1.1\n').backends
    assert backend.rules.page is None
    assert not backend.rules


@pytest.mark.parametrize(
    'line',
    [
        'stats admin if LOCALHOST',
        'stats admin if { src 10.0.0.0/8 }',
        'stats http-request auth',
        'server s 1.1.1.1',
        'http-request deny if { path /x }',
    ],
)
def test_what_workers_have_to_ask_is_a_proxy_like_any_other(line: str) -> None:
    found = snapshot(f'{HTTP}listen st\n bind :1\n stats enable\n {line}\n')
    assert found.stats_listeners == ()
    assert found.frontends[0].rules.page is not None
    assert found.backends[0].rules.page is not None


def test_a_condition_knows_acls_that_follow() -> None:
    text = f'{HTTP}listen st\n bind :1\n acl own src 10.0.0.1\n stats admin if own\n acl own src 10.0.0.2\n acl TRUE src 10.0.0.3\n stats admin if TRUE\n'
    (frontend,) = snapshot(text).frontends
    assert frontend.rules.page is not None
    own, other = frontend.rules.page.admin
    assert own is not None
    assert other is not None
    assert [len(term.acl.tests) for group in own.groups for term in group] == [2]
    assert other.groups[0][0].acl.name == 'TRUE'


def test_rules_of_the_page() -> None:
    lines = ' stats http-request deny if { hdr(x) 1 }\n stats http-request allow unless { hdr(y) 1 }\n stats http-request auth realm My\\ own\n'
    (frontend,) = snapshot(f'{HTTP}listen st\n bind :1\n{lines}').frontends
    assert frontend.rules.page is not None
    rules = frontend.rules.page.rules
    assert [type(rule.action) for rule in rules] == [Deny, Allow, Ask]
    assert [rule.condition is None for rule in rules] == [False, False, True]
    assert rules[2].action == Ask('My own')
    (frontend,) = snapshot(f'{HTTP}listen st\n bind :1\n stats http-request auth\n').frontends
    assert frontend.rules.page is not None
    assert frontend.rules.page.rules[0].action == Ask('HAProxy Statistics')


@pytest.mark.parametrize(
    'line, problem',
    [
        ('stats uri', "'uri' needs an URI prefix."),
        ('stats uri x', "'stats uri' : a path begins with '/' and has printable characters only (got 'x')."),
        ('stats uri /a b', "'stats uri' cannot handle unexpected argument 'b'."),
        ('stats enable x', "'stats enable' cannot handle unexpected argument 'x'."),
        ('stats realm', "'realm' needs an realm name."),
        (
            'stats realm a\\"b',
            "'stats realm' : a realm has printable characters, no quotes and no backslashes (got 'a\"b').",
        ),
        ('stats refresh', "'stats refresh' expects an integer value (in milliseconds)"),
        ('stats refresh x', "unexpected character 'x' in 'stats refresh' (got 'x'; units are us, ms, s, m, h, d)"),
        ('stats auth', "'auth' needs a user:password account."),
        ('stats auth u', "'stats auth' : the account has no ':' between user and password."),
        ('stats auth u:p q', "'stats auth' cannot handle unexpected argument 'q'."),
        ('stats scope', "'scope' needs a proxy name."),
        ('stats hide-version x', "'stats hide-version' cannot handle unexpected argument 'x'."),
        ('stats show-node a b', "'stats show-node' cannot handle unexpected argument 'b'."),
        ('stats admin', "'stats admin' requires either 'if' or 'unless' followed by a condition."),
        ('stats admin TRUE', "'stats admin' requires either 'if' or 'unless' followed by a condition."),
        ('stats admin if', "error detected while parsing a 'stats admin' rule : 'if' expects a condition."),
        ('stats admin if nope', "error detected while parsing a 'stats admin' rule : no such ACL : 'nope'."),
        ('stats http-request', "'stats http-request' expects 'allow', 'deny' or 'auth' (got '')."),
        (
            'stats http-request set-header a b',
            "'stats http-request' expects 'allow', 'deny' or 'auth' (got 'set-header').",
        ),
        ('stats http-request auth realm', "'stats http-request auth' : missing realm value."),
        (
            'stats http-request deny x',
            "'stats http-request deny' : expects either 'if' or 'unless' followed by a condition but found 'x'.",
        ),
    ],
)
def test_what_is_refused(line: str, problem: str) -> None:
    (found,) = errors(f'{HTTP}listen st\n bind :1\n {line}\n')
    assert found == f'8: {problem}'


def test_what_is_warned_of() -> None:
    text = f'{HTTP} timeout client 1s\nlisten st\n bind :1\n stats auth u:p\n stats auth u:q\n'
    assert warnings(text) == ["10: 'stats auth' : ignoring duplicated user 'u'."]
    text = f'{HTTP} timeout client 1s\nlisten st\n bind :1\n stats http-request allow\n stats http-request deny\n'
    assert warnings(text) == ["10: previous 'stats http-request' has no condition attached, further entries are NOOP."]
