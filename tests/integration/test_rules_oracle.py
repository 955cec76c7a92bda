"""The rules engine beside one real HAProxy: every expression and condition, over a table of requests, answered by both."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from dataplane.config.lexer import split_words
from dataplane.rules.acls import added, parse_acl, parse_condition
from dataplane.rules.closures import compiled, compiled_format
from dataplane.rules.formats import parse_format
from dataplane.rules.model import Acl, Flags
from dataplane.rules.scope import Scope
from dataplane.rules.stores import Store
from tests.integration.harness.haproxy import needs_haproxy
from tests.unit.rules.cases import FORMATS, REQUEST
from tests.unit.rules.conditions import BAD_CONDITIONS, BAD_FORMATS, CONDITIONS
from tests.unit.rules.conversions import CONVERSIONS
from tests.unit.rules.transaction import Transaction, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = needs_haproxy

HEAD = (
    'global\n nbthread 1\ndefaults\n mode http\n timeout client 20s\n timeout server 5s\n timeout connect 5s\n'
    'frontend f\n bind unix@{path}\n acl named path_beg /a\n acl named hdr(x-a) -m found\n'
)
TAIL = ' default_backend b\nbackend b\n server s1 127.0.0.1:1\n server s2 127.0.0.1:2 weight 3\n'

# what differs from one request to the next, asked of each of them
ASKED = [
    'path', 'pathq', 'url', 'query', 'base', 'base32', 'url32', 'url_ip', 'url_port', 'method', 'req.ver', 'hdr(host)',
    'hdr(x-c)', 'hdr(x-c),length', 'hdr_cnt(x-c)', 'hdr(x-c,1)', 'hdr(x-c,2)', 'hdr(x-c,2),length', 'hdr(x-c,3)', 'hdr(x-c,-2)',
    'req.fhdr(x-c)', 'req.fhdr(x-c,1)', 'req.fhdr_cnt(x-c)', 'hdr_ip(x-ip)', 'hdr_ip(x-ip,1)', 'hdr_ip(x-ip,2)',
    'hdr_ip(x-ip,3)', 'hdr_val(x-v)', 'hdr_val(x-v,1)', 'hdr_val(x-v,2)', 'cook(a)', 'cook(b)', 'cook_cnt(a)', 'cook',
    'cook_cnt', 'cook(c)', 'cook(c),length', 'cook(d)', 'cook(d),length', 'cook(e)', 'cook(f)', 'cook_val(a)',
    'url_param(a)', 'url_param(b)', 'url_param(b),length', 'url_param(c),length', 'url_param(d)', 'url_param(a,;)',
    'url_param(p,/)', 'url_param', 'urlp_val(a)', 'req.body', 'req.body_param(a)', 'req.body_param(b)', 'req.body_param',
    'req.body_len', 'req.body_size', 'req.hdrs', 'req.hdrs_bin,hex', 'req.hdr_names', 'path,url_dec', 'query,url_dec(1)',
    'path,word(-1,/),field(-1,.)', 'hdr(host),host_only', 'hdr(host),port_only', 'hdr(user-agent),crc32', 'path,sdbm(1)',
    'url,xxh64', 'hdr(user-agent),json(utf8s)', 'hdr(accept-language),language(de;en,fr)', 'path,map_beg({beg},none)',
    'path,map_end({end},none)', 'path,map_reg({reg},none)', 'hdr(x-ip,1),map_ip({nets},none)', 'path,map({map})',
    'hdr(x-v,1),map_int({ints},none)', 'path,map_sub({sub},none)', 'path,map_dir({dir},none)',
]  # fmt: skip
HELD = [
    'named', '!named', 'METH_GET', 'METH_POST named', '{{ hdr(x-c) d }}', '{{ hdr(x-c) -m len 1 }}', '{{ hdr_cnt(x-c) ge 4 }}',
    '{{ hdr_ip(x-ip) 1.2.3.0/24 }}', '{{ hdr_ip(x-ip) ::/16 }}', '{{ cook(a) 1 }}', '{{ cook(a) -m int gt 5 }}', '{{ cook -m len 3 }}',
    '{{ url_param(a) 5 }}', '{{ url_param -m str 4 }}', '{{ url_param(b) -m found }}', '{{ req.body -m sub b=2 }}', 'HTTP_URL_ABS',
    'HTTP_URL_STAR', 'HTTP_URL_SLASH', 'HTTP_CONTENT', '{{ path_dir b }}', '{{ hdr_dom(host) -i H }}', '{{ hdr(host) -f {hosts} }}',
    '{{ hdr(host) -i -f {hosts} }}', '{{ path -m beg -M -f {acl} }}', '{{ hdr_val(x-v) ge 7 }}', '{{ hdr_val(x-v) :-1 }}',
    '{{ path_reg ^/[a-z]+(;|$) }}', '{{ path_reg -i ^/P[[:punct:]]A }}', '{{ hdr(user-agent) -m reg Mozilla/([0-9]\\\\.)+ }}',
]  # fmt: skip
REQUESTS = [
    REQUEST,
    (
        b'POST /p;a=9;b=8/p=3?a=1&b=&c&d=4;a=5&=7 HTTP/1.1\r\nHost: hh:1\r\nX-C: a,, "b,c" ,d\r\nX-IP: 1.2.3.4:80\r\n'
        b'X-IP: 300.1.1.1, ::2\r\nX-IP: 10.0.0.300\r\nX-V: 12abc, -5\r\nCookie: a=1,x; b="q;r" ; c=\r\n'
        b'Cookie: d ; a = 7;e=f=g, f=2\r\nContent-Length: 14\r\n\r\na=1&b=2&a=3&c='
    ),
    b'GET http://h.com/x?y HTTP/1.1\r\nHost: h.com\r\nUser-Agent: Mozilla/5.0 (\xc3\xa9)\r\n\r\n',
    b'GET http://1.2.3.4:81/x HTTP/1.1\r\nHost: 1.2.3.4:81\r\nX-IP: 10.9.8.7\r\n\r\n',
    b'GET https://1.2.3.4 HTTP/1.1\r\nHost: 1.2.3.4\r\nX-C: ,\r\nX-V: -13\r\n\r\n',
    b'OPTIONS * HTTP/1.1\r\nHost: H:8080\r\n\r\n',
    b'GET /%41/b%zz+c?b=4+%41&a=5 HTTP/1.1\r\nHost: a.b\r\nAccept-Language: fr;q=0.5, en;q=0.8\r\nX-C: d\r\n\r\n',
    b'GET //x/../y/b HTTP/1.1\r\nHost: X.y\r\nCookie: a=9; abc=abc\r\nX-C: "un,closed\r\n\r\n',
    b'PUT /a/b?x HTTP/1.0\r\nHost: h\r\nContent-Length: 3\r\nX-V: 7\r\n\r\na=b',
]


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp('rules')
    texts = {
        'map': '# of paths\n/a one\n/a/b two words \n/p\tthree\n  /x  four\nb five\n^/[a-z]+$ six\n/a seven\n',
        'nets': '10.0.0.0/8 ten\n10.9.0.0/16 ten-nine\n1.2.3.4 exact\n::/16 low\n',
        'ints': '12 twelve\n:0 negative\n5:10 some\n',
        'hosts': '# hosts\nh.com\n  X.y\n\nH:8080\nhh:1\n',
    }
    # HAProxy mixes up what it makes of one file for converters of several kinds
    texts |= dict.fromkeys(('beg', 'dir', 'end', 'reg', 'sub', 'acl'), texts['map'])
    for name, text in texts.items():
        (folder / name).write_text(text)
    return {name: str(folder / name) for name in texts}


def quoted(text: str) -> str:
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"').replace('$', '\\$') + '"'


class Oracle:
    """One HAProxy with a rule for each case, which the field x-n chooses."""

    def __init__(self, folder: Path, formats: list[str], conditions: list[str]) -> None:
        self.path = folder / 's'
        rules = [f' http-request set-var(txn.c{at}) int(1) if {text}\n' for at, text in enumerate(conditions)]
        asked = [*(f'<{text}>' for text in formats), *(f'<%[var(txn.c{at})]>' for at in range(len(conditions)))]
        for at, text in enumerate(asked):
            answer = f'return status 200 content-type text/plain lf-string {quoted(text)}'
            rules.append(f' http-request {answer} if {{ req.hdr(x-n) -m str {at} }}\n')
        config = folder / 'cfg'
        text = HEAD.format(path=self.path) + ' option http-buffer-request\n' + ''.join(rules) + TAIL
        config.write_text(text, encoding='utf-8')
        self.said = folder / 'said'
        with self.said.open('wb') as said:
            self.process = subprocess.Popen(['haproxy', '-db', '-f', str(config)], stderr=said)
        deadline = time.monotonic() + 20
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(str(self.path))
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise AssertionError(self.said.read_text(errors='replace')) from None

    def ask(self, request: bytes, at: int) -> bytes:
        head, _, body = request.partition(b'\r\n\r\n')
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(10)
            link.connect(str(self.path))
            link.sendall(b'%b\r\nX-N: %d\r\nConnection: close\r\n\r\n%b' % (head, at, body))
            answer = b''.join(iter(lambda: link.recv(65_536), b''))
        assert answer.startswith((b'HTTP/1.1 200', b'HTTP/1.0 200')), answer
        return answer.partition(b'\r\n\r\n')[2][1:-1]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def read(name: str) -> str:
    with open(name, encoding='utf-8') as file:
        return file.read()


@pytest.fixture(scope='module')
def table(files: dict[str, str]) -> tuple[list[str], list[str]]:
    formats = [f'%[{text.format(**files)}]' for text in ASKED]
    return formats, [text.format(**files) for text in HELD]


@pytest.fixture(scope='module')
def oracle(
    tmp_path_factory: pytest.TempPathFactory, table: tuple[list[str], list[str]]
) -> Iterator[tuple[Oracle, list[str], list[str]]]:
    formats = [*table[0], *(text for text, _ in FORMATS), *(text for text, _ in CONVERSIONS)]
    conditions = [*table[1], *(text for text, _ in CONDITIONS)]
    made = Oracle(tmp_path_factory.mktemp('haproxy'), formats, conditions)
    yield made, formats, conditions
    made.stop()


def condition_words(text: str) -> list[str]:
    return split_words(f'if {text}', lambda _: None)


@pytest.mark.parametrize('request_', REQUESTS, ids=range(len(REQUESTS)))
def test_both_answer_the_same(
    oracle: tuple[Oracle, list[str], list[str]], table: tuple[list[str], list[str]], request_: bytes
) -> None:
    """The tables of cases are asked with the first request only: most of them are about constants."""
    haproxy, formats, conditions = oracle
    own_formats, own_conditions = (formats, conditions) if request_ is REQUEST else table
    scope = Scope(read=read)
    acls: dict[str, Acl] = {}
    added(acls, parse_acl(['named', 'path_beg', '/a'], scope))
    added(acls, parse_acl(['named', 'hdr(x-a)', '-m', 'found'], scope))
    wrong = []
    for text in own_formats:
        at = formats.index(text)
        write = compiled_format(parse_format(text, scope, base=Flags.ENCODED), Store(scope.files))
        if (said := write(ours(request_, at))) != (expected := haproxy.ask(request_, at)):
            wrong.append((text, said, expected))
    for text in own_conditions:
        at = len(formats) + conditions.index(text)
        holds = compiled(parse_condition(condition_words(text), acls, scope), Store(scope.files))
        if (said := b'1' if holds(ours(request_, at)) else b'') != (expected := haproxy.ask(request_, at)):
            wrong.append((text, said, expected))
    assert not wrong, '\n'.join(f'{text}: {said!r}, HAProxy {expected!r}' for text, said, expected in wrong)


def ours(request: bytes, at: int) -> Transaction:
    """The transaction as our view tells it: HAProxy takes the Connection field out, and sees what chose the rule."""
    view = transaction(request)
    view.request.append((b'x-n', b'%d' % at))
    view.facts['%s'] = b'<NOSRV>'
    view.figures['nbsrv', 'b', ''] = 2
    return view


def complaint(folder: Path, line: str) -> str:
    config = folder / 'bad'
    config.write_text(f'{HEAD.format(path="/nowhere")} {line}\n{TAIL}', encoding='utf-8')
    done = subprocess.run(['haproxy', '-c', '-f', str(config)], capture_output=True, check=False)
    found = re.search(rb'parsing \[[^]]*\] : (.*)', done.stderr)
    return found[1].decode(errors='replace') if found else ''


@pytest.mark.parametrize('text, words', BAD_CONDITIONS)
def test_both_refuse_a_condition_in_the_same_words(tmp_path: Path, text: str, words: str) -> None:
    assert complaint(tmp_path, f'http-request deny if {text}').rstrip('.').endswith(words)


@pytest.mark.parametrize('text, words', BAD_FORMATS)
def test_both_refuse_a_format_in_the_same_words(tmp_path: Path, text: str, words: str) -> None:
    line = f'http-request return status 200 content-type text/plain lf-string {quoted(f"<{text}>")}'
    assert complaint(tmp_path, line).rstrip('.').endswith(words)
