"""What else is in a namespace: read live, by discovery, before the namespace is deleted with all it holds (ENGINE §5)."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from clusters.apply import token_of
from clusters.client import Client, Object
from clusters.errors import KubeError
from clusters.models import InventoryItem
from clusters.steps import Looks

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


def looks(namespace: str) -> Looks[list[Object]]:
    """Requests, one after the other, that find all objects in a namespace, of every kind that the cluster lists.

    Each is yielded and its answer sent back in: whoever drives this may do something between two of them.
    """
    groups = (yield lambda client: client.raw("GET", "/apis"))["groups"]
    found: list[Object] = []
    for root in ("/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)):
        served = (yield partial(_get, path=root)) or {"resources": ()}
        for resource in served["resources"]:
            if _is_listed(resource):
                found += yield from _listed(f"{root}/namespaces/{namespace}/{resource['name']}", resource["kind"])
    return found


def inside(client: Client, namespace: str) -> list[Object]:
    """The same at once, for whoever holds nothing meanwhile."""
    asking, answer = looks(namespace), None
    while True:
        try:
            answer = asking.send(answer)(client)
        except StopIteration as end:
            found: list[Object] = end.value
            return found


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


def _is_listed(resource: Mapping[str, Any]) -> bool:
    """A kind of its own that can be listed and deleted in a namespace, and does not merely report on others."""
    whole = resource["namespaced"] and "/" not in resource["name"] and resource["kind"] not in DERIVED
    return whole and {"list", "delete"} <= set(resource.get("verbs") or ())  # null: virt-api's


def _listed(path: str, kind: str) -> Looks[list[Object]]:
    found: list[Object] = []
    token = ""
    while True:
        page = yield partial(_get, path=f"{path}?limit=500" + (f"&continue={token}" if token else ""))
        if page is None:
            return found
        found += [{"kind": kind, **live} for live in page["items"] or ()]
        token = page["metadata"].get("continue", "")
        if not token:
            return found


def _get(client: Client, path: str) -> Object | None:
    """None: discovery is ahead of what is served, a definition that is being removed."""
    try:
        found: Object = client.raw("GET", path)
    except KubeError as error:
        if error.status in (404, 405):
            return None
        raise
    return found


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
