"""Checks that speak a protocol, beside the real HAProxy: the same servers, the same file; the same lines, statistics and questions."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.test_health_oracle import Farm, compare, started
from tests.unit.health.words import ldap, mysql, spop

pytestmark = [
    pytest.mark.skipif(shutil.which('haproxy') is None, reason='HAProxy is not installed'),
    pytest.mark.timeout(600),
]

GREETING = mysql(0, b'\x0a8.0.36\0rest of it')
WELCOME = mysql(2, b'\0\0\0\2\0\0\0')
REFUSED = mysql(2, b'\xff\x15\x04#28000Access denied')
LOGIN = {'R': b'R\0\0\0\x08\0\0\0', 'E': b'E\0\0\0\x20SFATAL\0C28000\0Mno such user\0\0'}
HELLO: dict[str, bytes | int | None] = {'version': b'2.0', 'max-frame-size': 16_380, 'capabilities': b'pipelining'}

TALKS: dict[str, tuple[str, list[bytes]]] = {
    'smtp_ok': ('smtpchk', [b'220 here\r\n', b'250 hello\r\n', b'221 bye\r\n']),
    'smtp_ehlo': ('smtpchk EHLO example.org', [b'220 here\r\n', b'250-SIZE\r\n250-HELP\r\n250 DSN\r\n', b'221 2.0.0   bye\r\nmore']),
    'smtp_full': ('smtpchk', [b'554 no room\r\n']),
    'smtp_other': ('smtpchk', [b'SSH-2.0-other\r\n']),
    'smtp_lines': ('smtpchk', [b'220-here\r\n220 still\r\n']),
    'smtp_bare': ('smtpchk', [b'220\r\n', b'250\r\n', b'221\r\n']),
    'smtp_short': ('smtpchk', [b'22']),
    'smtp_refused': ('smtpchk', [b'220 here\r\n', b'550 who are you\r\n']),
    'smtp_half': ('smtpchk', [b'220 here\r\n', b'250-SIZE\r\n']),
    'smtp_rude': ('smtpchk', [b'220 here\r\n', b'250 hello\r\n', b'500 what\r\n']),
    'smtp_mute': ('smtpchk', [b'220 here\r\n', b'']),
    'smtp_empty': ('smtpchk', []),
    'mysql_ok': ('mysql-check', [GREETING]),
    'mysql_full': ('mysql-check', [mysql(0, b'\xff\x10\x04Too many connections')]),
    'mysql_user': ('mysql-check user joe', [GREETING, WELCOME]),
    'mysql_old': ('mysql-check user joe pre-41', [GREETING, WELCOME]),
    'mysql_new': ('mysql-check user joe post-41', [GREETING, WELCOME]),
    'mysql_refused': ('mysql-check user joe', [GREETING, REFUSED]),
    'mysql_half': ('mysql-check', [GREETING[:7]]),
    'mysql_left': ('mysql-check user joe', [GREETING]),
    'mysql_empty': ('mysql-check', []),
    'mysql_long': ('mysql-check', [b'HTTP/1.1 400 Bad Request\r\n\r\n']),
    'pgsql_trust': ('pgsql-check user joe', [b'', LOGIN['R'] + b'\0']),
    'pgsql_md5': ('pgsql-check user joe', [b'', b'R\0\0\0\x0c\0\0\0\x05salt']),
    'pgsql_sasl': ('pgsql-check user joe', [b'', b'R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0']),
    'pgsql_strange': ('pgsql-check user joe', [b'', LOGIN['R'] + b'\x0c']),
    'pgsql_error': ('pgsql-check user joe', [b'', LOGIN['E']]),
    'pgsql_half': ('pgsql-check user joe', [b'', b'R\0\0\0\x08\0']),
    'pgsql_empty': ('pgsql-check user joe', [b'', b'']),
    'redis_ok': ('redis-check', [b'', b'+PONG\r\n']),
    'redis_locked': ('redis-check', [b'', b'-NOAUTH Authentication required.\r\n']),
    'redis_half': ('redis-check', [b'', b'+PO']),
    'redis_empty': ('redis-check', [b'', b'']),
    'ldap_ok': ('ldap-check', [b'', ldap(0)]),
    'ldap_directory': ('ldap-check', [b'', ldap(0, long=4)]),
    'ldap_two': ('ldap-check', [b'', ldap(0, long=2)]),
    'ldap_three': ('ldap-check', [b'', ldap(0, long=3)]),
    'ldap_refused': ('ldap-check', [b'', ldap(49)]),
    'ldap_other': ('ldap-check', [b'', b'HTTP/1.1 400 Bad Request\r\n\r\n']),
    'ldap_search': ('ldap-check', [b'', ldap(0, operation=0x65)]),
    'ldap_half': ('ldap-check', [b'', ldap(0)[:12]]),
    'ldap_empty': ('ldap-check', [b'', b'']),
    'spop_ok': ('spop-check', [b'', spop(101, HELLO)]),
    'spop_more': ('spop-check', [b'', spop(101, {**HELLO, 'engine': None})]),
    'spop_old': ('spop-check', [b'', spop(101, {**HELLO, 'version': b'1.0'})]),
    'spop_nameless': ('spop-check', [b'', spop(101, {'max-frame-size': 1024})]),
    'spop_sizeless': ('spop-check', [b'', spop(101, {'version': b'2.0'})]),
    'spop_small': ('spop-check', [b'', spop(101, {**HELLO, 'max-frame-size': 100})]),
    'spop_large': ('spop-check', [b'', spop(101, {**HELLO, 'max-frame-size': 70_000})]),
    'spop_pieces': ('spop-check', [b'', spop(101, HELLO, flags=0)]),
    'spop_acks': ('spop-check', [b'', spop(103, {})]),
    'spop_empty': ('spop-check', [b'', b'']),
    'tls_alert': ('ssl-hello-chk', [b'', b'\x15\x03\x00\x00\x02\x02\x28']),
    'tls_hello': ('ssl-hello-chk', [b'', b'\x16\x03\x00\x00\x04\x02\0\0\0']),
    'tls_other': ('ssl-hello-chk', [b'', b'HTTP/1.1 400 Bad Request\r\n\r\n']),
    'tls_half': ('ssl-hello-chk', [b'', b'HTTP']),
    'tls_empty': ('ssl-hello-chk', [b'', b'']),
}  # fmt: skip
"""What is checked by which option, and what a server says: at once, and after each time it heard something. Then it closes."""

HANGING = {
    'smtp': ('smtpchk', [b'220 here\r\n', b'550 not yet decided']),
    'mysql': ('mysql-check', [GREETING[:9]]),
    'pgsql': ('pgsql-check user joe', [b'', b'R\0\0\0']),
    'redis': ('redis-check', [b'', b'-ERR\r\n']),
    'ldap': ('ldap-check', [b'', b'\x30\x0c']),
    'spop': ('spop-check', [b'', b'\0\0\0\x09e']),
    'tls': ('ssl-hello-chk', [b'', b'\x16\x03']),
}
"""Who says this much, and no more until the check is given up."""


SILENT = frozenset(f'{name}/s' for name in TALKS if name.startswith(('mysql', 'ldap', 'spop')))
"""Whose results HAProxy 2.6 notes twice when they pass: what the server said is in the line, and no longer in the statistics."""


@dataclass
class Talker:
    """A server that says its lines. `heard`: every conversation that it took to its end, as it was heard."""

    lines: list[bytes]
    hangs: bool = False
    port: int = 0
    heard: set[bytes] = field(default_factory=set)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = b''
        try:
            for at, line in enumerate(self.lines):
                heard += await reader.read(4096) if at else b''
                writer.write(line)
                await writer.drain()
            if self.hangs:
                await reader.read()
            self.heard.add(heard)
        except OSError:
            pass  # a check hung up by a reset
        finally:
            writer.close()

    async def start(self, stack: AsyncExitStack) -> None:
        listening = await asyncio.start_server(self.handle, '127.0.0.1', 0)
        stack.callback(listening.close)
        self.port = listening.sockets[0].getsockname()[1]


@pytest.mark.parametrize('log_checks', [False, True])
async def test_what_is_found_and_said_is_haproxys(tmp_path: Path, log_checks: bool) -> None:
    made, talkers = Farm(), {}
    logging = ['option log-health-checks'] if log_checks else []
    async with AsyncExitStack() as stack:
        for name, (option, lines) in TALKS.items():
            talkers[name] = talker = Talker(lines)
            await talker.start(stack)
            made.add(name, [*logging, f'option {option}'], talker.port, 'check')
        for name, (option, lines) in HANGING.items():
            talker = Talker(lines, hangs=True)
            await talker.start(stack)
            made.add(f'{name}_hangs', [*logging, f'option {option}'], talker.port, 'check', hangs=True)
        sluice = await started(stack, tmp_path, 'sluice', made.text)
        haproxy = await started(stack, tmp_path, 'haproxy', made.text)
        sluice.untold = haproxy.untold = SILENT
        await compare(sluice, haproxy, made)
        for name in (
            'smtp_ok',
            'smtp_ehlo',
            'mysql_user',
            'mysql_old',
            'mysql_new',
            'pgsql_md5',
            'redis_ok',
            'ldap_ok',
            'spop_ok',
        ):
            assert len(talkers[name].heard) == 1, (name, talkers[name].heard)
        assert {len(said) for said in talkers['tls_alert'].heard} == {126}
        assert sluice.rows['smtp_ok/s']['check_status'] == 'L7OK'
        assert sluice.rows['tls_other/s']['status'] == 'DOWN'
