"""Who may do what. `Gate` asks an `Authority`: the loopback's, a tokens file's, or in a cluster the API server's.

docs/threat-model.md says what each of them trusts.
"""

from __future__ import annotations

from controlplane.auth.authority import Authority, LoopbackAuthority, Presented, TokensAuthority
from controlplane.auth.cluster import ClusterAuthority, Reviewer
from controlplane.auth.gate import OPEN, Gate
from controlplane.auth.needs import Need, needed
from controlplane.auth.principal import LOCAL, Principal, Role
from controlplane.auth.tokensfile import Tokens, new_token

__all__ = [
    'LOCAL', 'OPEN', 'Authority', 'ClusterAuthority', 'Gate', 'LoopbackAuthority', 'Need', 'Presented', 'Principal', 'Reviewer',
    'Role', 'Tokens', 'TokensAuthority', 'needed', 'new_token',
]  # fmt: skip
