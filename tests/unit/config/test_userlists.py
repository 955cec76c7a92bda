"""`userlist` sections, and what names them."""

from __future__ import annotations

import pytest

from dataplane.config import ConfigErrors, load
from dataplane.rules.model import User, UserList
from dataplane.rules.steps import Auth
from tests.unit.config.loading import HTTP, errors, frontend, snapshot, warnings

TEXT = """userlist u
 group admins users tiger,scott
 group ops
 user tiger password $5$abc$x
 user scott insecure-password "el gato" groups ops,admins
 user nobody
"""


def test_users_know_their_groups_whichever_line_says_so() -> None:
    assert snapshot(TEXT).userlists == (
        UserList('u', (
            User('tiger', '$5$abc$x', False, ('admins',)), User('scott', 'el gato', True, ('ops', 'admins')), User('nobody'),
        )),
    )  # fmt: skip


@pytest.mark.parametrize(
    'line, complaint',
    [
        ('user', "'user' expects <name> as arguments."),
        ('user a/b', "character '/' is not permitted in 'user' name 'a/b'."),
        ('user a passwd x', "'user' only supports 'password', 'insecure-password' and 'groups' options."),
        ('user a password', "'password' expects an argument in 'user' name 'a'."),
        ('user a groups g groups h', "'groups' option already defined in 'user' name 'a'."),
        ('user a groups g', "userlist 'u': no such group 'g' specified in user 'a'"),
        ('group', "'group' expects <name> as arguments."),
        ('group g members a', "'group' only supports 'users' option."),
        ('group g users a users b', "'users' option already defined in 'group' name 'g'."),
        ('group g users a', "userlist 'u': no such user 'a' specified in group 'g'"),
        ('users a', "unknown keyword 'users' in 'userlist' section; did you mean 'user' maybe ?"),
        ('user a password $6$rounds=200001$abc$x', "the encrypted password used for user 'a' takes too long to check"),
        ('user a password $2y$13$abcdefghijklmnopqrstuu', 'takes too long to check'),
        ('user a password $y$jCT$abc$x', 'takes too long to check'),
        ('user a password $7$F6..../....abc$x', 'takes too long to check'),
    ],
)
def test_what_is_no_line_of_a_list(line: str, complaint: str) -> None:
    (found,) = errors(f'userlist u\n {line}\n')
    assert complaint in found


@pytest.mark.parametrize(
    'hashed',
    ['$6$rounds=200000$abc$x', '$2y$12$abcdefghijklmnopqrstuu', '$y$jBT$abc$x', '$7$E6..../....abc$x', '$1$a$b'],
)
def test_what_does_not_take_too_long_is_taken(hashed: str) -> None:
    assert errors(f'userlist u\n user a password {hashed}\n') == []


def test_lists_have_names_of_their_own() -> None:
    assert errors('userlist\nuserlist a b\nuserlist u\nuserlist u\n') == [
        "1: 'userlist' expects <name> as arguments.",
        "2: 'userlist' cannot handle unexpected argument 'b'.",
        "4: userlist 'u' was already defined at t.cfg:3.",
    ]


def test_the_first_of_two_users_or_groups_counts() -> None:
    text = 'userlist u\n user a insecure-password x\n user a insecure-password y\n group g\n group g users a\n'
    assert warnings(text) == [
        "3: ignoring duplicated user 'a' in userlist 'u'.",
        "5: ignoring duplicated group 'g' in userlist 'u'.",
    ]
    assert snapshot(text).userlists == (UserList('u', (User('a', 'x', True),)),)


def test_a_hash_that_the_system_does_not_know_is_refused() -> None:
    with pytest.raises(ConfigErrors) as raised:
        load([('t.cfg', 'userlist u\n user a password $9$x\n')], {}, cores=1, known_hash=lambda text: text != '$9$x')
    (found,) = raised.value.errors
    assert found.text == "the encrypted password used for user 'a' is not supported by crypt(3)."


def test_lists_and_groups_that_are_named_are_looked_for_when_all_is_read() -> None:
    lines = ' acl a http_auth(u)\n acl b http_auth(v)\n acl c http_auth_group(u) ops guests\n http-request deny if { http_auth(w) }\n'
    text = f'{HTTP}frontend f\n bind :80\n{lines}{TEXT}'
    assert errors(text) == [
        "9: unable to find userlist 'v' that an expression asks.",
        "10: http_auth_group(): invalid group 'guests'.",
        "11: unable to find userlist 'w' that an expression asks.",
    ]
    (found,) = errors(f'{HTTP}frontend f\n bind :80\n acl c http_auth_group(u)\n{TEXT}')
    assert found.endswith('http_auth_group(): no groups specified.')


def test_who_asks_without_a_realm_asks_in_the_name_of_its_proxy() -> None:
    text = 'defaults d\n mode http\n http-request auth\nfrontend f from d\n bind :80\n http-request auth realm "a b"\n'
    assert [rule.action for rule in snapshot(text).frontends[0].rules.request] == [Auth('f'), Auth('a b')]
    assert frontend('option http-use-proxy-header').use_proxy_header
