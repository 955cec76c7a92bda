"""config: `option` lines of proxies that are supported (configuration manual 4.2)."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from dataplane.config.canned import CANNED
from dataplane.config.draft import Side
from dataplane.config.headernames import parse_restrict_names
from dataplane.config.naming import is_token
from dataplane.config.probing import parse_httpchk, parse_tcp_check_option
from dataplane.config.problems import Rejected, shown
from dataplane.config.reader import Modifier
from dataplane.config.values import MAX_INT, parse_int
from dataplane.core.model import ForwardFor, KeepAlive

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line

FLAGS: Final = {
    'dontlognull': ('dontlognull', False, Side.FRONTEND),
    'log-separate-errors': ('log_separate_errors', False, Side.FRONTEND),
    'logasap': ('logasap', False, Side.FRONTEND),
    'dontlog-normal': ('dontlog_normal', False, Side.FRONTEND),
    'http-ignore-probes': ('http_ignore_probes', False, Side.FRONTEND),
    'socket-stats': ('socket_stats', False, Side.FRONTEND),
    'http-buffer-request': ('buffer_request', False, Side.BOTH),
    'http-use-proxy-header': ('use_proxy_header', False, Side.FRONTEND),
    'abortonclose': ('abortonclose', True, Side.BOTH),
    'allbackups': ('allbackups', False, Side.BACKEND),
    'persist': ('persist', False, Side.BACKEND),
    'prefer-last-server': ('prefer_last_server', False, Side.BACKEND),
    'log-health-checks': ('log_health_checks', False, Side.BACKEND),
    'checkcache': ('checkcache', False, Side.BACKEND),
    'h1-case-adjust-bogus-client': ('adjust_client_case', False, Side.FRONTEND),
    'h1-case-adjust-bogus-server': ('adjust_server_case', False, Side.BACKEND),
}
"""Options that are on or off: attribute of the draft, what HAProxy begins with, halves they mean."""


def parse_option(line: Line, proxy: ProxyDraft) -> None:
    """Apply one supported option to the proxy; `no` switches it off, `default` back to what HAProxy begins with."""
    name = line.word(1)
    if name in FLAGS:
        _flag(line, proxy, name)
    else:
        HANDLERS[name](line, proxy)


def sides_of(option: str) -> Side:
    """Which half of a proxy a supported option means."""
    if option in FLAGS:
        return FLAGS[option][2]
    return {
        'redispatch': Side.BACKEND,
        'httpchk': Side.BACKEND,
        'tcp-check': Side.BACKEND,
        **dict.fromkeys(CANNED, Side.BACKEND),
        'httplog': Side.FRONTEND,
        'tcplog': Side.FRONTEND,
        'httpslog': Side.FRONTEND,
    }.get(option, Side.BOTH)


def _flag(line: Line, proxy: ProxyDraft, name: str) -> None:
    _no_argument(line, 2)
    attribute, initially, _ = FLAGS[name]
    value = {Modifier.NONE: True, Modifier.NO: False, Modifier.DEFAULT: initially}[line.modifier]
    setattr(proxy, attribute, value)


def _keep_alive(line: Line, proxy: ProxyDraft) -> None:
    """The last one wins; taking back one that is not in force changes nothing."""
    _no_argument(line, 2)
    mode = KeepAlive(line.word(1))
    if line.modifier is Modifier.NONE:
        proxy.keep_alive = mode
    elif proxy.keep_alive is mode:
        proxy.keep_alive = KeepAlive.KEEP_ALIVE


def _redispatch(line: Line, proxy: ProxyDraft) -> None:
    if line.modifier is not Modifier.NONE:
        _no_argument(line, 2)
        proxy.redispatch = 0
        return
    _no_argument(line, 3)
    proxy.redispatch = parse_int(line.word(2), 'option redispatch', -MAX_INT) if line.word(2) else -1


def _forwardfor(line: Line, proxy: ProxyDraft) -> None:
    _not_negated(line)
    proxy.forwardfor = _address_field(line, 'X-Forwarded-For', "'except', 'header' and 'if-none'")


def _originalto(line: Line, proxy: ProxyDraft) -> None:
    _not_negated(line)
    proxy.originalto = _address_field(line, 'X-Original-To', "'except' and 'header'")


def _address_field(line: Line, header: str, supported: str) -> ForwardFor:
    """What follows the name of an option that adds an address to the request."""
    what, except_net, if_none, at = f'option {line.word(1)}', None, False, 2
    while at < len(line.words):
        word, value = line.word(at), line.word(at + 1)
        if word == 'if-none' and word in supported:
            if_none, at = True, at + 1
        elif word == 'header':
            if not is_token(value):
                msg = f"'{what} header' expects <header_name> as argument (got '{shown(value)}')."
                raise Rejected(msg)
            header, at = value, at + 2
        elif word == 'except':
            except_net, at = _network(value, what), at + 2
        else:
            msg = f"'{what}' only supports optional values: {supported} (got '{shown(word)}')."
            raise Rejected(msg)
    return ForwardFor(header=header, except_net=except_net, if_none=if_none)


def _network(text: str, what: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        msg = f"'{what} except' expects <address>[/mask] as argument (got '{shown(text)}')."
        raise Rejected(msg) from None


def _no_argument(line: Line, words: int) -> None:
    if len(line.words) > words:
        msg = f"'option {line.word(1)}' cannot handle unexpected argument '{shown(line.words[words])}'."
        raise Rejected(msg)


def _not_negated(line: Line) -> None:
    if line.modifier is not Modifier.NONE:
        msg = f"negation/default is not supported for option '{line.word(1)}'."
        raise Rejected(msg)


HANDLERS: Final[dict[str, Callable[[Line, ProxyDraft], None]]] = {
    'http-keep-alive': _keep_alive,
    'http-server-close': _keep_alive,
    'httpclose': _keep_alive,
    'httpchk': parse_httpchk,
    'tcp-check': parse_tcp_check_option,
    **CANNED,
    'redispatch': _redispatch,
    'forwardfor': _forwardfor,
    'http-restrict-req-hdr-names': parse_restrict_names,
    'originalto': _originalto,
}
"""Options that are more than a flag, by name."""
