from __future__ import annotations

from pathlib import Path

import pytest

from dataplane.config import ConfigErrors, load
from dataplane.rules.actions import (
    Allow,
    DelHeader,
    Deny,
    Keep,
    Part,
    PutHeader,
    Redirect,
    Reject,
    ReplaceHeader,
    ReplacePart,
    Reply,
    Return,
    SetLogLevel,
    SetPart,
    SetPriority,
    SetStatus,
    SetVar,
    Tarpit,
    Unless,
    UnsetVar,
    Where,
)
from dataplane.rules.model import Call, Expression, Format, Match, Variable
from dataplane.rules.noting import Slot
from tests.unit.config.loading import HTTP, backend, backend_error, errors, frontend, frontend_error, snapshot, warnings

INT = Expression(Call('int', (5,)))
X = Format((b'x',))


@pytest.mark.parametrize(
    'rule, action',
    [
        ('allow', Allow()),
        ('deny', Deny(Reply(403))),
        ('deny deny_status 429', Deny(Reply(429))),
        ('deny status 404', Deny(Reply(404, plain=True))),
        ('deny status 418 content-type a/b string x', Deny(Reply(418, 'a/b', b'x', plain=True))),
        ('deny default-errorfiles', Deny(Reply(403))),
        ('tarpit', Tarpit(Reply(500))),
        ('tarpit deny_status 503', Tarpit(Reply(503))),
        ('return', Return(Reply(200, plain=True))),
        ('return status 201 content-type a/b lf-string x hdr A x', Return(Reply(201, 'a/b', X, (('a', X),), plain=True))),
        ('reject', Reject()),
        ('silent-drop', Reject(silent=True)),
        ('redirect location x', Redirect(Where.LOCATION, X)),
        ('redirect prefix x code 301 drop-query append-slash', Redirect(Where.PREFIX, X, 301, drop_query=True, append_slash=True)),
        ('redirect scheme x set-cookie A=1 keep-query ignore-empty', Redirect(Where.SCHEME, X, cookie='A=1; path=/;', keep_query=True, ignore_empty=True)),
        ('redirect location x clear-cookie A=', Redirect(Where.LOCATION, X, cookie='A=; path=/; Max-Age=0;')),
        ('set-header X-A x', PutHeader('x-a', X, alone=True)),
        ('add-header X-A x', PutHeader('x-a', X, alone=False)),
        ('del-header X-A', DelHeader('x-a')),
        ('del-header X-A -m beg', DelHeader('x-a', Match.BEG)),
        ('del-header ^X-.* -m reg', DelHeader('^X-.*', Match.REG)),
        ('del-header Connection', DelHeader('connection')),
        ('replace-header X-A a(.*) x', ReplaceHeader('x-a', 'a(.*)', X, each=False)),
        ('replace-value X-A a(.*) x', ReplaceHeader('x-a', 'a(.*)', X, each=True)),
        ('set-path x', SetPart(Part.PATH, X)),
        ('set-method x', SetPart(Part.METHOD, X)),
        ('replace-uri a x', ReplacePart(Part.URI, 'a', X)),
        ('set-var(txn.a) int(5)', SetVar(Variable('txn', 'a'), INT)),
        ('set-var(txn.a,ifnotexists) int(5)', SetVar(Variable('txn', 'a'), INT, (Unless.IF_NOT_EXISTS,))),
        ('set-var-fmt(sess.a) x', SetVar(Variable('sess', 'a'), X)),
        ('unset-var(req.a)', UnsetVar(Variable('req', 'a'))),
        ('set-priority-class int(5)', SetPriority(INT, offset=False)),
        ('set-priority-offset int(5)', SetPriority(INT, offset=True)),
        ('set-log-level silent', SetLogLevel(None)),
        ('set-log-level err', SetLogLevel(3)),
    ],
)  # fmt: skip
def test_actions_of_requests(rule: str, action: object) -> None:
    (found,) = frontend(f'http-request {rule}').rules.request
    assert (found.action, found.condition) == (action, None)
    (found,) = backend(f'http-request {rule} unless TRUE').rules.request
    assert found.action == action
    assert found.condition is not None
    assert found.condition.unless


@pytest.mark.parametrize(
    'line, action',
    [
        ('http-response deny', Deny(Reply(502))),
        ('http-response set-status 299 reason "so it is"', SetStatus(299, 'so it is')),
        ('http-response set-header A x', PutHeader('a', X, alone=True)),
        ('http-after-response add-header A x', PutHeader('a', X, alone=False)),
        ('http-after-response set-status 299', SetStatus(299)),
        ('redirect location x', Redirect(Where.LOCATION, X)),
    ],
)
def test_other_lists(line: str, action: object) -> None:
    rules = backend(line).rules
    assert [rule.action for rule in (*rules.redirects, *rules.response, *rules.after)] == [action]


def test_rules_keep_their_order_those_of_named_defaults_first() -> None:
    text = (
        'defaults d\n mode http\n http-request set-log-level err\nfrontend f from d\n bind :80\n'
        ' http-request deny\n http-request allow\n'
    )
    assert [type(rule.action) for rule in snapshot(text).frontends[0].rules.request] == [SetLogLevel, Deny, Allow]


def test_an_acl_counts_with_all_its_lines_wherever_they_stand() -> None:
    rules = frontend('acl a path /x\n use_backend b if a !{ src 10.0.0.0/8 } || TRUE\n acl a path_beg /y').rules
    (switch,) = rules.switches
    assert switch.condition is not None
    (first, second) = switch.condition.groups
    assert [(term.acl.name, len(term.acl.tests), term.negated) for term in first] == [('a', 2, False), ('', 1, True)]
    assert [term.acl.name for term in second] == ['TRUE']


def test_acls_of_defaults_are_not_those_of_its_heirs() -> None:
    text = 'defaults d\n mode http\n acl a path /\nfrontend f from d\n bind :80\n http-request deny if a\n'
    assert errors(text) == ["6: 'http-request deny' : no such ACL : 'a'."]


def test_backends_are_named_in_the_order_of_their_lines() -> None:
    rules = frontend('use_backend b if { path /b }\n use_backend %[path] if TRUE\n use_backend b').rules
    assert rules.backends == ('b', 'b')
    assert isinstance(rules.switches[1].name, Format)


def test_what_is_captured_has_a_slot() -> None:
    rules = frontend(
        'capture request header Host len 5\n declare capture request len 7\n capture response header Server len 9\n'
        ' http-request capture int(5) id 1'
    ).rules
    assert rules.request_slots == (Slot(5, 'host'), Slot(7))
    assert rules.response_slots == (Slot(9, 'server'),)


def test_a_rule_of_a_frontend_makes_its_own_slot() -> None:
    rules = frontend('http-request capture int(5) len 10').rules
    assert (rules.request[0].action, rules.request_slots) == (Keep(INT, 0, 'f'), (Slot(10),))
    (found,) = errors(f'{HTTP}backend b\n http-request capture int(5) len 10\n')
    assert found.endswith("proxy 'b' has no frontend capability")


def test_what_a_reply_says_by_itself_is_ignored_there() -> None:
    text = f'{HTTP}frontend f\n bind :80\n http-request return hdr content-length 5 content-type a/b\n'
    assert snapshot(text).frontends[0].rules.request[0].action == Return(Reply(200, plain=True))
    assert warnings(text) == [
        "8: header 'content-length' always ignored by the http reply.",
        "8: content-type 'a/b' ignored by the http reply because neither errorfile nor payload defined.",
    ]


def test_patterns_of_files_are_read_once_and_travel_with_the_snapshot() -> None:
    asked = []

    def read(path: str, most: int) -> bytes:
        asked.append(path)
        return b'# paths\n/a\n/b\n'[:most]

    text = f'{HTTP}backend b\nfrontend f\n bind :80\n http-request deny if {{ path -f l }}\n use_backend b if {{ path -f l }}\n'
    found = load([('t.cfg', text)], {}, cores=1, read_file=read).snapshot
    assert asked == ['l']
    assert [(one.name, one.identity, [entry.pattern for entry in one.entries]) for one in found.references] == [
        ('l', 0, ['/a', '/b']), ('', 1, []), ('', 2, []),
    ]  # fmt: skip


def test_a_body_from_a_file_is_bounded() -> None:
    text = f'global\n tune.bufsize 1024\n{HTTP}backend b\n http-request return content-type a/b file big\n'
    with pytest.raises(ConfigErrors) as raised:
        load([('t.cfg', text)], {}, cores=1, read_file=lambda _, most: b'x' * most)
    assert "file 'big' exceeds the buffer size (1024 bytes)" in str(raised.value.errors[0])


def test_what_can_never_hold_is_warned_of() -> None:
    assert warnings(f'{HTTP}backend b\n http-response deny if {{ path / }}\n') == [
        "7: anonymous acl will never match because it uses keyword 'path' which is incompatible with 'backend http-response header rule'"
    ]


@pytest.mark.parametrize(
    'rule, complaint',
    [
        ('', "'http-request' expects an action, but got ''."),
        ('denny', "'http-request' expects an action, but got 'denny'; did you mean 'deny' maybe ?"),
        ('attach-srv', "'http-request attach-srv' is not supported: it is not supported yet."),
        ('track-sc0', "'http-request track-sc0' : missing fetch method."),
        ('set-map a b', "'http-request set-map' : expects 'set-map(<file-name>)'"), ('set-map(f a b', "expects 'set-map(<file-name>)'"),
        ('set-map(f) a', "'http-request set-map(f)' : expects exactly 2 arguments"), ('del-acl(f)', 'expects exactly 1 arguments'),
        ('set-map(f) a if TRUE', 'expects exactly 2 arguments'), ('del-map(f) a b', "either 'if' or 'unless'"), ('add-acl() a', "expects 'add-acl("),
        ('set-map(f) %[nope] b', "unknown fetch method 'nope'"), ('set-map(f) %[status] b', "it needs 'HTTP response' which is not available here"),
        ('set-var(x) int(1)', "invalid variable name 'x'."),
        ('set-var(txn.x int(1)', "invalid or incomplete action."),
        ('set-var(txn.x,often) int(1)', "unknown condition in 'often'"),
        ('set-priority-class', 'missing fetch method'),
        ('set-priority-class int(5) foo', "expects either 'if' or 'unless' followed by a condition but found 'foo'."),
        ('deny foo', "expects 'if' or 'unless', or what is answered, but found 'foo'"),
        ('deny status 600', "'status' expects a status from 200 to 599, not '600'"),
        ('deny if nobody', "no such ACL : 'nobody'."),
        ('deny if { path / ', "missing closing '}' in condition."),
        ('return string x', 'a content-type must be defined when a body is given'),
        ('return status 204 content-type a/b string x', 'No body expected for 204 responses'),
        ('deny deny_status 418', "status code '418' not handled by default with 'default-errorfiles' argument"),
        ('return deny_status 403', "expects 'if' or 'unless', or what is answered, but found 'deny_status'"),
        ('return content-type a/b file gone', "failed to open file 'gone'"),
        ('return errorfile x', "error opening file 'x'"),
        ('redirect', "redirection type expected ('prefix', 'location', or 'scheme')"),
        ('redirect location / code 200', 'unsupported HTTP code <200>'),
        ('redirect elsewhere /', "(was 'elsewhere')"),
        ('set-header', 'expects the name of a header field'),
        ('set-header a:b c', "'a:b' is no name of a header field"),
        ('set-header Transfer-Encoding x', 'framing and connections are the proxy\'s own'),
        ('del-header content-length', "'content-length' is not supported"),
        ('del-header x -m dom', "unknown matching method 'dom'"),
        ('set-header a %[nope]', "unknown fetch method 'nope'"),
        ('set-header a %[req.bytes_out]', "fetch method 'req.bytes_out' is not supported yet"),
        ('replace-header a ( b', "regex '(' is invalid"),
        ('replace-path (a+)+ b', 'a repeated part of it can be read in several ways'),
        ('set-method connect', "the method 'connect' is not supported"),
        ('capture path', "expects 'len' or 'id'"),
        ('capture path id 3', "unable to find capture id '3' referenced by this rule"),
        ('set-log-level loud', "unknown log level 'loud'"),
        ('silent-drop rst-ttl 5', "'rst-ttl' is not supported"),
        ('use-service', "'http-request use-service' : '' is not supported, only 'prometheus-exporter' is."),
        ('use-service prometheus-exporter /m', "expects either 'if' or 'unless' followed by a condition but found '/m'"),
    ],
)  # fmt: skip
def test_what_is_no_rule(rule: str, complaint: str) -> None:
    (found,) = frontend_error(f'http-request {rule}')
    assert complaint in found


@pytest.mark.parametrize(
    'line, complaint',
    [
        ('http-response tarpit', "'http-response' expects an action, but got 'tarpit'"),
        ('http-response set-status 204', '204 is not supported: it would end the response before its body'),
        ('http-response set-status 99', 'must be between 200 and 599'),
        ('http-response capture res.hdr(a) len 5', "expects 'id'"),
        ('http-after-response deny', "'http-after-response' expects an action, but got 'deny'"),
        ('redirect location', "expects an argument of 'location'"),
    ],
)
def test_what_is_no_rule_of_another_list(line: str, complaint: str) -> None:
    (found,) = backend_error(line)
    assert complaint in found


def test_anonymous_defaults_have_no_rules() -> None:
    assert (
        errors('defaults\n http-request deny\n')[0] == "2: 'http-request' not allowed in anonymous 'defaults' section."
    )


def test_the_example_of_the_page_can_be_used() -> None:
    page = (Path(__file__).parents[3] / 'docs' / 'rules.md').read_text()
    example = page.partition('```\n')[2].partition('```')[0]
    found = load(
        [('t.cfg', HTTP + example)], {}, cores=1, read_file=lambda path, _: b'h app\n' if path.endswith('.map') else b''
    )
    assert found.warnings == ()
    assert len(found.snapshot.frontends[0].rules.request) == 5


def test_the_second_example_can_be_used_too() -> None:
    page = (Path(__file__).parents[3] / 'docs' / 'rules.md').read_text()
    example = page.partition('## Passwords')[2].partition('```\n')[2].partition('```')[0]
    answer = b'HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n'
    found = load([('t.cfg', HTTP + example)], {}, cores=1, read_file=lambda path, _: answer)
    assert found.warnings == ()
    (front,) = found.snapshot.frontends
    assert [user.groups for user in found.snapshot.userlists[0].users] == [('admins',), ('guests',)]
    assert (len(front.rules.request), len(front.rules.replies), len(front.error_pages)) == (7, 1, 1)


def test_use_server_names_servers_of_its_section() -> None:
    text = f'{HTTP}backend b\n server s 1.1.1.1:80\n use-server s if {{ path /x }}\n use-server %[path] unless TRUE\n'
    rules = snapshot(text).backends[0].rules
    assert [type(switch.name) for switch in rules.servers] == [str, Format]
    assert errors(f'{HTTP}backend b\n server s 1.1.1.1:80\n use-server t if TRUE\n') == [
        "8: unable to find server 't' in proxy 'b' referenced in a 'use-server' rule."
    ]


def test_tcp_request() -> None:
    rules = frontend(
        'tcp-request connection reject if { src 10.0.0.0/8 }\n tcp-request session accept\n tcp-request content set-var(txn.a) int(5)\n'
        ' tcp-request inspect-delay 5s'
    ).rules
    assert [rule.action for rule in (*rules.connection, *rules.session, *rules.content)] == [
        Reject(), Allow(), SetVar(Variable('txn', 'a'), INT),
    ]  # fmt: skip
    (found,) = frontend_error('tcp-request connection deny')
    assert found.startswith("'tcp-request connection' expects an action, but got 'deny'")
    (found,) = frontend_error('tcp-request inspect-delay 5x')
    assert 'inspect-delay' in found


@pytest.mark.parametrize(
    'line, status, page',
    [
        ('errorloc 503 http://x/', 503, b'HTTP/1.1 302 Found\r\ncache-control: no-cache\r\ncontent-length: 0\r\nlocation: http://x/\r\n\r\n'),
        ('errorloc303 403 /a', 403, b'HTTP/1.1 303 See Other\r\ncache-control: no-cache\r\ncontent-length: 0\r\nlocation: /a\r\n\r\n'),
        ('http-error status 404 content-type a/b string x hdr Q r', 404, b'HTTP/1.1 404 Not Found\r\nq: r\r\ncontent-length: 1\r\ncontent-type: a/b\r\n\r\nx'),
        ('http-error status 429', 429, b'HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n'),
    ],
)  # fmt: skip
def test_pages_that_stand_in_the_file(line: str, status: int, page: bytes) -> None:
    (found,) = frontend(line).error_pages
    assert (found.status, found.keeping) == (status, page)


@pytest.mark.parametrize(
    'line, complaint',
    [
        ('errorloc 299 /', "'errorloc' : status code '299' not handled."),
        ('errorloc 503', "'errorloc' expects <status_code> and <url> as arguments (got '')."),
        ('http-error content-type a/b string x', 'a status that has a page is expected'),
        ('http-error status 404 content-type a/b lf-string %[nope]', "unknown fetch method 'nope'"),
        ('http-error status 404 string x string y', "'string' : the body is already given"),
        ('http-error status 404 string x errorfiles y', "'errorfiles' : the body is already given"),
    ],
)
def test_what_is_no_page(line: str, complaint: str) -> None:
    (found,) = frontend_error(line)
    assert complaint in found
