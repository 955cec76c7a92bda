"""Web tokens: what is in them, and whether their signature is that of a secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from dataplane.rules.closures import compiled_expression
from dataplane.rules.expressions import parse_expression
from dataplane.rules.problems import Rejected
from dataplane.rules.scope import Scope
from tests.unit.rules.transaction import Transaction


def coded(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b'=').decode()


def token(payload: object, key: bytes = b'secret', algorithm: str = 'HS256') -> str:
    signed = f'{coded(json.dumps({"alg": algorithm}).encode())}.{coded(json.dumps(payload).encode())}'
    name = {'HS256': 'sha256', 'HS384': 'sha384', 'HS512': 'sha512'}.get(algorithm, 'sha256')
    return f'{signed}.{coded(hmac.new(key, signed.encode(), getattr(hashlib, name)).digest())}'


def value(text: str, converters: str) -> object:
    expression, _ = parse_expression([f'req.hdr(t),{converters}'], 0, Scope())
    view = Transaction(
        request=[(b't', text.encode())], variables={('txn', 'a'): b'HS512', ('txn', 'r'): b'RS256', ('txn', 'x'): b'?'}
    )
    return compiled_expression(expression)(view)


def test_parts_and_what_is_in_them() -> None:
    made = token({'sub': 'ada', 'n': 7})
    assert value(made, "jwt_header_query('$.alg')") == b'HS256'
    assert value(made, "jwt_payload_query('$.n','int')") == 7
    assert value(made, "jwt_payload_query('$.x')") is None
    assert value(made, 'jwt_payload_query') == b'{"sub": "ada", "n": 7}'
    assert value(made.rpartition('.')[0], "jwt_payload_query('$.sub')") == b'ada'
    for bad in ('', 'a', 'a.b.c.d', '!.!.!', 'abcde.abcde.'):
        assert value(bad, 'jwt_payload_query') is None


@pytest.mark.parametrize(
    'made, arguments, expected',
    [
        (token({}), 'HS256,secret', 1), (token({}), 'HS256,other', 0), (token({}), 'HS384,secret', 0),
        (token({}, algorithm='HS384'), 'HS384,secret', 1), (token({}, algorithm='HS512'), 'txn.a,secret', 1),
        (token({}), 'txn.r,secret', -2), (token({}), 'txn.x,secret', -1), (token({}), 'txn.none,secret', None),
        (token({}).rpartition('.')[0], 'HS256,secret', -3), (token({}).rpartition('.')[0] + '.', 'HS256,secret', -3),
        ('nothing', 'HS256,secret', -3), (token({}), 'HS256,txn.none', None),
    ],
)  # fmt: skip
def test_signatures(made: str, arguments: str, expected: object) -> None:
    assert value(made, f'jwt_verify({arguments})') == expected


@pytest.mark.parametrize(
    'algorithm, why', [('RS256', 'is not supported'), ('none', 'is not supported'), ('HS1', 'is unknown')]
)
def test_algorithms_of_certificates_are_refused(algorithm: str, why: str) -> None:
    with pytest.raises(Rejected, match=f"algorithm '{algorithm}' {why}"):
        parse_expression([f'src,jwt_verify({algorithm},x)'], 0, Scope())
