"""User lists at work: is this the user's password, and which groups is the user in?

To check a hashed password takes as long as its method is meant to take, and the worker stands still meanwhile. So what was
found is kept: of each user the password that was right, and of those that were wrong the last ones - as keyed digests, not as
they were sent. What one check may cost is bounded when the file is read (`config.userlists`).
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.rules.model import UserList

    Crypt = Callable[[bytes, bytes], bytes | None]

REMEMBERED: Final = 1_024
"""Wrong passwords of one list that are known to be wrong."""


class Accounts:
    """One user list (`dataplane.rules.stores.Accounts`)."""

    __slots__ = ('_crypt', '_groups', '_key', '_right', '_users', '_wrong')

    def __init__(self, userlist: UserList, crypt: Crypt) -> None:
        """`crypt`: crypt(3), which gives None for what it does not know."""
        self._crypt = crypt
        self._users: dict[bytes, tuple[bytes, bool]] = {}
        self._groups: dict[bytes, tuple[bytes, ...]] = {}
        for user in userlist.users:
            name = user.name.encode('utf-8', 'surrogateescape')
            self._groups[name] = tuple(group.encode('utf-8', 'surrogateescape') for group in user.groups)
            if user.password is not None:
                self._users[name] = user.password.encode('utf-8', 'surrogateescape'), user.insecure
        self._key = secrets.token_bytes(32)
        self._right: dict[bytes, bytes] = {}
        self._wrong: dict[tuple[bytes, bytes], None] = {}

    def admits(self, user: bytes, password: bytes) -> bool:
        """Is that the password of a user of this list? Who has none is never let in."""
        known = self._users.get(user)
        if known is None:
            return False
        secret, insecure = known
        if insecure:
            return hmac.compare_digest(secret, password)
        mark = blake2b(password, key=self._key, digest_size=32).digest()
        right = self._right.get(user)
        if right is not None and hmac.compare_digest(right, mark):
            return True
        if (user, mark) in self._wrong:
            return False
        made = self._crypt(password, secret)
        if made is not None and hmac.compare_digest(made, secret):
            self._right[user] = mark
            return True
        if len(self._wrong) >= REMEMBERED:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[user, mark] = None
        return False

    def groups(self, user: bytes) -> tuple[bytes, ...]:
        """The groups of a user; none of one that is not in the list."""
        return self._groups.get(user, ())
