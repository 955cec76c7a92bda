"""config: `option httpchk`, `option tcp-check`, and the lines of `http-check` and `tcp-check` (configuration manual 4.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from dataplane.config.naming import is_token
from dataplane.config.problems import Rejected, did_you_mean, shown
from dataplane.config.reader import Modifier
from dataplane.config.serverchecks import check_place
from dataplane.config.values import MAX_INT, parse_int
from dataplane.core.checks import Assign, Comment, Connect, Expect, Match, ProbeKind, Request, Send, Text
from dataplane.rules.regexes import translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line

OK_STATUSES: Final = ('L7OK', 'L7OKC', 'L6OK', 'L4OK')
ERROR_STATUSES: Final = ('L7RSP', 'L7STS', 'L6RSP', 'L4CON')
TIMEOUT_STATUSES: Final = ('L7TOUT', 'L6TOUT', 'L4TOUT')
_HTTP_MATCHES: Final = ('status', 'rstatus', 'string', 'rstring', 'hdr', 'fhdr')
_TCP_MATCHES: Final = ('string', 'rstring', 'binary', 'rbinary')
_NOT_MATCHES: Final = ('string-lf', 'binary-lf')
_METHODS: Final = ('str', 'beg', 'end', 'sub', 'reg')
_NOT_CONNECT: Final = (
    'ssl', 'sni', 'alpn', 'proto', 'send-proxy', 'via-socks4', 'default', 'pool-conn-name', 'check-reuse-pool',
)  # fmt: skip
_HEX: Final = re.compile(r'([0-9A-Fa-f]{2})+', re.ASCII)
_CODES: Final = re.compile(r'([0-9]{1,3})(?:-([0-9]{1,3}))?', re.ASCII)
_MOST: Final = 65_535


class Words:
    """The words of a line from `at` on, taken one after the other."""

    def __init__(self, line: Line, at: int, what: str) -> None:
        self._words, self._at, self.what = line.words, at, what

    def __bool__(self) -> bool:
        return self._at < len(self._words)

    def peek(self) -> str:
        """The next word, '' at the end."""
        return self._words[self._at] if self else ''

    def take(self) -> str:
        """The next word."""
        word = self.peek()
        self._at += 1
        return word

    def argument(self, name: str) -> str:
        """The word that must follow `name`."""
        if not self.peek():
            msg = f"'{self.what} {name}' expects a string as argument."
            raise Rejected(msg)
        return self.take()

    def comment(self) -> str:
        """What may end the line: `comment TEXT`, '' where nothing does."""
        comment = ''
        while self:
            if self.peek() != 'comment':
                raise self.unknown(('comment',))
            self.take()
            comment = self.argument('comment')
        return comment

    def unknown(self, known: tuple[str, ...]) -> Rejected:
        """What is said about the next word when it is none of `known`."""
        names = ', '.join(f"'{name}'" for name in known)
        hint = did_you_mean(self.peek(), known)
        return Rejected(f"'{self.what}' expects {names} but got '{shown(self.peek())}' as argument{hint or '.'}")


# -- options --------------------------------------------------------------------------------------------------------


def parse_httpchk(line: Line, proxy: ProxyDraft) -> None:
    """`option httpchk [URI | METHOD URI [VERSION]]`; headers behind the version, and a body, as old files have them."""
    not_negated(line)
    words = line.words[2:]
    if len(words) > 3:
        msg = f"'option httpchk' cannot handle unexpected argument '{shown(words[3])}'."
        raise Rejected(msg)
    method, uri, version = 'OPTIONS', '/', 'HTTP/1.0'
    if len(words) == 1:
        uri = words[0]
    elif words:
        method, uri = words[0], words[1]
        version = words[2] if len(words) == 3 else version
    version, _, rest = version.partition('\r\n')
    head, _, body = rest.partition('\r\n\r\n')
    headers = [(name.strip(), value.strip()) for name, _, value in (one.partition(':') for one in head.splitlines())]
    for name, value in headers:
        check_header(name, value, 'option httpchk')
    check_request(method, uri, version, 'option httpchk')
    proxy.probe.ask_http(Request(method=method, uri=uri, version=version, headers=tuple(headers), body=body))


def parse_tcp_check_option(line: Line, proxy: ProxyDraft) -> None:
    """`option tcp-check`."""
    not_negated(line)
    if len(line.words) > 2:
        msg = f"'option tcp-check' cannot handle unexpected argument '{shown(line.words[2])}'."
        raise Rejected(msg)
    proxy.probe.kind = ProbeKind.TCP


def not_negated(line: Line) -> None:
    """Raise Rejected where `no` or `default` stands before the option of a check."""
    if line.modifier is not Modifier.NONE:
        msg = f"negation/default is not supported for option '{line.word(1)}'."
        raise Rejected(msg)


def check_request(method: str, uri: str, version: str, what: str) -> None:
    """Raise Rejected where these are no parts of a request line."""
    if not is_token(method):
        msg = f"'{what}' : '{shown(method)}' is no method."
        raise Rejected(msg)
    if not uri or any(char <= ' ' or char == '\x7f' for char in uri):
        msg = f"'{what}' : '{shown(uri)}' is no URI."
        raise Rejected(msg)
    if version not in ('HTTP/1.0', 'HTTP/1.1'):
        msg = f"'{what}' : version '{shown(version)}' is not supported, only HTTP/1.0 and HTTP/1.1 are."
        raise Rejected(msg)


def check_header(name: str, value: str, what: str) -> None:
    """Raise Rejected where this is no header field."""
    if not is_token(name) or any(char in value for char in '\r\n\0'):
        msg = f"'{what}' : '{shown(name)}' with '{shown(value)}' is no header."
        raise Rejected(msg)


# -- http-check -----------------------------------------------------------------------------------------------------


def parse_disable_on_404(line: Line, proxy: ProxyDraft) -> None:
    """`http-check disable-on-404`."""
    line.at_most(1)
    proxy.probe.disable_on_404 = True


def parse_send_state(line: Line, proxy: ProxyDraft) -> None:
    """`http-check send-state`."""
    line.at_most(1)
    proxy.probe.send_state = True


def parse_http_expect(line: Line, proxy: ProxyDraft) -> None:
    """`http-check expect ...`."""
    proxy.probe.add_http(_expect(Words(line, 2, 'http-check expect'), _HTTP_MATCHES))


def parse_http_connect(line: Line, proxy: ProxyDraft) -> None:
    """`http-check connect ...`."""
    proxy.probe.add_http(_connect(Words(line, 2, 'http-check connect')))


def parse_http_comment(line: Line, proxy: ProxyDraft) -> None:
    """`http-check comment TEXT`."""
    proxy.probe.add_http(_comment(line, 'http-check comment'))


# -- tcp-check ------------------------------------------------------------------------------------------------------


def parse_tcp_connect(line: Line, proxy: ProxyDraft) -> None:
    """`tcp-check connect ...`: where any step is one, the first is."""
    steps = () if proxy.probe.tcp_inherited else proxy.probe.tcp
    if steps and not any(isinstance(step, Connect) for step in steps):
        if not all(isinstance(step, Comment | Assign) for step in steps):
            msg = (
                "first step MUST also be a 'connect', optionally preceded by a 'set-var', an 'unset-var' or a "
                "'comment', when there is a 'connect' step in the tcp-check ruleset."
            )
            raise Rejected(msg)
    proxy.probe.add_tcp(_connect(Words(line, 2, 'tcp-check connect')))


def parse_tcp_send(line: Line, proxy: ProxyDraft) -> None:
    """`tcp-check send DATA [comment C]` and `tcp-check send-binary HEX [comment C]`."""
    binary = line.word(1) == 'send-binary'
    words = Words(line, 2, f'tcp-check {line.word(1)}')
    if not words.peek():
        msg = f"'{words.what}' expects a {'hexadecimal ' if binary else ''}string as argument."
        raise Rejected(msg)
    text = words.take()
    data = _hex(text, words.what) if binary else text.encode('utf-8', 'surrogateescape')
    proxy.probe.add_tcp(Send(data=data, comment=words.comment()))


def parse_tcp_expect(line: Line, proxy: ProxyDraft) -> None:
    """`tcp-check expect ...`."""
    proxy.probe.add_tcp(_expect(Words(line, 2, 'tcp-check expect'), _TCP_MATCHES))


def parse_tcp_comment(line: Line, proxy: ProxyDraft) -> None:
    """`tcp-check comment TEXT`."""
    proxy.probe.add_tcp(_comment(line, 'tcp-check comment'))


# -- parts ----------------------------------------------------------------------------------------------------------


def _comment(line: Line, what: str) -> Comment:
    if not line.word(2):
        msg = f"'{what}' expects a string as argument."
        raise Rejected(msg)
    line.at_most(2)
    return Comment(comment=line.word(2))


def _connect(words: Words) -> Connect:
    fields: dict[str, Any] = {}
    while words:
        name = words.peek()
        if name in _NOT_CONNECT:
            msg = f"'{words.what} {name}' is not supported."
            raise Rejected(msg)
        if name not in ('port', 'addr', 'comment', 'linger'):
            raise words.unknown(('addr', 'port', 'comment', 'linger'))
        words.take()
        if name == 'linger':
            fields[name] = True
            continue
        value = words.argument(name)
        if name == 'addr':
            fields['addr'], port = check_place(value, words.what)
            if port:
                fields['port'] = port
        else:
            fields[name] = parse_int(value, f'{words.what} port', 1, _MOST) if name == 'port' else value
    return Connect(**fields)


def _expect(words: Words, matches: tuple[str, ...]) -> Expect:
    """`[min-recv N] [comment C] [ok-status S] [error-status S] [tout-status S] [!] MATCH PATTERN`, in any order."""
    statuses = {'ok-status': OK_STATUSES, 'error-status': ERROR_STATUSES, 'tout-status': TIMEOUT_STATUSES}
    fields: dict[str, Any] = {}
    while words:
        word = words.take()
        name = word.lstrip('!')
        if 'match' in fields and (word != name or name in matches):
            msg = f"'{words.what}' : only one pattern is expected."
            raise Rejected(msg)
        if (len(word) - len(name)) % 2:
            fields['negated'] = not fields.get('negated', False)
        if name in ('on-success', 'on-error', 'status-code') or name in _NOT_MATCHES:
            msg = f"'{words.what} {name}' is not supported: format strings are not evaluated in checks."
            raise Rejected(msg)
        if name == 'min-recv':
            fields['min_recv'] = parse_int(words.argument(name), f'{words.what} min-recv', -1, MAX_INT)
        elif name == 'comment':
            fields['comment'] = words.argument(name)
        elif name in statuses:
            value = words.argument(name).upper()
            if value not in statuses[name]:
                known = ', '.join(f"'{one}'" for one in statuses[name])
                msg = f"'{words.what} {name}' only supports {known} (got '{shown(value)}')."
                raise Rejected(msg)
            fields[name.replace('-', '_')] = value
        elif name in matches:
            fields |= _pattern(name, words)
        elif name:
            hint = did_you_mean(name, matches)
            names = ', '.join(f"[!]'{one}'" for one in matches)
            msg = f"'{words.what}' only supports {names} (got '{shown(name)}'){hint or '.'}"
            raise Rejected(msg)
    if 'match' not in fields:
        msg = f"'{words.what}' expects a pattern to look for."
        raise Rejected(msg)
    return Expect(**fields)


def _pattern(name: str, words: Words) -> dict[str, Any]:
    match = Match(name)
    if match in (Match.HDR, Match.FHDR):
        return {'match': match, **_header(words)}
    if not words.peek():
        msg = f"'{words.what} {name}' expects a pattern as argument."
        raise Rejected(msg)
    text = words.take()
    if match is Match.STATUS:
        return {'match': match, 'codes': _ranges(text, words.what)}
    if match is Match.BINARY:
        return {'match': match, 'pattern': _hex(text, words.what)}
    if match is not Match.STRING:
        text = _regex(text, words.what)
    return {'match': match, 'pattern': text.encode('utf-8', 'surrogateescape')}


def _header(words: Words) -> dict[str, Any]:
    """`name [-m METHOD] NAME [value [-m METHOD] VALUE]`."""
    found: dict[str, Any] = {}
    for part in ('name', 'value'):
        if words.peek() in ('name-lf', 'value-lf'):
            msg = f"'{words.what} {words.peek()}' is not supported: format strings are not evaluated in checks."
            raise Rejected(msg)
        if words.peek() != part:
            if part == 'name':
                raise words.unknown(('name',))
            break
        words.take()
        method = 'str'
        if words.peek() == '-m':
            words.take()
            method = words.argument('-m')
            if method not in _METHODS:
                known = ', '.join(f"'{one}'" for one in _METHODS)
                msg = f"'{words.what} -m' only supports {known} (got '{shown(method)}')."
                raise Rejected(msg)
        text = words.argument(part)
        if method == 'reg':
            text = _regex(text, words.what)
        found[part] = Text(text=text, method=method)
    return found


def _ranges(text: str, what: str) -> tuple[tuple[int, int], ...]:
    ranges = []
    for part in text.split(','):
        found = _CODES.fullmatch(part)
        low, high = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not 0 < low <= high:
            msg = f"'{what} status' : invalid status '{shown(part)}'."
            raise Rejected(msg)
        ranges.append((low, high))
    return tuple(ranges)


def _hex(text: str, what: str) -> bytes:
    if not _HEX.fullmatch(text):
        msg = f"'{what}' : invalid binary string '{shown(text)}' (hexadecimal digits in pairs are expected)."
        raise Rejected(msg)
    return bytes.fromhex(text)


def _regex(text: str, what: str) -> str:
    """The expression as `re` writes it. One that may take forever is taken: searches of checks are watched over."""
    made = translated(text)
    try:
        re.compile(made.encode('utf-8', 'surrogateescape'))
    except (re.error, RecursionError, OverflowError) as problem:
        msg = f"'{what}' : regular expression '{shown(text)}' is invalid ({problem})."
        raise Rejected(msg) from None
    return made


HANDLERS: Final[dict[str, Callable[[Line, ProxyDraft], None]]] = {
    'http-check comment': parse_http_comment,
    'http-check connect': parse_http_connect,
    'http-check disable-on-404': parse_disable_on_404,
    'http-check expect': parse_http_expect,
    'http-check send-state': parse_send_state,
    'tcp-check comment': parse_tcp_comment,
    'tcp-check connect': parse_tcp_connect,
    'tcp-check expect': parse_tcp_expect,
    'tcp-check send': parse_tcp_send,
    'tcp-check send-binary': parse_tcp_send,
}
"""Lines of proxies that belong to checks, by their keyword."""
