"""Rules: the fetches and converters of HAProxy's manual that are not here, and why: whoever uses one is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final


def _ssl_names() -> Iterable[str]:
    """What both sides' connections have, and of certificates."""
    both = """
        client_early_traffic_secret client_handshake_traffic_secret client_random client_traffic_secret_0 early_exporter_secret
        exporter_secret server_handshake_traffic_secret server_random server_traffic_secret_0 session_key
    """
    back = 'alg_keysize alpn cipher curve err err_str npn protocol session_id sni unique_id use_keysize'
    front = """
        cipherlist_bin cipherlist_hex cipherlist_str cipherlist_xxh crtname ecformats_bin eclist_bin extlist_bin
        protocol_hello_id sigalgs_bin supported_versions_bin
    """
    certificate = 'der i_dn key_alg notafter notbefore s_dn serial sha1 sig_alg version'
    yield from (f'ssl_fc_{name}' for name in (both + front).split())
    yield from (f'ssl_bc_{name}' for name in (both + back).split())
    yield from (f'ssl_{of}_{name}' for of in 'fs' for name in certificate.split())
    yield from [
        'ssl_c_chain_der',
        'ssl_c_i_dn',
        'ssl_c_policies',
        'ssl_c_r_dn',
        'ssl_c_s_dn',
        'ssl_c_san',
        'ssl_s_chain_der',
    ]


def _all(*groups: tuple[str, Iterable[str]]) -> dict[str, str]:
    return {name: reason for reason, names in groups for name in names}


FETCHES: Final[dict[str, str]] = _all(
    ('TLS connections are not looked into', _ssl_names()),
    ('what is below HTTP is not looked into', ["bc_glitches", "bc_settings_streams_limit", "bs.aborted", "bs.debug_str", "bs.id", "bs.rst_code", "fc_glitches", "fc_saved_syn", "fc_settings_streams_limit", "fs.aborted", "fs.debug_str", "fs.id", "fs.rst_code", "payload", "payload_lv", "rdp_cookie", "rdp_cookie_cnt", "req.payload", "req.payload_lv", "req.rdp_cookie", "req.rdp_cookie_cnt", "res.payload", "res.payload_lv", "distcc_body", "distcc_param"]),
    ('hellos of TLS are not looked into', ["rep_ssl_hello_type", "req.ssl_alpn", "req.ssl_cipherlist", "req.ssl_ec_ext", "req.ssl_hello_type", "req.ssl_keyshare_groups", "req.ssl_sigalgs", "req.ssl_sni", "req.ssl_st_ext", "req.ssl_supported_groups", "req.ssl_ver", "req_ssl_hello_type", "req_ssl_sni", "req_ssl_ver", "res.ssl_hello_type"]),
    ('devices are not detected', ('51d.all',)),
    ('how long tasks of HAProxy run means nothing here', ['cpu_calls', 'cpu_ns_avg', 'cpu_ns_tot', 'lat_ns_avg', 'lat_ns_tot']),
)  # fmt: skip
"""Why each fetch is not here."""

CONVERTERS: Final[dict[str, str]] = _all(
    ('devices are not detected', ('51d.single', 'da-csv-conv')),
    ('ciphers are not supported', ('aes_cbc_dec', 'aes_cbc_enc', 'aes_gcm_dec', 'aes_gcm_enc')),
    ('web tokens are not looked into', ["jwt_decrypt_jwk", "jwt_decrypt_cert", "jwt_decrypt_secret", "jwt_verify_cert"]),
    ('packets are not looked into', ["eth.data", "eth.dst", "eth.hdr", "eth.proto", "eth.src", "eth.vlan", "ip.data", "ip.df", "ip.dst", "ip.fp", "ip.hdr", "ip.proto", "ip.src", "ip.tos", "ip.ttl", "ip.ver", "tcp.dst", "tcp.flags", "tcp.options.mss", "tcp.options.sack", "tcp.options.tsopt", "tcp.options.tsval", "tcp.options.wscale", "tcp.options.wsopt", "tcp.options_list", "tcp.seq", "tcp.src", "tcp.win"]),
    ('this protocol is not looked into', ['fix_is_valid', 'fix_tag_value', 'mqtt_field_value', 'mqtt_is_valid', 'protobuf', 'ungrpc']),
    ('there are no event sinks', ('debug',)),
    ('verification errors have numbers only', ('x509_v_err_str',)),
)  # fmt: skip
"""Why each converter is not here."""

UNANSWERED: Final = frozenset((
    'req.bytes_out', 'res.bytes_in',
))  # fmt: skip
"""Fetches that are known, but that no worker answers: a rule that asked for one would never do anything."""
