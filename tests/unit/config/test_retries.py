"""`retry-on` lines."""

from __future__ import annotations

import pytest

from dataplane.config.retries import FAILURES
from dataplane.core.termination import RetryOn
from tests.unit.config.loading import backend, backend_error


@pytest.mark.parametrize(
    'words, wanted',
    [
        ('none', set()),
        ('conn-failure empty-response', {'conn-failure', 'empty-response'}),
        ('503 429', {'503', '429'}),
        (
            'all-retryable-errors 404',
            {
                'conn-failure', 'empty-response', 'junk-response', 'response-timeout', '0rtt-rejected', '500', '502', '503',
                '504', '404',
            },
        ),
    ],
)  # fmt: skip
def test_what_a_line_says(words: str, wanted: set[str]) -> None:
    assert backend(f'retry-on {words}').retry_on == wanted
    assert backend(f'retry-on 500\n retry-on {words}').retry_on == wanted


@pytest.mark.parametrize(
    'words, text',
    [
        ('none 503', "'retry-on': 'none' stands alone."),
        ('200', "'retry-on' does not know '200'."),
        ('conn-failed', "'retry-on' does not know 'conn-failed'; did you mean 'conn-failure' maybe ?"),
    ],
)
def test_what_is_wrong(words: str, text: str) -> None:
    assert backend_error(f'retry-on {words}')[0].startswith(text.rstrip('.'))


def test_unset_only_connections_that_failed_are_tried_again() -> None:
    assert backend('retries 3').retry_on == {'conn-failure'}
    assert backend_error('retry-on')[0].startswith("'retry-on' expects at least one of: conn-failure,")


def test_the_failures_are_those_that_a_termination_may_have() -> None:
    assert set(FAILURES) == {str(failure) for failure in RetryOn}
