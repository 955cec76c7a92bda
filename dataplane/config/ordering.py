"""config: rules that stand behind others and are processed before them all the same, which HAProxy warns of.

A line among those of another kind does not wait for its turn: whoever wrote `use_backend` and then `http-request deny` may have meant it to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.problems import Report
    from dataplane.config.reader import Line


def warn_of_order(name: str, line: Line, proxy: ProxyDraft, report: Report) -> None:
    """Tell of a line that comes after one of a kind which is processed later. Such kinds are not inherited from `defaults`."""
    kind = 'tcp-request' if name.startswith('tcp-request ') else name
    if kind not in ('tcp-request', 'http-request', 'redirect'):
        return
    later = {'redirect': proxy.redirects, 'use_backend': proxy.switches, 'use-server': proxy.server_switches}
    for other, rules in later.items():
        if rules and other != kind:
            text = f"a '{kind}' rule placed after a '{other}' rule will still be processed before."
            report.warning(line.file, line.number, text)
            return
