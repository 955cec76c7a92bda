"""What the commands about dynamic cookies do: `enable|disable dynamic-cookie backend`, `set dynamic-cookie-key backend`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dataplane.cli.session import Answer, Complaint
from dataplane.core.changes import Change, SetCookies
from dataplane.core.dyncookie import CookieChange

_Words = tuple[str, ...]


class CookieVerbs:
    """The methods of these commands; whoever has them finds names and submits changes."""

    _name: Callable[[_Words], str]
    _submit: Callable[[Change], Awaitable[Answer]]

    async def _enable_cookie(self, words: _Words, _session: object, _patience: object) -> Answer:
        return await self._submit(SetCookies(self._name(words), CookieChange(enabled=True)))

    async def _disable_cookie(self, words: _Words, _session: object, _patience: object) -> Answer:
        return await self._submit(SetCookies(self._name(words), CookieChange(enabled=False)))

    async def _set_cookie_key(self, words: _Words, _session: object, _patience: object) -> Answer:
        backend, key = self._name(words), ''.join(words[1:2])
        if not key:
            raise Complaint('String value expected.')
        return await self._submit(SetCookies(backend, CookieChange(key=key)))
