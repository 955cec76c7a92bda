"""config: what a log line looks like, and what is noted for it: `log-format`, `option httplog`, `unique-id-*`, `capture cookie`
(configuration manual 4.2 and 8).

The last line about the format of a proxy counts. A line is parsed where it stands, so that also one that another overrides
has to be right.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dataplane.config.draft import Side
from dataplane.config.naming import is_token
from dataplane.config.problems import Rejected, shown
from dataplane.config.reader import Modifier
from dataplane.rules.formats import parse_format
from dataplane.rules.model import Flags
from dataplane.rules.noting import Slot
from dataplane.rules.phases import Phase

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.problems import Report
    from dataplane.config.reader import Line
    from dataplane.config.ruling import Ruling
    from dataplane.rules.model import Format

CLF: Final = (
    '%{+Q}o %{-Q}ci - - [%trg] %r %ST %B "" "" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta %tsc %ac %fc %bc %sc %rc %sq %bq '
    '%CC %CS %hrl %hsl'
)
"""What `option httplog clf` stands for."""
TCP: Final = '%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq'
HTTPS: Final = (
    '%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r '
    '%[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] %[ssl_fc_sni]/%sslv/%sslc'
)
_WHOLE: Final = {'option tcplog': TCP, 'option httpslog': HTTPS}
"""Options that stand for a format of their own."""
_LONGEST: Final = 65_535


class LogFormats:
    """Puts those lines into the draft of the proxy they stand in."""

    def __init__(self, report: Report, ruling: Ruling) -> None:
        self._report = report
        self._ruling = ruling

    def log_format(self, line: Line, proxy: ProxyDraft) -> None:
        """`log-format FORMAT`, and with it that each request is logged."""
        made = self._parsed(line, proxy, Phase.LOG, Flags.MANDATORY, 'log-format')
        self._replaces(line, proxy, 'log-format', made)

    def log_format_sd(self, line: Line, proxy: ProxyDraft) -> None:
        """`log-format-sd FORMAT`: structured data for targets in the format of RFC 5424."""
        made = self._parsed(line, proxy, Phase.LOG, Flags.MANDATORY, 'log-format-sd')
        proxy.formats = replace(proxy.formats, data=made)

    def error_log_format(self, line: Line, proxy: ProxyDraft) -> None:
        """`error-log-format FORMAT`: of a connection that failed before it asked for anything."""
        made = self._parsed(line, proxy, Phase.LOG, Flags.MANDATORY, 'error-log-format')
        proxy.formats = replace(proxy.formats, error=made)

    def httplog(self, line: Line, proxy: ProxyDraft) -> None:
        """`option httplog [clf]`."""
        if line.modifier is not Modifier.NONE:
            msg = f"negation/default is not supported for option '{line.word(1)}'."
            raise Rejected(msg)
        if line.word(2) and line.word(2) != 'clf':
            msg = "keyword 'httplog' only supports option 'clf'."
            raise Rejected(msg)
        if len(line.words) > 3:
            msg = f"'option httplog' cannot handle unexpected argument '{shown(line.word(3))}'."
            raise Rejected(msg)
        if line.word(2):
            made = parse_format(CLF, self._ruling.scope(Phase.LOG, proxy), base=Flags.MANDATORY, merge=True)
            self._replaces(line, proxy, 'option httplog clf', made)
        else:
            self._replaces(line, proxy, 'option httplog', None)

    def whole(self, line: Line, proxy: ProxyDraft) -> None:
        """`option tcplog`, `option httpslog`."""
        name = f'option {line.word(1)}'
        if line.modifier is not Modifier.NONE:
            msg = f"negation/default is not supported for option '{line.word(1)}'."
            raise Rejected(msg)
        if len(line.words) > 2:
            msg = f"'{name}' cannot handle unexpected argument '{shown(line.word(2))}'."
            raise Rejected(msg)
        made = parse_format(_WHOLE[name], self._ruling.scope(Phase.LOG, proxy), base=Flags.MANDATORY, merge=True)
        self._replaces(line, proxy, name, made)

    def unique_id_format(self, line: Line, proxy: ProxyDraft) -> None:
        """`unique-id-format FORMAT`: made once for a request, when its rules have run or one of them asks for it."""
        phase = Phase.REQUEST if proxy.side is Side.FRONTEND else Phase.BACKEND_REQUEST
        made = self._parsed(line, proxy, phase, Flags.ENCODED, 'unique-id')
        proxy.formats = replace(proxy.formats, unique_id=made)

    @staticmethod
    def unique_id_header(line: Line, proxy: ProxyDraft) -> None:
        """`unique-id-header NAME`: the field in which servers are told."""
        if not line.word(1):
            msg = 'unique-id-header expects an argument.'
            raise Rejected(msg)
        line.at_most(1)
        if not is_token(line.word(1)):
            msg = f"'unique-id-header' expects the name of a header field (got '{shown(line.word(1))}')."
            raise Rejected(msg)
        proxy.formats = replace(proxy.formats, unique_header=line.word(1))

    @staticmethod
    def capture_cookie(line: Line, proxy: ProxyDraft) -> None:
        """`capture cookie NAME len N`: cookies whose name begins so are logged with it; `NAME=` means just that one."""
        name, length = line.word(2), line.word(4)
        good = length.isascii() and length.isdigit() and 0 < int(length[:9]) <= _LONGEST
        if not name or line.word(3) != 'len' or not good:
            msg = f"'capture' expects 'cookie' <cookie_name> 'len' <len> from 1 to {_LONGEST}."
            raise Rejected(msg)
        line.at_most(4)
        proxy.formats = replace(proxy.formats, cookie=Slot(int(length), name))

    def _parsed(self, line: Line, proxy: ProxyDraft, phase: Phase, base: Flags, what: str) -> Format:
        keyword = line.words[0]
        if not line.word(1):
            msg = f'{keyword} expects an argument.'
            raise Rejected(msg)
        if len(line.words) > 2:
            msg = f"{keyword} expects only one argument, don't forget to escape spaces!"
            raise Rejected(msg)
        scope = self._ruling.scope(phase, proxy)
        try:
            made = parse_format(line.word(1), scope, base=base, merge=True)
        except Rejected as problem:
            msg = f'failed to parse {what} : {problem}.'
            raise Rejected(msg) from None
        self._ruling.warn(line, scope)
        return made

    def _replaces(self, line: Line, proxy: ProxyDraft, name: str, made: Format | None) -> None:
        if proxy.kind == 'defaults' and proxy.log_format_name:
            text = f"'{name}' overrides previous '{proxy.log_format_name}' in 'defaults' section."
            self._report.warning(line.file, line.number, text)
        proxy.httplog, proxy.log_format_name = True, name
        proxy.formats = replace(proxy.formats, line=made)
