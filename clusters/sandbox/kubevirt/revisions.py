"""What a machine was started with: a ControllerRevision per started generation, the last one only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusters.sandbox.cdi.objects import owner_reference

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
REVISIONS = "controllerrevisions.apps"
MANAGER = "virt-controller"
GENERATION = "kubevirt.io/vm-generation"
API_VERSIONS = {"kubevirt.io/latest-observed-api-version": "v1", "kubevirt.io/storage-observed-api-version": "v1"}


def observed(vm: Object) -> Object:
    """Annotations of a VMI: the API's versions and the machine's generation."""
    return API_VERSIONS | {GENERATION: str(vm["metadata"].get("generation", 1))}


def keep(cluster: Cluster, vm: Object) -> str:
    """The name of the revision of this generation; it is made, and older ones go."""
    meta = vm["metadata"]
    start, generation = f"revision-start-vm-{meta['uid']}", meta.get("generation", 1)
    name = f"{start}-{generation}"
    for old in cluster.list(REVISIONS, meta["namespace"]):
        if old["metadata"]["name"].startswith(start) and old["metadata"]["name"] != name:
            cluster.delete(REVISIONS, meta["namespace"], old["metadata"]["name"])
    if cluster.get(REVISIONS, meta["namespace"], name) is None:
        body = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {"name": name, "namespace": meta["namespace"], "ownerReferences": [owner_reference(vm)]},
            "data": {"spec": vm["spec"]},
            "revision": generation,
        }
        cluster.create(REVISIONS, body, manager=MANAGER)
    return name


def follow(cluster: Cluster, vm: Object, vmi: Object) -> None:
    """A machine changed elsewhere than in its template is as new as its instance: that takes over the generation."""
    generation = str(vm["metadata"].get("generation", 1))
    annotations = vmi["metadata"].setdefault("annotations", {})
    if annotations.get(GENERATION, generation) == generation:
        return
    name = vmi.get("status", {}).get("virtualMachineRevisionName", "")
    kept = cluster.get(REVISIONS, vm["metadata"]["namespace"], name)
    if kept is not None and kept["data"]["spec"]["template"] == vm["spec"]["template"]:
        annotations[GENERATION] = generation
        vmi |= cluster.update("virtualmachineinstances.kubevirt.io", vmi, manager=MANAGER)
