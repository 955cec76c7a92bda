"""Rules applied to one exchange: its request, its response, and what the proxy answers by itself.

The order is HAProxy's (manual, 4.3): a request meets the frontend's rules and then the backend's, an answer the backend's and
then the frontend's; a `listen` that is both is met once. A rule that cannot be carried out ends the exchange with 500.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from dataplane.core.counters import C
from dataplane.core.termination import RESPONSE_RULE_FAILED, RULE_FAILED
from dataplane.worker.head import ResponseHead
from dataplane.worker.replies import Made
from dataplane.worker.tracking import count_refused
from dataplane.worker.transaction import RuleFailed
from dataplane.worker.verdicts import WAITING, Then, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dataplane.worker.rulebook import ProxyRules
    from dataplane.worker.transaction import Transaction

_LOG: Final = logging.getLogger('sluice.rules')
_FAILED: Final = Verdict(Then.ANSWER, RULE_FAILED, lambda _: Made(500), C.EINT)
_RESPONSE_FAILED: Final = Verdict(Then.ANSWER, RESPONSE_RULE_FAILED, lambda _: Made(500), C.EINT)


def judge_request(transaction: Transaction, rules: ProxyRules, at: int = 0) -> Verdict | None:
    """The verdict of a proxy's rules on a request, whose head is afterwards what they made of it; `at`: where they go on."""
    try:
        verdict = rules.request.run(transaction, at)
        transaction.settle_request()
        transaction.tell_hints()
    except RuleFailed as failure:
        _LOG.warning('%s: %s', rules.name, failure)
        return _FAILED
    if verdict is None or verdict.then not in WAITING:
        transaction.strict = True
        if verdict is not None and transaction.context.tables:
            count_refused(transaction, verdict)
    return verdict


def judge_response(
    transaction: Transaction, lists: Sequence[ProxyRules], which: int = 0, at: int = 0
) -> Verdict | None:
    """The verdict on a server's response, which the transaction knows and whose head is afterwards what the rules made of it.

    Where they go on: the proxy's number (`which`), and the place in its list. A verdict that waits leaves both in `stopped`.
    """
    try:
        for number in range(which, len(lists)):
            verdict = lists[number].response.run(transaction, at)
            at = 0
            if verdict is not None:
                transaction.stopped = number
                if verdict.then not in WAITING:
                    transaction.strict = True
                return verdict
            transaction.strict = True
        for rules in lists:
            verdict = rules.response_guard.run(transaction) if rules.response_guard else None
            if verdict is not None:
                return verdict
        transaction.settle_response()
        transaction.accepted()
    except RuleFailed as failure:
        _LOG.warning('%s: %s', transaction.frontend.name, failure)
        return _RESPONSE_FAILED
    return None


def judge_passed(transaction: Transaction, lists: Iterable[ProxyRules], added: bytes) -> bytes:
    """A server's answer after the rules for all answers; they see the fields that the proxy is about to add: what is left of these."""
    if not any(rules.after for rules in lists):
        return added
    for line in added.split(b'\r\n')[:-1]:
        name, _, value = line.partition(b': ')
        transaction.put(name, value, alone=False)
    for rules in lists:
        rules.after.run(transaction)
        transaction.strict = True
    transaction.settle_response()
    return b''


def judge_answer(
    transaction: Transaction, status: int, answer: bytes, lists: Iterable[ProxyRules]
) -> tuple[int, bytes]:
    """The proxy's own answer after the rules for all answers, and its status.

    A page may have another status than that for which it is sent (`errorfile`, `errorloc302`): rules see the page's, the log has the other.
    """
    end = answer.find(b'\r\n\r\n') + 4
    if end < 4 or not any(rules.after for rules in lists):
        return status, answer
    written = answer[9:12]
    shown = int(written) if written.isdigit() else status
    head = ResponseHead(answer[:end], 1, shown)
    transaction.answers(head)
    for rules in lists:
        rules.after.run(transaction)
    transaction.settle_response()
    return status if head.status == shown else head.status, head.raw + answer[end:]
