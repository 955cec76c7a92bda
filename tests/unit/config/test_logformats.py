from __future__ import annotations

import pytest

from dataplane.rules.noting import NO_FORMATS, Formats, Slot
from tests.unit.config.loading import HTTP, backend, errors, frontend, frontend_error, snapshot, warnings

LOG = 'log 127.0.0.1:514 local0\n '


def formats(lines: str) -> Formats:
    return frontend(LOG + lines).rules.formats


def test_a_format_makes_that_each_request_is_logged() -> None:
    found = frontend(f'{LOG}log-format "%ci %HU"')
    assert found.httplog
    assert found.rules.formats.line is not None


def test_option_httplog_alone_has_no_format_and_no_rules() -> None:
    found = frontend(f'{LOG}option httplog')
    assert found.httplog
    assert not found.rules


def test_the_last_line_counts() -> None:
    assert formats('log-format "%ci"\n option httplog').line is None
    assert formats('option httplog\n log-format "%ci"').line == formats('log-format "%ci"').line
    assert formats('option httplog\n option httplog clf').line is not None


def test_what_else_is_noted() -> None:
    found = formats('unique-id-format %ci\n unique-id-header X-Id\n capture cookie foo len 12\n log-format-sd [a@1]')
    assert found.unique_id is not None
    assert found.unique_header == 'X-Id'
    assert found.cookie == Slot(12, 'foo')
    assert found.data is not None


def test_only_defaults_warn_of_what_is_overridden() -> None:
    text = f'defaults\n mode http\n timeout client 1s\n {LOG}option httplog\n log-format "%ci"\n option httplog clf\nfrontend f\n bind :80\n'
    assert [line for line in warnings(text) if 'overrides' in line] == [
        "6: 'log-format' overrides previous 'option httplog' in 'defaults' section.",
        "7: 'option httplog clf' overrides previous 'log-format' in 'defaults' section.",
    ]
    assert not [
        line
        for line in warnings(f'{HTTP}frontend f\n bind :80\n {LOG}option httplog\n log-format x\n')
        if 'over' in line
    ]


def test_a_proxy_begins_with_the_format_of_its_defaults() -> None:
    text = f'defaults\n mode http\n timeout client 1s\n log-format "%ci"\nfrontend f\n bind :80\n {LOG}\nfrontend g\n bind :81\n {LOG}option httplog\n'
    first, second = snapshot(text).frontends
    assert first.rules.formats.line is not None
    assert second.rules.formats == NO_FORMATS


def test_backends_have_none() -> None:
    text = f'{HTTP}backend b\n log-format "%ci"\n option log-separate-errors\n unique-id-format x\n capture cookie a len 5\n'
    assert len(warnings(text)) == 4
    assert backend('log-format "%ci"').rules.formats == NO_FORMATS


@pytest.mark.parametrize(
    'line, complaint',
    [
        ('log-format', 'log-format expects an argument.'),
        ('log-format ""', 'log-format expects an argument.'),
        ('log-format a b', "log-format expects only one argument, don't forget to escape spaces!"),
        ('log-format-sd a b', "log-format-sd expects only one argument, don't forget to escape spaces!"),
        ('log-format %foo', "failed to parse log-format : no such format variable 'foo'"),
        ('log-format %[foo]', 'failed to parse log-format : failed to parse sample expression <foo]>'),
        ('log-format %[res.hdr(x)]', 'failed to parse log-format : sample fetch <res.hdr(x)> may not be reliably used here'),
        ('unique-id-format', 'unique-id-format expects an argument.'),
        ('unique-id-format %[srv_id]', 'failed to parse unique-id : sample fetch <srv_id> may not be reliably used here'),
        ('unique-id-header', 'unique-id-header expects an argument.'),
        ('unique-id-header a:b', "'unique-id-header' expects the name of a header field (got 'a:b')."),
        ('capture cookie', "'capture' expects 'cookie' <cookie_name> 'len' <len>"),
        ('capture cookie a len', "'capture' expects 'cookie' <cookie_name> 'len' <len>"),
        ('capture cookie a len 0', "'capture' expects 'cookie' <cookie_name> 'len' <len>"),
        ('capture cookie a le 5', "'capture' expects 'cookie' <cookie_name> 'len' <len>"),
        ('option httplog x', "keyword 'httplog' only supports option 'clf'."),
        ('option httplog clf x', "'option httplog' cannot handle unexpected argument 'x'."),
        ('no option httplog', "negation/default is not supported for option 'httplog'."),
        ('http-request set-header x %[bytes_out]', 'bytes_out'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(line: str, complaint: str) -> None:
    (found,) = frontend_error(line)
    assert complaint in found


def test_what_only_a_finished_exchange_tells_is_for_the_log() -> None:
    assert formats('log-format "%[bytes_out] %[txn.timer.total] %[txn.sess_term_state] %[unique-id]"').line is not None


def test_no_cookie_is_captured_by_defaults() -> None:
    assert errors('defaults\n capture cookie a len 5\n') == ["2: 'capture cookie' not allowed in 'defaults' section."]


def test_errors_may_have_a_level_of_their_own() -> None:
    assert frontend(f'{LOG}option log-separate-errors').log_separate_errors
    assert not frontend(f'{LOG}option log-separate-errors\n no option log-separate-errors').log_separate_errors


@pytest.mark.parametrize('option', ['tcplog', 'httpslog'])
def test_options_that_stand_for_a_format(option: str) -> None:
    listen = f'{HTTP}listen l\n bind :80\n server s 127.0.0.1:1\n'
    (frontend,) = snapshot(f'{listen} option {option}\n').frontends
    assert frontend.httplog
    assert frontend.rules.formats.line is not None
    (found,) = errors(f'{listen} option {option} clf\n')
    assert f"'option {option}' cannot handle unexpected argument 'clf'." in found
    (found,) = errors(f'{listen} no option {option}\n')
    assert f"negation/default is not supported for option '{option}'." in found


def test_a_tag_and_early_lines_of_a_proxy() -> None:
    text = f'{HTTP}listen l\n bind :80\n log stdout local0\n log-tag mine\n option logasap\n server s 127.0.0.1:1\n'
    (frontend,) = snapshot(text).frontends
    assert [target.tag for target in frontend.log_targets] == ['mine']
    assert frontend.logasap
    (found,) = errors(text.replace('log-tag mine', 'log-tag'))
    assert "'log-tag' expects a tag for use in syslog." in found
