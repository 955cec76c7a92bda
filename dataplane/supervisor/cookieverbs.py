"""What the commands about dynamic cookies do: `enable|disable dynamic-cookie backend`, `set dynamic-cookie-key backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.cli.session import Answer, Complaint
from dataplane.core.changes import Change, SetCookies
from dataplane.core.dyncookie import CookieChange

if TYPE_CHECKING:
    from dataplane.core.tables import Tables


class CookieVerbs:
    """Those verbs, for a class that finds backends and hands changes over."""

    @property
    def _tables(self) -> Tables:
        raise NotImplementedError

    def _backend(self, word: str, unknown: str = 'No such backend.') -> int:
        raise NotImplementedError

    async def _submit(self, change: Change) -> Answer:
        raise NotImplementedError

    def _cooked(self, words: tuple[str, ...]) -> str:
        """The name of the backend that is meant."""
        if not words:
            raise Complaint('A backend name is expected.')
        return self._tables.backends[self._backend(words[0])].name

    async def _enable_cookie(self, words: tuple[str, ...], _session: object, _patience: object) -> Answer:
        return await self._submit(SetCookies(self._cooked(words), CookieChange(enabled=True)))

    async def _disable_cookie(self, words: tuple[str, ...], _session: object, _patience: object) -> Answer:
        return await self._submit(SetCookies(self._cooked(words), CookieChange(enabled=False)))

    async def _set_cookie_key(self, words: tuple[str, ...], _session: object, _patience: object) -> Answer:
        backend, key = self._cooked(words), ''.join(words[1:2])
        if not key:
            raise Complaint('String value expected.')
        return await self._submit(SetCookies(backend, CookieChange(key=key)))
