"""The table of terminations against HAProxy's manual: letters, statuses, who may be tried again."""

from __future__ import annotations

import pytest

from dataplane.core import termination as t
from dataplane.core.counters import C
from dataplane.core.termination import OUTCOMES, Phase, RetryOn, Termination, Who

DOCUMENTED = {
    'SC': (503, C.ECON), 'SQ': (503, C.ECON), 'sQ': (503, C.ECON), 'CQ': (None, None), 'CC': (None, None),
    'sC': (503, C.ECON), 'RC': (503, C.ECON), 'IC': (500, C.EINT), 'SH': (502, C.ERESP), 'sH': (504, C.ERESP),
    'PH': (502, C.ERESP), 'CH': (400, C.CLI_ABRT), 'cR': (408, C.EREQ), 'PR': (400, C.EREQ), 'CR': (400, C.EREQ),
    'PT': (500, C.DREQ), 'LR': (None, C.INTERCEPTED), 'CD': (None, C.CLI_ABRT), 'cD': (None, C.CLI_ABRT),
    'SD': (None, C.SRV_ABRT), 'sD': (None, C.SRV_ABRT), 'KC': (500, None), 'KH': (502, None), 'KD': (None, None),
    '--': (None, None),
}  # fmt: skip


def of(letters: str) -> Termination:
    return Termination(Who(letters[0]), Phase(letters[1]))


@pytest.mark.parametrize('letters', DOCUMENTED)
def test_documented_rows(letters: str) -> None:
    row = OUTCOMES[of(letters)]
    assert (row.status, row.counter) == DOCUMENTED[letters]
    assert str(of(letters)) == letters


def test_letters_are_the_manuals() -> None:
    assert ''.join(Who) == '-CcSsPRILDUK'
    assert ''.join(Phase) == '-RQCHDLT'


def test_every_name_has_a_row() -> None:
    named = [value for value in vars(t).values() if isinstance(value, Termination)]
    assert len(named) > 20
    assert all(value in OUTCOMES for value in named)


def test_no_status_once_the_response_has_begun() -> None:
    assert all(row.status is None for (_, phase), row in OUTCOMES.items() if phase in (Phase.DATA, Phase.LAST))


def test_what_retry_on_calls_them() -> None:
    found = {str(Termination(*key)): row.retry_on for key, row in OUTCOMES.items() if row.retry_on}
    assert found == {
        'SC': RetryOn.CONN_FAILURE, 'sC': RetryOn.CONN_FAILURE, 'SH': RetryOn.EMPTY_RESPONSE,
        'sH': RetryOn.RESPONSE_TIMEOUT, 'PH': RetryOn.JUNK_RESPONSE,
    }  # fmt: skip
