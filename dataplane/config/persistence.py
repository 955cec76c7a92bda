"""config: what else keeps a client at its server: `force-persist`, `ignore-persist`, dynamic cookies, connections of its own
(configuration manual 4.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.config.naming import is_token
from dataplane.config.problems import Rejected, shown
from dataplane.config.values import MAX_INT, parse_int
from dataplane.rules.actions import Persist
from dataplane.rules.phases import Phase

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line
    from dataplane.config.ruling import Ruling

_FRAMING: Final = frozenset(('connection', 'content-length', 'host', 'transfer-encoding', 'upgrade'))


def parse_persist(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """`force-persist` and `ignore-persist` with their condition, which is looked at once the backend is known."""
    keyword = line.words[0]
    if line.word(1) not in ('if', 'unless'):
        msg = f"'{keyword}' requires either 'if' or 'unless' followed by a condition."
        raise Rejected(msg)
    scope = ruling.scope(Phase.BACKEND_REQUEST, proxy)
    condition = ruling.condition(line.words[1:], scope)
    ruling.warn(line, scope)
    proxy.persistence.append(Persist(keyword == 'ignore-persist', condition))


def parse_cookie_key(line: Line, proxy: ProxyDraft) -> None:
    """`dynamic-cookie-key KEY`: the secret part of what values of dynamic cookies are made from."""
    if not line.word(1):
        msg = "'dynamic-cookie-key' expects <key> as argument."
        raise Rejected(msg)
    line.at_most(1)
    proxy.cookie_key = line.word(1)


def parse_max_keep_alive_queue(line: Line, proxy: ProxyDraft) -> None:
    """`max-keep-alive-queue N`: with so many waiting for its last server a client goes elsewhere; -1: never."""
    line.at_most(1)
    number = parse_int(line.word(1), 'max-keep-alive-queue', -1, MAX_INT)
    proxy.max_keep_alive_queue = None if number < 0 else number


def parse_max_session_srv_conns(line: Line, proxy: ProxyDraft) -> None:
    """`max-session-srv-conns N`: idle connections to servers that are kept for one client."""
    line.at_most(1)
    proxy.max_session_srv_conns = parse_int(line.word(1), 'max-session-srv-conns', 0, MAX_INT)


def parse_send_name_header(line: Line, proxy: ProxyDraft) -> None:
    """`http-send-name-header NAME`: the field in which each server is told its own name."""
    name = line.word(1)
    if not name:
        msg = "'http-send-name-header' requires a header string."
        raise Rejected(msg)
    line.at_most(1)
    if not is_token(name) or name.lower() in _FRAMING:
        msg = f"'http-send-name-header' cannot be '{shown(name)}'."
        raise Rejected(msg)
    proxy.send_name_header = name
