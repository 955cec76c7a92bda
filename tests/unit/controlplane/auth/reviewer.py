"""A Kubernetes API server's reviews, in the test's hands: who has which token, and what role bindings allow."""

from __future__ import annotations

import asyncio

from controlplane.domain.access import POD_NAME, POD_UID, Access, Reviewed
from controlplane.domain.refusals import ReviewsUnavailable

ACCOUNT = 'system:serviceaccount:sluice:dataplane'


class FakeReviewer:
    """`tokens` by text; `rules` allow a user (verb, resource[/subresource], namespace), '*' standing for any of them."""

    def __init__(self) -> None:
        self.tokens: dict[str, Reviewed] = {}
        self.rules: dict[str, set[tuple[str, str, str]]] = {}
        self.away = False
        self.asked: list[str] = []
        self._moved = asyncio.Event()

    def user(self, name: str, *rules: tuple[str, str, str]) -> str:
        """A user with one token; returns it."""
        self.tokens[f'token of {name}'.replace(' ', '-')] = Reviewed(name, groups=('system:authenticated',))
        self.rules[name] = set(rules)
        return f'token-of-{name}'

    def pod(self, name: str, account: str = ACCOUNT) -> str:
        """A projected token of a pod with this name; its UID is 'uid-NAME'."""
        extra = {POD_NAME: (name,), POD_UID: (f'uid-{name}',)}
        self.tokens[f'token-of-pod-{name}'] = Reviewed(account, extra=extra)
        return f'token-of-pod-{name}'

    async def token(self, token: str) -> Reviewed | None:
        self.asked.append(f'token {token}')
        self._answer()
        return self.tokens.get(token)

    async def allowed(self, who: Reviewed, access: Access) -> bool:
        self.asked.append(f'{who.username}: {access}')
        self._answer()
        what = access.path or '/'.join(filter(None, (access.resource, access.subresource)))
        wanted = (access.verb, what, access.namespace or '*')
        return any(
            all(mine in ('*', theirs) for mine, theirs in zip(rule, wanted, strict=True))
            for rule in self.rules.get(who.username, ())
        )

    async def until_asked(self, times: int) -> None:
        """Wait until it has been asked so many times more."""
        target = len(self.asked) + times
        async with asyncio.timeout(30):
            while len(self.asked) < target:
                self._moved.clear()
                await self._moved.wait()

    def _answer(self) -> None:
        self._moved.set()
        if self.away:
            raise ReviewsUnavailable('the API server does not answer')
