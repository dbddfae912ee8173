"""The one guard of what OVIM fetches for others: images, the audit log's receiver, identity providers.

A name's addresses are looked up once, checked, and connected to, so that a record that moves in between leads nowhere.
Loopback, link-local (with clouds' metadata services), private, shared and reserved addresses are refused, also where
a redirect leads to one, unless the operator has named the host as his own. Clusters have a guard of their own
(`clusters.addresses`): a system admin names them, and private networks are where they are.
"""

from collections.abc import Collection
from ipaddress import ip_network
from typing import Final

from ssrfguard import Policy

ANY_PORT: Final = frozenset(range(1, 65536))
_ANYWHERE: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))


def policy(*, named_by_operator: bool, ports: Collection[int] = ANY_PORT, redirects: int = 0) -> Policy:
    """What may be connected to. `named_by_operator`: the host stands in the settings, so its addresses may be any."""
    networks = _ANYWHERE if named_by_operator else ()
    return Policy(allowed_ports=frozenset(ports), allowed_networks=networks, max_redirects=redirects)
