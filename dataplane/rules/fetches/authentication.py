"""Rules: fetches of who the client says it is (configuration manual 7.3.6; RFC 7617, RFC 6750).

Credentials are looked for in Authorization; in Proxy-Authorization where the request was made as to a proxy and its frontend
has `option http-use-proxy-header`, of which the view tells in the fact `uses_proxy_fields`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from dataplane.rules.model import Named
from dataplane.rules.phases import Use
from dataplane.rules.samples import Sample, Type
from dataplane.rules.table import Arguments, Every, Fetch, Getter, simple

if TYPE_CHECKING:
    from dataplane.rules.scope import Scope
    from dataplane.rules.stores import Accounts, Store
    from dataplane.rules.view import View

_BASIC: Final = b'basic'
_BEARER: Final = b'bearer'


def _said(view: View, field: bytes = b'') -> tuple[bytes, bytes]:
    """The scheme in lower case and what stands behind it; both empty where the field is not there or has no blank."""
    if not field:
        field = b'proxy-authorization' if view.fact('uses_proxy_fields') else b'authorization'
    for name, value in view.request:
        if name == field:
            scheme, blank, rest = value.partition(b' ')
            return (scheme.lower(), rest.strip(b' ')) if scheme and blank else (b'', b'')
    return b'', b''


def basic(view: View) -> tuple[bytes, bytes] | None:
    """User and password of Basic authentication. None where there are none that can be read."""
    scheme, encoded = _said(view)
    if scheme != _BASIC:
        return None
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).partition(b':')
    except binascii.Error:
        return None
    return (user, password) if colon and b'\0' not in user + password else None


def _type(view: View) -> Sample | None:
    if basic(view) is not None:
        return b'Basic'
    return b'Bearer' if _said(view)[0] == _BEARER else None


def _user(view: View) -> Sample | None:
    found = basic(view)
    return None if found is None else found[0]


def _password(view: View) -> Sample | None:
    found = basic(view)
    return None if found is None else found[1]


def _bearer(arguments: Arguments) -> Getter:
    field = str(arguments[0]).lower().encode() if arguments and arguments[0] else b''

    def fetch(view: View) -> Sample | None:
        scheme, token = _said(view, field)
        return token if scheme == _BEARER else None

    return fetch


def _listed(arguments: Arguments, store: Store) -> Accounts | None:
    named = arguments[0]
    return store.accounts.get(named.name) if isinstance(named, Named) else None


def _admitted(accounts: Accounts | None, view: View) -> bytes | None:
    """The user, where it is one of the list and says the right password."""
    found = None if accounts is None else basic(view)
    return found[0] if found is not None and accounts is not None and accounts.admits(*found) else None


def _is_admitted(arguments: Arguments, store: Store) -> Getter:
    accounts = _listed(arguments, store)

    def fetch(view: View) -> Sample | None:
        return None if basic(view) is None else _admitted(accounts, view) is not None

    return fetch


def _admitted_user(arguments: Arguments, store: Store) -> Getter:
    accounts = _listed(arguments, store)
    return lambda view: _admitted(accounts, view)


def _groups(arguments: Arguments, store: Store) -> Every:
    accounts = _listed(arguments, store)

    def every(view: View) -> Iterable[Sample]:
        user = _admitted(accounts, view)
        return () if user is None or accounts is None else accounts.groups(user)

    return every


def _nobody(_: Arguments) -> Getter:
    """Where there is no store there are no users."""
    return lambda _view: None


def _name_list(arguments: Arguments, scope: Scope) -> Arguments:
    scope.userlists += [(argument.name, ()) for argument in arguments if isinstance(argument, Named)]
    return arguments


AUTHENTICATION: Final[dict[str, Fetch]] = {
    'http_auth': Fetch(Type.BOOL, Use.REQUEST, _nobody, 'userlist', _name_list, stored=_is_admitted),
    'http_auth_group': Fetch(
        Type.STR, Use.REQUEST, _nobody, 'userlist', _name_list, stored=_admitted_user, groups=_groups
    ),
    'http_auth_bearer': Fetch(Type.STR, Use.REQUEST, _bearer, 'str?'),
    'http_auth_type': simple(Type.STR, Use.REQUEST, _type),
    'http_auth_user': simple(Type.STR, Use.REQUEST, _user),
    'http_auth_pass': simple(Type.STR, Use.REQUEST, _password),
}
