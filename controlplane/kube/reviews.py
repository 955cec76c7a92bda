"""The API server's word on who has a token and what they may do: TokenReview and SubjectAccessReview."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from controlplane.domain.access import GROUP, Access, Reviewed
from controlplane.domain.refusals import ReviewsUnavailable
from controlplane.kube.client import Api
from controlplane.kube.errors import ApiError, Json, KubeError
from controlplane.kube.resources import ACCESS_REVIEWS, TOKEN_REVIEWS, Resource

log = logging.getLogger('sluice.kube')

REVIEW_S = 5.0
_MAY_NOT = 'this control plane may not ask for reviews; bind its account to the ClusterRole system:auth-delegator'


class Reviews:
    """Asks `api`, without keeping anything. Tokens must have been made for `audience`.

    ReviewsUnavailable: there was no usable answer, whatever the reason; it is in the log.
    """

    def __init__(self, api: Api, audience: str) -> None:
        self._api, self._audience, self._said = api, audience, ''

    async def token(self, token: str) -> Reviewed | None:
        """Whose token it is; None: nobody's that is known, or it was made for another audience."""
        spec = {'token': token, 'audiences': [self._audience]}
        status = await self._ask(TOKEN_REVIEWS, spec)
        # an API server whose authenticator knows nothing of audiences checks its own instead and names none
        if status.get('authenticated') is not True or self._audience not in (status.get('audiences') or ()):
            return None
        user = status.get('user')
        if not isinstance(user, Mapping) or not isinstance(user.get('username'), str):
            raise self._failed('the answer to a TokenReview names no user')
        return Reviewed(
            user['username'],
            str(user.get('uid') or ''),
            tuple(str(group) for group in user.get('groups') or ()),
            {str(name): tuple(str(value) for value in values) for name, values in (user.get('extra') or {}).items()},
        )

    async def allowed(self, who: Reviewed, access: Access) -> bool:
        """Whether they may, as kubectl would be told."""
        spec: Json = {
            'user': who.username, 'uid': who.uid, 'groups': list(who.groups),
            'extra': {name: list(values) for name, values in who.extra.items()},
        }  # fmt: skip
        if access.path:
            spec['nonResourceAttributes'] = {'verb': access.verb, 'path': access.path}
        else:
            spec['resourceAttributes'] = {
                'verb': access.verb, 'group': GROUP, 'resource': access.resource, 'namespace': access.namespace,
                'subresource': access.subresource,
            }  # fmt: skip
        status = await self._ask(ACCESS_REVIEWS, spec)
        return status.get('allowed') is True and status.get('denied') is not True

    async def _ask(self, review: Resource, spec: Json) -> Mapping[str, Any]:
        try:
            answer = await self._api.create(review, None, {'spec': spec}, timeout_s=REVIEW_S)
        except ApiError as error:
            raise self._failed(_MAY_NOT if error.status == 403 else f'{review.kind}: {error}') from error
        except KubeError as error:
            raise self._failed(f'{review.kind}: {error}') from error
        status = answer.get('status')
        if not isinstance(status, Mapping):
            raise self._failed(f'the answer to a {review.kind} has no status')
        self._said = ''
        return status

    def _failed(self, why: str) -> ReviewsUnavailable:
        if why != self._said:
            log.error('nobody can be let in: %s', why)
        self._said = why
        return ReviewsUnavailable('The API server cannot be asked now.')
