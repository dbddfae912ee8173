"""Allotting namespace names: once, unique per cluster by a constraint, from before the namespace is made (ENGINE §5)."""

import secrets
from uuid import UUID

from django.db import IntegrityError, transaction

from clusters.models import Cluster, InventoryItem, NamespaceAllotment, ObservedObject
from core.errors import Busy

LIMIT = 63
SUFFIX = 5  # "-" and four characters
RESERVED = frozenset({"default", "kubevirt", "cdi"})
RESERVED_PREFIXES = ("kube-", "openshift-", "ovim-")


def is_reserved(name: str) -> bool:
    """Names that belong to the platform: never allotted."""
    return name in RESERVED or name.startswith(RESERVED_PREFIXES)


def allot(cluster: Cluster, wanted: str, owner_kind: str, owner_id: UUID) -> str:
    """The name that is now this owner's: `wanted`, with a suffix if it is taken, reserved or too long."""
    kept = NamespaceAllotment.objects.filter(cluster=cluster, owner_kind=owner_kind, owner_id=owner_id).first()
    if kept is not None:
        return kept.name
    name = wanted if len(wanted) <= LIMIT else _suffixed(wanted)
    for _attempt in range(20):
        if not (is_reserved(name) or _seen(cluster, name)):
            try:
                with transaction.atomic():
                    NamespaceAllotment.objects.create(
                        cluster=cluster, name=name, owner_kind=owner_kind, owner_id=owner_id
                    )
            except IntegrityError:
                pass  # taken by another owner: try the next suffix
            else:
                return name
        name = _suffixed(wanted)
    raise Busy(f"No free namespace name like {wanted} was found on {cluster}: try again.")


def _suffixed(wanted: str) -> str:
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    tail = "".join(secrets.choice(alphabet) for _ in range(SUFFIX - 1))
    return f"{wanted[: LIMIT - SUFFIX].rstrip('-')}-{tail}"


def _seen(cluster: Cluster, name: str) -> bool:
    """A namespace of this name is on the cluster already. Whose it is does not matter: not the new owner's."""
    key = {"cluster": cluster, "group": "", "kind": "Namespace", "name": name}
    return (
        ObservedObject.objects.filter(**key).exists()
        or InventoryItem.objects.filter(**key, tombstoned_at__isnull=True).exists()
    )


def free(cluster_id: UUID, owner_kind: str, owner_id: UUID) -> None:
    """The namespace is confirmed gone: its name may be allotted again. Inside the transaction that drops its row."""
    NamespaceAllotment.objects.filter(cluster_id=cluster_id, owner_kind=owner_kind, owner_id=owner_id).delete()
