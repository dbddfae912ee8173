"""Names of things in a cluster: object kinds with the rules that hold for them, and references to single objects."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True)
class ObjectKind:
    """A Kubernetes kind that OVIM writes or watches.

    `guard`: its names in our own namespaces are ours, a stranger's object under one is replaced (ENGINE §2).
    `forced`: applied with force, because nobody else may own its fields (ENGINE §3).
    `data`: never pruned by omission; destroyed only by the deletion of the row that it is the data of.
    `keeps_data`: holds a disk's bytes, so that it is never created again once its VM has existed.
    `grown`: never written by us: a controller makes it out of an object of ours, and its uid is recorded once the chain
    of owner references has proven it (ENGINE §2).
    `watched`: in the observed cache; otherwise it is checked live now and then.
    `rank`: the order of creation; deletion goes the other way.
    """

    group: str
    version: str
    kind: str
    plural: str
    rank: int
    namespaced: bool = True
    guard: bool = False
    forced: bool = False
    data: bool = False
    keeps_data: bool = False
    grown: bool = False
    watched: bool = True
    status: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "") -> str:
        """The URL path of the collection, or of one object of it."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{place}/{self.plural}" + (f"/{name}" if name else "")


RBAC = "rbac.authorization.k8s.io"
KINDS = {
    (kind.group, kind.kind): kind
    for kind in (
        ObjectKind("", "v1", "Namespace", "namespaces", 0, namespaced=False, forced=True, data=True),
        ObjectKind("ovim.io", "v1", "Organization", "organizations", 1, False, guard=True, forced=True, status=True),
        ObjectKind("ovim.io", "v1", "VirtualDataCenter", "virtualdatacenters", 1, guard=True, forced=True, status=True),
        ObjectKind("ovim.io", "v1", "Catalog", "catalogs", 1, guard=True, forced=True, status=True),
        ObjectKind("", "v1", "ResourceQuota", "resourcequotas", 2, guard=True, forced=True),
        ObjectKind("", "v1", "LimitRange", "limitranges", 2, guard=True, forced=True),
        ObjectKind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", 2, guard=True, forced=True),
        ObjectKind(RBAC, "v1", "RoleBinding", "rolebindings", 3, guard=True, forced=True),
        ObjectKind("", "v1", "ConfigMap", "configmaps", 4),
        ObjectKind("", "v1", "Secret", "secrets", 4, watched=False),
        ObjectKind("cdi.kubevirt.io", "v1beta1", "DataVolume", "datavolumes", 5, data=True, keeps_data=True),
        ObjectKind(
            "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", 5, data=True, keeps_data=True, grown=True
        ),
        ObjectKind("kubevirt.io", "v1", "VirtualMachine", "virtualmachines", 6, data=True),
        ObjectKind("kubevirt.io", "v1", "VirtualMachineInstance", "virtualmachineinstances", 7),
        ObjectKind("", "v1", "Pod", "pods", 8),
    )
}
WATCHED = tuple(kind for kind in KINDS.values() if kind.watched)


@dataclass(frozen=True, order=True)
class Ref:
    """One object of a cluster: what an inventory row, a cache row and a manifest have in common."""

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def type(self) -> ObjectKind:
        return KINDS[self.group, self.kind]

    @property
    def path(self) -> str:
        return self.type.path(self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def ref_of(manifest: Mapping[str, Any]) -> Ref:
    """The reference of a manifest or a live object."""
    group = manifest["apiVersion"].rpartition("/")[0]
    metadata = manifest["metadata"]
    return Ref(group, manifest["kind"], metadata.get("namespace", ""), metadata["name"])


def volume_of(disk: Ref) -> Ref:
    """The PersistentVolumeClaim that a DataVolume becomes: it has the same name."""
    return Ref("", "PersistentVolumeClaim", disk.namespace, disk.name)


def disk_of(volume: Ref) -> Ref:
    """The DataVolume that a PersistentVolumeClaim grew out of."""
    return Ref("cdi.kubevirt.io", "DataVolume", volume.namespace, volume.name)


def keys_of(refs: Iterable[Ref]) -> dict[str, list[str]]:
    """References as the arrays that a statement unnests: `groups`, `kinds`, `namespaces`, `names`, in this order."""
    listed = list(refs)
    return {
        "groups": [ref.group for ref in listed],
        "kinds": [ref.kind for ref in listed],
        "namespaces": [ref.namespace for ref in listed],
        "names": [ref.name for ref in listed],
    }


def manifest(api_version: str, kind: str, name: str, *, namespace: str = "", **rest: Any) -> Manifest:
    """A manifest: `labels` and `annotations` go into the metadata, everything else beside it."""
    metadata: dict[str, Any] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    for field in ("labels", "annotations"):
        if value := rest.pop(field, None):
            metadata[field] = value
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}
