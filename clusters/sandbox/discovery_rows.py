"""What discovery lists besides the resources themselves: order of groups, subresources, kinds without objects."""

from __future__ import annotations

from typing import Any

from clusters.sandbox.resources import Resource

Object = dict[str, Any]

# The server's own groups in its order; those of definitions follow (k8s-transcript 01).
GROUP_ORDER = (
    "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io", "autoscaling",
    "batch", "certificates.k8s.io", "networking.k8s.io", "policy", "rbac.authorization.k8s.io", "storage.k8s.io",
    "admissionregistration.k8s.io", "apiextensions.k8s.io", "scheduling.k8s.io", "coordination.k8s.io", "node.k8s.io",
    "discovery.k8s.io", "resource.k8s.io", "flowcontrol.apiserver.k8s.io",
)  # fmt: skip

# group/version resource subresource kind verbs [group/version of the kind]
SUBRESOURCES = """
v1 namespaces finalize Namespace update
v1 nodes proxy NodeProxyOptions create,delete,get,patch,update
v1 pods attach PodAttachOptions create,get
v1 pods binding Binding create
v1 pods ephemeralcontainers Pod get,patch,update
v1 pods eviction Eviction create policy/v1
v1 pods exec PodExecOptions create,get
v1 pods log Pod get
v1 pods portforward PodPortForwardOptions create,get
v1 pods proxy PodProxyOptions create,delete,get,patch,update
v1 pods resize Pod get,patch,update
v1 replicationcontrollers scale Scale get,patch,update autoscaling/v1
v1 serviceaccounts token TokenRequest create authentication.k8s.io/v1
v1 services proxy ServiceProxyOptions create,delete,get,patch,update
apps/v1 deployments scale Scale get,patch,update autoscaling/v1
apps/v1 replicasets scale Scale get,patch,update autoscaling/v1
apps/v1 statefulsets scale Scale get,patch,update autoscaling/v1
certificates.k8s.io/v1 certificatesigningrequests approval CertificateSigningRequest get,patch,update
"""
STATUS_VERBS = ["get", "patch", "update"]

BARE_CORE: list[Object] = [
    {"name": "bindings", "singularName": "binding", "namespaced": True, "kind": "Binding", "verbs": ["create"]},
    {
        "name": "componentstatuses",
        "singularName": "componentstatus",
        "namespaced": False,
        "kind": "ComponentStatus",
        "verbs": ["get", "list"],
        "shortNames": ["cs"],
    },
]


def _of(resource: Resource) -> list[list[str]]:
    found = (line.split() for line in SUBRESOURCES.strip().splitlines())
    return [row for row in found if row[:2] == [resource.api_version, resource.plural]]


def subresources(resource: Resource) -> list[Object]:
    """The subresources of one resource as an APIResourceList prints them, status among them, sorted."""
    base = {"singularName": "", "namespaced": resource.namespaced}
    rows: list[Object] = []
    if resource.status:
        rows.append({"name": f"{resource.plural}/status", **base, "kind": resource.kind, "verbs": STATUS_VERBS})
    if resource.scale is not None:
        kind = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        rows.append({"name": f"{resource.plural}/scale", **base, **kind, "verbs": STATUS_VERBS})
    for _, plural, name, kind_name, verbs, *place in _of(resource):
        group, _, version = place[0].rpartition("/") if place else ("", "", "")
        where = {"group": group, "version": version} if place else {}
        rows.append({"name": f"{plural}/{name}", **base, **where, "kind": kind_name, "verbs": verbs.split(",")})
    return rows if resource.custom else sorted(rows, key=lambda row: row["name"])


def group_rank(group: str, versions: list[str]) -> tuple[int, str]:
    """Where a group stands in /apis: the server's own first, then by the names of their API services."""
    if group in GROUP_ORDER:
        return GROUP_ORDER.index(group), ""
    return len(GROUP_ORDER), min(f"{version}.{group}" for version in versions)
