from __future__ import annotations

import pytest

from dataplane.config import load
from dataplane.core.model import Global
from dataplane.rules.actions import CheckCache, NamePolicy, RestrictNames, Rule
from tests.unit.config.loading import (
    HTTP,
    backend,
    backend_error,
    errors,
    frontend,
    general,
    global_error,
    snapshot,
    warnings,
)

OPTION = "option 'http-restrict-req-hdr-names'"


def with_file(raw: bytes) -> Global:
    files = [('t.cfg', 'global\n h1-case-adjust-file names\n')]
    return load(files, {}, cores=1, read_file=lambda path, size: raw[:size]).snapshot.globals


def file_error(raw: bytes) -> str:
    with pytest.raises(Exception, match='h1-case-adjust-file') as failed:
        with_file(raw)
    return str(failed.value)


@pytest.mark.parametrize('policy', NamePolicy)
def test_a_policy_is_asked_behind_the_rules(policy: NamePolicy) -> None:
    assert frontend(f'option http-restrict-req-hdr-names {policy}').rules.request_guard == (
        Rule(RestrictNames(policy)),
    )
    assert backend(f'option http-restrict-req-hdr-names {policy}').rules.request_guard


def test_without_a_policy_there_is_nothing_to_ask() -> None:
    assert not frontend('').rules
    assert not backend('').rules


def test_the_last_policy_counts_and_defaults_give_one() -> None:
    text = (
        f'{HTTP} option http-restrict-req-hdr-names delete\n option http-restrict-req-hdr-names reject\nbackend b\n'
        'backend c\n option http-restrict-req-hdr-names preserve\n'
    )
    found = [one.rules.request_guard[0].action for one in snapshot(text).backends]
    assert found == [RestrictNames(NamePolicy.REJECT), RestrictNames(NamePolicy.PRESERVE)]


@pytest.mark.parametrize(
    'line, problem',
    [
        ('', f"missing parameter. {OPTION} expects 'preserve', 'reject' or 'delete' option."),
        ('x', f"invalid parameter 'x'. {OPTION} expects 'preserve', 'reject' or 'delete' option."),
        ('reject x', "'option' cannot handle unexpected argument 'x'."),
    ],
)
def test_other_policies_are_refused(line: str, problem: str) -> None:
    assert backend_error(f'option http-restrict-req-hdr-names {line}') == [problem]


@pytest.mark.parametrize('word', ['no', 'default'])
def test_a_policy_cannot_be_taken_back(word: str) -> None:
    [problem] = backend_error(f'{word} option http-restrict-req-hdr-names reject')
    assert problem == f'negation/default is not supported for {OPTION}.'


def test_checkcache_is_asked_of_responses() -> None:
    assert backend('option checkcache').rules.response_guard == (Rule(CheckCache()),)
    assert not backend('option checkcache\n no option checkcache').rules
    assert backend_error('option checkcache x') == ["'option checkcache' cannot handle unexpected argument 'x'."]


def test_options_of_the_other_half_are_warned_of() -> None:
    text = f'{HTTP}frontend f\n bind :80\n option checkcache\n option h1-case-adjust-bogus-server\n'
    assert [one.partition(': ')[2].split()[0] for one in warnings(text)][-2:] == [
        "'checkcache'", "'h1-case-adjust-bogus-server'",
    ]  # fmt: skip


def test_names_and_how_they_are_written() -> None:
    assert general('h1-case-adjust x-foo X-FoO\n h1-case-adjust HOST hosT').case_adjust == (
        ('x-foo', 'X-FoO'), ('host', 'hosT'),
    )  # fmt: skip
    assert with_file(b'\n# names\nx-foo X-FoO # as they want\n  host   HOST\n').case_adjust == (
        ('x-foo', 'X-FoO'), ('host', 'HOST'),
    )  # fmt: skip


def test_nobody_is_bogus_where_no_name_is_given() -> None:
    line = 'option h1-case-adjust-bogus-client\n option h1-case-adjust-bogus-server'
    text = f'{HTTP}backend b\n {line}\nfrontend f\n bind :80\n {line}\n'
    for names in (False, True):
        found = snapshot(('global\n h1-case-adjust x X\n' if names else '') + text)
        assert found.frontends[0].adjust_case is names
        assert found.backends[0].adjust_case is names
    assert not snapshot(f'global\n h1-case-adjust x X\n{HTTP}backend b\n').backends[0].adjust_case


@pytest.mark.parametrize(
    'line, problem',
    [
        ('h1-case-adjust', "'h1-case-adjust' expects <from> and <to> as argument."),
        ('h1-case-adjust a', "'h1-case-adjust' expects <from> and <to> as argument."),
        ('h1-case-adjust a B', "<from> and <to> must not differ except the case (got 'a' and 'B')."),
        ('h1-case-adjust a A x', "'h1-case-adjust' cannot handle unexpected argument 'x'."),
        ('h1-case-adjust "a b" "A b"', "'a b' is not the name of a field."),
        ('h1-case-adjust-file', "'h1-case-adjust-file' expects <file> as argument."),
        ('h1-case-adjust-file a b', "'h1-case-adjust-file' cannot handle unexpected argument 'b'."),
    ],
)
def test_other_lines_are_refused(line: str, problem: str) -> None:
    assert global_error(line) == [f'2: {problem}']


def test_a_name_is_given_once_and_a_file_must_be_there() -> None:
    assert errors('global\n h1-case-adjust a A\n h1-case-adjust A a\n') == ["3: duplicate entry 'A'."]
    [problem] = global_error('h1-case-adjust-file nowhere')
    assert problem.startswith("2: 'h1-case-adjust-file' : error opening file 'nowhere' (")


@pytest.mark.parametrize(
    'raw, problem',
    [
        (b'a A\nb\n', "'names' line 2: expects <from> and <to> (got 'b')."),
        (b'a A b\n', "'names' line 1: expects <from> and <to> (got 'a A b')."),
        (b'a B\n', "'names' line 1: <from> and <to> must not differ"),
        (b'a\xff A\xff\n', 'is not the name of a field.'),
        (b'a A\n' * 300_000, 'is larger than 1048576 bytes.'),
    ],
)
def test_a_file_says_what_is_wrong_with_it(raw: bytes, problem: str) -> None:
    assert problem in file_error(raw)
