"""What of HAProxy's manual is not here is refused by name, with its reason."""

from __future__ import annotations

import pytest

from dataplane.rules import absent
from dataplane.rules.acls import parse_acl
from dataplane.rules.converters import CONVERTERS
from dataplane.rules.expressions import parse_expression
from dataplane.rules.fetches import CRITERIA, FETCHES
from dataplane.rules.problems import Rejected
from dataplane.rules.scope import Scope


def test_nothing_is_both_here_and_not() -> None:
    assert not absent.FETCHES.keys() & (FETCHES.keys() | CRITERIA.keys())
    assert not absent.CONVERTERS.keys() & CONVERTERS.keys()


@pytest.mark.parametrize('name', ['bc_glitches', 'req.ssl_sni', 'payload', 'ssl_c_s_dn', 'fc_saved_syn'])
def test_fetches(name: str) -> None:
    expected = f"fetch method '{name}' is not supported: {absent.FETCHES[name]}"
    with pytest.raises(Rejected) as found:
        parse_expression([f'{name}(x)'], 0, Scope())
    assert str(found.value) == expected
    with pytest.raises(Rejected) as found:
        parse_acl(['a', f'{name}(x)'], Scope())
    assert str(found.value) == expected


@pytest.mark.parametrize('name', ['jwt_verify_cert', 'debug'])
def test_converters(name: str) -> None:
    with pytest.raises(Rejected) as found:
        parse_expression([f'src,{name}(x)'], 0, Scope())
    assert str(found.value) == f"converter '{name}' is not supported: {absent.CONVERTERS[name]}"
