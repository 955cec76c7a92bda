from __future__ import annotations

import pytest

from dataplane.config.problems import Rejected, Report
from dataplane.config.reader import Line, Modifier, Scope, read


def lines(text: str, env: dict[str, str] | None = None) -> list[tuple[int, str]]:
    report = Report()
    found = [(line.number, ' '.join(line.words)) for line in read('f', text, Scope(env or {}), report)]
    assert report.errors == []
    return found


def complaints(text: str) -> list[tuple[int, str]]:
    report = Report()
    list(read('f', text, Scope({}), report))
    return [(problem.line, problem.text) for problem in report.errors]


def test_lines_keep_their_numbers() -> None:
    assert lines('a\n\n# x\nb c # d\r\n') == [(1, 'a'), (4, 'b c')]


def test_no_text_has_no_lines() -> None:
    assert lines('') == []


def test_modifiers_are_told_apart() -> None:
    found = list(read('f', 'no option x\ndefault option y\nnormal z\n', Scope({}), Report()))
    assert [line.modifier for line in found] == [Modifier.NO, Modifier.DEFAULT, Modifier.NONE]
    assert [line.words[0] for line in found] == ['option', 'option', 'normal']


@pytest.mark.parametrize('word', ['no', 'default'])
def test_a_lone_modifier_is_an_error(word: str) -> None:
    assert complaints(f'{word}\n') == [(1, f"'{word}' expects the keyword it applies to.")]


def test_a_missing_line_feed_is_an_error_because_the_file_may_be_truncated() -> None:
    assert complaints('a\n maxconn 10') == [
        (2, 'Missing LF on last line, file might have been truncated at position 12.')
    ]


def test_the_first_branch_that_is_true_is_taken() -> None:
    text = '.if 0\n a\n.elif 1\n b\n.elif 1\n c\n.else\n d\n.endif\n e\n'
    assert lines(text) == [(4, 'b'), (10, 'e')]


def test_else_is_taken_when_nothing_was() -> None:
    assert lines('.if 0\na\n.elif 0\nb\n.else\nc\n.endif\n') == [(6, 'c')]


def test_blocks_nest_and_inner_conditions_of_skipped_blocks_are_not_looked_at() -> None:
    text = '.if 0\n.if nonsense\na\n.elif nonsense\nb\n.else\nc\n.endif\n.else\nd\n.if 1\ne\n.endif\n.endif\n'
    assert lines(text) == [(10, 'd'), (12, 'e')]


def test_variables_count_in_conditions() -> None:
    assert lines('.if streq("$A",x) && defined(A)\na\n.endif\n', {'A': 'x'}) == [(2, 'a')]


def test_pseudo_variables_say_where_a_line_is() -> None:
    scope = Scope({}, section='web')
    assert [line.words for line in read('f.cfg', '\n"${.FILE}:$.LINE" "$.SECTION"\n', scope, Report())] == [
        ('f.cfg:2', 'web')
    ]


def test_messages_go_where_they_are_meant_to_go() -> None:
    report = Report()
    list(read('f', '.notice "a b"\n.warning c\n.alert d\n.diag e\n.notice\n', Scope({}), report))
    assert [(problem.line, problem.text) for problem in report.notices] == [(1, "'a b'."), (5, "''.")]
    assert [problem.text for problem in report.warnings] == ["'c'."]
    assert [problem.text for problem in report.errors] == ["'d'."]
    assert [problem.text for problem in report.diags] == ["'e'."]


def test_messages_of_skipped_blocks_are_not_given() -> None:
    assert complaints('.if 0\n.alert x\n.unknown\n.endif\n') == []


@pytest.mark.parametrize(
    'text, line, complaint',
    [
        ('.endif\n', 1, "lone '.endif' with no matching '.if'."),
        ('.else\n', 1, "lone '.else' with no matching '.if'."),
        ('.elif 1\n', 1, "lone '.elif' with no matching '.if'."),
        ('.if 1\n.else\n.else\n.endif\n', 3, "'.else' after '.else' is not permitted."),
        ('.if 1\n.else\n.elif 1\n.endif\n', 3, "'.elif' after '.else' is not permitted."),
        ('a\n.if 1\n', 2, "non-terminated '.if' block."),
        ('.if 1\n.endif\n.endif x\n', 3, "lone '.endif' with no matching '.if'."),
        ('.unknown\n', 1, "unknown directive '.unknown'."),
        ('.notice a b\n', 1, "Unexpected argument 'b' for '.notice'. Use quotes if the message should contain spaces."),
        ('.if foo\n.endif\n', 1, "unparsable conditional expression 'foo' at position 1 in '.if'"),
        ('.if 0\n.elif foo\n.endif\n', 2, "unparsable conditional expression 'foo' at position 1 in '.elif'"),
        ('.if 0\n"foo\n.endif\n', 2, "unmatched quote at position 1: '\"foo'"),
    ],
)
def test_what_is_wrong_with_a_block(text: str, line: int, complaint: str) -> None:
    assert complaints(text) == [(line, complaint)]


def test_an_argument_of_endif_is_an_error_of_its_own() -> None:
    assert complaints('.if 1\n.endif x\n')[0] == (2, "Unexpected argument 'x' for '.endif'.")


def test_nesting_is_bounded() -> None:
    assert (17, "too many nested '.if', max is 16") in complaints('.if 1\n' * 17)


def test_reading_goes_on_after_an_error() -> None:
    report = Report()
    found = list(read('f', 'a\n"b\nc\n', Scope({}), report))
    assert [line.words for line in found] == [('a',), ('c',)]
    assert len(report.errors) == 1


def test_each_line_sees_the_variables_as_they_are_then() -> None:
    scope = Scope({})
    found = []
    for line in read('f', '"$A"x\n"$A"y\n', scope, Report()):
        found.append(line.words)
        scope.env['A'] = '1'
    assert found == [('x',), ('1y',)]


def test_words_of_a_line() -> None:
    line = Line('f', 3, ('a', 'b'))
    assert (line.where, line.word(1), line.word(2)) == ('f:3', 'b', '')
    line.at_most(1)
    with pytest.raises(Rejected, match="'a' cannot handle unexpected argument 'b'"):
        line.at_most(0)
