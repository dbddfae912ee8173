"""A cluster looked at before it is accepted, and again every few minutes: is it reachable and a Kubernetes API server, is
it the one it was, may OVIM do there what it has to, and what can it do. Reads only, and outside of any transaction.
"""

import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import product
from typing import Any
from uuid import UUID

import urllib3
import yaml
from cryptography import x509
from django.conf import settings

from clusters import addresses, certificates, credentials, discovery
from clusters.client import Client
from clusters.discovery import Capabilities
from clusters.errors import KubeError
from clusters.kubeconfig import Access
from clusters.needs import DEFINITIONS, TENANT_ROLES, Need, needs

LEAST_VERSION = (1, 28)  # create-only applies and uid preconditions as the engine relies on them
ASKED_AT_ONCE = 8
TIMEOUT = (3.0, 10.0)
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
WORDS = re.compile(r"v(\d+)\.(\d+)")


class Unfit(Exception):
    """Why OVIM can't use a cluster. `field` of the access is to blame, `rule` is the broken rule's name."""

    def __init__(self, field: str, rule: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.rule = rule


@dataclass(frozen=True)
class Findings:
    """What was found. `lacking`: rights that OVIM's account should have; `missing`: OVIM's own definitions and roles."""

    identity: UUID
    capabilities: Capabilities
    lacking: tuple[str, ...]
    missing: tuple[str, ...]


def examine(access: Access) -> Findings:
    """Everything there is to know of it; Unfit if it can't be spoken to. What it lacks is the caller's to judge."""
    check_ca(access.ca)
    check_dates(access)
    try:
        addresses.check(access.server)
    except addresses.BadAddress as error:
        raise Unfit("server", error.rule, str(error)) from None
    client = Client.by(access, TIMEOUT)
    try:
        return _examine(client)
    except KubeError as error:
        raise _explained(error, access) from error
    finally:
        client.close()


def check_ca(pem: str) -> None:
    """Unfit unless the text is a list of certificates, or empty."""
    if not pem:
        return
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        found = []
    if not found:
        raise Unfit("ca", "not_pem", "That is no certificate in PEM (-----BEGIN CERTIFICATE-----).")


def check_dates(access: Access) -> None:
    """Unfit while its client certificate is not good yet, or no longer: no cluster need be asked."""
    if not access.certificate:
        return
    now = datetime.now(UTC)
    if (until := certificates.ends(access.certificate)) <= now:
        raise Unfit("certificate", "expired", f"The client certificate ended on {until:%Y-%m-%d %H:%M} UTC.")
    if (since := certificates.begins(access.certificate)) > now:
        message = (
            f"The client certificate is good from {since:%Y-%m-%d %H:%M} UTC on only. Is this machine's clock right?"
        )
        raise Unfit("certificate", "not_yet_valid", message)


def _examine(client: Client) -> Findings:
    version = _version(client)
    served = discovery.groups(client)
    identity = UUID(client.raw("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"])
    return Findings(
        identity=identity,
        capabilities=discovery.capabilities(client, version, served),
        lacking=tuple(str(need) for need in lacking(client, needs(served))),
        missing=tuple(_missing(client)),
    )


def _version(client: Client) -> str:
    answer = client.raw("GET", "/version")
    version = answer.get("gitVersion") if isinstance(answer, dict) else None
    found = WORDS.match(version) if isinstance(version, str) else None
    if found is None:
        raise Unfit("server", "not_an_api_server", "What answers there is no Kubernetes API server.")
    if (int(found[1]), int(found[2])) < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        raise Unfit("server", "too_old", f"It runs Kubernetes {version}; OVIM needs {least} or newer.")
    return str(version)


def lacking(client: Client, wanted: Sequence[Need]) -> list[Need]:
    """Those rights that the cluster says OVIM's account does not have."""
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        allowed = list(pool.map(lambda need: _allowed(client, need), wanted))
    return [need for need, has in zip(wanted, allowed, strict=True) if not has]


def _allowed(client: Client, need: Need) -> bool:
    resource, _, subresource = need.resource.partition("/")
    asked = {
        "group": need.group,
        "resource": resource,
        "subresource": subresource,
        "verb": need.verb,
        "name": need.name,
    }
    spec = {"resourceAttributes": {key: value for key, value in asked.items() if value}}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
    return client.raw("POST", REVIEW, body)["status"].get("allowed") is True


def _missing(client: Client) -> Iterator[str]:
    """OVIM's definitions and the roles that tenants get, as `kubectl apply -f deploy/crds -f deploy/rbac` puts them."""
    served = discovery.resources(client, "ovim.io", "v1")
    yield from (f"{plural}.ovim.io" for plural in DEFINITIONS if plural not in served)
    for role in TENANT_ROLES:
        try:
            live = client.raw("GET", f"{ROLES}/{role}")
            if rights_in(live) != _brought()[role]:
                yield f"ClusterRole {role} as this version has it"
        except KubeError as error:
            if error.status == 404:
                yield f"ClusterRole {role}"
            elif error.status != 403:  # a right that is lacking is told as such
                raise


@cache
def _brought() -> dict[str, frozenset[tuple[str, ...]]]:
    """What tenants' roles give as they come with this version: another one's might give more than the guide says."""
    text = (settings.BASE_DIR / "deploy" / "rbac" / "tenants.yaml").read_text()
    return {body["metadata"]["name"]: rights_in(body) for body in yaml.safe_load_all(text)}


def rights_in(role: Mapping[str, Any]) -> frozenset[tuple[str, ...]]:
    """A role's rights one by one, in whichever way its rules are written."""
    return frozenset(
        right
        for rule in role.get("rules") or ()
        for right in product(
            rule.get("apiGroups") or ("",),
            rule.get("resources") or ("",),
            rule.get("verbs") or ("",),
            rule.get("resourceNames") or ("",),
            rule.get("nonResourceURLs") or ("",),
        )
    )


def _explained(error: KubeError, access: Access) -> Unfit:
    """A refusal or a failed connection in the words of whoever has to mend it."""
    if error.status == 401 and access.certificate:
        why = f"{certificates.holder(access.certificate)} is signed by an authority that it does not know"
        return Unfit("certificate", "refused", f"The cluster refuses the client certificate: {why}, or it was revoked.")
    if error.status == 401:
        until = credentials.expiry(access)
        when = f" It expired at {until:%Y-%m-%d %H:%M} UTC." if until is not None and until < datetime.now(UTC) else ""
        rule = "expired" if when else "refused"
        return Unfit("token", rule, f"The cluster refuses the token: it is wrong, expired or revoked.{when}")
    if error.status == 403:
        blamed = "certificate" if access.certificate else "token"
        return Unfit(blamed, "missing_rights", f"The cluster refuses even to be looked at: {error}")
    if error.status:
        return Unfit("server", "not_an_api_server", f"It does not answer as a Kubernetes API server does: {error}")
    return _unreached(error)


def _unreached(error: KubeError) -> Unfit:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(cause.verify_message or str(cause))
        if isinstance(cause, ssl.SSLError):
            return Unfit("server", "no_tls", f"It does not speak TLS there: {cause.reason or cause}")
        if isinstance(cause, ConnectionRefusedError):
            return Unfit("server", "refused", "Nothing listens there: the connection is refused.")
    if any(isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError) for cause in causes):
        return Unfit("server", "timeout", f"Nothing answered within {sum(TIMEOUT):.0f} s.")
    if "no JSON" in str(error):
        return Unfit("server", "not_an_api_server", "What answers there is no Kubernetes API server.")
    return Unfit("server", "unreachable", str(error))


def _untrusted(why: str) -> Unfit:
    if "ostname" in why or "IP address" in why:
        return Unfit("server", "wrong_name", f"Its certificate is for another name: {why}")
    return Unfit("ca", "wrong_ca", f"Its certificate is not signed by this CA: {why}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """What led to it, through `raise … from` and through what urllib3 keeps as an argument."""
    seen: list[BaseException] = []
    left = [error]
    while left:
        found = left.pop()
        if found is None or found in seen:
            continue
        seen.append(found)
        yield found
        left += [found.__cause__, found.__context__, *(item for item in found.args if isinstance(item, BaseException))]
