from __future__ import annotations

import json
from typing import Any

import pytest

from controlplane.kube.errors import from_answer, from_status


def status(**more: Any) -> dict[str, Any]:
    return {'kind': 'Status', 'code': 409, 'reason': 'Conflict', 'message': 'changed', **more}


def test_a_status_document_is_taken_at_its_word() -> None:
    details = {'retryAfterSeconds': 3, 'causes': [{'reason': 'FieldManagerConflict'}, {'reason': 'X'}]}
    error = from_answer(409, json.dumps(status(details=details)).encode(), None)
    assert (error.status, error.reason, error.message, error.retry_after) == (409, 'Conflict', 'changed', 3.0)
    assert error.causes == ('FieldManagerConflict', 'X')
    assert error.is_conflict
    assert str(error) == '409 Conflict: changed'


def test_the_header_counts_before_the_document() -> None:
    body = json.dumps(status(details={'retryAfterSeconds': 3})).encode()
    assert from_answer(429, body, '7').retry_after == 7.0


@pytest.mark.parametrize('header', ['', 'Wed, 21 Oct 2026 07:28:00 GMT', 'soon', None])
def test_a_header_that_is_no_number_of_seconds_is_none(header: str | None) -> None:
    assert from_answer(503, b'', header).retry_after is None


@pytest.mark.parametrize('body', [b'', b'\xff\xfe', b'<html>Bad Gateway</html>', b'[]', b'{"kind":"Pod"}', b'null'])
def test_an_answer_in_other_words_is_an_error_all_the_same(body: bytes) -> None:
    error = from_answer(502, body, None)
    assert (error.status, error.reason, error.causes) == (502, '', ())
    assert error.message


@pytest.mark.parametrize('details', [None, [], 'x', {'causes': 1}, {'causes': ['x', {}]}, {'retryAfterSeconds': {}}])
def test_details_of_another_shape_are_none(details: Any) -> None:
    assert from_status(status(details=details)).retry_after is None


def test_of_an_event_the_code_is_the_documents() -> None:
    error = from_status({'code': 410, 'reason': 'Expired', 'message': 'too old'})
    assert error.is_gone
    assert not error.is_too_new
    assert from_status({}).status == 0


def test_already_there_is_no_conflict_of_versions() -> None:
    assert not from_status(status(reason='AlreadyExists')).is_conflict
    assert from_status({'code': 504, 'details': {'causes': [{'reason': 'ResourceVersionTooLarge'}]}}).is_too_new
