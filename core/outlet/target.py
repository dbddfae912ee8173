"""Where the audit log is streamed to: an address that the operator set, and what may be connected to for it.

As with images (`catalogs.fetch`) a name's addresses are looked up once, checked, and connected to; nothing follows a
redirect. Private addresses take the operator's word for it, `OVIM_AUDIT_STREAM_PRIVATE`.
"""

import hashlib
import ssl
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

from django.conf import settings
from ssrfguard import Policy

from core import outward

DEFAULT_PORTS = {"https": 443, "syslog+udp": 514, "syslog+tcp": 601, "syslog+tls": 6514}


class Undelivered(Exception):
    """The receiver did not take it, or did not say that it did: it will be sent again."""


@dataclass(frozen=True)
class Target:
    """`secret` signs what a webhook gets; `ca` is a file of certificates to trust instead of the system's."""

    url: str
    secret: str = field(default="", repr=False)
    ca: str = ""
    private: bool = False

    @property
    def key(self) -> str:
        """What its cursor is kept under: another address is told everything from the beginning."""
        return hashlib.sha256(self.url.encode()).hexdigest()

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or DEFAULT_PORTS[self.scheme]

    @property
    def policy(self) -> Policy:
        return outward.policy(named_by_operator=self.private, ports={self.port})

    @cached_property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca or None)


def configured() -> Target | None:
    """What the settings name; None: the log is not streamed."""
    if not settings.OVIM_AUDIT_STREAM:
        return None
    return Target(
        settings.OVIM_AUDIT_STREAM,
        settings.OVIM_AUDIT_STREAM_SECRET,
        settings.OVIM_AUDIT_STREAM_CA,
        settings.OVIM_AUDIT_STREAM_PRIVATE,
    )
