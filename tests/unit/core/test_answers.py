"""What a proxy answers by itself is plain data, as everything that travels to workers."""

from __future__ import annotations

import pickle

from dataplane.core.answers import ErrorPage, ErrorSection


def test_pages_travel_and_are_compared_by_what_they_say() -> None:
    page = ErrorPage(status=503, closing=b'HTTP/1.0 503 No\r\n\r\n')
    section = ErrorSection(name='e', pages=(page,))
    assert pickle.loads(pickle.dumps(section)) == section
    assert section != ErrorSection(name='e')
    assert page.keeping is None  # unless it is said, its connection ends with it
