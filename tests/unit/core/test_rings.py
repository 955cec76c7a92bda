from __future__ import annotations

from dataplane.core.rings import SIZE, RingSection


def test_a_ring_of_which_nothing_is_said() -> None:
    ring = RingSection(name='r', description='r')
    assert (ring.format, ring.size, ring.maxlen, ring.servers) == ('raw', SIZE, SIZE, ())
