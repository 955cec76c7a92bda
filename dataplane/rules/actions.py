"""Rules as plain data, continued: what a rule does when its condition holds (configuration manual 4.3), and replies. Immutable and
pickled like the rest of a snapshot; what becomes of an action is up to who evaluates it: `worker.rulebook`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from dataplane.rules.model import Condition, Expression, Format, Match, Variable
from dataplane.rules.noting import NO_FORMATS, Formats, Slot
from dataplane.rules.steps import Auth, Forwarded, Step

if TYPE_CHECKING:
    from dataplane.rules.statspage import StatsPage


@dataclass(frozen=True, slots=True)
class Reply:
    """What the proxy answers in place of a server. `body` None: the page of that status, an `errorfile` or the built-in one.

    `headers`: fields in front of those that say what the body is. `plain`: no body but the one written. `page`: a file's answer, where the
    connection closes after it and where it stays (None: it cannot); `section`: the `http-errors` section that has it.
    """

    status: int
    content_type: str = ''
    body: Format | bytes | None = None
    headers: tuple[tuple[str, Format], ...] = ()
    plain: bool = False
    page: tuple[bytes, bytes | None] | None = None
    section: str = ''


@dataclass(frozen=True, slots=True)
class Allow:
    """Stop evaluating the rules of this list."""


@dataclass(frozen=True, slots=True)
class Deny:
    """Answer at once, the request or response goes no further."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Tarpit:
    """Answer after `timeout tarpit`."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Return:
    """Answer at once, as a server would."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Reject:
    """Close the connection without a word; `silent`: without even telling the client (`silent-drop`)."""

    silent: bool = False


class Where(StrEnum):
    """How the target of a redirect is made."""

    LOCATION = 'location'
    PREFIX = 'prefix'
    SCHEME = 'scheme'


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the client elsewhere. `cookie` is the value of a Set-Cookie field, or nothing."""

    where: Where
    target: Format
    code: int = 302
    cookie: str = ''
    drop_query: bool = False
    keep_query: bool = False
    append_slash: bool = False
    ignore_empty: bool = False


@dataclass(frozen=True, slots=True)
class PutHeader:
    """Add a field; `alone`: after all others of that name are gone."""

    name: str
    value: Format
    alone: bool


@dataclass(frozen=True, slots=True)
class DelHeader:
    """Take away the fields whose names match."""

    name: str
    match: Match = Match.STR


@dataclass(frozen=True, slots=True)
class ReplaceHeader:
    """Replace a field's value where it matches; `each`: every value of its list by itself (`replace-value`)."""

    name: str
    regex: str
    value: Format
    each: bool


class Part(StrEnum):
    """What of the request line is set or replaced."""

    METHOD = 'method'
    PATH = 'path'
    PATHQ = 'pathq'
    QUERY = 'query'
    URI = 'uri'


@dataclass(frozen=True, slots=True)
class SetPart:
    """Give a part of the request line another value."""

    part: Part
    value: Format


@dataclass(frozen=True, slots=True)
class ReplacePart:
    """Replace a part of the request line where it matches."""

    part: Part
    regex: str
    value: Format


@dataclass(frozen=True, slots=True)
class SetStatus:
    """Give the response another status; the reason is the usual one unless it is given."""

    status: int
    reason: str = ''


class Unless(StrEnum):
    """A condition of `set-var` on the variable or the value itself."""

    ALWAYS = ''
    IF_EXISTS = 'ifexists'
    IF_NOT_EXISTS = 'ifnotexists'
    IF_EMPTY = 'ifempty'
    IF_NOT_EMPTY = 'ifnotempty'
    IF_SET = 'ifset'
    IF_NOT_SET = 'ifnotset'
    IF_GREATER = 'ifgt'
    IF_LESS = 'iflt'


@dataclass(frozen=True, slots=True)
class SetVar:
    """Give a variable the value of an expression or a text."""

    variable: Variable
    value: Expression | Format
    only: tuple[Unless, ...] = ()


@dataclass(frozen=True, slots=True)
class UnsetVar:
    """Forget a variable."""

    variable: Variable


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep the value of an expression in a capture's slot, for the log (`capture`). `owner`: the frontend whose slot it is; '': any that has it."""

    value: Expression
    slot: int
    owner: str = ''


@dataclass(frozen=True, slots=True)
class SetPriority:
    """A request's place in queues: `offset` in milliseconds, or its class."""

    value: Expression
    offset: bool


@dataclass(frozen=True, slots=True)
class SetLogLevel:
    """The level of the request's log line; None: there is none (`silent`)."""

    level: int | None


class NamePolicy(StrEnum):
    """What becomes of fields of requests whose names have other characters than letters, digits and hyphens."""

    PRESERVE = 'preserve'
    DELETE = 'delete'
    REJECT = 'reject'


@dataclass(frozen=True, slots=True)
class RestrictNames:
    """`option http-restrict-req-hdr-names`."""

    policy: NamePolicy


@dataclass(frozen=True, slots=True)
class CheckCache:
    """`option checkcache`: a response that a cache may keep together with a cookie goes no further."""


@dataclass(frozen=True, slots=True)
class Track:
    """Track the entry of a key in a table with counter `number`, unless that tracks one; `asked`: a request is counted, too."""

    number: int
    key: Expression
    table: str
    asked: bool


@dataclass(frozen=True, slots=True)
class Add:
    """Add to a general counter (`gpc0`, `gpc1` or an element of `gpc`) of what counter `number` tracks."""

    number: int
    data: str
    element: int
    amount: int | Expression


@dataclass(frozen=True, slots=True)
class Tag:
    """Give a general tag (`gpt0` or an element of `gpt`) of what counter `number` tracks a value."""

    number: int
    data: str
    element: int
    value: int | Expression


@dataclass(frozen=True, slots=True)
class SetTimeout:
    """Another timeout for this request: `name` is a field of `core.model.Timeouts`, the value milliseconds."""

    name: str
    value: Expression | int


@dataclass(frozen=True, slots=True)
class SetRetries:
    """How often a failed try of this request may be made again (`retries`)."""

    value: Expression | int


@dataclass(frozen=True, slots=True)
class SendOnce:
    """Once it was sent this request is not sent again, whatever `retry-on` says (`disable-l7-retry`)."""


EXPORTER: Final = 'prometheus-exporter'
"""The service that says the figures for Prometheus."""


@dataclass(frozen=True, slots=True)
class UseService:
    """Have a service answer in place of a server: `EXPORTER`, there is no other."""

    name: str


class Map(StrEnum):
    """What a rule does to a map or an ACL of a file."""

    SET_MAP = 'set-map'
    DEL_MAP = 'del-map'
    ADD_ACL = 'add-acl'
    DEL_ACL = 'del-acl'


@dataclass(frozen=True, slots=True)
class ChangeMap:
    """Change what a file's reference says of a pattern. `value` is what `set-map` gives it."""

    what: Map
    name: str
    key: Format
    value: Format | None = None


Action = (
    Allow | Auth | Deny | Tarpit | Return | Reject | Redirect | PutHeader | DelHeader | ReplaceHeader | SetPart | ReplacePart
    | SetStatus | SetVar | UnsetVar | Keep | SetPriority | SetLogLevel | SetTimeout | SetRetries | SendOnce | RestrictNames
    | CheckCache | UseService | Track | Add | Tag | ChangeMap | Step
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """An action and when it is taken. `where`: file and line."""

    action: Action
    condition: Condition | None = None
    where: str = ''


@dataclass(frozen=True, slots=True)
class Switch:
    """`use_backend` or `use-server`: the one of this name, or of the name that a format makes."""

    name: str | Format
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Stick:
    """`stick match`, `stick store-request` or both (`stick on`), or `stick store-response`: the server of a key in a table."""

    table: str
    key: Expression
    match: bool
    store: bool
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Persist:
    """`force-persist`, or `ignore-persist`; the first of them whose condition holds counts."""

    ignore: bool
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of one proxy. `after` is `http-after-response`; `connection`, `session`, `content` are `tcp-request`'s, `response_content`
    is `tcp-response`'s. `replies`: pages that are made of the request (`http-error`).

    `forced` stands for `force-be-switch`, and names nobody; `request_guard` and `response_guard` are what options ask for, behind the
    rules for requests and for responses; `monitor_fail`: when what `monitor-uri` answers is a failure.
    """

    connection: tuple[Rule, ...] = ()
    session: tuple[Rule, ...] = ()
    content: tuple[Rule, ...] = ()
    request: tuple[Rule, ...] = ()
    redirects: tuple[Rule, ...] = ()
    response_content: tuple[Rule, ...] = ()
    response: tuple[Rule, ...] = ()
    after: tuple[Rule, ...] = ()
    switches: tuple[Switch, ...] = ()
    servers: tuple[Switch, ...] = ()
    forced: tuple[Switch, ...] = ()
    sticks: tuple[Stick, ...] = ()
    answer_sticks: tuple[Stick, ...] = ()
    persistence: tuple[Persist, ...] = ()
    monitor_fail: tuple[Condition, ...] = ()
    request_slots: tuple[Slot, ...] = ()
    response_slots: tuple[Slot, ...] = ()
    replies: tuple[Reply, ...] = ()
    forwarded: Forwarded | None = None
    formats: Formats = NO_FORMATS
    request_guard: tuple[Rule, ...] = ()
    response_guard: tuple[Rule, ...] = ()
    page: StatsPage | None = None

    def __bool__(self) -> bool:
        """Is there anything to evaluate?"""
        return self != NO_RULES

    @property
    def backends(self) -> tuple[str, ...]:
        """The backends that `use_backend` lines name; what a format makes cannot be known."""
        return tuple(switch.name for switch in self.switches if isinstance(switch.name, str))


NO_RULES = Rules()
