"""Addresses of endpoints: their one spelling, and which of them nobody may be sent to."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

_KEPT: Final = 32_768  # verdicts: every change of a Service asks again about all its endpoints, at 5 us each
_NAT64: Final = IPv6Network('64:ff9b::/96')


def canonical(text: str) -> str:
    """The one spelling of an IP address; anything else comes back as it is."""
    if ':' not in text:
        return text  # IPv4 has one spelling only: ip_address takes no leading zeros, and is 5 us of a slice's hundred
    try:
        return str(ip_address(text))
    except ValueError:
        return text


@lru_cache(maxsize=_KEPT)
def refusal(text: str, address_type: str) -> str | None:
    """Why an endpoint's address cannot be a server, in words; None: it can.

    Whoever may write an EndpointSlice chooses where this proxy connects to. Addresses that mean something else to the
    proxy than to the writer - the proxy's own loopback, its link (with the metadata service of clouds), every host of a
    multicast group - would lend the proxy's place in the network to that writer.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return 'is not an IP address'
    if f'IPv{address.version}' != address_type:
        return f'is not an {address_type} address'
    inner = _inside(address) if isinstance(address, IPv6Address) else None
    for one in (address, inner) if inner is not None else (address,):
        if one.is_loopback:
            return 'is a loopback address'
        if one.is_link_local:
            return 'is a link-local address'
        if one.is_unspecified or one.is_multicast or str(one) == '255.255.255.255':
            return 'is not the address of one host'
    return None


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that this one reaches in the end, as far as its form says so."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
