"""config: `cookie` lines: persistence by a cookie (configuration manual 4.2, `cookie`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from dataplane.config.naming import is_token
from dataplane.config.problems import Rejected, Report, did_you_mean, shown
from dataplane.config.values import parse_time
from dataplane.core.cookie import Cookie, CookieMode

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line

_VALUE: Final = re.compile(r'[!#-+\--:<-\[\]-{}~]+', re.ASCII)
_ATTRIBUTE: Final = re.compile(r'[ -:<-~]+', re.ASCII)
_FLAGS: Final = ('indirect', 'nocache', 'postonly', 'preserve', 'dynamic')
_MARKS: Final = {'httponly': 'HttpOnly', 'secure': 'Secure'}
_SPANS: Final = ('maxidle', 'maxlife')
_MODES: Final = {mode.value: mode for mode in CookieMode if mode is not CookieMode.PASSIVE}
_WORDS: Final = (*_MODES, *_FLAGS, *_MARKS, *_SPANS, 'domain', 'attr')


def parse_cookie(line: Line, proxy: ProxyDraft, report: Report) -> None:
    """`cookie NAME [words]`: it is the backend's one cookie. Raises Rejected."""
    name = line.word(1)
    if not is_token(name):
        msg = f"'cookie' expects a cookie name as its first argument (got '{shown(name)}')."
        raise Rejected(msg)
    values: dict[str, Any] = {}
    modes: list[CookieMode] = []
    domains: list[str] = []
    marks: set[str] = set()
    more: list[str] = []
    words = iter(line.words[2:])
    for word in words:
        if word in _MODES:
            modes.append(_MODES[word])
        elif word in _FLAGS:
            values[word] = True
        elif word in _MARKS:
            marks.add(word)
        elif word in _SPANS:
            values[word] = -(-parse_time(next(words, ''), word, unit='s') // 1000)
        elif word == 'domain':
            domains.append(_argument(word, next(words, '')))
        elif word == 'attr':
            more.append(_argument(word, next(words, '')))
        else:
            msg = f"'cookie' does not know '{shown(word)}'{did_you_mean(word, _WORDS) or '.'}"
            raise Rejected(msg)
    # in the order in which HAProxy writes them
    written = [f'domain={domain}' for domain in domains]
    written += [text for mark, text in _MARKS.items() if mark in marks]
    mode = _one_mode(set(modes), values)
    if mode is CookieMode.PASSIVE and not values.get('indirect'):
        report.warning(
            line.file,
            line.number,
            "'cookie' without 'rewrite', 'insert', 'prefix' or 'indirect' has no effect, as in HAProxy.",
        )
        proxy.cookie = None
        return
    proxy.cookie = Cookie(name=name, mode=mode, attributes=(*written, *more), **values)


def _argument(word: str, value: str) -> str:
    if not _ATTRIBUTE.fullmatch(value):
        msg = f"'cookie {word}' expects one argument without ';' (got '{shown(value)}')."
        raise Rejected(msg)
    return value


def _one_mode(modes: set[CookieMode], values: dict[str, Any]) -> CookieMode:
    """The mode, once all words are known to go together."""
    if len(modes) > 1:
        msg = "cookie options 'rewrite', 'insert' and 'prefix' exclude one another."
        raise Rejected(msg)
    mode = next(iter(modes), CookieMode.PASSIVE)
    indirect = values.get('indirect', False)
    if mode is CookieMode.REWRITE and indirect:
        msg = "cookie options 'rewrite' and 'indirect' exclude one another."
        raise Rejected(msg)
    if values.get('preserve', False) and mode is not CookieMode.INSERT and not indirect:
        msg = "cookie option 'preserve' needs 'insert' or 'indirect'."
        raise Rejected(msg)
    return mode


def checked_value(value: str) -> str:
    """A server's cookie value (RFC 6265, 4.1.1, without what dates are set apart by). Raises Rejected."""
    if not _VALUE.fullmatch(value):
        msg = f"'cookie' expects a value without spaces, quotes, commas, ';', '|' and '\\' (got '{shown(value)}')."
        raise Rejected(msg)
    return value
