from __future__ import annotations

import pytest

from dataplane.cli.session import Answer, Complaint, Mode, Session, Severity, SeverityOutput
from dataplane.core.model import Level


def session(level: Level = Level.ADMIN) -> Session:
    return Session(level, 10_000)


def test_every_answer_is_followed_by_an_empty_line() -> None:
    assert session().frame(Answer('text'), last=True, uptime_s=0) == 'text\n\n'
    assert session().frame(Answer(), last=True, uptime_s=0) == '\n'


def test_the_prompt_comes_after_the_last_command_of_a_line() -> None:
    one = session()
    one.change_mode(())
    assert one.frame(Answer('a'), last=False, uptime_s=0) == 'a\n\n'
    assert one.frame(Answer('b'), last=True, uptime_s=0) == 'b\n\n> '


def test_a_timed_prompt_tells_the_uptime() -> None:
    one = session()
    one.change_mode(('timed',))
    assert one.prompt(93_784) == '[1:02:03:04]> '
    one.change_mode(('timed',))
    assert (one.mode, one.prompt(0)) == (Mode.PROMPT, '> ')


def test_prompt_toggles_and_takes_modes() -> None:
    one = session()
    for words, expected in [((), 'p'), ((), 'n'), (('i',), 'i'), ((), 'p'), (('n',), 'n'), (('p', 'timed'), 'p')]:
        one.change_mode(words)
        assert one.mode == expected


def test_prompt_explains_itself() -> None:
    with pytest.raises(Complaint) as complaint:
        session().change_mode(('help',))
    assert complaint.value.answer.severity is Severity.INFO
    assert complaint.value.answer.text.startswith('Usage: prompt ')


@pytest.mark.parametrize(
    'output,severity,prefix',
    [
        (SeverityOutput.NONE, Severity.ERROR, ''),
        (SeverityOutput.NUMBER, Severity.ERROR, '[3]: '),
        (SeverityOutput.STRING, Severity.ERROR, '[err]: '),
        (SeverityOutput.STRING, Severity.WARNING, '[warning]: '),
        (SeverityOutput.STRING, Severity.NOTICE, '[notice]: '),
        (SeverityOutput.NUMBER, Severity.INFO, '[6]: '),
        (SeverityOutput.STRING, Severity.SILENT, ''),
    ],
)
def test_severity_in_front_of_messages(output: SeverityOutput, severity: Severity, prefix: str) -> None:
    one = session()
    one.severity = output
    assert one.frame(Answer('x', severity), last=True, uptime_s=0) == f'{prefix}x\n\n'


def test_a_level_can_be_lowered_and_never_raised() -> None:
    one = session()
    assert one.may(Level.ADMIN)
    one.lower(Level.OPERATOR)
    assert (one.may(Level.ADMIN), one.may(Level.OPERATOR)) == (False, True)
    one.lower(Level.OPERATOR)
    one.lower(Level.USER)
    with pytest.raises(Complaint, match='Permission denied'):
        one.lower(Level.OPERATOR)
    assert one.level is Level.USER
