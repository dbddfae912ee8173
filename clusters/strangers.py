"""What else is in a namespace: read live, by discovery, before the namespace is deleted with all it holds (ENGINE §5)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from clusters.apply import token_of
from clusters.client import Client, Object
from clusters.errors import KubeError
from clusters.models import InventoryItem

# What the control plane itself puts into every namespace, and what only reports on other objects.
CONTROL_PLANE = frozenset(
    {
        ("ConfigMap", "kube-root-ca.crt"),
        ("ConfigMap", "openshift-service-ca.crt"),
        ("ServiceAccount", "default"),
        ("ServiceAccount", "builder"),
        ("ServiceAccount", "deployer"),
        ("RoleBinding", "system:deployers"),
        ("RoleBinding", "system:image-builders"),
        ("RoleBinding", "system:image-pullers"),
    }
)
DERIVED = frozenset({"Event", "Endpoints", "EndpointSlice", "PodMetrics", "Lease", "ControllerRevision"})
SERVICE_ACCOUNT_SECRETS = frozenset({"kubernetes.io/service-account-token", "kubernetes.io/dockercfg"})


def inside(client: Client, namespace: str) -> list[Object]:
    """All objects in a namespace, of every kind that the cluster lists."""
    return [live for path, kind in _collections(client, namespace) for live in _listed(client, path, kind)]


def strange(found: Sequence[Object], cluster_id: UUID, namespace: str) -> list[str]:
    """Those of them that are neither ours, nor grown out of ours, nor the control plane's: "Kind name"."""
    uids = {live["metadata"]["uid"] for live in found}
    uids_of_ours, tokens = _inventory(cluster_id, namespace)
    ours = uids_of_ours | {live["metadata"]["uid"] for live in found if token_of(live) in tokens}
    parents = {live["metadata"]["uid"]: set(_owners(live)) for live in found}
    grown = {uid for uid in uids if _descends(uid, parents, ours)}
    return sorted(
        f"{live['kind']} {live['metadata']['name']}"
        for live in found
        if live["metadata"]["uid"] not in grown and not _is_control_planes(live)
    )


def _inventory(cluster_id: UUID, namespace: str) -> tuple[set[str], set[UUID]]:
    """Uids that are recorded, and all claim tokens: the answer to a request of ours, or its sender, may have been lost
    before the uid was. What is forgotten counts, too: a late request of ours is swept away, not somebody's."""
    items = InventoryItem.objects.filter(cluster_id=cluster_id, namespace__in=[namespace, ""])
    uids, tokens = set(), set()
    for uid, token, past, tombstone in items.values_list("uid", "claim_token", "past_tokens", "tombstoned_at"):
        tokens |= {token, *past}
        if uid is not None and tombstone is None:
            uids.add(str(uid))
    return uids, tokens


def _collections(client: Client, namespace: str) -> Iterator[tuple[str, str]]:
    """The path and kind of every kind that can be listed and deleted in a namespace, in each group's preferred version."""
    groups = client.raw("GET", "/apis")["groups"]
    roots = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]
    for root in roots:
        for resource in client.raw("GET", root)["resources"]:
            verbs = resource.get("verbs", ())
            if resource["namespaced"] and "/" not in resource["name"] and {"list", "delete"} <= set(verbs):
                yield f"{root}/namespaces/{namespace}/{resource['name']}", resource["kind"]


def _listed(client: Client, path: str, kind: str) -> Iterator[Object]:
    if kind in DERIVED:
        return
    token = ""
    while True:
        try:
            page = client.raw("GET", f"{path}?limit=500" + (f"&continue={token}" if token else ""))
        except KubeError as error:
            if error.status in (404, 405):
                return  # discovery is ahead of what is served: a definition that is being removed
            raise
        for live in page["items"]:
            yield {"kind": kind, **live}
        token = page["metadata"].get("continue", "")
        if not token:
            return


def _owners(live: Mapping[str, Any]) -> Iterable[str]:
    """The controller's uid only: any other owner reference proves nothing."""
    return (item["uid"] for item in live["metadata"].get("ownerReferences") or () if item.get("controller"))


def _descends(uid: str, parents: Mapping[str, set[str]], ours: set[str]) -> bool:
    seen: set[str] = set()
    level = {uid}
    while level:
        if level & ours:
            return True
        seen |= level
        level = {above for child in level for above in parents.get(child, ())} - seen
    return False


def _is_control_planes(live: Mapping[str, Any]) -> bool:
    if (live["kind"], live["metadata"]["name"]) in CONTROL_PLANE:
        return True
    return live["kind"] == "Secret" and live.get("type") in SERVICE_ACCOUNT_SECRETS
