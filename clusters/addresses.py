"""Where a cluster may be: an API server's address is the provider's own choice, but never a way into OVIM's own machine.

A system admin names it, so private networks are what it is for. What is refused: link-local addresses and clouds'
metadata services, which give credentials to whoever asks, and loopback unless OVIM_LOOPBACK_CLUSTERS says so (demo).
A name that moves between this check and a connection leads nowhere: TLS is verified before the token is sent.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

Address = IPv4Address | IPv6Address
# Metadata services outside of the link-local range: AWS, Alibaba, Azure, Oracle.
METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")))
NAT64 = ip_network("64:ff9b::/96")


class BadAddress(Exception):
    """Why OVIM does not connect there. `rule` is the broken rule's name."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def check(server: str) -> None:
    """BadAddress unless all that the address leads to may be connected to. Asks the name service."""
    parts = _split(server)
    host = parts.hostname or ""
    addresses = _resolved(host, parts.port or 443)
    for address in addresses:
        _check(address, host)
    if parts.scheme != "https" and not all(address.is_loopback for address in addresses):
        raise BadAddress("https", "The address must begin with https://: the token would be sent in the clear.")


def _split(server: str) -> SplitResult:
    try:
        parts = urlsplit(server)
        _ = parts.port
    except ValueError as error:
        raise BadAddress("address", f"That is no address: {error}.") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise BadAddress("https", "Write it as https://host:port, as in a kubeconfig's server.")
    if parts.username is not None or parts.query or parts.fragment:
        raise BadAddress("address", "It has a user, a query or a fragment, which an API server's address never has.")
    return parts


def _resolved(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BadAddress("unknown_host", f"The name {host} leads nowhere: {error}.") from None
    return [_plain(ip_address(str(entry[4][0]).partition("%")[0])) for entry in found]


def _plain(address: Address) -> Address:
    """An IPv4 address that is dressed as IPv6 is judged as what it leads to."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _check(address: Address, host: str) -> None:
    if address.is_loopback:
        if not settings.OVIM_LOOPBACK_CLUSTERS:
            raise BadAddress("loopback", f"{host} is OVIM's own machine, which is no cluster.")
        return
    if address in METADATA or address.is_link_local:
        raise BadAddress("metadata", f"{host} ({address}) is link-local or a cloud's metadata service, no cluster.")
    if address.is_multicast or address.is_unspecified or address.is_reserved:
        raise BadAddress("address", f"{host} ({address}) is no address of one machine.")
