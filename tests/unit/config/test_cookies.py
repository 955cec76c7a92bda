"""`cookie` lines and the `cookie` of a server."""

from __future__ import annotations

import pytest

from dataplane.core.cookie import Cookie, CookieMode
from tests.unit.config.loading import HTTP, backend, backend_error, snapshot, warnings


@pytest.mark.parametrize(
    'words, wanted',
    [
        ('SRV insert', Cookie(name='SRV', mode=CookieMode.INSERT)),
        ('S rewrite nocache', Cookie(name='S', mode=CookieMode.REWRITE, nocache=True)),
        ('S prefix', Cookie(name='S', mode=CookieMode.PREFIX)),
        ('S indirect preserve', Cookie(name='S', indirect=True, preserve=True)),
        (
            'S insert indirect nocache postonly preserve',
            Cookie(name='S', mode=CookieMode.INSERT, indirect=True, nocache=True, postonly=True, preserve=True),
        ),
        ('S insert maxidle 30m maxlife 8h', Cookie(name='S', mode=CookieMode.INSERT, maxidle=1_800, maxlife=28_800)),
        ('S insert maxidle 90', Cookie(name='S', mode=CookieMode.INSERT, maxidle=90)),
        (
            'S attr SameSite=None insert secure httponly domain .a.org attr X domain .b.org',
            Cookie(
                name='S',
                mode=CookieMode.INSERT,
                attributes=('domain=.a.org', 'domain=.b.org', 'HttpOnly', 'Secure', 'SameSite=None', 'X'),
            ),
        ),
    ],
)
def test_what_a_line_says(words: str, wanted: Cookie) -> None:
    assert backend(f'cookie {words}').cookie == wanted


@pytest.mark.parametrize(
    'words, text',
    [
        ('', "'cookie' expects a cookie name as its first argument (got '')."),
        ('a;b insert', "'cookie' expects a cookie name as its first argument (got 'a;b')."),
        ('S insert prefix', "cookie options 'rewrite', 'insert' and 'prefix' exclude one another."),
        ('S rewrite indirect', "cookie options 'rewrite' and 'indirect' exclude one another."),
        ('S rewrite preserve', "cookie option 'preserve' needs 'insert' or 'indirect'."),
        ('S insert maxidle', "'maxidle' expects an integer value (in milliseconds)"),
        ('S insert attr', "'cookie attr' expects one argument without ';' (got '')."),
        ("S insert domain 'a;b'", "'cookie domain' expects one argument without ';' (got 'a;b')."),
        ('S insret', "'cookie' does not know 'insret'; did you mean 'insert' maybe ?"),
    ],
)
def test_what_is_wrong(words: str, text: str) -> None:
    assert backend_error(f'cookie {words}') == [text]


def test_a_cookie_that_nothing_is_done_with_is_warned_about_as_it_has_no_effect() -> None:
    text = f'{HTTP}backend b\n cookie S nocache\n server s 127.0.0.1:80 cookie x\n'
    assert snapshot(text).backends[0].cookie is None
    assert any("'cookie' without 'rewrite'" in line for line in warnings(text))


def test_the_value_of_a_server() -> None:
    servers = backend(
        'cookie S insert\n default-server cookie d\n server a 127.0.0.1 cookie x1\n server b 127.0.0.1'
    ).servers
    assert [server.cookie for server in servers] == ['x1', 'd']
    assert backend_error('server a 127.0.0.1 cookie a|b') == [
        "'server b/a' : 'cookie' expects a value without spaces, quotes, commas, ';', '|' and '\\' (got 'a|b')."
    ]


def test_it_is_inherited_from_defaults() -> None:
    text = f'{HTTP} cookie S insert\nbackend b\n server s 127.0.0.1:80 cookie x\n'
    assert snapshot(text).backends[0].cookie == Cookie(name='S', mode=CookieMode.INSERT)
