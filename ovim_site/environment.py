"""Settings from the environment, typed and checked at start: a wrong value ends the process with one sentence."""

import base64
import binascii
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from email.utils import parseaddr
from typing import NoReturn
from urllib.parse import unquote, urlsplit

LEAST_DAYS = 30
LEAST_IDLE = 5  # minutes


class SettingError(Exception):
    """A variable is missing or wrong; the message names it."""


@dataclass(frozen=True)
class Environment:
    """Every variable OVIM reads, as its typed value. The docstrings of `READERS` go into the operator guide."""

    database_url: str
    database_owner_url: str
    redis_url: str
    secret_key: str
    jwt_key: str
    credential_key: tuple[bytes, ...]
    public_url: str
    live_url: str
    allowed_hosts: tuple[str, ...]
    worker_slots: int
    image_hosts: tuple[str, ...]
    oidc_hosts: tuple[str, ...]
    oidc_ca: str
    loopback_clusters: bool
    trusted_proxies: int
    cors_origins: tuple[str, ...]
    rate_limit_user: int
    rate_limit_address: int
    audit_retention_days: int
    audit_stream: str
    audit_stream_secret: str
    audit_stream_ca: str
    audit_stream_private: bool
    deletion_grace_days: int
    require_second_factor: bool
    session_idle_minutes: int
    api_session_idle_minutes: int
    mail_url: str
    mail_from: str
    mail_ca: str
    debug: bool
    fresh_files: bool
    static_root: str


def read(environ: Mapping[str, str]) -> Environment:
    """The checked environment, or SettingError naming the first variable that is wrong."""
    database, owner = environ.get("OVIM_DATABASE_URL"), environ.get("OVIM_DATABASE_OWNER_URL")
    if bool(database) != bool(owner):
        missing = "OVIM_DATABASE_OWNER_URL" if database else "OVIM_DATABASE_URL"
        raise SettingError(f"{missing} is not set: the two database roles need both addresses, or neither.")
    public_url = _url(environ, "OVIM_PUBLIC_URL", ("http", "https"))
    return Environment(
        database_url=_url(environ, "OVIM_DATABASE_URL", ("postgresql", "postgres")),
        database_owner_url=_url(environ, "OVIM_DATABASE_OWNER_URL", ("postgresql", "postgres")),
        redis_url=_url(environ, "OVIM_REDIS_URL", ("redis", "rediss", "unix")),
        secret_key=_text(environ, "OVIM_SECRET_KEY", at_least=32),
        jwt_key=_pem(environ, "OVIM_JWT_KEY"),
        credential_key=_keys(environ, "OVIM_CREDENTIAL_KEY"),
        public_url=public_url,
        live_url=environ.get("OVIM_LIVE_URL") or public_url,
        allowed_hosts=_list(environ, "OVIM_ALLOWED_HOSTS") or (urlsplit(public_url).hostname or "",),
        worker_slots=_whole(environ, "OVIM_WORKER_SLOTS", 2, least=1, most=256),
        image_hosts=_list(environ, "OVIM_IMAGE_HOSTS"),
        oidc_hosts=_list(environ, "OVIM_OIDC_HOSTS"),
        oidc_ca=_certificates(environ, "OVIM_OIDC_CA"),
        loopback_clusters=_flag(environ, "OVIM_LOOPBACK_CLUSTERS"),
        trusted_proxies=_whole(environ, "OVIM_TRUSTED_PROXIES", 0, least=0, most=9),
        cors_origins=_origins(environ, "OVIM_CORS_ORIGINS"),
        rate_limit_user=_whole(environ, "OVIM_RATE_LIMIT_USER", 3000, least=0, most=10_000_000),
        rate_limit_address=_whole(environ, "OVIM_RATE_LIMIT_ADDRESS", 300, least=0, most=10_000_000),
        audit_retention_days=_days(environ, "OVIM_AUDIT_RETENTION_DAYS"),
        audit_stream=_stream(environ),
        audit_stream_secret=environ.get("OVIM_AUDIT_STREAM_SECRET", ""),
        audit_stream_ca=_certificates(environ, "OVIM_AUDIT_STREAM_CA"),
        audit_stream_private=_flag(environ, "OVIM_AUDIT_STREAM_PRIVATE"),
        deletion_grace_days=_whole(environ, "OVIM_DELETION_GRACE_DAYS", 7, least=0, most=365),
        require_second_factor=_flag(environ, "OVIM_REQUIRE_SECOND_FACTOR"),
        session_idle_minutes=_idle(environ, "OVIM_SESSION_IDLE_MINUTES", 30, most=12 * 60),
        api_session_idle_minutes=_idle(environ, "OVIM_API_SESSION_IDLE_MINUTES", 12 * 60, most=7 * 24 * 60),
        mail_url=_mail(environ),
        mail_from=environ.get("OVIM_MAIL_FROM", ""),
        mail_ca=_certificates(environ, "OVIM_MAIL_CA"),
        debug=_flag(environ, "OVIM_DEBUG"),
        fresh_files=_flag(environ, "OVIM_FRESH_FILES"),
        static_root=environ.get("OVIM_STATIC_ROOT", ""),
    )


def read_or_exit() -> Environment:
    """As `read` from this process's environment; a wrong value stops the process with its sentence."""
    try:
        return read(os.environ)
    except SettingError as error:
        _stop(str(error))


def _stop(sentence: str) -> NoReturn:
    sys.stderr.write(f"ovim: {sentence}\n")
    raise SystemExit(78)  # EX_CONFIG of sysexits.h


# A process that is stopped inside a transaction (SIGSTOP, a machine that sleeps) holds locks that others wait for: the
# server ends its session. No transaction of ours waits for anything but the database.
IDLE_IN_TRANSACTION = "-c idle_in_transaction_session_timeout=30s"

# A server that vanished without a word (power, a network cut in two) is given up within a minute: TCP itself takes a
# quarter of an hour. Seconds, and milliseconds for what was sent and is not acknowledged.
GIVING_UP = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def database(url: str) -> dict[str, object]:
    """A Django database entry. Query parameters of the address become libpq options."""
    parts = urlsplit(url)
    options = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    return {
        "ENGINE": "core.database",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or options.pop("host", "")),
        "PORT": parts.port or "",
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"application_name": "ovim", "options": IDLE_IN_TRANSACTION, **GIVING_UP, **options},
    }


def _text(environ: Mapping[str, str], name: str, *, at_least: int = 1) -> str:
    value = environ.get(name, "")
    if not value:
        raise SettingError(f"{name} is not set.")
    if len(value) < at_least:
        raise SettingError(f"{name} has {len(value)} characters, it needs at least {at_least}.")
    return value


def _url(environ: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str:
    value = _text(environ, name)
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise SettingError(f"{name} is no address: {error}.") from None
    if parts.scheme not in schemes:
        raise SettingError(f"{name} must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}.")
    return value.rstrip("/") if parts.scheme in ("http", "https") else value


def _pem(environ: Mapping[str, str], name: str) -> str:
    value = _text(environ, name).replace("\\n", "\n")
    if "PRIVATE KEY" not in value:
        raise SettingError(f"{name} must be a PEM private key on the curve P-256 (openssl ecparam -genkey).")
    return value


def _keys(environ: Mapping[str, str], name: str) -> tuple[bytes, ...]:
    """One key or several, as `Fernet.generate_key` or `openssl rand -base64 32` make them: the first one encrypts."""
    _text(environ, name)
    keys = []
    for number, text in enumerate(_list(environ, name), 1):
        which = name if number == 1 else f"Key {number} in {name}"
        try:
            key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
        except binascii.Error:
            raise SettingError(f"{which} must be base64.") from None
        if len(key) != 32:
            raise SettingError(f"{which} must be 32 bytes in base64, it is {len(key)}.")
        if key in keys:
            raise SettingError(f"{which} is there twice.")
        keys.append(key)
    if not keys:
        raise SettingError(f"{name} is not set.")
    return tuple(keys)


def _list(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in environ.get(name, "").split(",") if part.strip())


def _origins(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Exact origins, such as https://console.example.org. There is no word for all of them."""
    found = _list(environ, name)
    for origin in found:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.hostname or origin != f"{parts.scheme}://{parts.netloc}":
            raise SettingError(
                f"{name} takes origins such as https://console.example.org, with commas, not {origin!r}."
            )
    return found


def _whole(environ: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    value = environ.get(name)
    if value is None or value == "":
        return default
    if not value.isdigit() or not least <= int(value) <= most:
        raise SettingError(f"{name} must be a whole number from {least} to {most}, it is {value!r}.")
    return int(value)


def _idle(environ: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    """0: sessions end by their lifetime alone. The last use is known to a minute, so fewer than five would be chance."""
    minutes = _whole(environ, name, default, least=0, most=most)
    if 0 < minutes < LEAST_IDLE:
        raise SettingError(f"{name} must be 0 (no end by it) or {LEAST_IDLE} minutes at least, it is {minutes}.")
    return minutes


def _days(environ: Mapping[str, str], name: str) -> int:
    """0: for ever. Nothing that the application's role can write may make it fewer than 30."""
    days = _whole(environ, name, 0, least=0, most=36_500)
    if 0 < days < LEAST_DAYS:
        raise SettingError(f"{name} must be 0 (for ever) or {LEAST_DAYS} days at least, it is {days}.")
    return days


def _stream(environ: Mapping[str, str]) -> str:
    """Where the audit log is streamed to; empty: nowhere."""
    name = "OVIM_AUDIT_STREAM"
    if not environ.get(name):
        return ""
    value = _url(environ, name, ("https", "syslog+udp", "syslog+tcp", "syslog+tls"))
    parts = urlsplit(value)
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise SettingError(f"{name} names a host, and neither user nor password.")
    if parts.scheme == "https":
        _text(environ, "OVIM_AUDIT_STREAM_SECRET", at_least=32)
    return value


def _mail(environ: Mapping[str, str]) -> str:
    """Where mail goes; empty: this installation sends none."""
    name = "OVIM_MAIL_URL"
    if not environ.get(name):
        return ""
    value = _url(environ, name, ("smtp", "smtp+tls", "smtps", "file"))
    parts = urlsplit(value)
    if parts.scheme == "file":
        if parts.netloc or not parts.path.startswith("/"):
            raise SettingError(f"{name} names a folder by its whole path, as in file:///var/mail.")
    elif not parts.hostname:
        raise SettingError(f"{name} names no host.")
    elif parts.username is not None and parts.scheme == "smtp":
        raise SettingError(f"{name} would send the password in the clear: use smtp+tls or smtps.")
    sender = parseaddr(_text(environ, "OVIM_MAIL_FROM"))[1]
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", sender):
        raise SettingError("OVIM_MAIL_FROM must be an address, such as OVIM <ovim@example.org>.")
    return value


def _certificates(environ: Mapping[str, str], name: str) -> str:
    found = environ.get(name, "")
    if found and not os.path.isfile(found):
        raise SettingError(f"{name} must be a file of certificates: {found} is none.")
    return found


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "false").lower()
    if value not in ("true", "false"):
        raise SettingError(f"{name} must be true or false, it is {value!r}.")
    return value == "true"


NAMES = tuple(f"OVIM_{field.name.upper()}" for field in fields(Environment))
