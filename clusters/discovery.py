"""What a cluster can do, read live: stored as `Cluster.capabilities`, shown to people, asked before work is accepted.

A name with null was looked for and is not there; a name that is missing could not be looked at or never was. Versions
of groups and names of storage classes differ from cluster to cluster, so nothing of this is assumed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from clusters.client import Client, Object
from clusters.errors import KubeError
from clusters.needs import CDI, KUBEVIRT

Capabilities = dict[str, Any]
# What is told by the version that a group is served in, the first of these that is.
GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "volume_snapshots": ("snapshot.storage.k8s.io", ("v1", "v1beta1")),
    "vm_snapshots": ("snapshot.kubevirt.io", ("v1", "v1beta1", "v1alpha1")),
    "vm_export": ("export.kubevirt.io", ("v1", "v1beta1", "v1alpha1")),
    "vm_clone": ("clone.kubevirt.io", ("v1", "v1beta1", "v1alpha1")),
    "instance_types": ("instancetype.kubevirt.io", ("v1", "v1beta1")),
    "aaq": ("aaq.kubevirt.io", ("v1", "v1alpha1")),
    "routes": ("route.openshift.io", ("v1",)),
    "user_defined_networks": ("k8s.ovn.org", ("v1",)),
    "network_attachments": ("k8s.cni.cncf.io", ("v1",)),
}
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
DEFAULT_VM_CLASS = "storageclass.kubevirt.io/is-default-virt-class"
MOST_NODES = 500


def groups(client: Client) -> dict[str, list[str]]:
    """Every API group with the versions that are served of it."""
    listed = client.raw("GET", "/apis")["groups"]
    return {group["name"]: [version["version"] for version in group["versions"]] for group in listed}


def resources(client: Client, group: str, version: str) -> set[str]:
    """The plural names of a group's resources, subresources left out; empty where it is not served."""
    try:
        found = client.raw("GET", f"/apis/{group}/{version}")["resources"]
    except KubeError as error:
        if error.status == 404:
            return set()
        raise
    return {item["name"] for item in found if "/" not in item["name"]}


def capabilities(client: Client, version: str, served: Mapping[str, Iterable[str]]) -> Capabilities:
    """All that is worth knowing of a cluster of this version which serves these groups."""
    found: Capabilities = {"kubernetes": version}
    for name, (group, known) in GROUPS.items():
        versions = set(served.get(group, ()))
        found[name] = next((item for item in known if item in versions), None)
    found |= _kubevirt(client, served) | _cdi(client, served) | _nodes(client)
    classes = _classes(client, profiles=found["cdi"] is not None)
    return found | ({} if classes is None else {"storage_classes": classes})


def _kubevirt(client: Client, served: Mapping[str, Iterable[str]]) -> Capabilities:
    """Its operator alone serves the group, too, without any virtual machines."""
    if "virtualmachines" not in (resources(client, KUBEVIRT, "v1") if KUBEVIRT in served else ()):
        return {"kubevirt": None}
    live = next(iter(_items(client, f"/apis/{KUBEVIRT}/v1/kubevirts") or ()), {})
    configured = live.get("spec", {}).get("configuration", {})
    gates = configured.get("developerConfiguration", {}).get("featureGates")
    found = {"kubevirt": live.get("status", {}).get("observedKubeVirtVersion") or "unknown"}
    if live:
        found["feature_gates"] = sorted(gates or ())
        found["rollout"] = configured.get("vmRolloutStrategy") or "default"
    return found


def _cdi(client: Client, served: Mapping[str, Iterable[str]]) -> Capabilities:
    if "datavolumes" not in (resources(client, CDI, "v1beta1") if CDI in served else ()):
        return {"cdi": None}
    live = next(iter(_items(client, f"/apis/{CDI}/v1beta1/cdis") or ()), {})
    return {"cdi": live.get("status", {}).get("observedVersion") or "unknown"}


def _nodes(client: Client) -> Capabilities:
    """How many nodes of which architecture; of a large cluster, of its first nodes."""
    nodes = _items(client, "/api/v1/nodes")
    if nodes is None:
        return {}
    counts: dict[str, int] = {}
    for node in nodes:
        name = node.get("status", {}).get("nodeInfo", {}).get("architecture") or "unknown"
        counts[name] = counts.get(name, 0) + 1
    return {"architectures": dict(sorted(counts.items()))}


def _classes(client: Client, *, profiles: bool) -> list[Capabilities] | None:
    """Storage classes; with CDI also how their volumes are accessed and cloned."""
    classes = _items(client, "/apis/storage.k8s.io/v1/storageclasses")
    if classes is None:
        return None
    known = _items(client, f"/apis/{CDI}/v1beta1/storageprofiles") if profiles else None
    by_name = {item["metadata"]["name"]: item.get("status", {}) for item in known or ()}
    return [_class(item, by_name.get(item["metadata"]["name"], {})) for item in classes]


def _class(live: Object, profile: Mapping[str, Any]) -> Capabilities:
    notes = live["metadata"].get("annotations") or {}
    sets = profile.get("claimPropertySets") or [{}]
    return {
        "name": live["metadata"]["name"],
        "provisioner": live.get("provisioner", ""),
        "default": notes.get(DEFAULT_CLASS) == "true",
        "default_for_vms": notes.get(DEFAULT_VM_CLASS) == "true",
        "grows": bool(live.get("allowVolumeExpansion")),
        "access_modes": list(sets[0].get("accessModes") or ()),
        "clone": profile.get("cloneStrategy") or "",
    }


def _items(client: Client, path: str) -> list[Object] | None:
    """The first page of a list. None: it may not be read, or there is no such kind."""
    try:
        items: list[Object] = client.raw("GET", f"{path}?limit={MOST_NODES}")["items"]
    except KubeError as error:
        if error.status in (403, 404):
            return None
        raise
    return items
