"""Before anything is sent: a request, the rules of its frontend and backend, and the backend it goes to.

`Routed` is what the chapters of a request have in common (seeker.py, carrier.py, exchange.py): its head, its client, its story.
"""

from __future__ import annotations

import time
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from dataplane.core.layout import ANY, NOBODY
from dataplane.worker.cookies import Standing
from dataplane.worker.ending import Story
from dataplane.worker.halves import ServerUser
from dataplane.worker.head import RequestHead, ResponseHead
from dataplane.worker.judging import judge_passed, judge_request, judge_response
from dataplane.worker.persistence import (
    Overrides,
    Persistence,
    insisted,
    is_preferred,
    server_named,
    standing_of,
    wish_for,
)
from dataplane.worker.routing import choose_backend
from dataplane.worker.sticking import learn, stick
from dataplane.worker.tracking import REQUEST, count_answered
from dataplane.worker.transaction import Transaction
from dataplane.worker.verdicts import WAITING

if TYPE_CHECKING:
    from collections.abc import MutableSequence

    from dataplane.core.layout import Layout
    from dataplane.core.model import Backend, Frontend
    from dataplane.core.tables import Tables
    from dataplane.core.termination import Termination
    from dataplane.stick import StickTable
    from dataplane.worker.context import Context
    from dataplane.worker.cookies import Jar
    from dataplane.worker.halves import ClientEnd
    from dataplane.worker.pool import Pool
    from dataplane.worker.rulebook import ProxyRules, Rulebook
    from dataplane.worker.upstream import Ends, Upstream
    from dataplane.worker.verdicts import Verdict


class Stage(IntEnum):
    """What an exchange is waiting for."""

    ASKING = -3  # the supervisor, for a page
    GATHERING = -2  # a rule waits for the request's body, or pauses
    TARPIT = -1
    ROUTED = 0
    QUEUED = 1
    CONNECTING = 2
    TURN_AROUND = 3
    HEADERS = 4
    HELD = 5  # the same of the answer's
    BODY = 6
    TUNNEL = 7
    OVER = 8


# named per request: see core/plane.py
_ROUTED: Final = Stage.ROUTED
_USUAL: Final = Persistence.USUAL


class Routed(ServerUser):
    """A request with its route. Its ends (`_fail`, `_obey`) are the exchange's."""

    __slots__ = (
        '_backend', '_client', '_context', '_frontend', '_jar', '_leaving', '_must_open', '_overrides', '_pool',
        '_preferred', '_queue_deadline', '_received_at', '_reused', '_ruled', '_upstream', '_waiting_since', 'began',
        'head', 'number', 'persistence', 'retries', 'sends_once', 'stage', 'story', 'timeouts',
    )  # fmt: skip

    def __init__(
        self, context: Context, client: ClientEnd, index: int, frontend: Frontend, head: RequestHead, began: int,
        wall: float,
    ) -> None:  # fmt: skip
        super().__init__(NOBODY)
        self._context = context
        self._client = client
        self._frontend = frontend
        self._backend: Backend | None = None
        self._jar: Jar | None = None
        self._ruled: Transaction | None = None
        self.persistence = _USUAL
        self._overrides: Overrides | None = None
        self.timeouts = frontend.timeouts
        self.retries = 0
        self.sends_once = False
        self.head = head
        self.number = context.number()
        self.stage = _ROUTED
        self.began = began
        self._received_at = self._waiting_since = context.clock.ms()
        self._queue_deadline = 0
        self._pool: Pool | None = None
        self._upstream: Upstream | None = None
        self._reused = self._must_open = self._leaving = self._preferred = False
        self.story = story = Story(index, wall)
        story.request_ms = self._received_at - began
        story.asked(head.method, head.target, head.version)

    def fails(self) -> bool:
        """Does it, as one for `monitor-uri`, meet a condition of `monitor fail`?"""
        book = self._context.rulebook
        rules = None if book is None else book.frontends.get(self.story.frontend)
        if rules is None or not rules.monitor_fail:
            return False
        return rules.fails(Transaction(self._context, self._client, self, self._frontend))

    def route(self) -> int:
        """The backend's index under the tables in force, NOBODY when none is named."""
        tables = self._context.desk.tables
        self._frontend = self._context.frontend(self.story.frontend, self._frontend)
        if self._ruled is None:
            backend = choose_backend(tables, self._frontend, self.head)
        else:
            backend = self._switched(tables, self._ruled)
        if backend is None:
            return NOBODY
        if self.wish >= 0 and backend != self.backend:
            self.wish = ANY  # the server a cookie named is another backend's
        if self.wish < 0 and (self._context.wishes or self.wish != ANY):
            self._wish_in(backend)
        return backend

    def _wish_in(self, backend: int) -> None:
        """What this stream wishes for in a backend where no cookie names a server."""
        wish = self._context.wishes.get(backend)
        self.wish = ANY if wish is None else wish(self.head, self._source())

    def _source(self) -> str:
        """The client's address, as rules have it."""
        return self._client.address if self._ruled is None else self._ruled.source()

    def _destination(self) -> str:
        """The address the client connected to, likewise."""
        return self._client.local_address if self._ruled is None else self._ruled.destination()

    def _seen(self) -> Transaction:
        """What rules see of the request, made when the first one looks."""
        ruled = self._ruled
        if ruled is None:
            ruled = self._ruled = self.story.ruled = Transaction(self._context, self._client, self, self._frontend)
            if self._client.tracking is not None:
                self._client.tracking.count(*REQUEST)
        return ruled

    def _passes(self, rules: ProxyRules | None, at: int = 0, *, waits: bool = True) -> bool:
        """Does a proxy without rules, or with these, let the request go on? Otherwise it has been answered, or will be, or it waits.

        `at`: where its rules go on; not `waits`: it has a place already, so a rule that would wait is passed over.
        """
        if rules is None:
            return True
        ruled = self._seen()
        verdict = judge_request(ruled, rules, at)
        while verdict is not None and verdict.then in WAITING and not (waits and self._waits(verdict, rules)):
            verdict = judge_request(ruled, rules, ruled.place)
        if verdict is None:
            return True
        if verdict.then not in WAITING:
            self._obey(verdict)
        return False

    def _waits(self, verdict: Verdict, rules: ProxyRules) -> bool:
        """Does the request wait, as a rule of these says? Not for a body that is here."""
        raise NotImplementedError

    def _passes_backend(self, book: Rulebook, *, waits: bool = True) -> bool:
        """Do the rules of its backend, which are asked once, and not where a `listen` is both halves?"""
        rules = book.backends.get(self.backend)
        if rules is not None and self._backend_of().id != self._frontend.id:
            asked = self._ruled is not None and rules.name in self._ruled.ruled_backends
            if not asked and not self._passes(rules, waits=waits):
                return False
            if not asked:
                self._passed_backend(rules)
        if self._ruled is not None:
            self._ruled.chosen()
        return True

    def _passed_backend(self, rules: ProxyRules) -> None:
        """A backend's rules have run; they will not again for this request."""
        if self._ruled is not None:
            self._ruled.ruled_backends += (rules.name,)

    def _rules(self) -> list[ProxyRules]:
        """Whose rules an answer meets: its backend's, then its frontend's."""
        book, backend = self._context.rulebook, self._backend
        if book is None:
            return []
        found = [book.frontends.get(self.story.frontend)]
        if backend is not None and backend.id != self._frontend.id:
            found.insert(0, book.backends.get(self.story.backend))
        return [rules for rules in found if rules is not None]

    def _passes_response(self, head: ResponseHead) -> bool:
        """Do the rules let the server's answer go on? Otherwise the client has been answered."""
        lists = self._rules()
        if self._ruled is None or not lists:
            return True
        self._ruled.answered(head)
        if self._context.tables:
            count_answered(self._ruled, head.status)
        self._ruled.lists = lists
        return self._judged(self._ruled, 0, 0)

    def _judged(self, ruled: Transaction, which: int, at: int) -> bool:
        """The same, from a proxy and a place in its rules on. Also False: it waits."""
        verdict = judge_response(ruled, ruled.lists, which, at)
        while verdict is not None and verdict.then in WAITING and not self._answer_waits(verdict):
            verdict = judge_response(ruled, ruled.lists, ruled.stopped, ruled.place)
        if verdict is None:
            server = self._context.desk.tables.servers.get(self.server) if self._context.tables else None
            if server is not None:
                learn(ruled, ruled.lists, server)
            return True
        if verdict.then not in WAITING:
            self.story.response_ms = -1
            self._obey(verdict)
        return False

    def _answer_waits(self, verdict: Verdict) -> bool:
        """Does the answer wait, as a rule says? Not for a body that is here."""
        raise NotImplementedError

    def _passed(self, head: ResponseHead, added: bytes) -> bytes:
        """An answer that goes on meets the rules for all answers. What is left to add to it."""
        if self._ruled is not None:
            added = judge_passed(self._ruled, self._rules(), added)
            self.story.status = head.status
        return added

    def _switched(self, tables: Tables, ruled: Transaction) -> int | None:
        """The index of the backend that the frontend's rules lead to, as far as they have a say in it."""
        book = self._context.rulebook
        rules = None if book is None else book.frontends.get(self.story.frontend)
        if rules is None or not (rules.switches or rules.forced):
            return choose_backend(tables, self._frontend, self.head)
        forced = bool(rules.forced) and rules.forces(ruled)

        def passed_over(name: str) -> bool:
            index = tables.backend_of(name)
            return index is not None and not tables.eligible(index, forced=forced)

        named = rules.backend(ruled, passed_over)
        return choose_backend(tables, self._frontend, self.head, named, forced=forced)

    def _insist(self, book: Rulebook) -> None:
        """What `force-persist` and `ignore-persist` say: whether persistence counts, and whether also on a server that is down."""
        rules = book.backends.get(self.backend)
        if rules is None or not rules.persistence:
            return
        self.persistence = insisted(rules, self._seen())
        if self.persistence is Persistence.FORCED:
            self.redispatch = False

    def _persist(self) -> None:
        """The server it must go to before any balancing, if there is one: a `use-server` names it, or else its cookie."""
        book, index = self._context.rulebook, None
        rules = None if book is None else book.backends.get(self.backend)
        if rules is not None and rules.servers and self._ruled is not None:
            index = server_named(self, rules, self._ruled)
        if self._jar is not None:
            counts = index is None and self.persistence is not Persistence.IGNORED
            may = (lambda server: standing_of(self, server)) if counts else None
            self.story.cookie = ticket = self._jar.read(self.head, int(time.time()), may)
            if index is not None:
                ticket.wants(index)
            elif ticket.direct:
                index = ticket.server
        if index is not None:
            self.wish = wish_for(self, index)

    def _prefer(self, own: Upstream) -> None:
        """The server to which its client has a connection of its own, where that is preferred (`option prefer-last-server`)."""
        if is_preferred(self, own.server, bound=own.private):
            self.wish, self._preferred = 2 * own.server + 1, True

    # -- what rules set ----------------------------------------------------------------------------------------------

    def override(self, name: str, value: int) -> None:
        """Another timeout (ms) or number of retries for this request."""
        known = self._overrides = self._overrides or Overrides()
        known.note(name, value)
        self.timeouts, self.retries = known.of(self.timeouts, self.retries)
        if name == 'client':
            self._client.patience = value

    def _written(self, answer: bytes) -> bytes:
        """An answer, at least its head, with the names of its fields as its client wants them."""
        return self._context.casing.of(answer) if self._frontend.adjust_case else answer

    def _stick(self, book: Rulebook) -> None:
        """The server that a `stick` line knows is the one it wishes for, where nothing else said one; what is to be learnt is noted."""
        rules, ruled = book.backends.get(self.backend), self._ruled
        if rules is None or ruled is None or not rules.sticks:
            return
        context, backend = self._context, self.backend

        def find(table: StickTable, key: bytes) -> int:
            index = context.numbers.find(backend, table, key)
            return index if index != NOBODY and standing_of(self, index) is not Standing.BARRED else NOBODY

        server = stick(ruled, rules, find, decided=self.wish >= 0)
        if server != NOBODY:
            self.wish = wish_for(self, server)
            if self.story.cookie is not None:
                self.story.cookie.wants(server)

    def early_body(self) -> bytes:
        """What came of the body before anything was sent."""
        raise NotImplementedError

    def answer_body(self) -> bytes:
        """What came of the answer's body before anything of it was relayed."""
        raise NotImplementedError

    def inform(self, answer: bytes) -> None:
        """Send the client an interim answer of the proxy's own."""
        raise NotImplementedError

    def ends(self) -> Ends | None:
        """Both addresses of the connection to the server, while there is one."""
        return None if self._upstream is None else self._upstream.ends()

    def client_patience(self) -> int | None:
        """How long its client may be silent (ms)."""
        return self._client.patience

    def server_info(self, name: str) -> int | None:
        """What the system knows of that connection (transport.py)."""
        return None if self._upstream is None else self._upstream.tcp_info(name)

    def is_reused(self) -> bool:
        """Has the connection to the server carried other requests?"""
        return self._reused

    def _learn_backend(self) -> None:
        # A backend that tables lack by now is only ever met by a stream that is about to be refused.
        backend = self._context.desk.tables.backends.get(self.backend)
        if backend is None or backend is self._backend:
            return
        if self._overrides is not None and self._backend is None and backend.name != self._frontend.name:
            self._overrides.leave()
        self._backend = backend
        self.persistence = _USUAL
        self.redispatch = backend.redispatch != 0
        self.timeouts, self.retries = backend.timeouts, backend.retries
        if self._overrides is not None:
            self.timeouts, self.retries = self._overrides.of(self.timeouts, self.retries)
        self._jar = None if backend.cookie is None else self._context.jar(self.backend, backend)
        self.story.backend = self.backend
        self.story.backend_name = backend.name

    def backend_of(self) -> Backend:
        """The backend it goes to, once it is known."""
        return self._backend_of()

    def board(self) -> tuple[MutableSequence[int], Layout, Tables]:
        """What says how servers stand: cells, their layout, and the tables in force."""
        return self._context.cells, self._context.layout, self._context.desk.tables

    def _backend_of(self) -> Backend:
        assert self._backend is not None
        return self._backend

    # -- the last chapter --------------------------------------------------------------------------------------------

    def _fail(self, end: Termination, *, silent: bool = False) -> None:
        """End otherwise than as it should."""
        raise NotImplementedError

    def _obey(self, verdict: Verdict) -> None:
        """End as a rule says."""
        raise NotImplementedError
