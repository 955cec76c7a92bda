from __future__ import annotations

import pytest

from dataplane.core.layout import ANY, NOBODY
from dataplane.core.stream import Admission, Life, Stream


def test_a_new_stream_owns_nothing() -> None:
    stream = Stream(3, klass=-2, offset=50, redispatch=True)
    assert (stream.backend, stream.wish, stream.klass, stream.offset) == (3, ANY, -2, 50)
    assert (stream.life, stream.entry, stream.server, stream.avoid) == (Life.NEW, NOBODY, NOBODY, NOBODY)
    assert stream.redispatch
    assert 'NEW' in repr(stream)


def test_a_bare_stream_keeps_its_route_and_cannot_be_told_anything() -> None:
    stream = Stream(3)
    assert stream.route() == 3
    for call in (stream.on_slot, stream.on_server_left, stream.on_shutdown):
        with pytest.raises(NotImplementedError):
            call()
    with pytest.raises(NotImplementedError):
        stream.on_refused(Admission.NOSRV)
