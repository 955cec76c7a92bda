"""config: `stats` lines of proxies (configuration manual 4.2): what makes the statistics page of a section.

Any of them is enough for the section to have the page, as in HAProxy. A line of a `defaults` section counts for every proxy
that begins with it; `stats admin` and `stats http-request` stand in proxies only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dataplane.config.draft import Side
from dataplane.config.problems import Rejected, shown
from dataplane.config.rules import request_phase
from dataplane.config.values import parse_time
from dataplane.rules.acls import rebound
from dataplane.rules.actions import Allow, Deny, Reply
from dataplane.rules.phases import Phase
from dataplane.rules.statspage import DEFAULT_STATS_REALM, Ask, PageRule, StatsPage

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.problems import Report
    from dataplane.config.reader import Line
    from dataplane.config.ruling import Ruling
    from dataplane.core.model import Global
    from dataplane.rules.scope import Scope

_ALWAYS: Final = (('if', 'TRUE'), ('unless', 'FALSE'))
_NEVER: Final = (('if', 'FALSE'), ('unless', 'TRUE'))
_FORBIDDEN: Final = 403


def parse_stats(line: Line, proxy: ProxyDraft, ruling: Ruling, report: Report) -> None:
    """A line `stats WHAT ...` of a proxy or a `defaults` section. Raises Rejected."""
    page = proxy.stats or StatsPage()
    what = line.word(1)
    if what in _SETTINGS:
        proxy.stats = _SETTINGS[what](line, page)
    elif what == 'auth':
        proxy.stats = _auth(line, page, report)
    elif what == 'admin':
        proxy.stats = _admin(line, page, proxy, ruling)
    else:
        proxy.stats = _http_request(line, page, proxy, ruling, report)


def page_of(proxy: ProxyDraft, settings: Global) -> StatsPage | None:
    """The page of a proxy with all that other lines say about it; None where no `stats` line is."""
    page, acls = proxy.stats, proxy.acls
    if page is None:
        return None
    return replace(
        page,
        node=settings.node if page.node == '' else page.node,
        description=settings.description if page.description == '' else page.description,
        scope=tuple(dict.fromkeys(proxy.name if name == '.' else name for name in page.scope)),
        rules=tuple(
            rule if rule.condition is None else replace(rule, condition=rebound(rule.condition, acls))
            for rule in page.rules
        ),
        admin=tuple(None if condition is None else rebound(condition, acls) for condition in page.admin),
    )


# -- what the page is like ----------------------------------------------------------------------------------------------


def _no_more(line: Line, arguments: int) -> None:
    if len(line.words) > arguments + 2:
        name = ' '.join(line.words[:2])
        msg = f"'{shown(name)}' cannot handle unexpected argument '{shown(line.words[arguments + 2])}'."
        raise Rejected(msg)


def _enable(line: Line, page: StatsPage) -> StatsPage:
    _no_more(line, 0)
    return page


def _uri(line: Line, page: StatsPage) -> StatsPage:
    uri = line.word(2)
    if not uri:
        msg = "'uri' needs an URI prefix."
        raise Rejected(msg)
    _no_more(line, 1)
    if not uri.startswith('/') or not uri.isascii() or not uri.isprintable() or ' ' in uri:
        msg = f"'stats uri' : a path begins with '/' and has printable characters only (got '{shown(uri)}')."
        raise Rejected(msg)
    return replace(page, uri=uri)


def _realm(line: Line, page: StatsPage) -> StatsPage:
    if not line.word(2):
        msg = "'realm' needs an realm name."
        raise Rejected(msg)
    _no_more(line, 1)
    return replace(page, realm=_quotable(line.word(2), "'stats realm'"))


def _quotable(realm: str, what: str) -> str:
    """A realm as it may stand between quotes in a field."""
    if not realm.isprintable() or '"' in realm or '\\' in realm:
        msg = f"{what} : a realm has printable characters, no quotes and no backslashes (got '{shown(realm)}')."
        raise Rejected(msg)
    return realm


def _refresh(line: Line, page: StatsPage) -> StatsPage:
    _no_more(line, 1)
    milliseconds = parse_time(line.word(2), 'stats refresh', unit='s')
    return replace(page, refresh=-(-milliseconds // 1000))


def _hide_version(line: Line, page: StatsPage) -> StatsPage:
    _no_more(line, 0)
    return replace(page, version=False)


def _show_version(line: Line, page: StatsPage) -> StatsPage:
    _no_more(line, 0)
    return replace(page, version=True)


def _show_legends(line: Line, page: StatsPage) -> StatsPage:
    _no_more(line, 0)
    return replace(page, legends=True)


def _show_node(line: Line, page: StatsPage) -> StatsPage:
    _no_more(line, 1)
    return replace(page, node=_printable(line.word(2), 'show-node'))


def _show_desc(line: Line, page: StatsPage) -> StatsPage:
    return replace(page, description=_printable(' '.join(line.words[2:]), 'show-desc'))


def _printable(text: str, what: str) -> str:
    if not text.isprintable():
        msg = f"'stats {what}' expects printable characters."
        raise Rejected(msg)
    return text


def _scope(line: Line, page: StatsPage) -> StatsPage:
    if not line.word(2):
        msg = "'scope' needs a proxy name."
        raise Rejected(msg)
    _no_more(line, 1)
    return replace(page, scope=(*page.scope, line.word(2)))


_SETTINGS: Final[dict[str, Callable[[Line, StatsPage], StatsPage]]] = {
    'enable': _enable,
    'hide-version': _hide_version,
    'realm': _realm,
    'refresh': _refresh,
    'scope': _scope,
    'show-desc': _show_desc,
    'show-legends': _show_legends,
    'show-node': _show_node,
    'show-version': _show_version,
    'uri': _uri,
}
STATS: Final = tuple(f'stats {what}' for what in (*_SETTINGS, 'auth', 'admin', 'http-request'))
"""The keywords handled here."""

# -- who may see it, and who may do something -----------------------------------------------------------------------------


def _auth(line: Line, page: StatsPage, report: Report) -> StatsPage:
    account = line.word(2)
    if not account:
        msg = "'auth' needs a user:password account."
        raise Rejected(msg)
    _no_more(line, 1)
    user, colon, password = account.partition(':')
    if not colon:
        # HAProxy takes it for a user without a password, which is never what was meant
        msg = "'stats auth' : the account has no ':' between user and password."
        raise Rejected(msg)
    if any(user == known for known, _ in page.users):
        report.warning(line.file, line.number, f"'stats auth' : ignoring duplicated user '{shown(user)}'.")
        return page
    return replace(page, users=(*page.users, (user, password)))


def _place(proxy: ProxyDraft, ruling: Ruling) -> Scope:
    """Where the conditions are asked: with the rules for requests."""
    return ruling.scope(Phase.BACKEND_REQUEST if proxy.side is Side.BACKEND else request_phase(proxy), proxy)


def _admin(line: Line, page: StatsPage, proxy: ProxyDraft, ruling: Ruling) -> StatsPage:
    words = line.words[2:]
    if not words or words[0] not in ('if', 'unless'):
        msg = "'stats admin' requires either 'if' or 'unless' followed by a condition."
        raise Rejected(msg)
    if words[1:2] and words[1] not in proxy.acls:
        if words in _ALWAYS:
            return replace(page, admin=(*page.admin, None))
        if words in _NEVER:
            return page
    scope = _place(proxy, ruling)
    try:
        condition = ruling.condition(words, scope)
    except Rejected as problem:
        msg = f"error detected while parsing a 'stats admin' rule : {problem}."
        raise Rejected(msg) from None
    ruling.warn(line, scope)
    return replace(page, admin=(*page.admin, condition))


def _http_request(line: Line, page: StatsPage, proxy: ProxyDraft, ruling: Ruling, report: Report) -> StatsPage:
    name, rest = line.word(2), line.words[3:]
    action: Allow | Deny | Ask
    if name == 'allow':
        action = Allow()
    elif name == 'deny':
        action = Deny(Reply(_FORBIDDEN))
    elif name == 'auth':
        realm = DEFAULT_STATS_REALM
        if rest[:1] == ('realm',):
            if not rest[1:2]:
                msg = "'stats http-request auth' : missing realm value."
                raise Rejected(msg)
            realm, rest = _quotable(rest[1], "'stats http-request auth'"), rest[2:]
        action = Ask(realm)
    else:
        msg = f"'stats http-request' expects 'allow', 'deny' or 'auth' (got '{shown(name)}')."
        raise Rejected(msg)
    if page.rules and page.rules[-1].condition is None:
        text = "previous 'stats http-request' has no condition attached, further entries are NOOP."
        report.warning(line.file, line.number, text)
    scope = _place(proxy, ruling)
    try:
        condition = ruling.condition(rest, scope)
    except Rejected as problem:
        msg = f"'stats http-request {name}' : {problem}."
        raise Rejected(msg) from None
    ruling.warn(line, scope)
    return replace(page, rules=(*page.rules, PageRule(action, condition)))
