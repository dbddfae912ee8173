"""Facts of a VDC → its objects. Leaving an object out deletes it; the namespace holds data and outlives omissions. Pure."""

from collections.abc import Collection
from typing import Any

from clusters.apply import Wanted
from clusters.refs import RBAC, Manifest, Ref, manifest
from core import quantities
from vdcs.facts import AccessFacts, VdcFacts

# What one VM may cost beyond its guest memory: launcher (page tables and a fixed 312 MiB in KubeVirt 1.9), importer and
# hot-plug pods, rounded up. The backstop must never refuse what the ledger has granted (facts/kubevirt.md 5.4).
OVERHEAD_MIB = 1024
# A volume in a file system is made larger by CDI's default overhead of 6 %; an import holds scratch and prime copies, too.
FILESYSTEM_PERCENT, COPIES_WHILE_IMPORTING = 107, 3
DNS_NAMESPACES = ["kube-system", "openshift-dns"]
CDI_NAMESPACES = ["cdi", "openshift-cnv"]
IMPORTERS = {"cdi.kubevirt.io": "importer"}


def vdc_objects(vdc: VdcFacts) -> list[Wanted]:
    """Everything of a VDC. What lives in its namespace is claimed only once that namespace is proven to be ours."""
    space = namespace(vdc)
    inside = [network_policy(vdc), import_policy(vdc), limit_range(vdc)]
    quota = resource_quota(vdc)
    if quota is not None:
        inside.append(quota)
    home = Ref("", "Namespace", "", vdc.namespace)
    return [Wanted(space), Wanted(custom_resource(vdc)), *(Wanted(item, after=(home,)) for item in inside)]


def labels(vdc: VdcFacts) -> dict[str, str]:
    return {
        "app.kubernetes.io/part-of": "ovim",
        "ovim.io/organization": str(vdc.organization_id),
        "ovim.io/vdc": str(vdc.id),
    }


def namespace(vdc: VdcFacts) -> Manifest:
    return manifest("v1", "Namespace", vdc.namespace, labels=labels(vdc))


def custom_resource(vdc: VdcFacts) -> Manifest:
    """The mirror that `kubectl get vdc` shows, in the organization's namespace."""
    spec: dict[str, Any] = {
        "organizationRef": vdc.organization_name,
        "displayName": vdc.display_name,
        "description": vdc.description,
        "networkPolicy": "isolated" if vdc.isolated else "default",
        "quota": _quota(vdc),
    }
    sizes = {"minDisk": vdc.min_disk_gib, "maxDisk": vdc.max_disk_gib}
    if limits := {name: quantities.of_gibibytes(gib) for name, gib in sizes.items() if gib}:
        spec["limitRange"] = limits
    return manifest(
        "ovim.io/v1",
        "VirtualDataCenter",
        vdc.name,
        namespace=vdc.organization_namespace,
        labels=labels(vdc),
        spec=spec,
    )


def _quota(vdc: VdcFacts) -> dict[str, Any]:
    limits = vdc.limits
    quota: dict[str, Any] = {}
    if "cpu" in limits:
        quota["cpu"] = limits["cpu"]
    if "memory_mib" in limits:
        quota["memory"] = quantities.of_mebibytes(limits["memory_mib"])
    if "disk_gib" in limits:
        quota["storage"] = quantities.of_gibibytes(limits["disk_gib"])
    classes = {name.partition("/")[2]: gib for name, gib in limits.items() if name.startswith("disk_gib/")}
    if classes:
        quota["storageClasses"] = {name: quantities.of_gibibytes(gib) for name, gib in sorted(classes.items())}
    for ours, theirs in (("vms", "virtualMachines"), ("running_vms", "runningVirtualMachines")):
        if ours in limits:
            quota[theirs] = limits[ours]
    return quota


def resource_quota(vdc: VdcFacts) -> Manifest | None:
    """A backstop, looser than the ledger: doubled for migration targets, with room for KubeVirt's and CDI's own pods.

    Never `limits.*`: KubeVirt would then set limits of twice the request, and capacity would halve.
    """
    limits = vdc.limits
    hard: dict[str, str] = {}
    # How many VMs can run at most: without any bound on that, no overhead can be bounded either.
    count = min((limits[name] for name in ("running_vms", "vms", "cpu") if name in limits), default=None)
    if count is not None and "cpu" in limits:
        hard["requests.cpu"] = str(2 * limits["cpu"] + count + 1)
    if count is not None and "memory_mib" in limits:
        memory = limits["memory_mib"]
        hard["requests.memory"] = f"{2 * memory + memory // 128 + count * OVERHEAD_MIB}Mi"
    for name, gib in sorted(limits.items()):
        base, _, storage_class = name.partition("/")
        if base == "disk_gib":
            prefix = f"{storage_class}.storageclass.storage.k8s.io/" if storage_class else ""
            hard[f"{prefix}requests.storage"] = f"{_with_overhead(gib * COPIES_WHILE_IMPORTING)}Gi"
    if "vms" in limits:
        hard["count/virtualmachines.kubevirt.io"] = str(limits["vms"])
    if not hard:
        return None
    return _inside(vdc, "v1", "ResourceQuota", "ovim-quota", spec={"hard": hard})


def _with_overhead(gib: int) -> int:
    return -(-gib * FILESYSTEM_PERCENT // 100)


def limit_range(vdc: VdcFacts) -> Manifest:
    """Sizes of claims, and a request for containers without one, which a quota on requests would refuse otherwise.

    No container minimum: it would refuse the launcher's side-cars. Smallest and largest VM are OVIM's own rule.
    """
    items: list[dict[str, Any]] = [{"type": "Container", "defaultRequest": {"cpu": "10m", "memory": "64Mi"}}]
    claim: dict[str, Any] = {"type": "PersistentVolumeClaim"}
    if vdc.min_disk_gib:
        claim["min"] = {"storage": f"{vdc.min_disk_gib}Gi"}
    if vdc.max_disk_gib:
        claim["max"] = {"storage": f"{_with_overhead(vdc.max_disk_gib)}Gi"}
    if len(claim) > 1:
        items.append(claim)
    return _inside(vdc, "v1", "LimitRange", "ovim-limits", spec={"limits": items})


def network_policy(vdc: VdcFacts) -> Manifest:
    """default: in from this VDC only, out to anywhere. isolated: out to this VDC and to name servers only."""
    here = {"namespaceSelector": _named([vdc.namespace])}
    spec: dict[str, Any] = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [here]}]}
    if vdc.isolated:
        servers = {"namespaceSelector": _named(DNS_NAMESPACES)}
        # 5353 is where OpenShift's name servers listen behind their service.
        ports = [{"protocol": protocol, "port": port} for port in (53, 5353) for protocol in ("UDP", "TCP")]
        spec["policyTypes"] = ["Ingress", "Egress"]
        spec["egress"] = [{"to": [here]}, {"to": [servers], "ports": ports}]
    return _inside(vdc, "networking.k8s.io/v1", "NetworkPolicy", "ovim-network", spec=spec)


def import_policy(vdc: VdcFacts) -> Manifest:
    """CDI's importers fetch images from outside, and CDI asks them for progress, whatever the VDC's mode. Tenants make
    no pods, so this opens no door to them."""
    spec = {
        "podSelector": {"matchLabels": IMPORTERS},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"namespaceSelector": _named(CDI_NAMESPACES)}]}],
        "egress": [{}],
    }
    return _inside(vdc, "networking.k8s.io/v1", "NetworkPolicy", "ovim-imports", spec=spec)


def _named(names: list[str]) -> dict[str, Any]:
    """By the label that the API server itself puts on every namespace; tenants can't set it."""
    return {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": names}]}


def access_objects(access: AccessFacts) -> list[Wanted]:
    """One RoleBinding for each ClusterRole that somebody has there; sorted, so that the same people are the same bytes."""
    if not access.syncs:
        return []
    roles = sorted({*access.users, *access.groups})
    found = [(role, _subjects(access.users.get(role, ()), access.groups.get(role, ()))) for role in roles]
    return [Wanted(_role_binding(access, role, subjects)) for role, subjects in found if subjects]


def _subjects(users: Collection[str], groups: Collection[str]) -> list[dict[str, str]]:
    named = [("Group", name) for name in sorted(set(groups))] + [("User", name) for name in sorted(set(users))]
    return [{"apiGroup": RBAC, "kind": kind, "name": name} for kind, name in named]


def _role_binding(access: AccessFacts, role: str, subjects: list[dict[str, str]]) -> Manifest:
    labels = {"app.kubernetes.io/part-of": "ovim", "ovim.io/organization": str(access.organization_id)}
    if access.vdc_id is not None:
        labels["ovim.io/vdc"] = str(access.vdc_id)
    return manifest(
        f"{RBAC}/v1",
        "RoleBinding",
        role.replace(":", "-"),
        namespace=access.namespace,
        labels=labels,
        roleRef={"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        subjects=subjects,
    )


def _inside(vdc: VdcFacts, api_version: str, kind: str, name: str, **rest: Any) -> Manifest:
    return manifest(api_version, kind, name, namespace=vdc.namespace, labels=labels(vdc), **rest)
