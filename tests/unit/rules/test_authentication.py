"""Who the client says it is: the field, the scheme, the list."""

from __future__ import annotations

import base64

import pytest

from dataplane.rules.acls import parse_condition
from dataplane.rules.closures import compiled, compiled_expression
from dataplane.rules.expressions import parse_expression
from dataplane.rules.scope import Scope
from dataplane.rules.stores import Store
from tests.unit.rules.transaction import Transaction


class Friends:
    """A list of one user, ann, who is in two groups."""

    def admits(self, user: bytes, password: bytes) -> bool:
        return (user, password) == (b'ann', b'a:b')

    def groups(self, user: bytes) -> tuple[bytes, ...]:
        return (b'ops', b'dev') if user == b'ann' else ()


STORE = Store()
STORE.accounts = {'friends': Friends()}
ANN = b'Basic ' + base64.b64encode(b'ann:a:b')


def value(field: bytes | None, fetch: str, name: bytes = b'authorization', *, proxy: bool = False) -> object:
    view = Transaction(
        request=[] if field is None else [(b'x', b'y'), (name, field)], facts={'uses_proxy_fields': proxy}
    )
    return compiled_expression(parse_expression([fetch], 0, Scope())[0], STORE)(view)


def holds(field: bytes, text: str) -> bool:
    view = Transaction(request=[(b'authorization', field)])
    return compiled(parse_condition(['if', '{', *text.split(), '}'], {}, Scope()), STORE)(view)


def test_credentials() -> None:
    assert [value(ANN, f'http_auth_{name}') for name in ('type', 'user', 'pass')] == [b'Basic', b'ann', b'a:b']
    assert value(b'BASIC  ' + ANN[6:], 'http_auth_user') == b'ann'
    assert value(b'Bearer t.o.k', 'http_auth_bearer') == b't.o.k'
    assert value(b'Bearer t.o.k', 'http_auth_type') == b'Bearer'
    assert value(b'bearer x', 'http_auth_bearer(X-Token)', b'x-token') == b'x'


@pytest.mark.parametrize(
    'field',
    [
        None,
        b'',
        b'Basic',
        b'Basic ',
        b'Basic !!!',
        b'Basic ' + base64.b64encode(b'ann'),
        b'Basic ' + base64.b64encode(b'a\0n:b'),
        b'Digest x',
    ],
)
def test_what_are_none(field: bytes | None) -> None:
    assert [value(field, f'http_auth_{name}') for name in ('type', 'user', 'pass', 'bearer')] == [None] * 4
    assert value(field, 'http_auth(friends)') is None
    assert value(field, 'http_auth_group(friends)') is None


def test_a_proxy_has_a_field_of_its_own() -> None:
    assert value(ANN, 'http_auth_user', proxy=True) is None
    assert value(ANN, 'http_auth_user', b'proxy-authorization', proxy=True) == b'ann'


def test_lists() -> None:
    assert value(ANN, 'http_auth(friends)') is True
    assert value(ANN[:-4], 'http_auth(friends)') is not True
    assert value(b'Basic ' + base64.b64encode(b'bob:x'), 'http_auth(friends)') is False
    assert value(ANN, 'http_auth(strangers)') is False
    assert value(ANN, 'http_auth_group(friends)') == b'ann'


def test_an_acl_asks_for_groups() -> None:
    assert holds(ANN, 'http_auth_group(friends) qa dev')
    assert not holds(ANN, 'http_auth_group(friends) qa ann')
    assert not holds(b'Basic x', 'http_auth_group(friends) dev')
    assert not holds(ANN, 'http_auth_group(strangers) dev')
    assert holds(ANN, 'http_auth_group(friends),length 3')
