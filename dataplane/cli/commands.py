"""The commands: which words name one, at which level, and what is said about those that name none.

The usage lines, their order (alphabetical) and the sentences around them are HAProxy's. A word that names nothing is
compared with what could have stood in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum, auto
from typing import Final

from dataplane.cli.session import Answer, Severity
from dataplane.core.model import Level


class Verb(Enum):
    """What a command does; the supervisor has one method for each."""

    ADD_ACL = auto()
    ADD_BACKEND = auto()
    ADD_MAP = auto()
    ADD_SERVER = auto()
    CLEAR_ACL = auto()
    CLEAR_COUNTERS = auto()
    CLEAR_MAP = auto()
    CLEAR_TABLE = auto()
    COMMIT_ACL = auto()
    COMMIT_MAP = auto()
    DEL_ACL = auto()
    DEL_BACKEND = auto()
    DEL_MAP = auto()
    DEL_SERVER = auto()
    DISABLE_AGENT = auto()
    DISABLE_COOKIE = auto()
    DISABLE_FRONTEND = auto()
    DISABLE_HEALTH = auto()
    DISABLE_SERVER = auto()
    DUMP_STATS_FILE = auto()
    ECHO = auto()
    ENABLE_AGENT = auto()
    ENABLE_COOKIE = auto()
    ENABLE_FRONTEND = auto()
    ENABLE_HEALTH = auto()
    ENABLE_SERVER = auto()
    EXPERIMENTAL_MODE = auto()
    EXPERT_MODE = auto()
    GET_ACL = auto()
    GET_MAP = auto()
    GET_VAR = auto()
    GET_WEIGHT = auto()
    HARD_RELOAD = auto()
    HELP = auto()
    OPERATOR = auto()
    PREPARE_ACL = auto()
    PREPARE_MAP = auto()
    PROMPT = auto()
    PUBLISH_BACKEND = auto()
    QUIT = auto()
    RELOAD = auto()
    SET_COOKIE_KEY = auto()
    SET_MAP = auto()
    SET_MAXCONN_FRONTEND = auto()
    SET_MAXCONN_GLOBAL = auto()
    SET_MAXCONN_SERVER = auto()
    SET_RATE_LIMIT = auto()
    SET_SERVER = auto()
    SET_SEVERITY_OUTPUT = auto()
    SET_TABLE = auto()
    SET_TIMEOUT = auto()
    SET_VAR = auto()
    SET_WEIGHT = auto()
    SHOW_ACL = auto()
    SHOW_ACTIVITY = auto()
    SHOW_BACKEND = auto()
    SHOW_CLI_LEVEL = auto()
    SHOW_CLI_SOCKETS = auto()
    SHOW_DEFAULTS = auto()
    SHOW_DEFAULT_SERVER = auto()
    SHOW_DEV = auto()
    SHOW_ENV = auto()
    SHOW_ERRORS = auto()
    SHOW_EVENTS = auto()
    SHOW_FD = auto()
    SHOW_INFO = auto()
    SHOW_LIBS = auto()
    SHOW_MAP = auto()
    SHOW_POOLS = auto()
    SHOW_PROC = auto()
    SHOW_RESOLVERS = auto()
    SHOW_SCHEMA_JSON = auto()
    SHOW_SERVERS_CONN = auto()
    SHOW_SERVERS_STATE = auto()
    SHOW_SESS = auto()
    SHOW_STARTUP_LOGS = auto()
    SHOW_STAT = auto()
    SHOW_TABLE = auto()
    SHOW_TASKS = auto()
    SHOW_THREADS = auto()
    SHOW_VERSION = auto()
    SHUTDOWN_FRONTEND = auto()
    SHUTDOWN_SESSION = auto()
    SHUTDOWN_SESSIONS_SERVER = auto()
    UNPUBLISH_BACKEND = auto()
    USER = auto()
    WAIT = auto()


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: its leading words, its usage line in two halves ('' for a hidden one), and the level it asks for."""

    words: tuple[str, ...]
    verb: Verb
    usage: str
    purpose: str
    level: Level = Level.USER

    @property
    def line(self) -> str:
        """The usage line as `help` shows it."""
        return f'  {self.usage:<40}: {self.purpose}\n'


def _entry(words: str, verb: Verb, usage: str = '', purpose: str = '', level: Level = Level.USER) -> Entry:
    return Entry(tuple(words.split()), verb, usage, purpose, level)


_OPER, _ADMIN = Level.OPERATOR, Level.ADMIN
COMMANDS: Final[tuple[Entry, ...]] = (
    _entry('add acl', Verb.ADD_ACL, 'add acl [@<ver>] <acl> <pattern>', 'add an acl entry'),
    _entry('add backend', Verb.ADD_BACKEND, 'add backend <backend>', 'add a new backend', _ADMIN),
    _entry('add map', Verb.ADD_MAP, 'add map [@<ver>] <map> <key> <val>',
           'add a map entry (payload supported instead of key/val)'),
    _entry('add server', Verb.ADD_SERVER, 'add server <bk>/<srv>', 'create a new server', _ADMIN),
    _entry('clear acl', Verb.CLEAR_ACL, 'clear acl [@<ver>] <acl>', 'clear the contents of this acl'),
    _entry('clear counters', Verb.CLEAR_COUNTERS, 'clear counters [all | server <bk>/<srv>]',
           'clear max statistics counters (or all counters)', _OPER),
    _entry('clear map', Verb.CLEAR_MAP, 'clear map [@<ver>] <map>', 'clear the contents of this map'),
    _entry('clear table', Verb.CLEAR_TABLE, 'clear table <table> [<filter>]*',
           'remove an entry from a table (filter: data/key)', _OPER),
    _entry('commit acl', Verb.COMMIT_ACL, 'commit acl @<ver> <acl>', 'commit the ACL at this version'),
    _entry('commit map', Verb.COMMIT_MAP, 'commit map @<ver> <map>', 'commit the map at this version'),
    _entry('del acl', Verb.DEL_ACL, 'del acl <acl> [<key>|#<ref>]', 'delete acl entries matching <key>'),
    _entry('del backend', Verb.DEL_BACKEND, 'del backend <backend>', 'delete a backend', _ADMIN),
    _entry('del map', Verb.DEL_MAP, 'del map <map> [<key>|#<ref>]', 'delete map entries matching <key>'),
    _entry('del server', Verb.DEL_SERVER, 'del server <bk>/<srv>', 'remove a dynamically added server', _ADMIN),
    _entry('disable agent', Verb.DISABLE_AGENT, 'disable agent', "disable agent checks", _ADMIN),
    _entry('disable dynamic-cookie backend', Verb.DISABLE_COOKIE, 'disable dynamic-cookie backend <bk>',
           'disable dynamic cookies on a specific backend', _ADMIN),
    _entry('disable frontend', Verb.DISABLE_FRONTEND, 'disable frontend <frontend>', 'temporarily disable specific frontend',
           _ADMIN),
    _entry('disable health', Verb.DISABLE_HEALTH, 'disable health', 'disable health checks', _ADMIN),
    _entry('disable server', Verb.DISABLE_SERVER, 'disable server (DEPRECATED)',
           "disable a server for maintenance (use 'set server' instead)", _ADMIN),
    _entry('dump stats-file', Verb.DUMP_STATS_FILE, 'dump stats-file', 'dump stats for restore'),
    _entry('echo', Verb.ECHO, 'echo <text>', 'print text to the output'),
    _entry('enable agent', Verb.ENABLE_AGENT, 'enable agent', 'enable agent checks', _ADMIN),
    _entry('enable dynamic-cookie backend', Verb.ENABLE_COOKIE, 'enable dynamic-cookie backend <bk>',
           'enable dynamic cookies on a specific backend', _ADMIN),
    _entry('enable frontend', Verb.ENABLE_FRONTEND, 'enable frontend <frontend>', 're-enable specific frontend', _ADMIN),
    _entry('enable health', Verb.ENABLE_HEALTH, 'enable health', 'enable health checks', _ADMIN),
    _entry('enable server', Verb.ENABLE_SERVER, 'enable server  (DEPRECATED)',
           "enable a disabled server (use 'set server' instead)", _ADMIN),
    _entry('experimental-mode', Verb.EXPERIMENTAL_MODE, level=_ADMIN),
    _entry('expert-mode', Verb.EXPERT_MODE, level=_ADMIN),
    _entry('get acl', Verb.GET_ACL, 'get acl <acl> <value>', 'report the patterns matching a sample for an ACL'),
    _entry('get map', Verb.GET_MAP, 'get map <acl> <value>', 'report the keys and values matching a sample for a map'),
    _entry('get var', Verb.GET_VAR, 'get var <name>', 'retrieve contents of a process-wide variable', _OPER),
    _entry('get weight', Verb.GET_WEIGHT, 'get weight <bk>/<srv>', "report a server's current weight"),
    _entry('operator', Verb.OPERATOR, 'operator', 'lower the level of the current CLI session to operator'),
    _entry('prepare acl', Verb.PREPARE_ACL, 'prepare acl <acl>', 'prepare a new version for atomic ACL replacement'),
    _entry('prepare map', Verb.PREPARE_MAP, 'prepare map <acl>', 'prepare a new version for atomic map replacement'),
    _entry('publish backend', Verb.PUBLISH_BACKEND, 'publish backend <bk>', 'mark backend as ready for traffic', _ADMIN),
    _entry('set dynamic-cookie-key backend', Verb.SET_COOKIE_KEY, 'set dynamic-cookie-key backend <bk> <k>',
           'change a backend secret key for dynamic cookies', _ADMIN),
    _entry('set map', Verb.SET_MAP, 'set map <map> [<key>|#<ref>] <value>', 'modify a map entry'),
    _entry('set maxconn frontend', Verb.SET_MAXCONN_FRONTEND, 'set maxconn frontend <frontend> <value>',
           "change a frontend's maxconn setting", _ADMIN),
    _entry('set maxconn global', Verb.SET_MAXCONN_GLOBAL, 'set maxconn global <value>',
           'change the per-process maxconn setting', _ADMIN),
    _entry('set maxconn server', Verb.SET_MAXCONN_SERVER, 'set maxconn server <bk>/<srv>',
           "change a server's maxconn setting", _ADMIN),
    _entry('set rate-limit', Verb.SET_RATE_LIMIT, 'set rate-limit <setting> <value>', 'change a rate limiting value', _ADMIN),
    _entry('set server', Verb.SET_SERVER, 'set server <bk>/<srv> [opts]',
           "change a server's state, weight, address or ssl", _ADMIN),
    _entry('set severity-output', Verb.SET_SEVERITY_OUTPUT, 'set severity-output [none|number|string]',
           'set presence of severity level in feedback information'),
    _entry('set table', Verb.SET_TABLE, 'set table <table> key <k> [data.* <v>]*',
           "update or create a table entry's data", _OPER),
    _entry('set timeout', Verb.SET_TIMEOUT, 'set timeout [cli] <delay>', 'change a timeout setting'),
    _entry('set var', Verb.SET_VAR),
    _entry('set weight', Verb.SET_WEIGHT, 'set weight <bk>/<srv>  (DEPRECATED)',
           "change a server's weight (use 'set server' instead)", _ADMIN),
    _entry('show acl', Verb.SHOW_ACL, 'show acl [@<ver>] <acl>]', "report available acls or dump an acl's contents"),
    _entry('show activity', Verb.SHOW_ACTIVITY, 'show activity',
           'show per-worker activity stats (for support/developers)'),
    _entry('show backend', Verb.SHOW_BACKEND, 'show backend', 'list backends in the current running config'),
    _entry('show cli level', Verb.SHOW_CLI_LEVEL, 'show cli level', 'display the level of the current CLI session'),
    _entry('show cli sockets', Verb.SHOW_CLI_SOCKETS, 'show cli sockets', 'dump list of cli sockets'),
    _entry('show default-server', Verb.SHOW_DEFAULT_SERVER, 'show default-server [<backend>]',
           'list default-server settings that servers may begin with'),
    _entry('show defaults', Verb.SHOW_DEFAULTS, 'show defaults', 'list named defaults sections'),
    _entry('show dev', Verb.SHOW_DEV, 'show dev', 'show debug info for developers', _OPER),
    _entry('show env', Verb.SHOW_ENV, 'show env [var]', 'dump environment variables known to the process', _OPER),
    _entry('show errors', Verb.SHOW_ERRORS, 'show errors [<px>] [request|response]',
           'report last request and/or response errors for each proxy', _OPER),
    _entry('show events', Verb.SHOW_EVENTS, 'show events [<sink>] [-w] [-n] [-0]', 'show event sink state'),
    _entry('show fd', Verb.SHOW_FD, 'show fd [num]', 'dump list of file descriptors in use or a specific one', _OPER),
    _entry('show info', Verb.SHOW_INFO, 'show info [desc|json|typed|float]*',
           'report information about the running process'),
    _entry('show libs', Verb.SHOW_LIBS, 'show libs', 'show loaded object files and libraries', _OPER),
    _entry('show map', Verb.SHOW_MAP, 'show map [@ver] [map]', "report available maps or dump a map's contents"),
    _entry('show pools', Verb.SHOW_POOLS, 'show pools', 'report information about the memory usage'),
    _entry('show resolvers', Verb.SHOW_RESOLVERS, 'show resolvers [id]',
           'dumps counters from all resolvers section and associated name servers'),
    _entry('show schema json', Verb.SHOW_SCHEMA_JSON, 'show schema json', 'report schema used for stats'),
    _entry('show servers conn', Verb.SHOW_SERVERS_CONN, 'show servers conn [<backend>]',
           'dump server connections status (all or for a single backend)'),
    _entry('show servers state', Verb.SHOW_SERVERS_STATE, 'show servers state [<backend>]',
           'dump volatile server information (all or for a single backend)'),
    _entry('show sess', Verb.SHOW_SESS, 'show sess [help|<id>|all|susp|older...]',
           'report the list of current streams or dump this exact stream', _OPER),
    _entry('show startup-logs', Verb.SHOW_STARTUP_LOGS, 'show startup-logs', 'report logs emitted during startup', _OPER),
    _entry('show stat', Verb.SHOW_STAT, 'show stat [desc|json|no-maint|typed|up]*',
           'report counters for each proxy and server'),
    _entry('show table', Verb.SHOW_TABLE, 'show table <table> [<filter>]*',
           "report table usage stats or dump this table's contents (filter: data/key)"),
    _entry('show tasks', Verb.SHOW_TASKS, 'show tasks', 'show running tasks'),
    _entry('show threads', Verb.SHOW_THREADS, 'show threads', 'show some information about the workers'),
    _entry('show version', Verb.SHOW_VERSION, 'show version', 'show version of the current process'),
    _entry('shutdown frontend', Verb.SHUTDOWN_FRONTEND, 'shutdown frontend <frontend>', 'stop a specific frontend', _ADMIN),
    _entry('shutdown session', Verb.SHUTDOWN_SESSION, 'shutdown session [id]', 'kill a specific session', _ADMIN),
    _entry('shutdown sessions server', Verb.SHUTDOWN_SESSIONS_SERVER, 'shutdown sessions server <bk>/<srv>',
           'kill sessions on a server', _ADMIN),
    _entry('unpublish backend', Verb.UNPUBLISH_BACKEND, 'unpublish backend <bk>',
           'remove backend for traffic processing', _ADMIN),
    _entry('user', Verb.USER, 'user', 'lower the level of the current CLI session to user'),
    _entry('wait', Verb.WAIT, 'wait {-h|<delay_ms>} cond [args...]',
           'wait the specified delay or condition (-h to see list)', _ADMIN),
)  # fmt: skip
ALWAYS: Final[tuple[Entry, ...]] = (
    _entry('help', Verb.HELP, 'help [<command>]', 'list matching or all commands'),
    _entry('prompt', Verb.PROMPT, 'prompt [help | n | i | p | timed ]*', 'toggle interactive mode with prompt'),
    _entry('quit', Verb.QUIT, 'quit', 'disconnect'),
)
_CLOSEST: Final = 5
Table = tuple[Entry, ...]


def find(words: Sequence[str], table: Table = COMMANDS) -> Entry | None:
    """The command these words begin with, None when they name none."""
    for entry in (*table, *ALWAYS):
        if tuple(words[: len(entry.words)]) == entry.words:
            return entry
    return None


def unknown(words: Sequence[str], table: Table = COMMANDS) -> Answer:
    """The answer to words that name no command."""
    if words and words[0]:
        head = f"Unknown command: '{words[0]}', but maybe one of the following ones is a better match:\n"
    else:
        head = "Unknown command: ''. Please enter one of the following commands only:\n"
    return Answer(head + _lines(words, table), Severity.INFO)


def help_text(words: Sequence[str], table: Table = COMMANDS) -> Answer:
    """The answer to `help` followed by `words`."""
    return Answer(f'The following commands are valid at this level:\n{_lines(words, table)}', Severity.INFO)


def _lines(words: Sequence[str], table: Table) -> str:
    given = [word for word in words if word]
    depth = max(_common(entry.words, given) for entry in table)
    candidates = [entry for entry in table if entry.usage and _common(entry.words, given) >= depth]
    if depth < len(given):
        if deeper := [entry for entry in candidates if len(entry.words) > depth]:
            candidates = _closest(deeper, given[depth:], depth)
    return ''.join(entry.line for entry in (*candidates, *ALWAYS)).removesuffix('\n')


def _common(words: Sequence[str], given: Sequence[str]) -> int:
    """How many leading words both have in common."""
    count = 0
    while count < min(len(words), len(given)) and words[count] == given[count]:
        count += 1
    return count


def _closest(candidates: list[Entry], words: Sequence[str], position: int) -> list[Entry]:
    """Up to five candidates of which the word at `position`, or a later one, is much like the first of `words`, in their own order.

    Among equals those count whose rest is like the rest: of `shw stat` all that `show` knows is as near, and `show stat` is meant.
    """
    if len(candidates) <= _CLOSEST:
        return candidates
    given = ' '.join(words)
    scores = {
        entry.words: max(_likeness(words[0], other) for other in entry.words[position:])
        + _likeness(given, ' '.join(entry.words[position:]))
        for entry in candidates
    }
    best = sorted(scores.values(), reverse=True)[:_CLOSEST]
    least = max(best[-1], 0.6 * best[0])
    return [entry for entry in candidates if scores[entry.words] >= least][:_CLOSEST]


def _likeness(left: str, right: str) -> float:
    """From 0, nothing in common, to 1."""
    return SequenceMatcher(None, left.lower(), right).ratio()
