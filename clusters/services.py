"""Verbs on clusters: connect one, give it what OVIM needs there before any tenant does. On work: `operations`."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F

from clusters import connections, credentials
from clusters.errors import KubeError
from clusters.kubeconfig import Access
from clusters.models import Cluster
from clusters.refs import Manifest
from core import access, audit, rows
from core.actor import Actor
from core.errors import Unavailable
from core.rights import Right

PATHS: Mapping[str, str] = {
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
}
ESTABLISHED_SECONDS = 30.0


@transaction.atomic
def connect_cluster(*, actor: Actor, name: str, to: Access, display_name: str = "", default: bool = False) -> Cluster:
    """Register a cluster, or renew the address and credential of a known one, which is encrypted at rest."""
    access.require_system(actor, Right.CLUSTER_EDIT)
    cluster = Cluster.objects.select_for_update(no_key=True).filter(name=name).first()
    if cluster is None:
        cluster = Cluster(
            name=name,
            display_name=display_name or name,
            **credentials.columns(to),
            is_default=default and not Cluster.objects.filter(is_default=True).exists(),
        )
        rows.save(cluster, new=True)
        audit.record(actor, "cluster.connect", cluster, after={"server": to.server})
        return cluster
    known = credentials.access_to(cluster)
    if known != to:
        Cluster.objects.filter(pk=cluster.pk).update(
            **credentials.columns(to),
            generation=F("generation") + 1,
            access_generation=F("access_generation") + 1,
            failing_since=None,
            probe_at=None,
        )
        cluster.refresh_from_db()
        audit.record(actor, "cluster.connect", cluster, before={"server": known.server}, after={"server": to.server})
    return cluster


def install_definitions(*, actor: Actor, cluster: Cluster, manifests: Sequence[Manifest]) -> None:
    """Put OVIM's own definitions and roles into a cluster, as they are in this version, and wait until they are served."""
    access.require_system(actor, Right.CLUSTER_EDIT)
    client = connections.client_of(cluster.pk)
    try:
        for manifest in manifests:
            _put(client, manifest)
        _wait(client, [item for item in manifests if item["kind"] == "CustomResourceDefinition"])
    except KubeError as error:
        raise Unavailable(f"{cluster}: OVIM's definitions could not be installed: {error}") from error


def _put(client: Any, manifest: Manifest) -> None:
    collection = PATHS[manifest["kind"]]
    address = f"{collection}/{manifest['metadata']['name']}"
    try:
        live = client.raw("GET", address)
    except KubeError as error:
        if error.status != 404:
            raise
        client.raw("POST", collection, manifest)
        return
    version = live["metadata"]["resourceVersion"]
    client.raw("PUT", address, {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": version}})


def _wait(client: Any, definitions: Iterable[Manifest]) -> None:
    until = time.monotonic() + ESTABLISHED_SECONDS
    for definition in definitions:
        name = definition["metadata"]["name"]
        while not _established(client.raw("GET", f"{PATHS['CustomResourceDefinition']}/{name}")):
            if time.monotonic() > until:
                raise Unavailable(f"{name} was not established within {ESTABLISHED_SECONDS:.0f} s.")
            time.sleep(0.1)


def _established(live: Mapping[str, Any]) -> bool:
    conditions = (live.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Established" and item["status"] == "True" for item in conditions)
