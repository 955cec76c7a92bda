"""What is asked of the statistics page, and how it is answered: plain data, whoever listens (statspage.py, or a worker).

The address of the page is a prefix, as in HAProxy; what follows it says how the page is wanted: `;csv`, `;json`, `;typed`,
`;json-schema`, `;up`, `;no-maint`, `;norefresh`, `;st=CODE` and `scope=TEXT` behind `?` or `&` (management manual, 9.1). The same
words are understood behind `?` and `&`, since that is how a form in a browser says them, and so is `problems`, which is Sluice's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote, unquote_plus

MOST_SCOPE: Final = 64
"""Characters of the text that names of proxies are searched for."""


class Shape(StrEnum):
    """What the figures are written as; the value is the word for it, and '' the page for people."""

    PAGE = ''
    CSV = 'csv'
    JSON = 'json'
    TYPED = 'typed'
    SCHEMA = 'json-schema'


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request. `target` as it was sent; `granted`: the conditions of `stats admin` hold; other words are header fields."""

    method: str
    target: str
    host: str = ''
    authorization: str = ''
    origin: str = ''
    referer: str = ''
    fetch_site: str = ''
    accept_encoding: str = ''
    body: bytes | None = b''
    """None: it was larger than is read."""
    granted: bool = False
    address: str = ''


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, without what is said about the connection and the length."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes = b''


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the page is wanted."""

    shape: Shape = Shape.PAGE
    up: bool = False
    no_maint: bool = False
    problems: bool = False
    norefresh: bool = False
    scope: str = ''
    said: str = ''
    """What the last action came to, as its answer said (`st`)."""

    def address(self, uri: str) -> str:
        """The address of the same view."""
        words = (
            (self.shape.value, bool(self.shape)),
            ('up', self.up),
            ('no-maint', self.no_maint),
            ('problems', self.problems),
            ('norefresh', self.norefresh),
        )
        said = f';st={self.said}' if self.said else ''
        return uri + said + ''.join(f';{word}' for word, there in words if there) + self._scope(uri)

    def _scope(self, uri: str) -> str:
        if not self.scope:
            return ''
        return f'{"&" if "?" in uri else "?"}scope={quote(self.scope, safe="")}'


def options_of(target: str, uri: str) -> Options | None:
    """How a target asks for the page at `uri`; None when it asks for something else."""
    if not target.startswith('/'):
        target = '/' + target.partition('://')[2].partition('/')[2]
    if not uri or not target.startswith(uri):
        return None
    words: set[str] = set()
    values: dict[str, str] = {}
    for token in re.split('[;?&]', target[len(uri) :])[1:]:
        name, equals, value = token.partition('=')
        if name == 'show':  # the form's choice
            words.add(value)
        elif equals:
            values.setdefault(name, value)
        words.add(name)
    return Options(
        shape=next((shape for shape in Shape if shape and shape in words), Shape.PAGE),
        up='up' in words,
        no_maint='no-maint' in words,
        problems='problems' in words,
        norefresh='norefresh' in words,
        scope=unquote_plus(values.get('scope', ''))[:MOST_SCOPE],
        said=values.get('st', '')[:8],
    )
