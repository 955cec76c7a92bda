"""Limits of the `global` section that few set (`tune.*`): plain data, 0 where nothing is limited."""

from __future__ import annotations

from dataclasses import dataclass

PAYLOAD = 128 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableLimits:
    """Bytes that variables may take (`tune.vars.*`): all of them, of the process, of a session, of a transaction, of a request
    or response. Each scope counts those behind it, too; `proc` and `whole` are the same sum.
    """

    whole: int = 0
    proc: int = 0
    sess: int = 0
    txn: int = 0
    reqres: int = 0

    def __bool__(self) -> bool:
        """Is anything limited?"""
        return any((self.whole, self.proc, self.sess, self.txn, self.reqres))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """`payload`: bytes that one payload of the runtime API may have."""

    variables: VariableLimits = VariableLimits()
    payload: int = PAYLOAD
