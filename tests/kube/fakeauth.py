"""Who may do what at the fake API server: tokens, TokenReview, SubjectAccessReview, and RBAC in its plain form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from controlplane.kube.resources import Resource

Json = dict[str, Any]
API = 'https://kubernetes.default.svc'  # the audience of tokens for the API server itself


@dataclass(frozen=True, slots=True)
class User:
    """`audiences`: whom its token is for. `admin`: may do everything."""

    name: str
    uid: str = ''
    groups: tuple[str, ...] = ('system:authenticated',)
    extra: dict[str, list[str]] = field(default_factory=dict)
    audiences: tuple[str, ...] = (API,)
    admin: bool = False


def pod_user(namespace: str, account: str, pod: str, pod_uid: str, audience: str) -> User:
    """The user of a ServiceAccount's token that is bound to a pod."""
    return User(
        f'system:serviceaccount:{namespace}:{account}',
        f'uid-of-{account}',
        ('system:serviceaccounts', f'system:serviceaccounts:{namespace}', 'system:authenticated'),
        {'authentication.kubernetes.io/pod-name': [pod], 'authentication.kubernetes.io/pod-uid': [pod_uid]},
        (audience,),
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """`subject`: a user's or a group's name. '*' for any verb, group or resource. `namespace` None: everywhere."""

    subject: str
    verbs: tuple[str, ...]
    group: str
    resource: str  # with its subresource: serveroverrides/shutdown
    namespace: str | None = None
    name: str | None = None


class FakeAuth:
    """`tokens`: token -> user. Without `required` everybody is an administrator, token or not."""

    def __init__(self) -> None:
        self.required = False
        self.tokens: dict[str, User] = {'fake-token': User('fake-admin', admin=True)}
        self.rules: list[Rule] = []
        self._made = 0

    def rotate(self, old: str, new: str) -> None:
        """`old` is refused from now on; `new` is the same user's."""
        self.tokens[new] = self.tokens.pop(old)

    def allow(
        self,
        subject: str,
        verbs: str,
        resource: Resource | str,
        namespace: str | None = None,
        *,
        group: str = '',
        name: str = '',
    ) -> None:
        """`verbs` separated by blanks. `resource` may be text (with a subresource) and then needs its `group`."""
        if isinstance(resource, Resource):
            group, resource = resource.group, resource.plural
        self.rules.append(Rule(subject, tuple(verbs.split()), group, resource, namespace, name or None))

    def user(self, authorization: str) -> User | None:
        """Of a request to this server; None: 401."""
        kind, _, token = authorization.partition(' ')
        found = self.tokens.get(token) if kind == 'Bearer' else None
        if found is not None and API not in found.audiences:
            found = None
        if found is None and not self.required:
            return User('fake-admin', admin=True)
        return found

    def may(
        self, user: User, verb: str, group: str, resource: str, namespace: str, name: str, subresource: str = ''
    ) -> bool:
        wanted = f'{resource}/{subresource}' if subresource else resource
        return (
            user.admin
            or 'system:masters' in user.groups
            or any(
                rule.subject in {user.name, *user.groups}
                and ('*' in rule.verbs or verb in rule.verbs)
                and rule.group in {'*', group}
                and rule.resource in {'*', wanted}
                and rule.namespace in {None, namespace}
                and rule.name in {None, name}
                for rule in self.rules
            )
        )

    def token_request(self, account: Json, pod: Json | None, body: Json) -> Json:
        """A new token of a ServiceAccount, bound to `pod` when there is one; what `kubectl create token` does."""
        meta, spec = account['metadata'], body.get('spec') or {}
        name, namespace = meta['name'], meta['namespace']
        self._made += 1
        token = f'{namespace}.{name}.{self._made}'
        bound = {} if pod is None else {
            'authentication.kubernetes.io/pod-name': [pod['metadata']['name']],
            'authentication.kubernetes.io/pod-uid': [pod['metadata']['uid']],
        }  # fmt: skip
        groups = ('system:serviceaccounts', f'system:serviceaccounts:{namespace}', 'system:authenticated')
        audiences = tuple(spec.get('audiences') or (API,))
        self.tokens[token] = User(f'system:serviceaccount:{namespace}:{name}', meta['uid'], groups, bound, audiences)
        return {**body, 'status': {'token': token, 'expirationTimestamp': '2100-01-01T00:00:00Z'}}

    def token_review(self, body: Json) -> Json:
        spec = body.get('spec') or {}
        asked = spec.get('audiences') or [API]
        user = self.tokens.get(spec.get('token', ''))
        shared = [one for one in asked if user is not None and one in user.audiences]
        if user is None or not shared:
            why = (
                'invalid bearer token'
                if user is None
                else f'token audiences {list(user.audiences)} is invalid for {asked}'
            )
            status: Json = {'user': {}, 'error': f'[{why}]'}
        else:
            about = {'username': user.name, 'uid': user.uid, 'groups': list(user.groups), 'extra': user.extra}
            status = {'authenticated': True, 'user': about, 'audiences': shared}
        return {**body, 'metadata': {}, 'status': status}

    def access_review(self, body: Json) -> Json:
        spec = body.get('spec') or {}
        asked = spec.get('resourceAttributes') or {}
        known = next((user for user in self.tokens.values() if user.name == spec.get('user')), None)
        user = User(
            spec.get('user', ''), groups=tuple(spec.get('groups') or ()), admin=known is not None and known.admin
        )
        if path := (spec.get('nonResourceAttributes') or {}).get('path'):
            asked = {**spec['nonResourceAttributes'], 'resource': path}
        words = [asked.get(word, '') for word in ('verb', 'group', 'resource', 'namespace', 'name', 'subresource')]
        allowed = self.may(user, *words)
        reason = 'RBAC: allowed by a rule of the fake' if allowed else ''
        return {**body, 'metadata': {}, 'status': {'allowed': allowed, **({'reason': reason} if reason else {})}}
