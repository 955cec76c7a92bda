"""config: lines with rules (configuration manual 4.3): `http-request`, `http-response`, `http-after-response`, `redirect`, `use_backend`.

A list of a proxy is evaluated in the order of its lines. Conditions keep the ACLs as they are at their line; lines of an ACL that
follow are put in when the section is whole (`bound`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from dataplane.config.actions import (
    AFTER,
    CONNECTION,
    CONTENT,
    REQUEST,
    RESPONSE,
    RESPONSE_CONTENT,
    SESSION,
    Place,
    parse_map,
    parse_redirect,
    parse_set_var,
    parse_unset_var,
)
from dataplane.config.draft import Side
from dataplane.config.headernames import request_guard, response_guard
from dataplane.config.keywords import ACTIONS, Status
from dataplane.config.problems import Rejected, did_you_mean, shown
from dataplane.config.sticktables import parse_counting, parse_track
from dataplane.config.values import parse_time
from dataplane.rules.acls import rebound
from dataplane.rules.actions import Rule, Rules, Switch
from dataplane.rules.noting import NO_FORMATS, Slot
from dataplane.rules.phases import Phase
from dataplane.rules.steps import Auth, WaitBody

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dataplane.config.actions import Parser
    from dataplane.config.draft import ProxyDraft
    from dataplane.config.reader import Line
    from dataplane.config.ruling import Ruling
    from dataplane.rules.actions import Action, Persist, Stick
    from dataplane.rules.model import Acl
    from dataplane.rules.statspage import StatsPage

_Conditional = TypeVar('_Conditional', 'Rule', 'Switch', 'Stick', 'Persist')
MAPS: Final = {
    'http-request': ('set-map', 'del-map', 'add-acl', 'del-acl'), 'http-response': ('set-map', 'del-map', 'add-acl', 'del-acl'),
    'http-after-response': ('set-map', 'del-map', 'del-acl'),
}  # fmt: skip
_VARIABLES: Final = {'set-var': parse_set_var, 'set-var-fmt': parse_set_var, 'unset-var': parse_unset_var,
    **dict.fromkeys(('sc-add-gpc', 'sc-inc-gpc', 'sc-inc-gpc0', 'sc-inc-gpc1', 'sc-set-gpt', 'sc-set-gpt0'), parse_counting),
}  # fmt: skip


def parse_http_request(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """Add one rule to the proxy. Raises Rejected, naming the action, for all that are not supported."""
    proxy.request_rules.append(_rule(line, proxy, ruling, REQUEST, request_phase(proxy)))


def parse_http_response(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """Add one rule for responses."""
    proxy.response_rules.append(_rule(line, proxy, ruling, RESPONSE, Phase.RESPONSE))


def parse_http_after_response(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """Add one rule for all answers, those of the proxy's own too."""
    proxy.after_rules.append(_rule(line, proxy, ruling, AFTER, Phase.RESPONSE))


def parse_tcp_request(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """`tcp-request connection|session|content ...`; content is looked at once a request's head is here."""
    what = line.word(1)
    if what == 'connection':
        proxy.connection_rules.append(_rule(line, proxy, ruling, CONNECTION, Phase.CONNECTION, 2))
    elif what == 'session':
        proxy.session_rules.append(_rule(line, proxy, ruling, SESSION, Phase.SESSION, 2))
    else:
        phase = Phase.CONTENT if proxy.side is Side.FRONTEND else Phase.BACKEND_CONTENT
        proxy.content_rules.append(_rule(line, proxy, ruling, CONTENT, phase, 2))


def parse_tcp_response(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """`tcp-response content ...`, looked at once a response's head is here, before the other rules for responses."""
    proxy.response_content_rules.append(_rule(line, proxy, ruling, RESPONSE_CONTENT, Phase.RESPONSE_CONTENT, 2))


def parse_inspect_delay(line: Line, _: ProxyDraft) -> None:
    """`tcp-request inspect-delay TIME`: a whole head is waited for anyway, as long as `timeout http-request` allows; so of responses."""
    parse_time(line.word(2), f'{line.words[0]} inspect-delay')
    line.at_most(2)


def parse_redirect_line(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """`redirect ...`: like an `http-request redirect` behind all rules of that list."""
    place = Place("'redirect'", ruling.scope(request_phase(proxy), proxy), proxy, ruling)
    action, taken = parse_redirect(line.words[1:], place)
    proxy.redirects.append(_finished(line, action, line.words[1 + taken :], place))


def parse_force_switch(line: Line, proxy: ProxyDraft, ruling: Ruling) -> None:
    """`force-be-switch if|unless CONDITION`: then no backend is passed over for not being published, or being disabled."""
    if line.word(1) not in ('if', 'unless'):
        msg = (
            f"'force-be-switch' requires either 'if' or 'unless' followed by a condition (got '{shown(line.word(1))}')."
        )
        raise Rejected(msg)
    scope = ruling.scope(request_phase(proxy), proxy)
    condition = ruling.condition(line.words[1:], scope)
    ruling.warn(line, scope)
    proxy.forced_switches.append(Switch('', condition))


def request_phase(proxy: ProxyDraft) -> Phase:
    """Where a rule for requests stands."""
    return Phase.REQUEST if proxy.side is Side.FRONTEND else Phase.BACKEND_REQUEST


def _rule(
    line: Line, proxy: ProxyDraft, ruling: Ruling, actions: Mapping[str, Parser], phase: Phase, at: int = 1
) -> Rule:
    """The rule of a line whose action is its word `at`."""
    keyword, name = ' '.join(line.words[:at]), line.word(at)
    if proxy.kind == 'defaults' and not proxy.name:
        msg = f"'{keyword}' not allowed in anonymous 'defaults' section."
        raise Rejected(msg)
    place = Place(f"'{keyword} {shown(name)}'", ruling.scope(phase, proxy), proxy, ruling)
    words = line.words[at + 1 :]
    bare = name.partition('(')[0]
    if bare in MAPS.get(keyword, ()):
        action, taken = parse_map(name, words, place)
    elif bare in _VARIABLES:
        action, taken = _VARIABLES[bare](name, words, place)
    elif name.startswith('track-sc') and actions is not AFTER:
        action, taken = parse_track(name, words, place)
    elif name in actions:
        action, taken = actions[name](words, place)
    else:
        known = ACTIONS.get(bare)
        if known is not None and known.status is Status.REFUSED:
            msg = f"'{keyword} {shown(name)}' is not supported: {known.note}."
        else:
            names = [*actions, *_VARIABLES, *MAPS.get(keyword, ())]
            msg = f"'{keyword}' expects an action, but got '{shown(name)}'{did_you_mean(name, names) or '.'}"
        raise Rejected(msg)
    return _finished(line, action, words[taken:], place)


def _finished(line: Line, action: Action, rest: Sequence[str], place: Place) -> Rule:
    """The rule, with what ends its line as its condition."""
    try:
        condition = place.ruling.condition(rest, place.scope)
    except Rejected as problem:
        raise place.refuse(f'{problem}.') from None
    place.ruling.warn(line, place.scope)
    return Rule(action, condition, line.where)


def bound(rules: Iterable[_Conditional], acls: Mapping[str, Acl]) -> tuple[_Conditional, ...]:
    """The rules with their ACLs as the whole section has them."""
    return tuple(
        rule if rule.condition is None else replace(rule, condition=rebound(rule.condition, acls)) for rule in rules
    )


def _with_realm(rules: Iterable[Rule], name: str) -> tuple[Rule, ...]:
    """Who asks for a password without a realm asks in the name of its proxy, also where the rule is a defaults section's."""
    return tuple(replace(rule, action=Auth(name)) if rule.action == Auth() else rule for rule in rules)


def _buffered(proxy: ProxyDraft) -> tuple[Rule, ...]:
    """`option http-buffer-request`: bodies are waited for before all rules, for as long as heads are."""
    return (Rule(WaitBody(proxy.timeouts.get('http-request') or None)),) if proxy.buffer_request else ()


def rules_of(proxy: ProxyDraft, page: StatsPage | None = None) -> Rules:
    """All rules of a proxy, and its statistics page. Those of the defaults section it comes from stand before its own."""
    acls = proxy.acls
    return Rules(
        connection=bound(proxy.connection_rules, acls),
        session=bound(proxy.session_rules, acls),
        content=bound(proxy.content_rules, acls),
        request=(*_buffered(proxy), *_with_realm(bound(proxy.request_rules, acls), proxy.name)),
        redirects=bound(proxy.redirects, acls),
        response_content=bound(proxy.response_content_rules, acls),
        response=bound(proxy.response_rules, acls),
        replies=tuple(proxy.error_replies.values()),
        forwarded=proxy.forwarded,
        after=bound(proxy.after_rules, acls),
        switches=bound(proxy.switches, acls) if proxy.side & Side.FRONTEND else (),
        servers=bound(proxy.server_switches, acls),
        forced=bound(proxy.forced_switches, acls) if proxy.side & Side.FRONTEND else (),
        sticks=bound(proxy.sticks, acls) if proxy.side & Side.BACKEND else (),
        answer_sticks=bound(proxy.answer_sticks, acls) if proxy.side & Side.BACKEND else (),
        persistence=bound(proxy.persistence, acls),
        monitor_fail=tuple(rebound(condition, acls) for condition in proxy.monitor_fail),
        request_slots=tuple(proxy.request_slots),
        response_slots=tuple(proxy.response_slots),
        formats=proxy.formats if proxy.side & Side.FRONTEND else NO_FORMATS,
        request_guard=request_guard(proxy),
        response_guard=response_guard(proxy),
        page=page,
    )


def parse_capture(line: Line, proxy: ProxyDraft) -> None:
    """`capture request|response header NAME len N`."""
    slots = proxy.request_slots if line.word(1) == 'request' else proxy.response_slots
    name, length = line.word(3), _length(line, 4)
    if not name or not length:
        msg = f"'capture {line.word(1)} header' expects 'header' <header_name> 'len' <len> from 1 to 65535."
        raise Rejected(msg)
    line.at_most(5)
    slots.append(Slot(length, name.lower()))


def parse_declare(line: Line, proxy: ProxyDraft) -> None:
    """`declare capture request|response len N`."""
    kind, length = line.word(2), _length(line, 3)
    if kind not in ('request', 'response') or not length:
        msg = "'declare capture' expects 'request' or 'response', and 'len' <len> from 1 to 65535."
        raise Rejected(msg)
    line.at_most(4)
    (proxy.request_slots if kind == 'request' else proxy.response_slots).append(Slot(length))


def _length(line: Line, at: int) -> int:
    """What `len N` at a place of the line says, 0 where that is not there or nothing from 1 to 65535."""
    word = line.word(at + 1)
    found = line.word(at) == 'len' and re.fullmatch('0*[1-9][0-9]{0,4}', word, re.ASCII)
    return int(word) if found and int(word) < 65_536 else 0


def checked_path(path: str, what: str) -> str:
    """A URL path as it may be compared with a request's; raises Rejected."""
    if not re.fullmatch(r'/[!-~]*', path):
        msg = f"{what} : a path begins with '/' and has printable characters only (got '{shown(path)}')."
        raise Rejected(msg)
    return path
