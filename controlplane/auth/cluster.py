"""Who decides in a cluster: the API server, by reviews of the token and of the access (kubectl's own rights).

Whatever it cannot be asked about is refused (ReviewsUnavailable). Its answers are kept for a short time: so long may a token work
after it was revoked, or a right after it was taken away.

A data plane is who has a token of a data plane's service account that was made for a pod. It may dial the link of that pod,
and nothing else whatever roles the account has been bound to; nobody else may dial.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Protocol

from controlplane.auth.authority import Presented
from controlplane.auth.needs import Need
from controlplane.auth.principal import Principal
from controlplane.auth.remembered import Remembered, digest
from controlplane.domain.access import Access, Bound, Reviewed
from controlplane.domain.refusals import Forbidden, Unauthorized

TOKEN_S = 30.0
UNKNOWN_TOKEN_S = 5.0
ALLOWED_S = 30.0
REFUSED_S = 5.0
MAX_NAME = 512


class Reviewer(Protocol):
    """Asks the API server. ReviewsUnavailable: it cannot be asked now."""

    async def token(self, token: str) -> Reviewed | None:
        """Whose token it is; None: nobody's, or it was not made for this control plane's audience."""
        ...

    async def allowed(self, who: Reviewed, access: Access) -> bool:
        """Whether they may."""
        ...


class ClusterAuthority:
    """`accounts`: the data planes' service accounts, as NAMESPACE:NAME. `clock` is monotonic, in seconds."""

    def __init__(self, reviewer: Reviewer, accounts: Sequence[str], clock: Callable[[], float]) -> None:
        self._reviewer = reviewer
        self._dataplanes = frozenset(f'system:serviceaccount:{account}' for account in accounts)
        self._tokens: Remembered[Reviewed | None] = Remembered(
            lambda found: found is not None, clock, good_s=TOKEN_S, bad_s=UNKNOWN_TOKEN_S
        )
        self._accesses: Remembered[bool] = Remembered(bool, clock, good_s=ALLOWED_S, bad_s=REFUSED_S)

    async def principal(self, presented: Presented) -> Principal:
        """Whose token it is. A client certificate says nothing here."""
        token = presented.token
        if not token:
            raise Unauthorized(
                'Give a token as "Authorization: Bearer TOKEN" (kubectl create token ACCOUNT --audience=...).'
            )
        who = await self._tokens.get(digest(token), functools.partial(self._reviewer.token, token))
        if who is None:
            raise Unauthorized('The API server does not know this token, or it was made for another audience.')
        if not 0 < len(who.username) <= MAX_NAME or not who.username.isprintable():
            raise Unauthorized('The user name of this token cannot be shown in a log.')
        return Principal(who.username, reviewed=who, bound=Bound.of(who))

    async def permit(self, principal: Principal, need: Need) -> None:
        """By the access it needs, unless the router is to ask."""
        await self.permit_accesses(principal, () if need.access is None else (need.access,))

    async def permit_accesses(self, principal: Principal, accesses: Sequence[Access]) -> None:
        """All of them, or Forbidden names the first that is not."""
        who = _reviewed(principal)
        if who.username in self._dataplanes:
            raise Forbidden(f'{who.username} is a data plane: it may dial the link and nothing else.')
        for access in accesses:
            if not await self._accesses.get(_key(who, access), functools.partial(self._reviewer.allowed, who, access)):
                raise Forbidden(f'{who.username} may not {access}.')

    async def permit_link(self, principal: Principal) -> None:
        """Only a data plane's account, with a token made for a pod."""
        who = _reviewed(principal)
        if who.username not in self._dataplanes:
            raise Forbidden(f'{who.username} is not a data plane.')
        if principal.bound is None:
            raise Forbidden(f'The token of {who.username} was not made for a pod.')


def _reviewed(principal: Principal) -> Reviewed:
    if principal.reviewed is None:
        raise Forbidden(f'{principal.name} was not reviewed by the API server.')
    return principal.reviewed


def _key(who: Reviewed, access: Access) -> bytes:
    extra = {name: list(values) for name, values in who.extra.items()}
    asked = [access.verb, access.resource, access.namespace, access.subresource, access.path]
    return digest([who.username, who.uid, list(who.groups), extra, asked])
