"""What OVIM's account has to be allowed in a cluster: all that the engine asks of it, in one place.

`tests/clusters/test_needs.py` compares this with what the engine really asks for, and `deploy/account/ovim.yaml` with
this. `clusters.examine` asks the cluster about each of them before it is accepted.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from clusters.refs import KINDS, RBAC, ObjectKind

TENANT_ROLES = ("ovim:org-admin", "ovim:user", "ovim:vdc-admin", "ovim:vm-start")  # deploy/rbac/tenants.yaml
DEFINITIONS = tuple(kind.plural for kind in KINDS.values() if kind.group == "ovim.io")
CDI, KUBEVIRT = "cdi.kubevirt.io", "kubevirt.io"


@dataclass(frozen=True, order=True)
class Need:
    """One right, as a SelfSubjectAccessReview asks about it. `resource` is plural, with a subresource behind a slash."""

    group: str
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {what}" + (f" {self.name}" if self.name else "")


# Written by reconcilers; read live where the cache is not enough.
APPLIED = frozenset(
    {
        "namespaces", "organizations", "virtualdatacenters", "resourcequotas", "limitranges", "networkpolicies",
        "rolebindings", "secrets", "datavolumes", "virtualmachines",
    }
)  # fmt: skip
READ_LIVE = frozenset({"persistentvolumeclaims", "virtualmachineinstances"})  # made by others out of what is ours
LOOKED_AT = (
    # An adopted claim without a DataVolume goes with its disk by our own hand (ADR 17).
    Need("", "persistentvolumeclaims", "delete"),
    Need("", "events", "list"),
    Need("", "events", "watch"),
    Need("", "nodes", "list"),
    Need("storage.k8s.io", "storageclasses", "list"),
    Need(CDI, "cdis", "list"),
    Need(CDI, "storageprofiles", "list"),
    Need(KUBEVIRT, "kubevirts", "list"),
    # Before a VDC's namespace is deleted, all that is in it is listed, of whatever kind (`clusters.strangers`).
    Need("*", "*", "list"),
)
OPTIONAL_GROUPS = frozenset({CDI, KUBEVIRT})


def needs(served: Collection[str]) -> list[Need]:
    """All rights that OVIM needs in a cluster which serves these API groups."""
    return sorted({need for need in _all() if need.group not in OPTIONAL_GROUPS or need.group in served})


def _all() -> Iterator[Need]:
    yield from LOOKED_AT
    for kind in KINDS.values():
        yield from _of(kind)
    for role in TENANT_ROLES:  # without `bind` nobody may grant what he does not have himself
        yield Need(RBAC, "clusterroles", "bind", role)
        yield Need(RBAC, "clusterroles", "get", role)


def _of(kind: ObjectKind) -> Iterable[Need]:
    verbs = ["list", "watch"] if kind.watched else []
    if kind.plural in APPLIED | READ_LIVE:
        verbs.append("get")
    if kind.plural in APPLIED:
        verbs += ["create", "patch", "delete"]
    found = [Need(kind.group, kind.plural, verb) for verb in verbs]
    return [*found, Need(kind.group, f"{kind.plural}/status", "patch")] if _has_mirror(kind) else found


def _has_mirror(kind: ObjectKind) -> bool:
    return kind.status and kind.plural in APPLIED
