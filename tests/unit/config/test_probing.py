"""Lines about checks: what they compile to, what is refused, and HAProxy's own verdict on them where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from dataplane.core.checks import Assign, Comment, Connect, Expect, Match, Probe, ProbeKind, Request, Send, Text
from dataplane.rules.actions import SetVar, Unless, UnsetVar
from dataplane.rules.expressions import parse_expression
from dataplane.rules.formats import parse_format
from dataplane.rules.model import Flags, Format, Variable
from dataplane.rules.phases import Phase
from dataplane.rules.scope import Scope
from tests.unit.config.loading import HTTP, backend, backend_error, errors, snapshot

if TYPE_CHECKING:
    from pathlib import Path

DIAL = Connect(implicit=True)
USUAL = Expect(match=Match.STATUS, codes=((200, 399),))


def probe(lines: str) -> Probe:
    return backend(lines.replace(';', '\n ')).probe


def test_without_a_line_it_is_a_connection() -> None:
    assert probe('balance first') == Probe(connect=1_000)


@pytest.mark.parametrize(
    'words, request_',
    [
        ('', Request()),
        ('/health', Request(uri='/health')),
        ('GET /x', Request(method='GET', uri='/x')),
        ('HEAD /x HTTP/1.1', Request(method='HEAD', uri='/x', version='HTTP/1.1')),
        ('GET / HTTP/1.1\\r\\nHost:\\ www\\r\\nX:1',
         Request(method='GET', version='HTTP/1.1', headers=(('Host', 'www'), ('X', '1')))),
        ('PUT / HTTP/1.1\\r\\nHost:\\ w\\r\\n\\r\\nbody', Request(method='PUT', version='HTTP/1.1', headers=(('Host', 'w'),), body='body')),
    ],
)  # fmt: skip
def test_option_httpchk(words: str, request_: Request) -> None:
    assert probe(f'option httpchk {words}').steps == (DIAL, request_, USUAL)


def test_http_check_lines() -> None:
    found = probe(
        'option httpchk;http-check send meth POST uri /p ver HTTP/1.1 hdr Host h hdr A b body "x y" comment c;'
        'http-check expect status 200,300-310;'
        'http-check send-state;http-check disable-on-404;timeout check 5s;option log-health-checks'
    )
    request = Request(
        method='POST',
        uri='/p',
        version='HTTP/1.1',
        headers=(('Host', 'h'), ('A', 'b')),
        body='x y',
        state=True,
        comment='c',
    )
    assert found.steps == (DIAL, request, Expect(match=Match.STATUS, codes=((200, 200), (300, 310))))
    assert (found.kind, found.disable_on_404, found.timeout, found.log_checks) == (ProbeKind.HTTP, True, 5_000, True)


def test_what_send_leaves_out_is_the_options() -> None:
    found = probe('option httpchk GET /x HTTP/1.1;http-check send hdr Host h')
    assert found.steps[1] == Request(method='GET', uri='/x', version='HTTP/1.1', headers=(('Host', 'h'),))


def test_with_connections_of_their_own_the_order_is_as_written() -> None:
    found = probe(
        'option httpchk;http-check connect port 81 comment one;http-check send uri /a;http-check expect rstatus ^2;'
        'http-check connect addr 127.0.0.9 port 82;http-check send uri /b;http-check comment two;http-check expect string ok'
    )
    assert found.steps == (
        Connect(port=81, comment='one'), Request(uri='/a'), Expect(match=Match.RSTATUS, pattern=b'^2'),
        Connect(addr='127.0.0.9', port=82), Request(uri='/b'), Comment(comment='two'), Expect(match=Match.STRING, pattern=b'ok'),
    )  # fmt: skip
    assert probe('option httpchk;http-check connect port 81').steps == (Connect(port=81), Request(), USUAL)


def test_the_answer_to_what_is_asked_last_is_heard() -> None:
    lines = 'option httpchk;http-check connect;http-check send uri /a;http-check expect status 404'
    found = probe(f'{lines};http-check connect;http-check send uri /b;http-check comment end').steps
    assert found[3:] == (Connect(), Request(uri='/b'), USUAL, Comment(comment='end'))


@pytest.mark.parametrize(
    'words, expect',
    [
        ('! string x', Expect(match=Match.STRING, pattern=b'x', negated=True)),
        ('!rstring x.*', Expect(match=Match.RSTRING, pattern=b'x.*', negated=True)),
        ('string x comment c min-recv 2', Expect(match=Match.STRING, pattern=b'x', comment='c', min_recv=2)),
        ('!! string x', Expect(match=Match.STRING, pattern=b'x')),
        ('! rstring x.*', Expect(match=Match.RSTRING, pattern=b'x.*', negated=True)),
        ('min-recv 5 comment c ok-status l6ok error-status l7sts tout-status l4tout string x',
         Expect(match=Match.STRING, pattern=b'x', min_recv=5, comment='c', ok_status='L6OK', error_status='L7STS',
                tout_status='L4TOUT')),
        ('hdr name X', Expect(match=Match.HDR, name=Text(text='X'))),
        ('! fhdr name -m beg X value -m reg ^1', Expect(
            match=Match.FHDR, name=Text(text='X', method='beg'), value=Text(text='^1', method='reg'), negated=True)),
    ],
)  # fmt: skip
def test_http_expectations(words: str, expect: Expect) -> None:
    assert probe(f'option httpchk;http-check expect {words}').steps[2:] == (expect,)


def test_tcp_check_lines() -> None:
    found = probe(
        'option tcp-check;tcp-check comment first;tcp-check send PING\\r\\n comment c;tcp-check send-binary 0aFF;'
        'tcp-check expect binary 2b50;tcp-check expect rbinary ^2B;tcp-check expect ! string no;tcp-check expect rstring a.b'
    )
    assert found.steps == (
        DIAL, Comment(comment='first'), Send(data=b'PING\r\n', comment='c'), Send(data=b'\x0a\xff'),
        Expect(match=Match.BINARY, pattern=b'+P'), Expect(match=Match.RBINARY, pattern=b'^2B'),
        Expect(match=Match.STRING, pattern=b'no', negated=True), Expect(match=Match.RSTRING, pattern=b'a.b'),
    )  # fmt: skip
    assert probe('option tcp-check;tcp-check comment a;tcp-check connect;tcp-check send x').steps[1] == Connect()


def test_steps_are_inherited_until_a_section_has_its_own() -> None:
    text = (
        f'{HTTP} option httpchk GET /d\n http-check expect status 204\n'
        'backend a\n server s 1.1.1.1:1\nbackend b\n http-check expect status 205\n'
    )
    one, two = snapshot(text).backends
    assert one.probe.steps[1:] == (Request(method='GET', uri='/d'), Expect(match=Match.STATUS, codes=((204, 204),)))
    assert two.probe.steps[2:] == (Expect(match=Match.STATUS, codes=((205, 205),)),)


def form(text: str, base: Flags = Flags.NONE) -> Format:
    return parse_format(text, Scope(phase=Phase.CHECK), base=base)


def test_steps_that_keep_and_say_what_expressions_yield() -> None:
    kept = Variable('check', 'p')
    number = Assign(action=SetVar(kept, parse_expression(['int(5)'], 0, Scope())[0], (Unless.IF_NOT_EXISTS,)))
    text, gone = Assign(action=SetVar(kept, form('a%H'))), Assign(action=UnsetVar(kept))
    assert probe(
        'option tcp-check;tcp-check set-var(check.p,ifnotexists) int(5);tcp-check set-var-fmt(check.p) a%H;tcp-check unset-var(check.p);'
        'tcp-check send-lf %[srv_name] comment c;tcp-check send-binary-lf 0%[str(0)]'
    ).steps == (
        DIAL, number, text, gone, Send(data=form('%[srv_name]'), comment='c'), Send(data=form('0%[str(0)]'), hexadecimal=True),
    )  # fmt: skip
    assert probe('option tcp-check;tcp-check set-var(check.p,ifnotexists) int(5);tcp-check connect port 5').steps == (
        number, Connect(port=5),
    )  # fmt: skip


def test_a_request_of_format_strings() -> None:
    found = probe(
        'option httpchk;http-check send uri-lf /%[be_name] hdr Host %[srv_name] hdr A 50%% body-lf %[be_id] uri-lf /x'
    )
    assert found.steps == (
        DIAL, Request(uri='/x', headers=(('Host', form('%[srv_name]', Flags.ENCODED)), ('A', '50%')), body=form('%[be_id]')), USUAL,
    )  # fmt: skip
    [_, request, _] = probe('option httpchk;http-check send uri-lf /%[be_name]').steps
    assert request == Request(uri=form('/%[be_name]', Flags.ENCODED))


def test_what_is_set_before_the_request_is_said_comes_before_it() -> None:
    before, after = ((f'http-check set-var(check.{name}) int(1)') for name in 'xy')
    steps = probe(f'option httpchk;{before};http-check comment c;http-check send meth GET;{after}').steps
    names = [step.action.variable.name if isinstance(step, Assign) else type(step).__name__ for step in steps]
    assert names == ['Connect', 'x', 'Request', 'Expect', 'Comment', 'y']
    steps = probe(f'option httpchk;{before};http-check connect;{after};http-check send meth GET').steps
    names = [step.action.variable.name if isinstance(step, Assign) else type(step).__name__ for step in steps]
    assert names == ['x', 'Connect', 'y', 'Request', 'Expect']


def test_own_lines_ask_for_all_of_a_request() -> None:
    text = (
        f'{HTTP} option httpchk GET /d HTTP/1.1\n http-check send hdr a b\n http-check expect status 204\n'
        'backend a\n server s 1.1.1.1:1\n'
        'backend b\n http-check send hdr c d\n http-check expect status 205\n'
        'backend c\n option httpchk\n'
    )
    first, second, third = (backend.probe.steps for backend in snapshot(text).backends)
    assert first[1] == Request(method='GET', uri='/d', version='HTTP/1.1', headers=(('a', 'b'),))
    assert second[1:] == (Request(headers=(('c', 'd'),)), Expect(match=Match.STATUS, codes=((205, 205),)))
    assert third[1:] == (Request(), Expect(match=Match.STATUS, codes=((200, 399),)))


GOOD = [
    'http-check connect\n http-check connect', 'http-check send uri /a\n http-check send uri /b',
    'option httpchk', 'option httpchk GET /', 'http-check send meth GET uri / ver HTTP/1.1 hdr a b body x', 'http-check send-state',
    'http-check expect ! status 200-299,404', 'http-check expect hdr name a value b', 'http-check disable-on-404',
    'http-check connect port 80 linger comment a', 'tcp-check connect linger',
    'option smtpchk', 'option smtpchk EHLO example.org', 'option smtpchk foo', 'option mysql-check', 'option mysql-check user a',
    'option mysql-check user a pre-41', 'option mysql-check user a post-41', 'option pgsql-check user a', 'option redis-check',
    'option ldap-check', 'option spop-check', 'option ssl-hello-chk', 'http-check comment x', 'option tcp-check', 'tcp-check connect port 5',
    'tcp-check send a', 'tcp-check send-binary 00ff', 'tcp-check expect ! rbinary 00', 'tcp-check expect min-recv 3 string a',
    'option log-health-checks', 'timeout check 5s',
    'http-check set-var(check.x) int(1)', 'http-check set-var-fmt(check.x) "a %H"', 'http-check unset-var(check.x)',
    'http-check set-var(proc.x,ifnotexists) be_id,add(1)', 'http-check send uri-lf /%[be_name] body-lf %[srv_id] hdr a %[srv_name]',
    'tcp-check set-var(check.x) str(a)', 'tcp-check set-var-fmt(sess.x) a%[srv_name]', 'tcp-check unset-var(sess.x)',
    'tcp-check send-lf a%[srv_name] comment x', 'tcp-check send-binary-lf 00%[str(0a)]', 'tcp-check set-var(check.x) int(1)\n tcp-check connect',
    'server s 1.1.1.1:1 check inter 1s fastinter 2s downinter 3s rise 4 fall 5 port 6 addr 1.1.1.2',
    'server s 1.1.1.1:1 check observe layer7 error-limit 5 on-error mark-down',
    'server s 1.1.1.1:1 check on-marked-down shutdown-sessions on-marked-up shutdown-backup-sessions',
    'server s 1.1.1.1:1 agent-check agent-port 5 agent-inter 1s agent-addr 1.1.1.1 agent-send x',
    'server s 1.1.1.1:1 check\n server t 1.1.1.1:1 track s\n server u 1.1.1.1:1 track b/t', 'server s 1.1.1.1 check port 5',
    'default-server check inter 5s\n server s 1.1.1.1:1\n server t 1.1.1.1:1 no-check',
]  # fmt: skip
BAD = [
    'option httpchk\n http-check connect\n http-check send uri /\n http-check connect', 'option httpchk\n http-check connect\n http-check connect',
    'option httpchk\n http-check connect\n http-check expect status 200', 'option httpchk\n http-check expect status 200\n http-check send uri /',
    'option httpchk\n http-check send uri /a\n http-check comment x\n http-check send uri /b',
    'option smtpchk a b c', 'option mysql-check foo', 'option mysql-check user', 'option mysql-check user a 41', 'option mysql-check user a pre-41 b',
    'option pgsql-check', 'option pgsql-check user', 'option pgsql-check name a', 'option pgsql-check user a b', 'option redis-check a',
    'option ldap-check a', 'option spop-check a', 'option ssl-hello-chk a', 'no option smtpchk',
    'option httpchk a b HTTP/1.1 d', 'no option httpchk', 'http-check', 'http-check foo', 'http-check send foo', 'http-check send meth',
    'http-check send hdr a', 'http-check expect', 'http-check expect status', 'http-check expect status 2x', 'http-check expect foo x', 'http-check expect string x ! string y',
    'http-check expect status 200 x', 'http-check expect rstatus (', 'http-check expect hdr value x', 'http-check connect foo',
    'http-check set-var', 'http-check set-var(check.x)', 'http-check set-var(check.x) path',
    'http-check set-var(x) int(1)', 'http-check set-var(check.x int(1)', 'tcp-check send-lf', 'tcp-check send-lf %[foo]',
    'tcp-check send-binary-lf', 'tcp-check send-lf a b', 'http-check send uri-lf', 'http-check send hdr a %[foo]',
    'http-check connect port 0', 'http-check comment', 'tcp-check', 'tcp-check send', 'tcp-check send-binary 0', 'tcp-check send-binary zz',
    'tcp-check expect status 200', 'tcp-check expect string', 'tcp-check send a\n tcp-check connect', 'timeout check',
    'http-check expect ok-status L7RSP string x', 'server s 1.1.1.1 check', 'server s 1.1.1.1:1 check inter 0',
    'server s 1.1.1.1:1 check rise 0', 'server s 1.1.1.1 check port 0', 'server s 1.1.1.1:1 observe foo',
    'server s 1.1.1.1:1 on-error foo', 'server s 1.1.1.1:1 on-marked-down foo', 'server s 1.1.1.1:1 error-limit 0',
    'server s 1.1.1.1:1 agent-check', 'server s 1.1.1.1:1 track none', 'server s 1.1.1.1:1\n server t 1.1.1.1:1 track s',
    'server s 1.1.1.1:1 track t\n server t 1.1.1.1:1 track s', 'server s 1.1.1.1:1 track s',
]  # fmt: skip


@pytest.mark.parametrize('lines', GOOD)
def test_good_lines(lines: str) -> None:
    assert errors(f'{HTTP}backend b\n {lines}\n') == []


@pytest.mark.parametrize('lines', BAD)
def test_bad_lines(lines: str) -> None:
    found = backend_error(lines)
    assert len(found) >= 1
    assert 'not supported yet' not in found[0]


@pytest.mark.skipif(shutil.which('haproxy') is None, reason='HAProxy is not installed')
@pytest.mark.parametrize('lines, good', [*((lines, True) for lines in GOOD), *((lines, False) for lines in BAD)])
def test_haproxy_says_so_too(tmp_path: Path, lines: str, good: bool) -> None:
    front = 'frontend f\n bind 127.0.0.1:1\n default_backend b\n'
    (tmp_path / 'h.cfg').write_text(f'{HTTP}{front}backend b\n {lines}\n')
    done = subprocess.run(['haproxy', '-c', '-f', 'h.cfg'], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ('[ALERT]' not in done.stderr) is good, done.stderr


REFUSED = [
    ('option external-check', 'no program is started'),
    ('external-check command /x', 'no program is started'), ('tcp-check expect string-lf x', 'format strings are not evaluated'),
    ('http-check set-var(check.x) str(a),map(f)', 'failed to open'), ('http-check set-var(check.x) str(a),in_table(b)', 'stick tables'),
    ('http-check expect on-error x status 200', 'not supported'), ('tcp-check connect ssl', 'not supported'),
    ('server s 1.1.1.1:1 check-ssl', 'plain HTTP or TCP'),
    ('http-check set-var(check.x) int(1) y', 'unexpected argument'), ('tcp-check unset-var(check.x) y', 'unexpected argument'),
    ('http-check set-var(check.x) nbsrv(b)', 'not supported yet'), ('http-check set-var(txn.x) int(1)', "no variables of scope 'txn'"),
]  # fmt: skip


@pytest.mark.parametrize('line, reason', REFUSED)
def test_what_is_refused_by_name(line: str, reason: str) -> None:
    [found] = backend_error(line)
    assert reason in found
