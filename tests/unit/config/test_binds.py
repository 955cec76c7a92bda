from __future__ import annotations

import pytest

from dataplane.config import ConfigErrors, load
from dataplane.core.model import Bind
from tests.unit.config.loading import HTTP, errors, frontend_error, snapshot, warnings


def binds(lines: str) -> tuple[Bind, ...]:
    return snapshot(f'{HTTP}frontend f\n maxconn 100\n {lines}\n').frontends[0].binds


def test_a_plain_line() -> None:
    assert binds('bind 127.0.0.1:8080') == (Bind(id=1, host='127.0.0.1', port=8080, backlog=100, where='t.cfg:8'),)


def test_lists_and_ranges_become_one_listener_each() -> None:
    found = binds('bind :80-82,/run/x\n bind fd@3 name inherited')
    assert [(bind.label, bind.port, bind.path, bind.fd) for bind in found] == [
        ('sock-1', 80, None, None),
        ('sock-2', 81, None, None),
        ('sock-3', 82, None, None),
        ('sock-4', 0, '/run/x', None),
        ('inherited', 0, None, 3),
    ]


def test_options() -> None:
    (bind,) = binds('bind ipv6@:80 name web maxconn 10 backlog 20 v6only')
    assert (bind.host, bind.name, bind.maxconn, bind.backlog, bind.v6only) == ('::', 'web', 10, 20, True)
    (bind,) = binds('bind ipv6@:80 v6only v4v6')
    assert not bind.v6only
    (bind,) = binds('bind /run/x mode 600')
    assert bind.mode == 0o600


def test_ids_are_numbers_in_order_past_those_that_are_taken() -> None:
    found = binds('bind :80\n bind :81 id 2\n bind :82 name web\n bind :83')
    assert [(bind.id, bind.name, bind.label) for bind in found] == [
        (1, '', 'sock-1'), (2, '', 'sock-2'), (3, 'web', 'web'), (4, '', 'sock-4'),
    ]  # fmt: skip


def test_who_connects_may_have_to_say_first_for_whom() -> None:
    assert [bind.accept_proxy for bind in binds('bind :80 accept-proxy\n bind :81')] == [True, False]


def test_interface_and_transparent() -> None:
    found = binds('bind :80 interface lo transparent\n bind :81')
    assert [(bind.interface, bind.transparent) for bind in found] == [('lo', True), ('', False)]
    assert frontend_error('bind :81 interface abcdefghijklmnop') == [
        "'bind :81' in section 'frontend' : 'interface' expects the name of an interface (got 'abcdefghijklmnop')."
    ]


def test_v6only_means_nothing_to_ipv4() -> None:
    assert not binds('bind :80 v6only')[0].v6only


def test_backlog_is_the_lines_the_proxys_or_maxconn() -> None:
    found = binds('backlog 30\n bind :80 backlog 20\n bind :81')
    assert [bind.backlog for bind in found] == [20, 30]


def test_every_wrong_word_of_a_line_is_named() -> None:
    assert frontend_error('bind :81 ssl crt /x maxconn x tfo name') == [
        "'bind :81' in section 'frontend' : 'ssl' is not supported: TLS is not supported yet.",
        "'bind :81' in section 'frontend' : 'maxconn' expects an integer argument (got 'x').",
        "'bind :81' in section 'frontend' : 'name' expects an argument.",
    ]


def test_words_about_tls_have_no_effect_without_ssl() -> None:
    text = f'{HTTP}backend b\nfrontend f\n bind :81 crt /x alpn h2\n'
    assert warnings(text) == [
        f"8: 'bind :81' in section 'frontend' : '{word}' has no effect: it says how TLS is spoken, which only lines with `ssl` do."
        for word in ('crt', 'alpn')
    ]


def test_a_line_that_is_refused_for_tls_says_no_more_than_that() -> None:
    text = f'{HTTP}backend b\n server s 1.1.1.1:1 ssl verify none alpn h2\nfrontend f\n bind :81 ssl crt /x alpn h2\n'
    with pytest.raises(ConfigErrors) as caught:
        load([('t.cfg', text)], {}, cores=1)
    assert [problem.line for problem in caught.value.errors] == [7, 9]
    assert caught.value.warnings == ()


@pytest.mark.parametrize(
    'line, complaint',
    [
        ('bind :80-81 id 3', "'bind :80-81' : 'id' can only be used with a single socket"),
        ('bind :80 id 0', "'bind :80' in section 'frontend' : 'id' value must be between 1 and 2147483647 (was 0)"),
        ('bind :80 accept-netscaler-cip 1', "'bind :80' in section 'frontend' : 'accept-netscaler-cip' is not supported: NetScaler's protocol is not supported."),
        ('bind', "'bind' expects {<path>|[addr1]:port1[-end1]}{,[addr]:port[-end]}... as arguments."),
        ('bind ""', "'bind' expects {<path>|[addr1]:port1[-end1]}{,[addr]:port[-end]}... as arguments."),
        ('bind :81 foo', "'bind :81' in section 'frontend' : unknown keyword 'foo'."),
        ('bind :81 maxcon 1', "'bind :81' in section 'frontend' : unknown keyword 'maxcon'; did you mean 'maxconn' maybe ?"),
        ('bind /x mode 9', "'bind /x' in section 'frontend' : 'bind' : 'mode' : missing or invalid mode '9' (octal integer expected)"),
        ('bind :81 backlog -1', "'bind :81' in section 'frontend' : 'backlog' value must be between 0 and 2147483647 (was -1)"),
        ('bind :1-5000', "'bind' : more than 4096 listeners in one section"),
    ],
)  # fmt: skip
def test_what_is_no_bind_line(line: str, complaint: str) -> None:
    assert frontend_error(line) == [complaint]


def test_harmless_words_are_accepted_with_a_warning() -> None:
    text = f'{HTTP}frontend f\n bind :80 tfo nice 5 user x\n default_backend b\nbackend b\n'
    assert [found.partition(' has no effect')[0] for found in warnings(text)] == [
        "7: 'bind :80' in section 'frontend' : 'tfo'",
        "7: 'bind :80' in section 'frontend' : 'nice'",
        "7: 'bind :80' in section 'frontend' : 'user'",
    ]


def test_an_id_is_given_once() -> None:
    text = f'{HTTP}frontend f\n bind :80 id 3\n bind :81 id 3\n'
    assert errors(text) == ["8: 'bind :81' : custom id 3 already used at t.cfg:7"]


def test_a_statistics_page_hears_no_header() -> None:
    text = f'{HTTP}listen s\n bind :80 accept-proxy\n stats enable\n'
    assert errors(text) == [
        "7: 'bind' : 'accept-proxy' is not supported in a section of its own for the statistics page."
    ]


def test_an_address_is_bound_once() -> None:
    text = f'{HTTP}frontend f\n bind :80-81,:80\nfrontend g\n bind *:81\n bind 127.0.0.1:81\n bind fd@3,fd@3\n'
    assert errors(text) == [
        "7: 'bind' : address 0.0.0.0:80 is already bound at t.cfg:7.",
        "9: 'bind' : address 0.0.0.0:81 is already bound at t.cfg:7.",
        "11: 'bind' : address fd@3 is already bound at t.cfg:11.",
    ]


def test_a_disabled_proxy_holds_no_address() -> None:
    assert errors(f'{HTTP}frontend f\n bind :80\n disabled\nfrontend g\n bind :80\n') == []


def test_a_host_name_is_looked_up_when_the_line_is_read() -> None:
    def look_up(host: str) -> str:
        if host == 'none.example':
            raise OSError(-2, 'Name or service not known')
        return {'web.example': '192.0.2.7', 'six.example': '2001:db8::7'}[host]

    text = f'{HTTP}backend b\nfrontend f\n bind web.example:80-81,six.example:82,127.0.0.1:83\n'
    found = load([('t.cfg', text)], {}, cores=1, look_up=look_up).snapshot.frontends[0].binds
    assert [bind.address for bind in found] == ['192.0.2.7:80', '192.0.2.7:81', '[2001:db8::7]:82', '127.0.0.1:83']
    with pytest.raises(ConfigErrors) as refused:
        load([('t.cfg', f'{HTTP}frontend f\n bind none.example:80\n')], {}, cores=1, look_up=look_up)
    assert str(refused.value) == (
        "config : parsing [t.cfg:7] : 'bind' : could not resolve address 'none.example' (Name or service not known) in 'none.example:80'"
    )
