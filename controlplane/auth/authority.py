"""Who decides: what every authority answers, and the two outside a cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from controlplane.auth.certificate import Certificate, has_ended, names_of
from controlplane.auth.needs import Need
from controlplane.auth.principal import ALLOWED, LOCAL, Principal, Role
from controlplane.auth.tokensfile import Tokens
from controlplane.domain.access import Access
from controlplane.domain.refusals import Forbidden, Misdirected, Unauthorized

_LOOPBACK = re.compile(r'(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?\Z')


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request shows of who asks. `certificate`: of its connection, already verified."""

    host: str
    token: str | None = None
    certificate: Certificate | None = None


class Authority(Protocol):
    """Every method may raise a Denied: Unauthorized, Forbidden, Misdirected, or ReviewsUnavailable."""

    async def principal(self, presented: Presented) -> Principal:
        """Who asks."""
        ...

    async def permit(self, principal: Principal, need: Need) -> None:
        """Return if the request may be answered. What is deferred is not judged here."""
        ...

    async def permit_accesses(self, principal: Principal, accesses: Sequence[Access]) -> None:
        """Return if all of them are allowed: what was deferred, once it is known. By role it was judged before."""
        ...

    async def permit_link(self, principal: Principal) -> None:
        """Return if it may dial the link; `principal.bound` then says for whom it may speak (None: for anybody)."""
        ...


class LoopbackAuthority:
    """Without tokens: whoever is on this machine may all.

    Only loopback host names are answered, so that no web page can reach it by rebinding a name of its own.
    """

    async def principal(self, presented: Presented) -> Principal:
        """The one there is."""
        if not _LOOPBACK.match(presented.host):
            raise Misdirected('Without tokens only loopback host names are served.')
        return LOCAL

    async def permit(self, principal: Principal, need: Need) -> None:
        """All."""

    async def permit_accesses(self, principal: Principal, accesses: Sequence[Access]) -> None:
        """All."""

    async def permit_link(self, principal: Principal) -> None:
        """All."""


class TokensAuthority:
    """A tokens file: the bearer token says who asks, or else the client certificate does. `wall_s`: seconds since 1970."""

    def __init__(self, tokens: Tokens, wall_s: Callable[[], float]) -> None:
        self._tokens, self._wall_s = tokens, wall_s

    async def principal(self, presented: Presented) -> Principal:
        """A token that is presented counts, also against a certificate that would do."""
        if presented.token is not None:
            found = self._tokens.principal(presented.token)
            if found is None:
                raise Unauthorized('Give a known token as "Authorization: Bearer TOKEN".')
            return found
        if presented.certificate is None:
            raise Unauthorized('Give a known token as "Authorization: Bearer TOKEN".')
        if has_ended(presented.certificate, self._wall_s()):
            raise Unauthorized('The client certificate has expired.')
        names = names_of(presented.certificate)
        found = self._tokens.certified(names)
        if found is None:
            raise Unauthorized(
                f'None of the names in the client certificate is known: {", ".join(names)[:300] or "none"}.'
            )
        return found

    async def permit(self, principal: Principal, need: Need) -> None:
        """By role."""
        self._judge(principal, need.role)

    async def permit_accesses(self, principal: Principal, accesses: Sequence[Access]) -> None:
        """Roles do not distinguish them."""

    async def permit_link(self, principal: Principal) -> None:
        """By role."""
        self._judge(principal, Role.DATAPLANE)

    @staticmethod
    def _judge(principal: Principal, role: Role) -> None:
        if principal.role not in ALLOWED[role]:
            raise Forbidden(f'{principal.name} has the role {principal.role}; this needs {role}.')
