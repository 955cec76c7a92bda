"""config: the lines of `defaults`, `frontend`, `listen` and `backend` sections (configuration manual 4)."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from dataplane.config.address import LookUp, no_names
from dataplane.config.balancing import parse_affinity, parse_balance, parse_factor, parse_hash_type
from dataplane.config.binds import parse_bind_line
from dataplane.config.checksteps import RULED as CHECK_STEPS
from dataplane.config.cookies import parse_cookie
from dataplane.config.draft import Side, Target
from dataplane.config.errorpages import parse_errorloc, parse_http_error
from dataplane.config.errorsections import parse_errorfiles
from dataplane.config.forwarding import parse_forwarded
from dataplane.config.general import description_of
from dataplane.config.guids import parse_guid
from dataplane.config.keywords import PROXY, TIMEOUTS
from dataplane.config.logformats import LogFormats
from dataplane.config.logs import parse_log_line
from dataplane.config.modes import parse_mode
from dataplane.config.monitoring import parse_monitor_fail, parse_rate_limit
from dataplane.config.options import parse_option, sides_of
from dataplane.config.ordering import warn_of_order
from dataplane.config.outbound import parse_source
from dataplane.config.persistence import (
    parse_cookie_key,
    parse_max_keep_alive_queue,
    parse_max_session_srv_conns,
    parse_persist,
    parse_send_name_header,
)
from dataplane.config.probing import HANDLERS as PROBING
from dataplane.config.problems import Rejected, Report, did_you_mean, shown
from dataplane.config.reader import Modifier
from dataplane.config.removed import removed
from dataplane.config.retries import parse_retry_on
from dataplane.config.rules import (
    checked_path,
    parse_capture,
    parse_declare,
    parse_force_switch,
    parse_http_after_response,
    parse_http_request,
    parse_http_response,
    parse_inspect_delay,
    parse_redirect_line,
    parse_tcp_request,
    parse_tcp_response,
    request_phase,
)
from dataplane.config.ruling import header_format
from dataplane.config.serverlines import ServerLines
from dataplane.config.statefiles import HANDLERS as STATE_FILES
from dataplane.config.statslines import STATS, parse_stats
from dataplane.config.sticktables import STICKS, parse_stick, parse_stick_table
from dataplane.config.values import MAX_INT, parse_int, parse_time
from dataplane.rules.actions import Switch
from dataplane.rules.phases import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dataplane.config.draft import ProxyDraft
    from dataplane.config.errorfiles import ErrorFiles
    from dataplane.config.reader import Line
    from dataplane.config.ruling import Ruling

_FRONT_TIMEOUTS: Final = ('client', 'client-fin')
_BACK_TIMEOUTS: Final = ('check', 'server', 'connect', 'queue', 'tunnel', 'server-fin')
_SIDES: Final = {
    'backlog': Side.FRONTEND, 'bind': Side.FRONTEND, 'default_backend': Side.FRONTEND, 'maxconn': Side.FRONTEND, 'monitor-uri': Side.FRONTEND,
    'monitor fail': Side.FRONTEND, 'rate-limit sessions': Side.FRONTEND, 'source': Side.BACKEND,
    'tcp-request connection': Side.FRONTEND, 'tcp-request session': Side.FRONTEND, 'capture cookie': Side.FRONTEND,
    'capture request header': Side.FRONTEND, 'capture response header': Side.FRONTEND, 'declare capture': Side.FRONTEND,
    'log-format': Side.FRONTEND, 'log-format-sd': Side.FRONTEND, 'error-log-format': Side.FRONTEND, 'unique-id-format': Side.FRONTEND, 'unique-id-header': Side.FRONTEND,
    'use_backend': Side.FRONTEND, 'use-routes': Side.FRONTEND, 'balance': Side.BACKEND, 'cookie': Side.BACKEND, 'default-server': Side.BACKEND,
    'fullconn': Side.BACKEND, 'hash-balance-factor': Side.BACKEND, 'hash-preserve-affinity': Side.BACKEND, 'hash-type': Side.BACKEND,
    'dynamic-cookie-key': Side.BACKEND, 'force-persist': Side.BACKEND, 'ignore-persist': Side.BACKEND, 'http-send-name-header': Side.BACKEND,
    'max-keep-alive-queue': Side.BACKEND, 'max-session-srv-conns': Side.FRONTEND,
    'http-reuse': Side.BACKEND, 'retries': Side.BACKEND, 'retry-on': Side.BACKEND, 'use-server': Side.BACKEND, **dict.fromkeys(STICKS, Side.BACKEND), 'server': Side.BACKEND, 'server-template': Side.BACKEND,
    'be-unpublished': Side.BACKEND, 'force-be-switch': Side.FRONTEND, 'load-server-state-from-file': Side.BACKEND, 'server-state-file-name': Side.BACKEND,
    'tcp-response content': Side.BACKEND, 'tcp-response inspect-delay': Side.BACKEND,
    **{f'timeout {name}': Side.FRONTEND for name in _FRONT_TIMEOUTS},
    **{f'timeout {name}': Side.BACKEND for name in _BACK_TIMEOUTS},
    **dict.fromkeys((*PROBING, *CHECK_STEPS), Side.BACKEND),
}  # fmt: skip
_NOT_IN_DEFAULTS: Final = (
    'capture request header', 'capture response header', 'declare capture',
    'be-unpublished', 'bind', 'force-be-switch', 'capture cookie', 'redirect', 'server', 'server-template', 'use_backend', 'use-server',
    'use-routes', 'monitor fail', 'force-persist', 'ignore-persist', 'id', 'guid', 'description', 'stats admin', 'stats http-request',
    'stick-table', *STICKS,
)  # fmt: skip
_PLAIN: Final[dict[str, Callable[[Line, ProxyDraft], None]]] = {
    'balance': parse_balance,
    **dict.fromkeys(('capture request header', 'capture response header'), parse_capture),
    'declare capture': parse_declare,
    'dynamic-cookie-key': parse_cookie_key,
    'guid': parse_guid,
    'http-send-name-header': parse_send_name_header,
    'max-keep-alive-queue': parse_max_keep_alive_queue,
    'max-session-srv-conns': parse_max_session_srv_conns,
    **dict.fromkeys(('errorloc', 'errorloc302', 'errorloc303'), parse_errorloc),
    'hash-balance-factor': parse_factor,
    'hash-preserve-affinity': parse_affinity,
    'hash-type': parse_hash_type,
    'rate-limit sessions': parse_rate_limit,
    'retry-on': parse_retry_on,
    'source': parse_source,
    'stick-table': parse_stick_table,
    **dict.fromkeys(('tcp-request inspect-delay', 'tcp-response inspect-delay'), parse_inspect_delay),
    'errorfiles': parse_errorfiles,
}
"""Lines that need nothing but the draft."""
_RULED: Final[dict[str, Callable[..., None]]] = {
    **dict.fromkeys(('force-persist', 'ignore-persist'), parse_persist),
    'force-be-switch': parse_force_switch,
    'http-error': parse_http_error,
    'http-after-response': parse_http_after_response,
    'http-request': parse_http_request,
    'http-response': parse_http_response,
    'monitor fail': parse_monitor_fail,
    **CHECK_STEPS,
    'redirect': parse_redirect_line,
    **dict.fromkeys(STICKS, parse_stick),
    'tcp-response content': parse_tcp_response,
    **{f'tcp-request {what}': parse_tcp_request for what in ('connection', 'content', 'session')},
}
"""Lines with conditions or expressions."""
_ABSOLUTE: Final = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*://[!-~]+')
"""A `monitor-uri` that only requests with the whole of it in their first line ask for."""
_FATAL: Final = ('server', 'default-server', 'server-template')
_WITH_ARGUMENTS: Final = ('http-check', 'tcp-check')
"""Whose second word may have arguments in parentheses."""
_INSTEAD: Final = {'maxconn': 'fullconn', 'fullconn': 'maxconn'}


class ProxySection:
    """Puts the supported lines of one kind of section into the draft of the proxy they stand in."""

    def __init__(
        self, report: Report, error_files: ErrorFiles, ruling: Ruling, proxies: Sequence[ProxyDraft], look_up: LookUp = no_names
    ) -> None:  # fmt: skip
        self._report, self._look_up = report, look_up
        self._error_files = error_files
        self._ruling = ruling
        self._log_formats = formats = LogFormats(report, ruling)
        self.handlers: dict[str, Callable[[Line, ProxyDraft], None]] = {
            **ServerLines(report, proxies).handlers,
            'acl': ruling.acl,
            'backlog': self._backlog,
            'be-unpublished': self._unpublished,
            'bind': self._bind,
            'capture cookie': formats.capture_cookie,
            'cookie': self._cookie,
            'default_backend': self._default_backend,
            'description': self._description,
            **dict.fromkeys(('disabled', 'enabled'), self._disabled),
            'errorfile': self._errorfile,
            'fullconn': self._fullconn,
            'http-reuse': self._http_reuse,
            'id': self._id,
            'log': self._log,
            'log-format': formats.log_format,
            'log-format-sd': formats.log_format_sd,
            'error-log-format': formats.error_log_format,
            'log-tag': self._log_tag,
            'maxconn': self._maxconn,
            'mode': parse_mode,
            'monitor-uri': self._monitor_uri,
            'retries': self._retries,
            **{name: partial(parse_stats, ruling=ruling, report=report) for name in STATS},
            'use-server': self._use_server,
            'unique-id-format': formats.unique_id_format,
            'unique-id-header': formats.unique_id_header,
            'use_backend': self._use_backend,
            'use-routes': self._use_routes,
            **{f'timeout {name}': self._timeout for name in TIMEOUTS},
            **_PLAIN,
            **{name: partial(parse, ruling=ruling) for name, parse in _RULED.items()},
            **PROBING,
            **STATE_FILES,
        }

    def handle(self, name: str, line: Line, proxy: ProxyDraft) -> None:
        """Apply the line of a supported keyword. Raises Rejected."""
        if proxy.kind == 'defaults' and name in _NOT_IN_DEFAULTS:
            msg = f"'{name}' not allowed in 'defaults' section."
            raise Rejected(msg)
        if not self._means(name, line, proxy):
            return
        warn_of_order(name, line, proxy, self._report)
        if name == 'option httplog':
            self._log_formats.httplog(line, proxy)
        elif name in ('option tcplog', 'option httpslog'):
            self._log_formats.whole(line, proxy)
        elif name == 'option forwarded':
            parse_forwarded(line, proxy, self._ruling, self._report)
        elif name.startswith('option '):
            parse_option(line, proxy)
        else:
            self.handlers[name](line, proxy)

    def _means(self, name: str, line: Line, proxy: ProxyDraft) -> bool:
        """Does the keyword mean a half the proxy has? If not, HAProxy warns and ignores it, but for servers."""
        sides = sides_of(line.word(1)) if name.startswith('option ') else _SIDES.get(name, Side.BOTH)
        if sides & proxy.side:
            return True
        missing = 'backend' if sides is Side.BACKEND else 'frontend'
        kind = f"{proxy.kind} '{proxy.name}' has no {missing} capability."
        if name in _FATAL:
            msg = f"'{name}' not allowed because {kind}"
            raise Rejected(msg)
        if name.startswith('timeout '):
            text = f"'{name}' will be ignored because {kind}"
        else:
            hint = f" Maybe you want '{_INSTEAD[name]}' instead ?" if name in _INSTEAD else ''
            text = f"'{name.removeprefix('option ')}' ignored because {kind}{hint}"
        self._report.warning(line.file, line.number, text)
        return False

    @staticmethod
    def _unpublished(line: Line, proxy: ProxyDraft) -> None:
        line.at_most(0)
        proxy.published = False

    def _bind(self, line: Line, proxy: ProxyDraft) -> None:
        proxy.has_bind_line = True
        binds = parse_bind_line(line, proxy.kind, len(proxy.binds) + 1, self._report, self._look_up)
        taken = {bind.id: bind.where for bind in proxy.binds if bind.id}
        if binds[0].id in taken:
            msg = f"'bind {shown(line.word(1))}' : custom id {binds[0].id} already used at {taken[binds[0].id]}"
            raise Rejected(msg)
        proxy.binds += binds

    def _default_backend(self, line: Line, proxy: ProxyDraft) -> None:
        proxy.default_backend = self._target(line, 'default_backend')
        line.at_most(1)

    def _use_server(self, line: Line, proxy: ProxyDraft) -> None:
        name = line.word(1)
        if not name or line.word(2) not in ('if', 'unless'):
            msg = (
                f"'use-server' expects a server and a condition behind 'if' or 'unless' (got '{shown(line.word(2))}')."
            )
            raise Rejected(msg)
        scope = self._ruling.scope(Phase.BACKEND_REQUEST, proxy)
        made = header_format(name, scope) if '%' in name else None
        condition = self._ruling.condition(line.words[2:], scope)
        self._ruling.warn(line, scope)
        proxy.server_switches.append(Switch(made or name, condition))
        proxy.server_targets.append(Target('' if made else name, line.file, line.number))

    def _use_backend(self, line: Line, proxy: ProxyDraft) -> None:
        always = next(
            (at for switch, at in zip(proxy.switches, proxy.targets, strict=True) if not switch.condition), None
        )
        if always is not None:
            text = f"a 'use_backend' without condition comes first at line {always.line}"
            self._report.warning(line.file, line.number, f'{text}: this one is never used.')
            return
        scope = self._ruling.scope(request_phase(proxy), proxy)
        name = line.word(1)
        made = header_format(name, scope) if '%' in name else None
        target = Target('', line.file, line.number) if made is not None else self._target(line, 'use_backend')
        condition = self._ruling.condition(line.words[2:], scope)
        self._ruling.warn(line, scope)
        proxy.switches.append(Switch(made or target.name, condition))
        proxy.targets.append(target)

    @staticmethod
    def _target(line: Line, keyword: str) -> Target:
        name = line.word(1)
        if not name:
            msg = f"'{keyword}' expects a backend name."
            raise Rejected(msg)
        return Target(name, line.file, line.number)

    @staticmethod
    def _use_routes(line: Line, proxy: ProxyDraft) -> None:
        line.at_most(0)
        proxy.use_routes = True

    def _cookie(self, line: Line, proxy: ProxyDraft) -> None:
        parse_cookie(line, proxy, self._report)

    @staticmethod
    def _timeout(line: Line, proxy: ProxyDraft) -> None:
        what = f'timeout {line.word(1)}'
        value = parse_time(line.word(2), what)
        if len(line.words) > 3:
            msg = f"'{what}' : unexpected extra argument '{shown(line.word(3))}' after value '{shown(line.word(2))}'."
            raise Rejected(msg)
        proxy.timeouts[line.word(1)] = value

    @staticmethod
    def _maxconn(line: Line, proxy: ProxyDraft) -> None:
        line.at_most(1)
        proxy.maxconn = parse_int(line.word(1), 'maxconn', 0)

    @staticmethod
    def _fullconn(line: Line, proxy: ProxyDraft) -> None:
        line.at_most(1)
        proxy.fullconn = parse_int(line.word(1), 'fullconn', 0)

    @staticmethod
    def _backlog(line: Line, proxy: ProxyDraft) -> None:
        line.at_most(1)
        proxy.backlog = parse_int(line.word(1), 'backlog', 0)

    @staticmethod
    def _retries(line: Line, proxy: ProxyDraft) -> None:
        line.at_most(1)
        proxy.retries = parse_int(line.word(1), 'retries', 0, MAX_INT)

    @staticmethod
    def _http_reuse(line: Line, proxy: ProxyDraft) -> None:
        line.at_most(1)
        if line.word(1) not in ('never', 'safe', 'aggressive', 'always'):
            msg = f"'http-reuse' only supports 'never', 'safe', 'aggressive', 'always' (got '{shown(line.word(1))}')."
            raise Rejected(msg)
        proxy.http_reuse = line.word(1)

    @staticmethod
    def _id(line: Line, proxy: ProxyDraft) -> None:
        line.at_most(1)
        proxy.id, proxy.id_line = parse_int(line.word(1), 'id', 1), line.number

    @staticmethod
    def _disabled(line: Line, proxy: ProxyDraft) -> None:
        line.at_most(0)
        proxy.disabled = line.words[0] == 'disabled'

    @staticmethod
    def _description(line: Line, proxy: ProxyDraft) -> None:
        proxy.description = description_of(line)

    def _errorfile(self, line: Line, proxy: ProxyDraft) -> None:
        page = self._error_files.parse(line)
        proxy.error_lines.append((page.status, page))

    def _log(self, line: Line, proxy: ProxyDraft) -> None:
        if line.modifier is Modifier.NO:
            line.at_most(0)
            proxy.logs, proxy.log_global = [], False
        elif line.word(1) == 'global':
            line.at_most(1)
            proxy.log_global = True
        else:
            proxy.logs = [*proxy.logs, parse_log_line(line, self._look_up, proxy=True)]

    @staticmethod
    def _log_tag(line: Line, proxy: ProxyDraft) -> None:
        if not line.word(1):
            msg = "'log-tag' expects a tag for use in syslog."
            raise Rejected(msg)
        line.at_most(1)
        proxy.log_tag = line.word(1)

    @staticmethod
    def _monitor_uri(line: Line, proxy: ProxyDraft) -> None:
        line.at_most(1)
        uri = line.word(1)
        if not _ABSOLUTE.fullmatch(uri):
            checked_path(uri, "'monitor-uri'")
        proxy.monitor_uri = uri.encode()


def keyword_of(line: Line) -> str:
    """The longest beginning of the line (up to three words) that is a keyword of proxies; '' when there is none."""
    for count in (3, 2, 1):
        name = ' '.join(line.words[:count])
        if count == 2 and line.words[0] in _WITH_ARGUMENTS:
            name = name.partition('(')[0]
        if len(line.words) >= count and name in PROXY:
            return name
    return ''


def unknown_keyword(line: Line, section: str) -> str:
    """What is said about a line that begins with no known keyword: what the first word may go on with, or a hint."""
    first, second = line.words[0], line.word(1)
    gone = removed(f'option {second}' if first == 'option' else first)
    if gone:
        return gone
    family = [name.removeprefix(f'{first} ') for name in PROXY if name.startswith(f'{first} ')]
    if first == 'option':
        unknown = f"unknown option '{shown(second)}'{did_you_mean(second, family) or '.'}"
        return unknown if second else "'option' expects an option name."
    if family:
        return f"'{first}' supports {', '.join(repr(name) for name in family)} (got '{shown(second)}')"
    hint = did_you_mean(first, [name.split()[0] for name in PROXY])
    return f"unknown keyword '{shown(first)}' in '{section}' section{hint}"
