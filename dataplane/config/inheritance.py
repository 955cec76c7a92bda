"""config: which sections may begin with what a defaults section says (configuration manual 4).

Rules and captures belong to one side: a defaults section that has some is for frontends or for backends, not for both, and not for other
defaults sections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.config.draft import SIDES, Side

if TYPE_CHECKING:
    from dataplane.config.draft import ProxyDraft


def hindrance(kind: str, defaults: ProxyDraft) -> str:
    """Why a section of this kind cannot begin with these defaults, '' when it can; then they are for sections of its kind from now on."""
    side = Side.BOTH if kind == 'defaults' else SIDES[kind]
    where = f'(defaults section at {defaults.where}).'
    if _has_rules(defaults):
        problem = _against(kind, side, defaults)
        if problem:
            return problem
        defaults.heirs = side
    if side & Side.BACKEND and (defaults.request_slots or defaults.response_slots):
        return f'backend or defaults sections cannot inherit from a defaults section defining captures {where}'
    return ''


def _has_rules(defaults: ProxyDraft) -> bool:
    """Redirects and replies are among the rules of requests and responses."""
    return bool(
        defaults.connection_rules or defaults.session_rules or defaults.content_rules or defaults.request_rules
        or defaults.response_content_rules or defaults.response_rules or defaults.after_rules
    )  # fmt: skip


def _against(kind: str, side: Side, defaults: ProxyDraft) -> str:
    where = f'(defaults section at {defaults.where}).'
    if kind == 'defaults':
        return f'a defaults section cannot inherit from a defaults section defining TCP/HTTP rules {where}'
    if side is Side.BOTH:
        return 'a listen section cannot inherit from a defaults section defining TCP/HTTP rules.'
    if defaults.heirs and defaults.heirs is not side:
        return (
            f'frontends and backends cannot inherit from the same defaults section if it defines TCP/HTTP rules {where}'
        )
    if side is Side.BACKEND and (defaults.connection_rules or defaults.session_rules):
        return (
            "a backend section cannot inherit from a defaults section defining 'tcp-request connection' or "
            f"'tcp-request session' rules {where}"
        )
    if side is Side.FRONTEND and defaults.response_content_rules:
        return (
            f"a frontend section cannot inherit from a defaults section defining 'tcp-response content' rules {where}"
        )
    return ''
