"""The statistics page: who may see it, what they see, and what they may do; and the exporter. One answer for every way a request
comes here.

A section of its own is listened for by the supervisor (statspage.py); where they are addresses of a proxy with traffic, a worker
asks its rules and hands the request on (workerpages.py). Either way figures are gathered and drawn here, in the supervisor's loop, a
row at a time, and compressed in a thread: a worker that serves traffic only passes finished bytes on. No more than `_AT_ONCE`
are drawn at a time, and no more than `_MOST` requests are under way, forms among them; whoever comes then is told 503.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
import zlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from dataplane.cli import stat
from dataplane.cli.fields import Form
from dataplane.cli.schema import show_schema
from dataplane.supervisor import metrics
from dataplane.supervisor.metrics import Fill
from dataplane.supervisor.pacing import gather
from dataplane.supervisor.pageadmin import Administration, Tokens
from dataplane.supervisor.pageask import Asked, Options, Shape, Told, options_of
from dataplane.supervisor.pagehtml import Sight, draw, needs_a_look

if TYPE_CHECKING:
    from dataplane.cli.stat import Row
    from dataplane.rules.statspage import StatsPage
    from dataplane.supervisor.figures import Figures
    from dataplane.supervisor.verbs import Verbs

METHODS: Final = ('GET', 'HEAD', 'POST')
"""Other methods do not ask for the page."""
HEADERS: Final = (
    ('Cache-Control', 'no-store'),
    (
        'Content-Security-Policy',
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ('X-Content-Type-Options', 'nosniff'),
    # not `no-referrer`, with which a browser would hide where a form comes from, from us as well
    ('Referrer-Policy', 'same-origin'),
)
_AT_ONCE: Final = 2
_MOST: Final = 32
_WORTH: Final = 2_048
_TYPES: Final = {
    Shape.PAGE: 'text/html; charset=utf-8', Shape.CSV: 'text/plain; charset=utf-8', Shape.TYPED: 'text/plain; charset=utf-8',
    Shape.JSON: 'application/json', Shape.SCHEMA: 'application/json',
}  # fmt: skip
_FORMS: Final = {Shape.JSON: Form.JSON, Shape.TYPED: Form.TYPED}
_UNKNOWN: Final = b'<html><body><h1>401 Unauthorized</h1>\nYou need a valid user and password to access this content.\n</body></html>\n'


class PageDesk:
    """One per supervisor. `note(text)`: into the log."""

    def __init__(self, figures: Figures, verbs: Verbs, note: Callable[[str], None]) -> None:
        self._figures, self._verbs = figures, verbs
        self._secret = secret = secrets.token_bytes(32)
        self._tokens = Tokens(secret)
        self._administration = Administration(verbs, lambda: figures.tables, self._tokens, note)
        self._drawing = asyncio.Semaphore(_AT_ONCE)
        self._under_way = 0

    def _fills(self) -> list[Fill]:
        """The stick tables in force."""
        tables = self._verbs.stick_tables().values()
        return [
            Fill(known.name, known.key.value, known.size, table.used)
            for table in tables
            for known in (table.definition,)
        ]

    async def answer(self, asked: Asked, page: StatsPage, proxy: str) -> Told | None:
        """The answer to a request; None where it does not ask for this page. `proxy`: the section the page belongs to."""
        options = options_of(asked.target, page.uri)
        if options is None or asked.method not in METHODS:
            return None
        user = self._user(asked.authorization, page)
        if user is None:
            asks = ('WWW-Authenticate', f'Basic realm="{page.realm}"')
            return Told(401, (('Cache-Control', 'no-cache'), ('Content-Type', 'text/html'), asks), _UNKNOWN)
        if asked.method == 'POST':
            return await self._in_turn(partial(self._acted, asked, page, options, user, proxy))
        return await self._in_turn(partial(self._drawn, asked, page, options, user, proxy))

    async def exposition(self, asked: Asked) -> Told:
        """What the exporter says."""
        try:
            wanted = metrics.wanted(asked.target.partition('?')[2])
        except ValueError as problem:
            return Told(400, (*HEADERS, ('Content-Type', 'text/plain')), f'{problem}\n'.encode())
        return await self._in_turn(partial(self._exposed, asked, wanted))

    async def _in_turn(self, answer: Callable[[], Awaitable[Told]]) -> Told:
        """An answer, unless too many are under way."""
        if self._under_way >= _MOST:
            return Told(
                503, (*HEADERS, ('Content-Type', 'text/plain'), ('Retry-After', '1')), b'Too many ask for this page.\n'
            )
        self._under_way += 1
        try:
            return await answer()
        finally:
            self._under_way -= 1

    async def _acted(self, asked: Asked, page: StatsPage, options: Options, user: str, proxy: str) -> Told:
        """A form is carried out; the answer leads back to the page."""
        said = await self._administration.act(asked, user, proxy, page.scope)
        where = Options(
            up=options.up, norefresh=options.norefresh, no_maint=options.no_maint, scope=options.scope, said=said
        )
        fields = (
            ('Cache-Control', 'no-cache'),
            ('Content-Type', 'text/plain'),
            ('Location', where.address(page.uri)),
        )
        return Told(303, fields)

    def _user(self, authorization: str, page: StatsPage) -> str | None:
        """Who this is: '' where nobody has to say so, None where the credentials are not right.

        All accounts are compared, each by its digest under a key of this process, so that the time this takes tells nothing
        about how much of which was right.
        """
        if not page.users:
            return ''
        scheme, _, rest = authorization.partition(' ')
        try:
            given = base64.b64decode(rest.strip(), validate=True) if scheme.lower() == 'basic' else b''
        except (binascii.Error, ValueError):
            given = b''
        shown, right = self._digest(given), False
        for name, password in page.users:
            right |= hmac.compare_digest(shown, self._digest(f'{name}:{password}'.encode('utf-8', 'surrogateescape')))
        return given.partition(b':')[0].decode('utf-8', 'surrogateescape') if right else None

    def _digest(self, text: bytes) -> bytes:
        return hmac.digest(self._secret, text, hashlib.sha256)

    async def _drawn(self, asked: Asked, page: StatsPage, options: Options, user: str, proxy: str) -> Told:
        fields: tuple[tuple[str, str], ...] = (*HEADERS, ('Content-Type', _TYPES[options.shape]))
        if page.refresh and not options.norefresh:
            fields += (('Refresh', str(page.refresh)),)
        if asked.method == 'HEAD':
            return Told(200, fields)
        if options.shape is Shape.SCHEMA:
            return await _packed(asked, fields, f'{show_schema()}\n')
        form = _FORMS.get(options.shape, Form.TEXT)
        request = stat.StatRequest(form, up=options.up, no_maint=options.no_maint)
        async with self._drawing:
            rows = stat.select(await gather(self._figures.rows()), request)
            rows = [row for row in rows if _is_shown(row, page, options)]
            if options.shape is Shape.PAGE:
                token = self._tokens.of(user, proxy) if asked.granted else None
                sight = Sight(page=page, options=options, info=self._figures.info(), token=token)
                text = ''.join(await gather(draw(rows, sight)))
            else:
                text = f'{stat.assemble(await gather(stat.parts(rows, request, legends=page.legends)), request)}\n'
            return await _packed(asked, fields, text)

    async def _exposed(self, asked: Asked, wanted: metrics.Wanted) -> Told:
        fields = (*HEADERS, ('Content-Type', metrics.CONTENT_TYPE))
        if asked.method == 'HEAD':
            return Told(200, fields)
        async with self._drawing:
            rows = await gather(self._figures.rows())
            pieces = metrics.exposition(rows, self._figures.info(), self._figures.supervision, wanted, self._fills())
            return await _packed(asked, fields, ''.join(await gather(pieces)))


async def _packed(asked: Asked, fields: tuple[tuple[str, str], ...], text: str) -> Told:
    """The answer with this body, compressed where its client takes that and it is worth it."""
    body = text.encode('utf-8', 'surrogateescape')
    if len(body) < _WORTH or not _takes_gzip(asked.accept_encoding):
        return Told(200, fields, body)
    packed = await asyncio.to_thread(_gzip, body)
    return Told(200, (*fields, ('Content-Encoding', 'gzip'), ('Vary', 'Accept-Encoding')), packed)


def _is_shown(row: Row, page: StatsPage, options: Options) -> bool:
    name = row.proxy
    if page.scope and name not in page.scope:
        return False
    if options.scope and options.scope.casefold() not in name.casefold():
        return False
    return not options.problems or needs_a_look(row)


def _takes_gzip(accepted: str) -> bool:
    """Does the client take gzip? One that says `gzip;q=0` does not (RFC 9110, 12.5.3)."""
    for part in accepted.lower().split(','):
        name, _, weight = part.strip().partition(';')
        if name.strip() == 'gzip':
            return weight.replace(' ', '') not in ('q=0', 'q=0.0', 'q=0.00', 'q=0.000')
    return False


def _gzip(body: bytes) -> bytes:
    """In a thread: zlib lets others run meanwhile. The lowest level is enough: rows are much alike."""
    return zlib.compress(body, 1, wbits=31)
