"""What `add backend`, `del backend`, `publish backend` and `unpublish backend` do: backends that come, go, are shown or hidden."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dataplane.cli.session import Answer, Complaint
from dataplane.config.guids import checked_guid
from dataplane.config.naming import check_name
from dataplane.config.problems import Rejected
from dataplane.core.backends import PUBLISHED, is_listen
from dataplane.core.changes import AddBackend, Change, PublishBackend, RemoveBackend
from dataplane.supervisor.figures import Figures
from dataplane.supervisor.serververbs import said

USAGE = "'add backend' expects <name> 'from' <defaults> ['mode' <mode>] ['guid' <guid>]."
_ATTACHED = 'Backend still has attached streams on it.'


class BackendVerbs:
    """The methods of these commands; whoever has them finds names and submits changes."""

    _figures: Figures
    _backend: Callable[[str], int]
    _submit: Callable[[Change], Awaitable[Answer]]
    _hindrance: Callable[[str], str]

    async def _add_backend(self, words: tuple[str, ...], _session: object, _patience: object) -> Answer:
        if len(words) < 3 or words[1] != 'from' or len(words) % 2 == 0:
            raise Complaint(USAGE)
        name, options = words[0], dict(zip(words[1::2], words[2::2], strict=True))
        unknown = options.keys() - {'from', 'mode', 'guid'}
        if unknown:
            raise Complaint(USAGE)
        try:
            check_name(name, 'backend')
            guid = checked_guid(options['guid']) if 'guid' in options else ''
        except Rejected as problem:
            raise Complaint(str(problem)) from None
        answer = await self._submit(AddBackend(name, options['from'], options.get('mode', ''), guid))
        return said(('New backend registered.',), answer)

    async def _del_backend(self, words: tuple[str, ...], _session: object, _patience: object) -> Answer:
        name = self._name(words)
        if reason := self._occupied(name):
            raise Complaint(reason)
        return said(('Backend deleted.',), await self._submit(RemoveBackend(name)))

    async def _publish_backend(self, words: tuple[str, ...], _session: object, _patience: object) -> Answer:
        answer = await self._submit(PublishBackend(self._name(words), published=True))
        return said(('Backend published.',), answer)

    async def _unpublish_backend(self, words: tuple[str, ...], _session: object, _patience: object) -> Answer:
        answer = await self._submit(PublishBackend(self._name(words), published=False))
        return said(('Backend unpublished.',), answer)

    def _name(self, words: tuple[str, ...]) -> str:
        """The name of the backend that the first word means."""
        if not words or not words[0]:
            raise Complaint('A backend name is expected.')
        return self._figures.tables.backends[self._backend(words[0])].name

    def _occupied(self, name: str) -> str:
        """Why a backend cannot be removed yet, '' when nobody is in it. Raises Complaint while requests may come to it."""
        tables, index = self._figures.tables, self._backend(name)
        backend = tables.backends[index]
        if is_listen(tables, backend):
            raise Complaint('Cannot delete a listen section.')
        if backend.published:
            raise Complaint(PUBLISHED)
        return _ATTACHED if self._figures.engaged(index) else ''

    def _hindrance_of(self, condition: str, name: str) -> str:
        """Why what `wait` waits for is not so yet: see `_hindrance` and `_occupied`."""
        return self._occupied(self._name((name,))) if condition == 'be-removable' else self._hindrance(name)
