"""Who may do what: bearer tokens from a file, and without one nobody from elsewhere.

The file has one `NAME:ROLE:sha256$HEX` per line (`#` begins a comment). HEX is the SHA-256 of the token. A plain digest is
enough because tokens are 256 random bits made by `sluice-controlplane --new-token NAME:ROLE`, which no dictionary holds; do
not use words of your own. Every token is compared with every line, in constant time. The file is read again when it
changes; a file that has become unreadable or wrong is reported and the last good one stays in force.

Roles: read < operate < admin, and dataplane, which may only dial the link (so may admin). Without a tokens file the
control plane listens on loopback only, and answers only to loopback host names, so that no web page can reach it by
rebinding a name of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from starlette.responses import JSONResponse

from controlplane.domain.problems import MEDIA_TYPE, problem

log = logging.getLogger('sluice.auth')

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_LINE = re.compile(r'([A-Za-z0-9_.-]{1,64}):(read|operate|admin|dataplane):sha256\$([0-9a-f]{64})')
_OPEN = frozenset({'/healthz', '/readyz', '/docs', '/openapi.json'})
_LOOPBACK = re.compile(r'(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?\Z')
_OPERATED = re.compile(r'/v1/backends/[^/]+/servers/[^/]+\Z|/v3/services/haproxy/runtime/')


class Role(StrEnum):
    """What a token is for."""

    READ = 'read'
    OPERATE = 'operate'
    ADMIN = 'admin'
    DATAPLANE = 'dataplane'


ALLOWED: dict[Role, frozenset[Role]] = {
    Role.READ: frozenset({Role.READ, Role.OPERATE, Role.ADMIN}),
    Role.OPERATE: frozenset({Role.OPERATE, Role.ADMIN}),
    Role.ADMIN: frozenset({Role.ADMIN}),
    Role.DATAPLANE: frozenset({Role.DATAPLANE, Role.ADMIN}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who speaks."""

    name: str
    role: Role


LOCAL = Principal('local', Role.ADMIN)


def needed(method: str, path: str) -> Role:
    """The role that a request needs: reading, operating servers, or changing what there is."""
    if method in {'GET', 'HEAD', 'OPTIONS'}:
        return Role.READ
    if path == '/v1/dataplanes:release':
        return Role.ADMIN  # it may remove everything
    if method == 'POST' or (
        method in {'PATCH', 'PUT'} and _OPERATED.match(path) and (method == 'PATCH' or path.startswith('/v3'))
    ):
        return Role.OPERATE
    return Role.ADMIN


def new_token(name: str, role: str) -> tuple[str, str]:
    """(token, line for the file) with 256 fresh random bits. ValueError: name or role cannot be."""
    token = secrets.token_urlsafe(32)
    line = f'{name}:{role}:sha256${hashlib.sha256(token.encode()).hexdigest()}'
    if _LINE.fullmatch(line) is None:
        raise ValueError(f'{name}:{role} is not NAME:ROLE with a role of {", ".join(Role)}')
    return token, line


def parse(text: str, path: str) -> tuple[tuple[bytes, Principal], ...]:
    """(digest, principal) per line. ValueError: names the file and line of the first that is wrong; no token at all."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith('#'):
            match = _LINE.fullmatch(line.strip())
            if match is None:
                raise ValueError(f'{path}:{number}: not NAME:ROLE:sha256$HEX with a role of {", ".join(Role)}')
            found.append((bytes.fromhex(match[3]), Principal(match[1], Role(match[2]))))
    if not found:
        raise ValueError(f'{path}: holds no token')
    return tuple(found)


class Tokens:
    """The tokens file. ValueError, OSError at first reading: it cannot be used."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stamp = self._stat()
        self._rows = self._read()

    def _stat(self) -> tuple[int, int, int]:
        found = os.stat(self._path)
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _read(self) -> tuple[tuple[bytes, Principal], ...]:
        with open(self._path, encoding='utf-8') as file:
            return parse(file.read(), self._path)

    def refresh(self) -> None:
        """Read the file again if it changed."""
        try:
            stamp = self._stat()
            if stamp != self._stamp:
                self._stamp = stamp
                self._rows = self._read()
        except (OSError, ValueError) as error:
            log.error('tokens stay as they were: %s', error)

    def principal(self, token: str) -> Principal | None:
        """Whose token this is; the time it takes does not tell."""
        self.refresh()
        digest = hashlib.sha256(token.encode()).digest()
        found = None
        for known, principal in self._rows:
            if hmac.compare_digest(known, digest):
                found = principal
        return found


class Gate:
    """ASGI: lets a request through with its principal in `scope['state']`, or answers 401, 403 or 421 itself."""

    def __init__(self, app: App, tokens: Tokens | None) -> None:
        self._app, self._tokens = app, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope['type'] not in {'http', 'websocket'} or scope['path'] in _OPEN:
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode('latin-1') for name, value in scope['headers']}
        refused = self._judge(scope, headers)
        if refused is None:
            await self._app(scope, receive, send)
            return
        status, document = refused
        more = {'WWW-Authenticate': 'Bearer'} if status == 401 else {}
        if scope['type'] == 'websocket':
            await receive()  # the handshake, which the answer takes the place of
        answer = JSONResponse(document, status, more, MEDIA_TYPE)
        await answer(scope, receive, send)

    def _judge(self, scope: Scope, headers: dict[bytes, str]) -> tuple[int, dict[str, Any]] | None:
        link = scope['type'] == 'websocket'
        if link and b'origin' in headers:
            return problem('forbidden', 'The link is for data planes, not for web pages (Origin is set).')
        if self._tokens is None:
            if not _LOOPBACK.match(headers.get(b'host', '')):
                return problem('misdirected', 'Without tokens only loopback host names are served.')
            scope.setdefault('state', {})['principal'] = LOCAL
            return None
        scheme, _, token = headers.get(b'authorization', '').partition(' ')
        principal = self._tokens.principal(token.strip()) if scheme.lower() == 'bearer' else None
        if principal is None:
            return problem('unauthorized', 'Give a known token as "Authorization: Bearer TOKEN".')
        role = Role.DATAPLANE if link else needed(scope['method'], scope['path'])
        if principal.role not in ALLOWED[role]:
            return problem('forbidden', f'{principal.name} has the role {principal.role}; this needs {role}.')
        scope.setdefault('state', {})['principal'] = principal
        return None
