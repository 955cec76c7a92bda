"""Reviews by the API server: whose token it is, and whether they may. What cannot be asked is ReviewsUnavailable, never a yes."""

from __future__ import annotations

from typing import Final

from controlplane.domain.access import GROUP, Access, Reviewed
from controlplane.domain.refusals import ReviewsUnavailable
from controlplane.kube.client import Api, Json, KubeError
from controlplane.kube.resources import ACCESS_REVIEWS, TOKEN_REVIEWS, Resource

_CALL_S: Final = 5.0


class Reviews:
    """Asks on behalf of the gate. `audience`: for whom a token must have been made."""

    def __init__(self, api: Api, audience: str) -> None:
        self._api, self._audience = api, audience

    async def token(self, token: str) -> Reviewed | None:
        """Whose token it is; None: nobody's, or it was not made for this audience. ReviewsUnavailable: it cannot be asked."""
        spec = {'token': token, 'audiences': [self._audience]}
        status = await self._ask(TOKEN_REVIEWS, spec)
        if not status.get('authenticated') or self._audience not in (status.get('audiences') or ()):
            return None
        user = status.get('user') or {}
        extra = {name: tuple(values) for name, values in (user.get('extra') or {}).items()}
        return Reviewed(
            user.get('username') or '', user.get('uid') or '', tuple(user.get('groups') or ()), extra
        )  # fmt: skip

    async def allowed(self, who: Reviewed, access: Access) -> bool:
        """Whether they may. ReviewsUnavailable: it cannot be asked."""
        spec: Json = {'user': who.username, 'uid': who.uid, 'groups': list(who.groups)}
        spec['extra'] = {name: list(values) for name, values in who.extra.items()}
        if access.path:
            spec['nonResourceAttributes'] = {'verb': access.verb, 'path': access.path}
        else:
            spec['resourceAttributes'] = {
                'verb': access.verb, 'group': GROUP, 'resource': access.resource,
                'subresource': access.subresource, 'namespace': access.namespace,
            }  # fmt: skip
        return bool((await self._ask(ACCESS_REVIEWS, spec)).get('allowed'))

    async def _ask(self, kind: Resource, spec: Json) -> Json:
        try:
            answer = await self._api.create(kind, None, {'spec': spec}, timeout_s=_CALL_S)
        except KubeError as error:
            raise ReviewsUnavailable(f'{kind.kind}: {error}') from error
        status: Json = answer.get('status') or {}
        return status
