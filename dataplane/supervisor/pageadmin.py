"""Actions on the statistics page: what a form asks for, whether a page of ours sent it, and the commands it comes to.

A form is HAProxy's: `b` names the backend (a name, or `#` and its number), each `s` a server of it, `action` what to do. Each
server gets the command that would be typed on the stats socket, so that page and socket cannot differ in what they do.

A browser sends the credentials it knows with whatever form a stranger's page makes it send. Who says where it comes from
(`Sec-Fetch-Site`, `Origin`, `Referer`: browsers do) must come from this very address and bring the token of a page that was drawn
for the same user; who says nothing is no browser, and nobody can make it send anything.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from dataplane.cli.grammar import Command
from dataplane.cli.session import Answer, Session, Severity
from dataplane.core.model import Level
from dataplane.supervisor.wait import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.core.model import Backend
    from dataplane.core.tables import Tables
    from dataplane.supervisor.pageask import Asked
    from dataplane.supervisor.verbs import Verbs

_MOST_FIELDS: Final = 20_000
_MOST_NOTE: Final = 500
ACTIONS: Final[dict[str, tuple[str, str]]] = {
    'ready': ('State: ready', 'set server {} state ready'),
    'drain': ('State: drain', 'set server {} state drain'),
    'maint': ('State: maintenance', 'set server {} state maint'),
    'dhlth': ('Health checks: off', 'disable health {}'),
    'ehlth': ('Health checks: on', 'enable health {}'),
    'hrunn': ('Health: force up', 'set server {} health up'),
    'hnolb': ('Health: force no new sessions', 'set server {} health stopping'),
    'hdown': ('Health: force down', 'set server {} health down'),
    'dagent': ('Agent checks: off', 'disable agent {}'),
    'eagent': ('Agent checks: on', 'enable agent {}'),
    'arunn': ('Agent: force up', 'set server {} agent up'),
    'adown': ('Agent: force down', 'set server {} agent down'),
    'shutdown': ('Kill sessions', 'shutdown sessions server {}'),
}
"""What forms may ask for, in HAProxy's words: how it is called here, and the command, where `{}` is the server."""
_OLDER: Final = {
    'enable': 'enable server {}',
    'disable': 'disable server {}',
    'stop': 'set server {} state drain',
    'start': 'set server {} state ready',
}
"""What forms for HAProxy 1.4 ask for; scripts still do, the page does not offer it."""


class Said(StrEnum):
    """HAProxy's words for what became of a form; `told` is what people read."""

    DONE = 'DONE'
    PART = 'PART'
    NONE = 'NONE'
    ERRP = 'ERRP'
    EXCD = 'EXCD'
    DENY = 'DENY'

    @property
    def told(self) -> str:
        """A sentence."""
        return _TOLD[self]


_TOLD: Final = {
    Said.DONE: 'Done: the action is in force on all of the servers that were chosen.',
    Said.PART: 'Only partly done: some of the servers that were chosen refused the action.',
    Said.NONE: 'Nothing was changed: choose servers and an action.',
    Said.ERRP: 'Nothing was changed: no such action, backend or server, or all of them refused it.',
    Said.EXCD: 'Nothing was changed: more servers were chosen than one form can carry. Choose fewer.',
    Said.DENY: 'Denied: you may not change anything here, or the page you sent this from is out of date. Try again from this one.',
}


class Tokens:
    """What shows that a form was drawn here, for this user. `secret` is random and as old as the process."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, user: str, proxy: str) -> str:
        """The token in the forms of a proxy's page that a user sees ('' where nobody has to say who they are)."""
        about = f'{len(user)}:{user}:{proxy}'.encode('utf-8', 'surrogateescape')
        return hmac.new(self._secret, about, hashlib.sha256).hexdigest()

    def fits(self, token: str, user: str, proxy: str) -> bool:
        """Is it that token?"""
        return hmac.compare_digest(token.encode('utf-8', 'surrogateescape'), self.of(user, proxy).encode())


def is_forged(asked: Asked) -> bool | None:
    """Does a browser say that a page from elsewhere sent this? None: no browser, as it says nothing at all."""
    if asked.fetch_site:
        return asked.fetch_site != 'same-origin'
    source = asked.origin or asked.referer
    if not source:
        return None
    try:
        return urlsplit(source).netloc.lower() != asked.host.lower() or not asked.host
    except ValueError:
        return True


class Administration:
    """Does what forms ask for. `note(text)` is told of every action, for the log."""

    def __init__(self, verbs: Verbs, tables: Callable[[], Tables], tokens: Tokens, note: Callable[[str], None]) -> None:
        self._verbs, self._tables, self._tokens, self._log = verbs, tables, tokens, note

    def _note(self, text: str) -> None:
        """Into the log, as one line: names come from whoever sends the form."""
        self._log(''.join(letter if letter.isprintable() else '?' for letter in text[:_MOST_NOTE]))

    async def act(self, asked: Asked, user: str, proxy: str, scope: tuple[str, ...]) -> Said:
        """Carry a form out. `user` has shown who they are ('' where none has to), `scope`: the proxies their page shows."""
        if not asked.granted:
            return Said.DENY
        if asked.body is None:
            return Said.EXCD
        form: dict[str, list[str]] = {}
        try:
            pairs = parse_qsl(
                asked.body.decode('utf-8', 'surrogateescape'), keep_blank_values=True, max_num_fields=_MOST_FIELDS
            )
        except ValueError:
            return Said.EXCD
        for name, value in pairs:
            form.setdefault(name, []).append(value)
        forged = is_forged(asked)
        if forged or (forged is False and not self._tokens.fits(form.get('token', [''])[0], user, proxy)):
            self._note(
                f'Statistics page {proxy}: an action from {asked.address} was refused: no page of this address sent it.'
            )
            return Said.DENY
        return await self._carry_out(form, f'{user or "somebody"} at {asked.address}', scope)

    async def _carry_out(self, form: dict[str, list[str]], who: str, scope: tuple[str, ...]) -> Said:
        servers = list(dict.fromkeys(form.get('s', ())))
        if not servers or 'action' not in form or 'b' not in form:
            return Said.NONE
        action = form['action'][0]
        command = ACTIONS[action][1] if action in ACTIONS else _OLDER.get(action)
        backend = self._backend(form['b'][0], scope)
        if command is None or backend is None:
            return Said.ERRP
        done = 0
        for server in servers:
            answer = await self._one(command, backend.name, server, scope)
            refused = answer.severity is Severity.ERROR
            done += not refused
            result = f'refused: {answer.text.removesuffix(".")}' if refused else 'done'
            self._note(f'Statistics page: {action} of {backend.name}/{server} by {who}: {result}.')
        return Said.DONE if done == len(servers) else Said.PART if done else Said.ERRP

    async def _one(self, command: str, name: str, server: str, scope: tuple[str, ...]) -> Answer:
        """The command for one server. Its backend is looked for by its name each time, since a reload may number anew meanwhile."""
        backend = self._backend(name, scope)
        if backend is None:
            return Answer('No such backend.', Severity.ERROR)
        # by its number, though, for the socket: a name may have what separates it from the server's
        words = tuple(f'#{backend.id}/{server}' if part == '{}' else part for part in command.split())
        return await self._verbs.run(Command(words), Session(Level.ADMIN, timeout_ms=0), Patience())

    def _backend(self, word: str, scope: tuple[str, ...]) -> Backend | None:
        """The backend that a form names, by its name or `#` and its number, if it is one that the page shows."""
        found = (
            backend
            for backend in self._tables().backends.values()
            if word in (backend.name, f'#{backend.id}') and (not scope or backend.name in scope)
        )
        return next(found, None)
