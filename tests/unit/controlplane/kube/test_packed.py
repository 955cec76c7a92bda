from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controlplane.kube.packed import Endpoint, pack, unpack

CONDITION = st.sampled_from([None, True, False])
TEXT = st.text(max_size=8)
ENDPOINT = st.builds(Endpoint, TEXT, CONDITION, CONDITION, CONDITION, TEXT, TEXT, TEXT, TEXT)


@given(st.lists(ENDPOINT, max_size=4))
def test_what_was_packed_comes_back(endpoints: list[Endpoint]) -> None:
    assert unpack(pack(endpoints)) == tuple(endpoints)


@given(st.lists(ENDPOINT, max_size=2), st.lists(ENDPOINT, max_size=2))
def test_texts_are_equal_when_endpoints_are(some: list[Endpoint], others: list[Endpoint]) -> None:
    assert (pack(some) == pack(others)) is (some == others)


def test_the_same_text_is_the_same_objects() -> None:
    text = pack([Endpoint('10.0.0.1', pod='a')])
    assert unpack(text) is unpack(text[:5] + text[5:])
