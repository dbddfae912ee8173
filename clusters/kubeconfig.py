"""Reading a kubeconfig: where a cluster is and how to sign in, for one of its contexts: by token or client certificate.

What would run a program on OVIM's machines, switch off TLS or read files of theirs is refused by name.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from clusters import certificates
from core import yamls
from core.errors import Unavailable

LONGEST = 256 * 1024
ADVICE = "Use a service account's token or a client certificate: the operator's guide shows how to make one."
FLATTEN = "`kubectl config view --minify --flatten` puts what it says into the kubeconfig"
REFUSED_OF_USERS = {
    "exec": "runs a program to sign in (exec), which OVIM does not do",
    "auth-provider": "signs in by an auth-provider, which OVIM does not do",
    "username": "signs in with a password, which API servers no longer take",
    "as": "acts as somebody else (as), which OVIM does not do",
}
BAD = {"certificate-authority": "bad_ca", "client-certificate": "bad_certificate", "client-key": "bad_key"}
REFUSED_OF_CLUSTERS = {
    "insecure-skip-tls-verify": "switches off the check of its certificate (insecure-skip-tls-verify): name its CA",
    "proxy-url": "is reached through a proxy of its own (proxy-url), which OVIM does not do",
    "tls-server-name": "answers under another name (tls-server-name), which OVIM does not do",
}


class Unusable(Exception):
    """Why a kubeconfig can't be used. `rule` is the broken rule's name, for machines."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


@dataclass(frozen=True)
class Access:
    """What it takes to speak to a cluster: a token, or a client certificate and its key."""

    server: str
    token: str = field(default="", repr=False)
    ca: str = ""
    certificate: str = ""  # of the client, with `key` in place of a token; both in PEM
    key: str = field(default="", repr=False)


def read(path: Path) -> Access:
    """The current context of a file of ours, or Unavailable saying what is wrong with it."""
    try:
        return _access(path.read_text(), "", path.parent)
    except (OSError, UnicodeDecodeError, Unusable) as error:
        raise Unavailable(f"The kubeconfig {path.name} can't be used: {error}") from None


def parse(text: str, context: str = "") -> Access:
    """A context of a kubeconfig that somebody sent us (default: the current one). Unusable: by which rule."""
    if len(text) > LONGEST:
        raise Unusable("too_large", f"It is longer than {LONGEST // 1024} KiB: it can't be one kubeconfig.")
    return _access(text, context, None)


def _access(text: str, context: str, folder: Path | None) -> Access:
    """`folder`: files that are named are read from there; without one they are refused."""
    try:
        body = yamls.load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise Unusable("not_yaml", "It is not YAML.") from None
    if not isinstance(body, Mapping) or not isinstance(body.get("contexts"), list):
        raise Unusable("not_a_kubeconfig", "It is no kubeconfig: it has no contexts.")
    chosen = context or body.get("current-context") or ""
    place = _named(body, "contexts", "context", chosen)
    cluster = _named(body, "clusters", "cluster", place.get("cluster"))
    user = _named(body, "users", "user", place.get("user"))
    _refuse(cluster, REFUSED_OF_CLUSTERS, "The cluster", "")
    _refuse(user, REFUSED_OF_USERS, "Its user", ADVICE)
    server = cluster.get("server")
    if not isinstance(server, str) or not server:
        raise Unusable("no_server", "The cluster has no server.")
    server, ca = server.rstrip("/"), _ca(cluster, folder)
    certificate, key = (_pem(user, name, folder) for name in ("client-certificate", "client-key"))
    if not certificate and not key:
        return Access(server, _token(user, folder), ca)
    _check_pair(user, server, certificate, key)
    return Access(server, ca=ca, certificate=certificate, key=key)


def _named(body: Mapping[str, Any], part: str, inner: str, name: Any) -> Mapping[str, Any]:
    entries = body.get(part) or ()
    known = [item for item in entries if isinstance(item, Mapping)] if isinstance(entries, list) else []
    found = next((item.get(inner) for item in known if item.get("name") == name), None)
    if not isinstance(found, Mapping):
        names = ", ".join(sorted(str(item.get("name")) for item in known)) or "none"
        raise Unusable(f"no_{inner}", f"There is no {inner} {name!r} in it. There are: {names}.")
    return found


def _refuse(entry: Mapping[str, Any], rules: Mapping[str, str], what: str, advice: str) -> None:
    for name, why in rules.items():
        if entry.get(name):
            raise Unusable(name.replace("-", "_"), f"{what} {why}. {advice}".strip())


def _token(user: Mapping[str, Any], folder: Path | None) -> str:
    if user.get("token"):
        return str(user["token"]).strip()
    if not user.get("tokenFile"):
        raise Unusable("no_token", f"Its user has neither a token nor a client certificate. {ADVICE}")
    return _file(folder, user["tokenFile"], "tokenFile").strip()


def _ca(cluster: Mapping[str, Any], folder: Path | None) -> str:
    """PEM; empty: the system's certificates."""
    return _pem(cluster, "certificate-authority", folder)


def _pem(entry: Mapping[str, Any], name: str, folder: Path | None) -> str:
    """A text that stands in the kubeconfig or in a file that it names; empty: neither. Inline goes before a file."""
    if data := entry.get(f"{name}-data"):
        try:
            return base64.b64decode(data, validate=True).decode()
        except (binascii.Error, TypeError, ValueError):
            raise Unusable(BAD[name], f"Its {name}-data is not base64 of a PEM text.") from None
    return _file(folder, entry[name], name) if entry.get(name) else ""


def _check_pair(user: Mapping[str, Any], server: str, certificate: str, key: str) -> None:
    for name, text in (("client-certificate", certificate), ("client-key", key)):
        if not text:
            missing = f"It has no {name}-data: a client certificate and its key go together."
            raise Unusable(f"no_{name}".replace("-", "_"), missing)
    if user.get("token") or user.get("tokenFile"):
        raise Unusable("one_of", "Its user has a token and a client certificate: leave one of them out.")
    if not server.startswith("https://"):
        raise Unusable("https", "A client certificate is shown over TLS only: its server must begin with https://.")
    try:
        certificates.check(certificate, key)
    except certificates.BadCertificate as error:
        raise Unusable(error.rule, str(error)) from None


def _file(folder: Path | None, name: Any, where: str) -> str:
    if folder is None:
        raise Unusable(
            "names_a_file",
            f"It names a file ({where}), which is not on OVIM's machines. {FLATTEN}.",
        )
    try:
        return (folder / str(name)).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable("names_a_file", f"Its {where} can't be read ({error}).") from None
