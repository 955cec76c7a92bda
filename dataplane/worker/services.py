"""What answers in place of a server: a statistics page (statsrule.py) or the exporter, both made by the supervisor (inquiry.py).

The log names them where it would name the server, in HAProxy's words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.rules.statspage import PROMEX
from dataplane.worker.verdicts import Act, PageOf, Then, Verdict

if TYPE_CHECKING:
    from dataplane.rules.actions import UseService
    from dataplane.worker.ending import Story
    from dataplane.worker.transaction import Transaction


def taken_by(name: str, story: Story) -> None:
    """From here on the request is nobody else's."""
    story.server_name = name
    story.wait_ms = story.connect_ms = 0


def service_act(action: UseService) -> Act:
    """`http-request use-service`."""
    verdict = Verdict(Then.ASK, page=PageOf('', backend=False, granted=False, service=action.name))

    def act(transaction: Transaction) -> Verdict:
        taken_by(PROMEX, transaction.exchange.story)
        return verdict

    return act
