"""config: keywords of old configurations that HAProxy has taken out of its language, and what is written instead.

HAProxy refuses them by name, too; whoever brings a file of its early releases is told the way, not only that a word is unknown.
"""

from __future__ import annotations

from typing import Final

_REPLACE_REQUEST: Final = "'http-request replace-path', 'http-request replace-uri' or 'http-request replace-header'"

REMOVED: Final = {
    **dict.fromkeys(('reqrep', 'reqirep'), _REPLACE_REQUEST),
    'reqadd': "'http-request add-header'",
    **dict.fromkeys(('reqdel', 'reqidel'), "'http-request del-header'"),
    **dict.fromkeys(('reqdeny', 'reqideny', 'block'), "'http-request deny'"),
    **dict.fromkeys(('reqpass', 'reqipass', 'reqallow', 'reqiallow'), "'http-request allow'"),
    **dict.fromkeys(('reqtarpit', 'reqitarpit'), "'http-request tarpit'"),
    **dict.fromkeys(('reqsetbe', 'reqisetbe'), "'use_backend' with a condition"),
    **dict.fromkeys(('rsprep', 'rspirep'), "'http-response replace-header'"),
    'rspadd': "'http-response add-header'",
    **dict.fromkeys(('rspdel', 'rspidel'), "'http-response del-header'"),
    **dict.fromkeys(('rspdeny', 'rspideny'), "'http-response deny'"),
    'contimeout': "'timeout connect'",
    'clitimeout': "'timeout client'",
    'srvtimeout': "'timeout server'",
    'redispatch': "'option redispatch'",
    'appsession': "'stick store-response res.cook(NAME)' and 'stick match req.cook(NAME)'",
    'option forceclose': "'option httpclose'",
    'option http-tunnel': "'option http-keep-alive'",
    'option http-use-htx': 'no line',
}
"""What is written instead, by keyword."""


def removed(keyword: str) -> str:
    """What is said about a keyword that HAProxy has removed; '' of all others."""
    instead = REMOVED.get(keyword)
    return '' if instead is None else f"'{keyword}' does not exist anymore, as in HAProxy: write {instead} instead."
