"""config: the `global` section (configuration manual 3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplane.config.address import LookUp, no_names
from dataplane.config.declared import parse_declared
from dataplane.config.defaultpath import DefaultPath
from dataplane.config.headernames import CaseAdjusting
from dataplane.config.logs import parse_log_line
from dataplane.config.problems import Rejected, shown
from dataplane.config.reader import Modifier
from dataplane.config.statefiles import parse_global
from dataplane.config.statssocket import parse_stats_socket
from dataplane.config.statuscodes import code_handlers
from dataplane.config.unixbind import parse_unix_bind
from dataplane.config.values import parse_int, parse_size, parse_time
from dataplane.core.model import OnPartition
from dataplane.core.outbound import ControlPlane

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.config.draft import GlobalDraft
    from dataplane.config.errorfiles import ReadFile
    from dataplane.config.problems import Report
    from dataplane.config.reader import Line, Scope

MAX_THREADS: Final = 64
_SHORTEST_ISOLATION: Final = 100
_NODE: Final = re.compile(r'[A-Za-z0-9._-]+', re.ASCII)
_URL: Final = re.compile(r'(wss?|https?)://[^\s/?#@]+(/[^\s#]*)?')
_LINK_FILES: Final = ('token-file', 'ca-file', 'cert-file', 'key-file')
_VARIABLES: Final = {'global': 'whole', 'proc': 'proc', 'sess': 'sess', 'txn': 'txn', 'reqres': 'reqres'}
_VARIABLE: Final = re.compile(r'[A-Za-z_][A-Za-z0-9_]*', re.ASCII)


class GlobalSection:
    """Puts the lines of `global` sections into a draft; `setenv` and its kin change the scope at once."""

    def __init__(
        self, draft: GlobalDraft, scope: Scope, report: Report, read_file: ReadFile, look_up: LookUp = no_names,
        default_path: DefaultPath | None = None,
    ) -> None:  # fmt: skip
        self._draft, self._scope, self._report, self._look_up = draft, scope, report, look_up
        self.handlers: dict[str, Callable[[Line], None]] = {
            'maxconn': self._maxconn,
            'nbthread': self._nbthread,
            'maxconnrate': self._rate,
            'maxsessrate': self._rate,
            'log': self._log,
            'log-tag': self._text('log_tag', "'log-tag' expects a tag for use in syslog."),
            'log-send-hostname': self._send_hostname,
            'node': self._node,
            'description': self._description,
            'pidfile': self._text('pidfile', "'pidfile' expects a file name as an argument."),
            'state-dir': self._text('state_dir', "'state-dir' expects a directory as an argument."),
            'bootstrap-file': self._text('bootstrap_file', "'bootstrap-file' expects a file name as an argument."),
            'grace': self._grace,
            'spread-checks': self._spread_checks,
            'max-spread-checks': self._max_spread_checks,
            'hard-stop-after': self._hard_stop_after,
            'isolation-timeout': self._isolation_timeout,
            'on-partition': self._on_partition,
            'tune.bufsize': self._size('bufsize'),
            'tune.maxrewrite': self._size('maxrewrite'),
            'tune.http.maxhdr': self._maxhdr,
            'tune.cli.max-payload-size': self._payload,
            **dict.fromkeys((f'tune.vars.{scope}-max-size' for scope in _VARIABLES), self._variables),
            'server-state-base': lambda line: parse_global(line, draft),
            'server-state-file': lambda line: parse_global(line, draft),
            'stats-file': lambda line: parse_global(line, draft),
            'stats': self._stats,
            'control-plane': self._control_plane,
            'set-var': self._set_var,
            'set-var-fmt': self._set_var,
            'setenv': self._setenv,
            'presetenv': self._setenv,
            'unsetenv': self._unsetenv,
            'resetenv': self._resetenv,
            'unix-bind': self._unix_bind,
            'default-path': (default_path or DefaultPath(scope, read_file)).parse,
            **CaseAdjusting(draft, read_file).handlers,
            **code_handlers(draft),
        }

    def _unix_bind(self, line: Line) -> None:
        self._draft.unix_bind = parse_unix_bind(line, self._report)

    def _set_var(self, line: Line) -> None:
        self._draft.declared.append(parse_declared(line, self._scope.env))

    def _set(self, name: str, value: object) -> None:
        self._draft.values[name] = value

    def _text(self, name: str, complaint: str) -> Callable[[Line], None]:
        def handler(line: Line) -> None:
            line.at_most(1)
            if not line.word(1):
                raise Rejected(complaint)
            self._set(name, line.word(1))

        return handler

    def _size(self, name: str) -> Callable[[Line], None]:
        def handler(line: Line) -> None:
            line.at_most(1)
            self._set(name, parse_size(line.word(1), line.words[0], 1_024 if name == 'bufsize' else 0))

        return handler

    def _maxconn(self, line: Line) -> None:
        line.at_most(1)
        self._draft.maxconn = parse_int(line.word(1), 'maxconn', 1)

    def _nbthread(self, line: Line) -> None:
        line.at_most(1)
        self._set('nbthread', parse_int(line.word(1), 'nbthread', 1, MAX_THREADS))

    def _rate(self, line: Line) -> None:
        line.at_most(1)
        self._set(line.words[0], parse_int(line.word(1), line.words[0], 0))

    def _maxhdr(self, line: Line) -> None:
        line.at_most(1)
        self._set('maxhdr', parse_int(line.word(1), 'tune.http.maxhdr', 1, 32_767))

    def _payload(self, line: Line) -> None:
        line.at_most(1)
        self._draft.payload = parse_size(line.word(1), line.words[0], 1_024)

    def _variables(self, line: Line) -> None:
        line.at_most(1)
        scope = line.words[0].removeprefix('tune.vars.').removesuffix('-max-size')
        self._draft.variable_limits[_VARIABLES[scope]] = parse_size(line.word(1), line.words[0], 0)

    def _log(self, line: Line) -> None:
        if line.modifier is Modifier.NO:
            line.at_most(0)
            self._draft.logs.clear()
        else:
            self._draft.logs.append(parse_log_line(line, self._look_up, proxy=False))

    def _send_hostname(self, line: Line) -> None:
        line.at_most(1)
        self._set('log_send_hostname', line.word(1))

    def _node(self, line: Line) -> None:
        line.at_most(1)
        if not _NODE.fullmatch(line.word(1)):
            msg = "'node' requires a name made of letters, digits, '.', '-' and '_'."
            raise Rejected(msg)
        self._set('node', line.word(1))

    def _description(self, line: Line) -> None:
        self._set('description', description_of(line))

    def _grace(self, line: Line) -> None:
        line.at_most(1)
        self._set('grace', parse_time(line.word(1), 'grace'))

    def _spread_checks(self, line: Line) -> None:
        line.at_most(1)
        self._set('spread_checks', parse_int(line.word(1), 'spread-checks', 0, 50))

    def _max_spread_checks(self, line: Line) -> None:
        line.at_most(1)
        self._set('max_spread_checks', parse_time(line.word(1), 'max-spread-checks'))

    def _hard_stop_after(self, line: Line) -> None:
        line.at_most(1)
        self._set('hard_stop_after', parse_time(line.word(1), 'hard-stop-after') or None)

    def _isolation_timeout(self, line: Line) -> None:
        line.at_most(1)
        value = parse_time(line.word(1), 'isolation-timeout')
        if value < _SHORTEST_ISOLATION:
            msg = f"'isolation-timeout' must be at least {_SHORTEST_ISOLATION} ms (was '{shown(line.word(1))}')"
            raise Rejected(msg)
        self._set('isolation_timeout', value)

    def _on_partition(self, line: Line) -> None:
        line.at_most(1)
        if line.word(1) not in set(OnPartition):
            msg = f"'on-partition' expects 'keep' or 'stop' (got '{shown(line.word(1))}')."
            raise Rejected(msg)
        self._set('on_partition', OnPartition(line.word(1)))

    def _control_plane(self, line: Line) -> None:
        url = line.word(1)
        if not _URL.fullmatch(url):
            msg = f"'control-plane' expects a ws://, wss://, http:// or https:// URL (got '{shown(url)}')."
            raise Rejected(msg)
        files: dict[str, str] = {}
        for at in range(2, len(line.words), 2):
            option, value = line.word(at), line.word(at + 1)
            if option not in _LINK_FILES or not value or option in files:
                known = ', '.join(f"'{name} FILE'" for name in _LINK_FILES)
                msg = f"'control-plane' only supports {known}, once each (got '{shown(option)}')."
                raise Rejected(msg)
            files[option] = value
        if 'key-file' in files and 'cert-file' not in files:
            raise Rejected("'control-plane' has a 'key-file' without its 'cert-file'.")
        self._set(
            'control_plane', ControlPlane(url=url, **{name.replace('-', '_'): path for name, path in files.items()})
        )

    def _stats(self, line: Line) -> None:
        what = line.word(1)
        if what == 'socket':
            self._draft.stats_sockets.append(parse_stats_socket(line, self._report, self._look_up))
        elif what == 'timeout':
            line.at_most(2)
            self._set('stats_timeout', self._positive(parse_time(line.word(2), 'stats timeout')))
        elif what == 'maxconn':
            line.at_most(2)
            parse_int(line.word(2), 'stats maxconn', 1)
            self._report.warning(
                line.file, line.number, "'stats maxconn' has no effect: connections to stats sockets are few."
            )
        else:
            msg = f"'stats' only supports 'socket', 'maxconn' and 'timeout' (got '{shown(what)}')"
            raise Rejected(msg)

    @staticmethod
    def _positive(timeout: int) -> int:
        if timeout == 0:
            msg = "'stats timeout' expects a positive value"
            raise Rejected(msg)
        return timeout

    def _setenv(self, line: Line) -> None:
        name = line.words[0]
        if len(line.words) != 3:
            msg = f"'{name}' expects a name and a value."
            raise Rejected(msg)
        if not _VARIABLE.fullmatch(line.word(1)):
            msg = f"'{name}' : '{shown(line.word(1))}' is not a variable's name."
            raise Rejected(msg)
        if name == 'setenv' or line.word(1) not in self._scope.env:
            self._scope.env[line.word(1)] = line.word(2)

    def _unsetenv(self, line: Line) -> None:
        if len(line.words) < 2:
            msg = "'unsetenv' expects at least one variable's name."
            raise Rejected(msg)
        for name in line.words[1:]:
            self._scope.env.pop(name, None)

    def _resetenv(self, line: Line) -> None:
        kept = set(line.words[1:])
        for name in [name for name in self._scope.env if name not in kept]:
            del self._scope.env[name]


def description_of(line: Line) -> str:
    """The text of a `description` line: all its words."""
    text = ' '.join(line.words[1:])
    if not text.strip() or not text.isprintable():
        msg = "'description' expects a string argument of printable characters."
        raise Rejected(msg)
    return text
