from __future__ import annotations

import pickle

from dataplane.core.cookie import Cookie, CookieMode


def test_what_a_cookie_begins_with_and_that_it_travels() -> None:
    cookie = Cookie(name='S', mode=CookieMode('insert'), dynamic=True)
    assert (cookie.indirect, cookie.maxidle, cookie.attributes) == (False, 0, ())
    assert pickle.loads(pickle.dumps(cookie)) == cookie
    assert Cookie(name='S').mode is CookieMode.PASSIVE
