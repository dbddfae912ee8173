"""Where mail goes: a server that the operator set, or a folder that it is written to and goes no further."""

import ssl
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings

DEFAULT_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


@dataclass(frozen=True)
class Target:
    """`smtp+tls` asks for TLS within the connection (STARTTLS) and goes nowhere without; `ca` is a file to trust instead."""

    url: str = field(repr=False)
    sender: str
    ca: str = ""

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    @property
    def folder(self) -> Path | None:
        """None: a server."""
        return Path(unquote(urlsplit(self.url).path)) if self.scheme == "file" else None

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or DEFAULT_PORTS[self.scheme]

    @property
    def login(self) -> tuple[str, str] | None:
        parts = urlsplit(self.url)
        return None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))

    @cached_property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca or None)


def configured() -> Target | None:
    """What the settings name; None: this installation sends no mail."""
    if not settings.OVIM_MAIL_URL:
        return None
    return Target(settings.OVIM_MAIL_URL, settings.OVIM_MAIL_FROM, settings.OVIM_MAIL_CA)
