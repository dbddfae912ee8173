"""Where an image may come from. What can be told from the address alone is refused at once; the bytes are CDI's to judge."""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

SCHEMES = ("https", "http")
LONGEST = 1024
_LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal", ".cluster.local", ".svc")


class BadImage(ValueError):
    """Why this address is not one to fetch an image from. `rule` is the broken rule's name."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def check_url(url: str, allowed_hosts: Collection[str] = ()) -> str:
    """The address as given, or BadImage. `allowed_hosts`: if there are any, only these, private ones included."""
    if len(url) > LONGEST or any(ord(character) <= 32 or ord(character) == 127 for character in url):
        raise BadImage("url", f"An image's URL has at most {LONGEST} characters, none of them blanks.")
    try:
        parts = urlsplit(url)
        host, _port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise BadImage("url", f"{url[:80]!r} is no URL.") from None
    if parts.scheme not in SCHEMES:
        raise BadImage("scheme", f"An image is fetched by {' or '.join(SCHEMES)}, not by {parts.scheme[:20]!r}.")
    if not host or parts.username is not None or parts.password is not None:
        raise BadImage("host", "An image's URL names a host, and neither user nor password.")
    if allowed_hosts:
        if host not in allowed_hosts:
            raise BadImage("host", f"Images may come from {', '.join(sorted(allowed_hosts))} only, not from {host}.")
    elif _is_private(host):
        raise BadImage("host", f"{host} is a private address: a system admin can list it in OVIM_IMAGE_HOSTS.")
    return url


def _is_private(host: str) -> bool:
    """Loopback, link-local, private: also when written as an old-style number. Names are judged by their endings."""
    if host.endswith(_LOCAL_NAMES) or ("." not in host and ":" not in host):
        return True  # a name without a dot is looked up in the cluster's own domain; a bare number is an address
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        last = host.rpartition(".")[2]
        return last.isdigit() or last.startswith("0x")  # 127.1, 0x7f.1: addresses that resolvers read and we don't
    return not address.is_global
