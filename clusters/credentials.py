"""What a cluster's row keeps of the way in, and how it is read again. What is secret of it is encrypted at rest."""

from datetime import UTC, datetime
from typing import Any

import jwt

from clusters import certificates, secrets
from clusters.kubeconfig import Access
from clusters.models import Cluster

COLUMNS = ("server", "ca", "certificate", "credential")


def columns(access: Access) -> dict[str, Any]:
    """The row's columns for a new way in."""
    return {
        "server": access.server,
        "ca": access.ca,
        "certificate": access.certificate,
        "credential": secrets.encrypt(access.key if access.certificate else access.token),
        "credential_expires_at": expiry(access),
        "signs_in_as": certificates.holder(access.certificate) if access.certificate else "",
        "warnings": warnings(access.certificate),
    }


def access_to(cluster: Cluster) -> Access:
    """The way in, decrypted; Unavailable when the key is not the one that it was encrypted with."""
    secret = secrets.decrypt(bytes(cluster.credential))
    if cluster.certificate:
        return Access(cluster.server, ca=cluster.ca, certificate=cluster.certificate, key=secret)
    return Access(cluster.server, secret, cluster.ca)


def expiry(access: Access) -> datetime | None:
    """When the credential ends, if it says so itself. A token is only read, not verified: that is the cluster's business."""
    if access.certificate:
        return certificates.ends(access.certificate)
    try:
        until = jwt.decode(access.token, options={"verify_signature": False}).get("exp")
        return datetime.fromtimestamp(until, UTC) if isinstance(until, int | float) else None
    except (jwt.InvalidTokenError, ValueError, OverflowError, OSError):
        return None


def warnings(certificate: str) -> list[str]:
    """What is to be done before the credential stops working, in whole sentences. A token's end is only shown."""
    told = certificates.warning(certificates.ends(certificate)) if certificate else ""
    return [told] if told else []
