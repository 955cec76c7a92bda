"""Rules: what may be asked of one transaction while a rule is evaluated.

Whoever evaluates rules hands in a `View`: a worker one of the exchange at hand, tests a plain object. Everything is read
when it is asked for, so an action that changes the request (`set-path`, `set-header`) is seen by the rules after it if the
view tells the changed request. What there is none of yet - a response, a server, a request in `tcp-request connection` -
is empty (b'', 0, ()) or None.

`fact` and `figure` are the two doors for everything that few rules ask: a fact is a value of any type, a figure a number
about a proxy or server. Their names are those of HAProxy's fetches; `FACTS` and `FIGURES` list which the fetches ask for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from dataplane.rules.samples import Address, Sample
from dataplane.rules.tables import Table, Tracked

Fields = Sequence[tuple[bytes, bytes]]
"""Header fields in order: the name in lower case, the value without blanks around it."""

FIGURES: Final = frozenset((
    # of a backend; '' is the transaction's own
    'nbsrv', 'connslots', 'queue', 'avg_queue', 'be_conn', 'be_conn_free', 'be_sess_rate', 'be_server_timeout',
    'be_tunnel_timeout', 'be_connect_timeout', 'be_queue_timeout', 'be_tarpit_timeout', 'be_max_retries',
    # of a frontend; '' is the transaction's own
    'fe_conn', 'fe_req_rate', 'fe_sess_rate', 'fe_client_timeout', 'fe_tarpit_timeout',
    # of a server of a backend; ('', '') is the transaction's own
    'srv_conn', 'srv_conn_free', 'srv_queue', 'srv_is_up', 'srv_sess_rate', 'srv_weight', 'srv_iweight', 'srv_uweight',
))  # fmt: skip


class View(Protocol):
    """One transaction, as fetches see it."""

    @property
    def method(self) -> bytes:
        """The request's method, as it came or was set."""

    @property
    def uri(self) -> bytes:
        """The request's target: a path with its query, or a whole URI where the client sent one."""

    @property
    def version(self) -> bytes:
        """The request's version, `1.1`."""

    @property
    def request(self) -> Fields:
        """The request's header fields."""

    @property
    def body(self) -> bytes:
        """What of the request's body is buffered, without its framing."""

    @property
    def body_size(self) -> int:
        """The length the request's body is announced with; what is buffered where it is chunked."""

    @property
    def src(self) -> Address | None:
        """The client's address; None on a unix socket."""

    @property
    def src_port(self) -> int:
        """The client's port."""

    @property
    def dst(self) -> Address | None:
        """The address the client connected to."""

    @property
    def dst_port(self) -> int:
        """The port the client connected to."""

    @property
    def status(self) -> int:
        """The response's status."""

    @property
    def response_version(self) -> bytes:
        """The response's version, `1.1`."""

    @property
    def response(self) -> Fields:
        """The response's header fields."""

    @property
    def response_body(self) -> bytes:
        """What of the response's body is buffered."""

    @property
    def now_us(self) -> int:
        """The wall clock in microseconds since 1970, the same for the whole of one turn of the loop."""

    def random(self) -> int:
        """32 random bits."""

    def variable(self, scope: str, name: str) -> Sample | None:
        """The value of a variable of `proc`, `sess`, `txn`, `req` or `res`."""

    def set_variable(self, scope: str, name: str, value: Sample | None) -> None:
        """Give a variable a value, or take it away (None)."""

    def captured(self, where: str, slot: int) -> bytes | None:
        """What was captured of the `req`uest or the `res`ponse in that slot, None where nothing was."""

    def capture(self, where: str, slot: int, value: bytes) -> None:
        """Keep a value in a capture's slot; the view cuts it to the slot's length."""

    def fact(self, name: str) -> Sample | None:
        """A value that few rules ask for, by the name of its fetch, or of its alias in a log format behind a `%`."""

    def tracked(self, number: int) -> Tracked | None:
        """The stick table and key that counter `number` tracks, None where it tracks none."""

    def table(self, name: str) -> Table | None:
        """The stick table of that name."""

    def figure(self, name: str, proxy: str, server: str) -> int | None:
        """A number about a proxy or server, by the name of its fetch; empty names mean the transaction's own."""
