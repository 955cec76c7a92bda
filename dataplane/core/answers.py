"""The vocabulary of the configuration, continued: what a proxy answers by itself. Everything else of it is in model.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    """`errorfile`: the whole answer to send in place of the built-in one of `status`.

    `closing` is sent where the connection closes after it; `keeping` where it goes on, None when it cannot after this page.
    """

    status: int
    closing: bytes = b''
    keeping: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSection:
    """An `http-errors` section: pages that rules answer with."""

    name: str
    pages: tuple[ErrorPage, ...] = ()


def statuses(codes: Iterable[int]) -> int:
    """A set of statuses as a number, a bit each."""
    return sum(1 << code for code in set(codes))


ERRORS: Final = statuses(range(400, 500))
FAILURES: Final = statuses({*range(500, 600)} - {501, 505})
"""What a server's answer counts as in stick tables: an error of the client, or a failure of the server."""
