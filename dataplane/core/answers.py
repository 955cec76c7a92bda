"""The vocabulary of the configuration, continued: what a proxy answers by itself. Everything else of it is in model.py."""

from __future__ import annotations

from dataclasses import dataclass


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
