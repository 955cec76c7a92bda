"""config: `retry-on` lines: after which failures a request is tried again (configuration manual 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataplane.config.problems import Rejected, did_you_mean, shown

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line

FAILURES: Final = ('conn-failure', 'empty-response', 'junk-response', 'response-timeout')
STATUSES: Final = (401, 403, 404, 408, 421, 425, 429, 500, 501, 502, 503, 504)
_NO_EARLY_DATA: Final = '0rtt-rejected'
_ALL: Final = frozenset({*FAILURES, _NO_EARLY_DATA, '500', '502', '503', '504'})
_WORDS: Final = (*FAILURES, _NO_EARLY_DATA, *map(str, STATUSES), 'none', 'all-retryable-errors')


def parse_retry_on(line: Line, proxy: ProxyDraft) -> None:
    """`retry-on WORDS`: it replaces what was said before. Raises Rejected."""
    words = line.words[1:]
    if not words:
        msg = "'retry-on' expects at least one of: " + ', '.join(_WORDS) + '.'
        raise Rejected(msg)
    for word in words:
        if word not in _WORDS:
            msg = f"'retry-on' does not know '{shown(word)}'{did_you_mean(word, _WORDS) or '.'}"
            raise Rejected(msg)
    if 'none' in words and len(words) > 1:
        msg = "'retry-on': 'none' stands alone."
        raise Rejected(msg)
    found = set(words) - {'none', 'all-retryable-errors'}
    proxy.retry_on = frozenset(found | _ALL) if 'all-retryable-errors' in words else frozenset(found)
