"""config: `server`, `server-template` and `default-server` lines in a proxy: what they begin with, and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.config.draft import ServerDraft, Side
from dataplane.config.origins import Settings, begun
from dataplane.config.servers import parse_default_server, parse_server_line, parse_server_template

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dataplane.config.draft import ProxyDraft
    from dataplane.config.problems import Report
    from dataplane.config.reader import Line


class ServerLines:
    """Puts them into the draft of their proxy. `proxies`: all there are so far."""

    def __init__(self, report: Report, proxies: Sequence[ProxyDraft]) -> None:
        self._report, self._proxies = report, proxies
        self.handlers: dict[str, Callable[[Line, ProxyDraft], None]] = {
            'default-server': self._default_server,
            'server': self._server,
            'server-template': self._server_template,
        }

    def _server(self, line: Line, proxy: ProxyDraft) -> None:
        line, fresh = begun(line, 3, proxy.default_settings, self._settings)
        default = ServerDraft() if fresh else proxy.default_server
        proxy.servers.append(parse_server_line(line, proxy.name, default, self._report))

    def _server_template(self, line: Line, proxy: ProxyDraft) -> None:
        line, fresh = begun(line, 4, proxy.default_settings, self._settings)
        default = ServerDraft() if fresh else proxy.default_server
        proxy.servers += parse_server_template(line, proxy.name, default, self._report)

    def _default_server(self, line: Line, proxy: ProxyDraft) -> None:
        line, fresh = begun(line, 1, proxy.default_settings, self._settings)
        settings = line.words[1:]
        default = ServerDraft() if fresh else proxy.default_server
        if settings or not fresh:
            default = parse_default_server(line, default, self._report)
        proxy.default_server = default
        proxy.default_settings = settings if fresh else (*proxy.default_settings, *settings)

    def _settings(self, backend: str) -> Settings | None:
        """What the `default-server` lines of a backend add up to so far; None where there is none of that name."""
        found = (proxy for proxy in self._proxies if proxy.name == backend and proxy.side & Side.BACKEND)
        return next((proxy.default_settings for proxy in found), None)
